//! Attention over pages on slices, a few queries of one text at a time.
//!
//! The keys of a page are transposed, a lane for each token, so that the scores of a page are one small product without
//! sums across lanes; its values are stored token after token. Every score, and every sum of values, is one chain of
//! fused multiply-adds in the order of the tokens, regardless of the other texts in the call. Keys and values are
//! elements of [`chain`](crate::chain): f32 numbers, or pairs of bf16 numbers, with which queries and probabilities are
//! rounded to bf16 too.

#![expect(unsafe_code, reason = "threads write disjoint parts of one result")]

use std::f32::consts::LOG2_E;
use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::untouched::Untouched;
use super::{PAGE, PageShape, Text, View};
use crate::attention::flash::{SharedOutput, buffers};
use crate::chain::{BlocksOfColumns, BlocksOfRows, Element, LeftRows};
use crate::simd::{LANES, exp2_lane, row_max, row_sum, tanh_lane, vectorize};

/// Fewest query heads in a task of many queries: as many as the registers of a small product hold.
const FEW_ROWS: usize = 8;
/// Most of them: keys and values are read from memory once for all.
const MANY_ROWS: usize = 48;
/// Number of scores in a task of more than [`FEW_ROWS`], for them to stay in the second-level cache.
const SCORES: usize = 1 << 17;
/// Number of multiplications below which waking other threads costs more than it saves.
const SERIAL: usize = 1 << 17;

/// Keys `[pages, kv heads, K, PAGE]`, values `[pages, kv heads, PAGE, K padded to whole vectors]`. An element holds
/// DEPTH numbers of a key, or one of each of DEPTH tokens' values; K is padded to a multiple of it.
#[derive(Debug)]
pub(super) struct HostPages<E> {
    shape: PageShape,
    keys: Untouched<E>,
    values: Untouched<E>,
}

/// Neighbouring queries of one text.
struct Queries {
    text: usize,
    /// Their positions in their text.
    positions: Range<usize>,
    /// Index of the first among the new tokens of all texts.
    token: usize,
}

impl<E: Element> HostPages<E> {
    pub fn new(shape: PageShape) -> Self {
        let PageShape { pages, kv_heads, .. } = shape;
        let [keys, values] = [Self::key_length(shape), Self::value_length(shape)]
            .map(|length| Untouched::new(pages * kv_heads * length));
        Self { shape, keys, values }
    }

    /// Elements of a head's keys in a page.
    fn key_length(shape: PageShape) -> usize {
        shape.head_dim.div_ceil(E::DEPTH) * PAGE
    }

    /// Elements of a head's values in a page.
    fn value_length(shape: PageShape) -> usize {
        shape.head_dim.next_multiple_of(LANES) * PAGE / E::DEPTH
    }

    /// CPU implementation of [`Pages::attend`](super::Pages::attend).
    pub fn attend(&mut self, [q, k, v]: [Tensor<3>; 3], texts: &[Text], view: View) -> Tensor<3> {
        let [tokens, heads, width] = q.dims();
        let [q, k, v] = [q, k, v].map(Tensor::into_data);
        let [q, k, v] = [&q, &k, &v].map(|data| data.as_slice::<f32>().expect("queries, keys and values of f32"));
        let mut token = 0;
        for text in texts {
            for position in text.start..text.len() {
                let at = token * self.shape.kv_heads * width;
                self.write(text, position, &k[at..], &v[at..]);
                token += 1;
            }
        }
        let y = SharedOutput::new(tokens * heads * width);
        self.attend_all(q, heads, texts, view, &y);
        // SAFETY: the tasks cover every head of every query.
        let y = unsafe { y.finish() };
        Tensor::from_data(TensorData::new(y, [tokens, heads, width]), &Device::flex())
    }

