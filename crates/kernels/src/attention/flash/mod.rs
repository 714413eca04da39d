//! Causal attention on the CPU that never holds the whole matrix of scores: tiles of queries against blocks of keys,
//! with a running softmax (Dao, Fu, Ermon, Rudra, Ré 2022, `FlashAttention`, algorithms 1 and 4; Dao 2023,
//! `FlashAttention-2`).
//!
//! Inside a tile the scores are transposed: a row for each key and a lane for each query. Keys and values are then read
//! in place, one element broadcast at a time; the maximum and sum of a row are taken lane by lane; and only the queries
//! have to be transposed.

mod product;
pub(crate) mod buffers;
mod output;
mod tile;
mod pack;
mod few;
mod forward;
mod backward;
#[cfg(target_arch = "x86_64")]
pub mod bf16;

pub use backward::{ForwardPass, Gradients, backward};
#[cfg(target_arch = "x86_64")]
pub(crate) use few::MIN_TILED_QUERIES;
pub use forward::forward;
pub(crate) use output::SharedOutput;
pub(crate) use product::{Left, Product};

use crate::simd::LANES;

/// The heads of a tensor `[B, H, T, K]`, by strides in elements. The last axis is contiguous.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a> {
    /// Elements from the tensor's first one on.
    pub data: &'a [f32],
    /// Distance from one row of the batch to the next.
    pub batch_stride: usize,
    /// Distance from one head to the next.
    pub head_stride: usize,
    /// Distance from one token to the next.
    pub time_stride: usize,
}

impl<'a> Heads<'a> {
    /// Elements from token `time` of a head on.
    fn from(&self, batch: usize, head: usize, time: usize) -> &'a [f32] {
        &self.data[batch * self.batch_stride + head * self.head_stride + time * self.time_stride..]
    }

    /// The tokens of one head.
    fn rows(&self, batch: usize, head: usize, width: usize) -> HeadRows<'a> {
        HeadRows { data: self.from(batch, head, 0), stride: self.time_stride, width }
    }

    fn check(&self, name: &str, [batch, heads, times, width]: [usize; 4]) {
        let last = (batch - 1) * self.batch_stride + (heads - 1) * self.head_stride + (times - 1) * self.time_stride;
        assert!(last + width <= self.data.len(), "{name} is shorter than its shape and strides say");
    }

    /// The result of [`Self::padded`].
    fn of_padded(data: &'a [f32], [_, heads, times, width]: [usize; 4]) -> Self {
        let time_stride = padded(width);
        Self { data, batch_stride: heads * times * time_stride, head_stride: times * time_stride, time_stride }
    }

    /// A copy whose last axis is filled up with zeros to a whole number of vectors. `[B, H, T, K]`
    /// → `[B, H, T, padded K]`
    fn padded(&self, [batch, heads, times, width]: [usize; 4]) -> Vec<f32> {
        let mut copy = vec![0.0; batch * heads * times * padded(width)];
        for (i, row) in copy.chunks_exact_mut(padded(width)).enumerate() {
            let source = self.from(i / (heads * times), i / times % heads, i % times);
            row[..width].copy_from_slice(&source[..width]);
        }
        copy
    }
}

/// A matrix whose rows are contiguous, `stride` apart.
#[derive(Clone, Copy)]
struct HeadRows<'a> {
    data: &'a [f32],
    stride: usize,
    width: usize,
}

/// The sizes of one attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows in the batch (B).
    pub batch: usize,
    /// Query heads (H).
    pub heads: usize,
    /// Key and value heads (KV). Each serves `heads / kv_heads` neighbouring query heads (Ainslie et al. 2023).
    pub kv_heads: usize,
    /// Queries in each row (T).
    pub queries: usize,
    /// Keys in each row (S ≥ T). The last query stands at the last key.
    pub keys: usize,
    /// Width of a head (K).
    pub head_dim: usize,
}

impl Shape {
    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    fn query_dims(&self) -> [usize; 4] {
        [self.batch, self.heads, self.queries, self.head_dim]
    }

    fn key_dims(&self) -> [usize; 4] {
        [self.batch, self.kv_heads, self.keys, self.head_dim]
    }

    fn check(&self, q: Heads, k: Heads, v: Heads, mask: &KeyMask) {
        self.check_sizes(mask);
        q.check("the query", self.query_dims());
        k.check("the key", self.key_dims());
        v.check("the value", self.key_dims());
    }

    fn check_sizes(&self, mask: &KeyMask) {
        let Self { batch, heads, kv_heads, queries, keys, head_dim } = *self;
        assert!(
            [batch, heads, kv_heads, queries, keys, head_dim].iter().all(|&size| size > 0),
            "an axis is empty: {self:?}"
        );
        assert!(heads.is_multiple_of(kv_heads), "{heads} query heads cannot share {kv_heads} key heads evenly");
        assert!(queries <= keys, "{queries} queries but {keys} keys: each query has a key of its own");
        assert!(mask.window != Some(0), "a window holds the query itself at least");
        if let Some(origins) = mask.origins {
            assert!(mask.rows == 1 || mask.rows == batch, "origins are given for one row or for all");
            assert_eq!(origins.len(), mask.rows * queries, "one origin a query");
            let seen = |(i, &origin): (usize, &u32)| origin as usize <= keys - queries + i % queries;
            assert!(origins.iter().enumerate().all(seen), "a query's text begins after the query");
        }
    }
}

/// Keys that are hidden from a query, in addition to those after it.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyMask<'a> {
    /// `[rows, T]`: the first key that each query may see: the beginning of its text. `None`: 0.
    pub origins: Option<&'a [u32]>,
    /// Number of distinct rows of `origins`: B, or 1 when all rows share one layout.
    pub rows: usize,
    /// Largest number of keys that a query sees, its own included.
    pub window: Option<usize>,
}

impl KeyMask<'_> {
    /// The first key that query `t`, standing at key `position`, sees.
    fn first(&self, batch: usize, queries: usize, t: usize, position: usize) -> usize {
        let origin = self.origins.map_or(0, |origins| {
            let row = if self.rows == 1 { 0 } else { batch };
            origins[row * queries + t] as usize
        });
        origin.max((position + 1).saturating_sub(self.window.unwrap_or(usize::MAX)))
    }
}

/// Width of a head rounded up to whole vectors.
fn padded(width: usize) -> usize {
    width.next_multiple_of(LANES)
}
