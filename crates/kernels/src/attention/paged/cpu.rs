//! Attention over pages on slices, a few queries of one text at a time.
//!
//! The keys of a page are transposed, a lane for each token, so that the scores of a page are one small product without
//! sums across lanes; its values are stored token after token. Every score, and every sum of values, is one chain of
//! fused multiply-adds in the order of the tokens, regardless of the other texts in the call.

#![expect(unsafe_code, reason = "threads write disjoint parts of one result")]

use std::f32::consts::LOG2_E;
use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::{PAGE, PageShape, Text, View};
use crate::attention::flash::{Left, Product, SharedOutput, buffers};
use crate::simd::{LANES, exp2_lane, row_max, row_sum, tanh_lane, vectorize};

/// Fewest query heads in a task of many queries: as many as the registers of a small product hold.
const FEW_ROWS: usize = 8;
/// Most of them: keys and values are read from memory once for all.
const MANY_ROWS: usize = 48;
/// Number of scores in a task of more than [`FEW_ROWS`], for them to stay in the second-level cache.
const SCORES: usize = 1 << 17;
/// Number of multiplications below which waking other threads costs more than it saves.
const SERIAL: usize = 1 << 17;

/// Keys `[pages, kv heads, K, PAGE]`, values `[pages, kv heads, PAGE, K padded to whole vectors]`.
#[derive(Debug)]
pub(super) struct HostPages {
    shape: PageShape,
    keys: Vec<f32>,
    values: Vec<f32>,
}

/// Neighbouring queries of one text.
struct Queries {
    text: usize,
    /// Their positions in their text.
    positions: Range<usize>,
    /// Index of the first among the new tokens of all texts.
    token: usize,
}

impl HostPages {
    pub fn new(shape: PageShape) -> Self {
        let PageShape { pages, kv_heads, head_dim } = shape;
        let keys = vec![0.0; pages * kv_heads * head_dim * PAGE];
        let values = vec![0.0; pages * kv_heads * PAGE * head_dim.next_multiple_of(LANES)];
        Self { shape, keys, values }
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
        let PageShape { kv_heads, head_dim, .. } = self.shape;
        let (page, slot) = (text.pages[position / PAGE] as usize, position % PAGE);
        for head in 0..kv_heads {
            let (k, v) = (&k[head * head_dim..][..head_dim], &v[head * head_dim..][..head_dim]);
            let start = (page * kv_heads + head) * head_dim * PAGE + slot;
            for (place, k) in self.keys[start..].iter_mut().step_by(PAGE).zip(k) {
                *place = *k;
            }
            let stride = head_dim.next_multiple_of(LANES);
            self.values[((page * kv_heads + head) * PAGE + slot) * stride..][..head_dim].copy_from_slice(v);
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
struct AttentionTask<'a> {
    host: &'a HostPages,
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

impl<'a> AttentionTask<'a> {
    fn new(
        host: &'a HostPages,
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
        buffers::with([rows * width, rows * stride, rows * width, rows], |[scaled, scores, sums, totals]| {
            let scale = LOG2_E / (head_dim as f32).sqrt();
            for (row, scaled) in scaled.chunks_exact_mut(head_dim).enumerate().take(rows) {
                scaled.iter_mut().zip(&q[self.place(row)..]).for_each(|(scaled, q)| *scaled = q * scale);
            }
            self.write_scores(scaled, scores);
            for (row, total) in totals.iter_mut().enumerate() {
                let scores = &mut scores[row * stride..][self.seen(row)];
                if let Some(cap) = self.view.softcap {
                    cap_scores(scores, cap as f32 * LOG2_E);
                }
                *total = exponentials(scores);
            }
            sums.fill(0.0);
            self.add_values(scores, sums);
            for (row, total) in totals.iter().enumerate() {
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
        self.text.pages[page] as usize * self.host.shape.kv_heads + self.kv_head
    }

    /// Products of the queries with all keys of the pages.
    fn write_scores(&self, scaled: &[f32], scores: &mut [f32]) {
        let head_dim = self.host.shape.head_dim;
        for (index, page) in self.pages.clone().enumerate() {
            Product {
                a: scaled,
                layout: Left::Rows(head_dim),
                b: &self.host.keys[self.page(page) * head_dim * PAGE..][..head_dim * PAGE],
                b_stride: PAGE,
                c: &mut scores[index * PAGE..],
                c_stride: self.stride(),
                m: self.rows,
                n: PAGE,
                inner: head_dim,
                add: false,
            }
            .run();
        }
    }

    /// Adds the values, weighted with the scores. Rows that see the same tokens of a page go through one product.
    fn add_values(&self, scores: &[f32], sums: &mut [f32]) {
        let (width, stride) = (self.width(), self.stride());
        for (index, page) in self.pages.clone().enumerate() {
            let slots = index * PAGE..(index + 1) * PAGE;
            let values = &self.host.values[self.page(page) * PAGE * width..][..PAGE * width];
            let in_page = |row| self.seen(row).start.max(slots.start)..self.seen(row).end.min(slots.end);
            let mut row = 0;
            while row < self.rows {
                let tokens = in_page(row);
                let same = |&row: &usize| in_page(row) == tokens;
                let alike = (row..self.rows).step_by(self.group).take_while(same).count() * self.group;
                if !tokens.is_empty() {
                    Product {
                        a: &scores[row * stride + tokens.start..],
                        layout: Left::Rows(stride),
                        b: &values[(tokens.start - slots.start) * width..],
                        b_stride: width,
                        c: &mut sums[row * width..],
                        c_stride: width,
                        m: alike,
                        n: width,
                        inner: tokens.len(),
                        add: true,
                    }
                    .run();
                }
                row += alike;
            }
        }
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