    /// Writes the key and the value of a token, all heads of it, to its page.
    fn write(&mut self, text: &Text, position: usize, k: &[f32], v: &[f32]) {
        let (PageShape { kv_heads, head_dim, .. }, shape) = (self.shape, self.shape);
        let (page, slot) = (text.pages[position / PAGE] as usize, position % PAGE);
        for head in 0..kv_heads {
            let (k, v) = (&k[head * head_dim..][..head_dim], &v[head * head_dim..][..head_dim]);
            let start = (page * kv_heads + head) * Self::key_length(shape) + slot;
            for (place, k) in self.keys[start..].iter_mut().step_by(PAGE).zip(k.chunks(E::DEPTH)) {
                *place = k.iter().enumerate().fold(E::ZERO, |place, (index, &k)| place.with(index, k));
            }
            let (row, index) = (slot / E::DEPTH * head_dim.next_multiple_of(LANES), slot % E::DEPTH);
            let start = (page * kv_heads + head) * Self::value_length(shape) + row;
            // The values of later tokens beside these, if there are any, are of text that is no longer there.
            self.values[start..].iter_mut().zip(v).for_each(|(place, &v)| *place = place.with(index, v));
        }
    }

    fn attend_all(&self, q: &[f32], heads: usize, texts: &[Text], view: View, y: &SharedOutput) {
        let kv_heads = self.shape.kv_heads;
        let (mut tasks, mut token, mut work) = (vec![], 0, 0);
        for (text, of_text) in texts.iter().enumerate() {
            let seen = of_text.len().min(view.window.unwrap_or(usize::MAX));
            let rows = (SCORES / seen).clamp(FEW_ROWS, MANY_ROWS);
            // A few new tokens are still work for several threads.
            let together = (rows * kv_heads / heads).min(of_text.tokens.div_ceil(4)).max(1);
            for first in (of_text.start..of_text.len()).step_by(together) {
                let positions = first..of_text.len().min(first + together);
                token += positions.len();
                tasks.push(Queries { text, token: token - positions.len(), positions });
            }
            work += of_text.tokens * seen * heads * self.shape.head_dim;
        }
        let task = |index: usize| {
            let (queries, kv_head) = (&tasks[index / kv_heads], index % kv_heads);
            AttentionTask::new(self, &texts[queries.text], queries, kv_head, heads, view).run(q, y);
        };
        if work < SERIAL {
            (0..tasks.len() * kv_heads).for_each(task);
        } else {
            (0..tasks.len() * kv_heads).into_par_iter().for_each(task);
        }
    }
}

/// Attention of the query heads that share one key head, for neighbouring queries. A row is one head of one query.
struct AttentionTask<'a, E> {
    host: &'a HostPages<E>,
    text: &'a Text,
    queries: &'a Queries,
    kv_head: usize,
    heads: usize,
    view: View,
    /// Query heads for each key head.
    group: usize,
    rows: usize,
    /// Pages of the text that a row sees.
    pages: Range<usize>,
}

impl<'a, E: Element> AttentionTask<'a, E> {
    fn new(
        host: &'a HostPages<E>,
        text: &'a Text,
        queries: &'a Queries,
        kv_head: usize,
        heads: usize,
        view: View,
    ) -> Self {
        let group = heads / host.shape.kv_heads;
        let first = Text::first_seen(queries.positions.start, view.window) / PAGE;
        let pages = first..(queries.positions.end - 1) / PAGE + 1;
        Self { host, text, queries, kv_head, heads, view, group, rows: queries.positions.len() * group, pages }
    }

