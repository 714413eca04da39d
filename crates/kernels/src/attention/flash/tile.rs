//! A tile of queries: the keys that its lanes see, and their scores.

use std::ops::Range;

use super::product::{Left, Product};
use super::{HeadRows, KeyMask, Shape};
#[cfg(target_arch = "x86_64")]
use crate::product::pairs::BLOCK;
use crate::simd::LANES;

/// Number of queries in a tile: the length of a row of scores.
pub(crate) const TILE: usize = 32;
/// Number of vectors in a row of scores.
pub(crate) const VECTORS: usize = TILE / LANES;
/// A number for each query of a tile.
pub(crate) type PerLane = [[f32; LANES]; VECTORS];
/// Number of neighbouring queries that are treated as seeing the same last key when values are summed.
const STEP: usize = 8;

/// The keys that the queries of one tile see. Lanes after the last query see the same keys as it does; their results
/// are not used.
pub(crate) struct Tile {
    /// First query (t).
    pub(crate) start: usize,
    /// Number of queries.
    pub(crate) rows: usize,
    /// Lanes in use: `rows` rounded up to whole vectors.
    pub(crate) width: usize,
    /// First key that each lane sees.
    first: [u32; TILE],
    /// Last key that each lane sees.
    last: [u32; TILE],
    /// First key that is not before the beginning of any lane's text or window.
    open: usize,
    /// Keys that any lane sees.
    pub(crate) keys: Range<usize>,
}

/// Keys that only the lanes from `lane` on see; `lane` is a multiple of a vector.
pub(crate) struct Segment {
    pub(crate) keys: Range<usize>,
    pub(crate) lane: usize,
}

impl Tile {
    /// Number of tiles that T queries need.
    pub(crate) fn count(queries: usize) -> usize {
        queries.div_ceil(TILE)
    }

    pub(crate) fn new(shape: &Shape, mask: &KeyMask, batch: usize, index: usize) -> Self {
        let start = index * TILE;
        let rows = TILE.min(shape.queries - start);
        let position = shape.keys - shape.queries + start;
        let mut first = [0; TILE];
        let mut last = [0; TILE];
        for lane in 0..TILE {
            let row = lane.min(rows - 1);
            first[lane] = mask.first(batch, shape.queries, start + row, position + row) as u32;
            last[lane] = (position + row) as u32;
        }
        let begin = first.iter().min().map_or(0, |&first| first as usize);
        let open = first.iter().max().map_or(0, |&first| first as usize);
        Self { start, rows, width: rows.next_multiple_of(LANES), first, last, open, keys: begin..position + rows }
    }

    /// The tile's keys in blocks of at most `length`.
    pub(crate) fn blocks(&self, length: usize) -> impl Iterator<Item = Range<usize>> {
        let end = self.keys.end;
        self.keys.clone().step_by(length).map(move |start| start..end.min(start + length))
    }

    /// The parts of a block of keys; fewer lanes see the later ones.
    pub(crate) fn segments(&self, block: &Range<usize>) -> impl Iterator<Item = Segment> {
        let (block, position, end) = (block.clone(), self.position(), self.keys.end);
        (0..self.width).step_by(LANES).filter_map(move |lane| {
            let begin = if lane == 0 { block.start } else { block.start.max(position + lane) };
            let keys = begin..block.end.min(end).min(position + lane + LANES);
            (!keys.is_empty()).then_some(Segment { keys, lane })
        })
    }

    /// The tile's keys in blocks that begin and end at whole blocks of bf16 products, and whether one is the first.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn whole_blocks(&self, length: usize) -> impl Iterator<Item = (bool, Range<usize>)> {
        let (begin, end) = (self.keys.start / BLOCK * BLOCK, self.keys.end.next_multiple_of(BLOCK));
        (begin..end).step_by(length).map(move |start| (start == begin, start..end.min(start + length)))
    }

    /// Groups of neighbouring queries, each with the keys of the block up to the last that one of them sees.
    pub(crate) fn steps(&self, block: &Range<usize>) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let (block, position, rows) = (block.clone(), self.position(), self.rows);
        (0..rows).step_by(STEP).filter_map(move |row| {
            let queries = row..rows.min(row + STEP);
            let keys = block.start..block.end.min(position + queries.end);
            (!keys.is_empty()).then_some((queries, keys))
        })
    }

    /// Number of keys from the block's start to the last that a lane of the vector sees.
    #[inline(always)]
    pub(crate) fn seen(&self, block: &Range<usize>, vector: usize) -> usize {
        let end = self.keys.end.min(self.position() + (vector + 1) * LANES);
        block.end.min(end).saturating_sub(block.start)
    }

    /// Overwrites the scores of hidden keys with `hidden`.
    pub(crate) fn mask(&self, block: &Range<usize>, scores: &mut [f32], hidden: f32) {
        for segment in self.segments(block) {
            // Only keys before `open` or after the first lane's own key can be hidden: all lanes see the rest.
            let after = (self.position() + segment.lane + 1).max(segment.keys.start).min(segment.keys.end);
            let before = self.open.max(segment.keys.start).min(after);
            for key in (segment.keys.start..before).chain(after..segment.keys.end) {
                let row = &mut scores[(key - block.start) * TILE..][..TILE];
                for (lane, score) in row.iter_mut().enumerate().skip(segment.lane) {
                    let key = key as u32;
                    let seen = self.first[lane] <= key && key <= self.last[lane];
                    *score = if seen { *score } else { hidden };
                }
            }
        }
    }

    /// Overwrites the scores of hidden keys with `hidden`, a whole row for each of the block's keys.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn hide(&self, block: &Range<usize>, scores: &mut [f32], hidden: f32) {
        let seen_by_all = self.open..self.position() + 1;
        for (key, row) in block.clone().zip(scores.chunks_exact_mut(TILE)) {
            if !seen_by_all.contains(&key) {
                let key = key as u32;
                for ((score, &first), &last) in row.iter_mut().zip(&self.first).zip(&self.last) {
                    *score = if first <= key && key <= last { *score } else { hidden };
                }
            }
        }
    }

    /// Position of the first query among the keys.
    fn position(&self) -> usize {
        self.keys.end - self.rows
    }

    /// Scores of the tile's queries against a block of keys, a row for each key.
    ///
    /// # Shapes
    /// rows `[S, K]`, columns `[padded K, TILE]` → `[block, TILE]`, of which only the tile's segments are written.
    pub(crate) fn scores(&self, rows: HeadRows, columns: &[f32], block: &Range<usize>, scores: &mut [f32]) {
        for segment in self.segments(block) {
            Product {
                a: &rows.data[segment.keys.start * rows.stride..],
                layout: Left::Rows(rows.stride),
                b: &columns[segment.lane..],
                b_stride: TILE,
                c: &mut scores[(segment.keys.start - block.start) * TILE + segment.lane..],
                c_stride: TILE,
                m: segment.keys.len(),
                n: self.width - segment.lane,
                inner: rows.width,
                add: false,
            }
            .run();
        }
    }
}

/// The scores as rows of vectors.
pub(crate) fn vectors(scores: &mut [f32]) -> &mut [[[f32; LANES]; VECTORS]] {
    scores.as_chunks_mut().0.as_chunks_mut().0
}
