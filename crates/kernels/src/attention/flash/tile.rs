//! A tile of queries: what its lanes see, and how they are brought into place.

use std::ops::Range;

use super::product::{Left, Product};
use super::{HeadRows, KeyMask, Shape};
use crate::simd::LANES;

/// Queries in a tile: the length of a row of scores.
pub(crate) const TILE: usize = 32;
/// Vectors in a row of scores.
pub(crate) const VECTORS: usize = TILE / LANES;
/// A number for each query of a tile.
pub(crate) type PerLane = [[f32; LANES]; VECTORS];
/// Queries that share the end of their keys when values are summed.
const STEP: usize = 8;

/// The keys that the queries of one tile see. Lanes beyond the last query see what it sees; nothing they hold is used.
pub(crate) struct Tile {
    /// First query (t).
    pub(crate) start: usize,
    /// Queries.
    pub(crate) rows: usize,
    /// Lanes in use: `rows` filled up to whole vectors.
    pub(crate) width: usize,
    /// First key that each lane sees.
    first: [u32; TILE],
    /// Last key that each lane sees.
    last: [u32; TILE],
    /// From this key on no lane's start hides it.
    open: usize,
    /// Keys that any lane sees.
    pub(crate) keys: Range<usize>,
}

/// Keys that the lanes from `lane` on see, and none before: whole vectors of lanes.
pub(crate) struct Segment {
    pub(crate) keys: Range<usize>,
    pub(crate) lane: usize,
}

impl Tile {
    /// Tiles that T queries need.
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

    /// The blocks of at most `length` keys in which the tile is worked through.
    pub(crate) fn blocks(&self, length: usize) -> impl Iterator<Item = Range<usize>> {
        let end = self.keys.end;
        self.keys.clone().step_by(length).map(move |start| start..end.min(start + length))
    }

    /// The parts of a block of keys, later ones seen by fewer lanes.
    pub(crate) fn segments(&self, block: &Range<usize>) -> impl Iterator<Item = Segment> {
        let (block, position, end) = (block.clone(), self.position(), self.keys.end);
        (0..self.width).step_by(LANES).filter_map(move |lane| {
            let begin = if lane == 0 { block.start } else { block.start.max(position + lane) };
            let keys = begin..block.end.min(end).min(position + lane + LANES);
            (!keys.is_empty()).then_some(Segment { keys, lane })
        })
    }

    /// Neighbouring queries with the keys of the block up to the last that one of them sees.
    pub(crate) fn steps(&self, block: &Range<usize>) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let (block, position, rows) = (block.clone(), self.position(), self.rows);
        (0..rows).step_by(STEP).filter_map(move |row| {
            let queries = row..rows.min(row + STEP);
            let keys = block.start..block.end.min(position + queries.end);
            (!keys.is_empty()).then_some((queries, keys))
        })
    }

    /// Keys of the block, from its start, that a lane of a vector sees.
    #[inline(always)]
    pub(crate) fn seen(&self, block: &Range<usize>, vector: usize) -> usize {
        let end = self.keys.end.min(self.position() + (vector + 1) * LANES);
        block.end.min(end).saturating_sub(block.start)
    }

    /// Writes `hidden` over the scores of what a lane does not see.
    pub(crate) fn mask(&self, block: &Range<usize>, scores: &mut [f32], hidden: f32) {
        for segment in self.segments(block) {
            // What lies before `open` or after the first lane's own key: the rest is seen by all.
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

    /// The key at which the first query stands.
    fn position(&self) -> usize {
        self.keys.end - self.rows
    }

    /// The products of a block of keys with the tile's queries, a row for each key.
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

/// Scores as rows of vectors.
pub(crate) fn vectors(scores: &mut [f32]) -> &mut [[[f32; LANES]; VECTORS]] {
    scores.as_chunks_mut().0.as_chunks_mut().0
}