    fn run(&self, q: &[f32], y: &SharedOutput) {
        let (rows, head_dim) = (self.rows, self.host.shape.head_dim);
        let (width, stride) = (self.width(), self.stride());
        // For queries and probabilities that are rounded.
        let room = rows * width.max(stride);
        let sizes = [rows * width, rows * stride, rows * width, rows.next_multiple_of(LANES), room];
        buffers::with(sizes, |[scaled, scores, sums, totals, room]| {
            let scale = LOG2_E / (head_dim as f32).sqrt();
            for (row, scaled) in scaled.chunks_exact_mut(width).enumerate() {
                scaled.iter_mut().zip(&q[self.place(row)..][..head_dim]).for_each(|(scaled, q)| *scaled = q * scale);
                scaled[head_dim..].fill(0.0);
            }
            self.write_scores(E::of(scaled, room), scores);
            for (row, total) in totals.iter_mut().enumerate().take(rows) {
                let (scores, seen) = (&mut scores[row * stride..][..stride], self.seen(row));
                if let Some(cap) = self.view.softcap {
                    cap_scores(&mut scores[seen.clone()], cap as f32 * LOG2_E);
                }
                *total = exponentials(&mut scores[seen.clone()]);
                // Other rows see more tokens.
                scores[..seen.start].fill(0.0);
                scores[seen.end..].fill(0.0);
            }
            sums.fill(0.0);
            self.add_values(E::of(scores, room), sums);
            for (row, total) in totals.iter().enumerate().take(rows) {
                // SAFETY: each task writes different heads of different queries.
                unsafe { y.write(self.place(row), &sums[row * width..][..head_dim], 1.0 / total) };
            }
        });
    }

    /// Length of a row of values.
    fn width(&self) -> usize {
        self.host.shape.head_dim.next_multiple_of(LANES)
    }

    /// Length of a row of scores.
    fn stride(&self) -> usize {
        self.pages.len() * PAGE
    }

    /// The first element of a row's head in q and y.
    fn place(&self, row: usize) -> usize {
        let (query, head) = (row / self.group, self.kv_head * self.group + row % self.group);
        ((self.queries.token + query) * self.heads + head) * self.host.shape.head_dim
    }

    /// The tokens that a row sees, from the first of the pages on.
    fn seen(&self, row: usize) -> Range<usize> {
        let (position, first) = (self.queries.positions.start + row / self.group, self.pages.start * PAGE);
        Text::first_seen(position, self.view.window) - first..position + 1 - first
    }

    /// The place in memory of one of the pages, of this key head.
    fn page(&self, page: usize) -> usize {
        self.text.pages[self.pages.start + page] as usize * self.host.shape.kv_heads + self.kv_head
    }

    /// Products of the queries `[rows, width]` with all keys of the pages.
    fn write_scores(&self, queries: &[E], scores: &mut [f32]) {
        let length = HostPages::<E>::key_length(self.host.shape);
        BlocksOfColumns {
            left: LeftRows { elements: queries, stride: self.width() / E::DEPTH, rows: self.rows },
            memory: &self.host.keys,
            block: |page| self.page(page) * length,
            blocks: self.pages.len(),
            inner: length / PAGE,
            out: scores,
            out_stride: self.stride(),
        }
        .run();
    }

    /// Adds the values, weighted with the probabilities `[rows, stride]`, which are 0 for tokens that a row does not
    /// see. Tokens that no row sees are not read.
    fn add_values(&self, probabilities: &[E], sums: &mut [f32]) {
        let (length, seen) = (HostPages::<E>::value_length(self.host.shape), self.seen(self.rows - 1).end);
        let rows = |page: usize| (seen - page * PAGE).min(PAGE).div_ceil(E::DEPTH);
        BlocksOfRows {
            left: LeftRows { elements: probabilities, stride: self.stride() / E::DEPTH, rows: self.rows },
            memory: &self.host.values,
            block: |page| (self.page(page) * length, rows(page)),
            blocks: self.pages.len(),
            width: self.width(),
            out: sums,
            out_stride: self.width(),
        }
        .run();
    }
}

/// Replaces each score by `cap·tanh(score / cap)`.
fn cap_scores(scores: &mut [f32], cap: f32) {
    vectorize(
        #[inline(always)]
        || {
            for score in scores.iter_mut() {
                *score = cap * tanh_lane(*score / cap);
            }
        },
    );
}

/// Replaces each score by `2^(score - max)`; returns the sum.
fn exponentials(scores: &mut [f32]) -> f32 {
    vectorize(
        #[inline(always)]
        || {
            let max = row_max(scores);
            for score in scores.iter_mut() {
                *score = exp2_lane(*score - max);
            }
            row_sum(scores)
        },
    )
}
