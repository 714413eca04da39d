//! Multi-head causal self-attention.
//!
//! Held against transformers, family by family, by `tests/model/parity.rs`.

use burn::module::Module;
use burn::tensor::Tensor;
use fireclay_kernels::attention::Mask;
use fireclay_kernels::{Angles, attention, rotary, softcapped_attention};

use crate::cache::Past;
use crate::linear::{Linear, Precision, WeightStorage};
use crate::norm::Norm;

/// `softmax(Q·Kᵀ / √K + mask)·V` per head, heads side by side, then a linear map (Vaswani et al. 2017, section 3.2),
/// with fewer key and value heads than query heads if configured (Ainslie et al. 2023).
#[derive(Module, Debug)]
pub struct Attention {
    /// `None`, like `key` and `value`, where `joined` has it.
    pub(crate) query: Option<Linear>,
    pub(crate) key: Option<Linear>,
    pub(crate) value: Option<Linear>,
    pub(crate) output: Linear,
    /// Query, key and value in one map; [`Attention::stored`] joins them for inference.
    #[module(skip)]
    pub(crate) joined: Option<Linear>,
    pub(crate) query_norm: Option<Norm>,
    pub(crate) key_norm: Option<Norm>,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    /// Whether this layer has the configuration's sliding window.
    pub(crate) windowed: bool,
    /// Whether queries and keys are rotated, if positions are rotary.
    pub(crate) rotated: bool,
    /// Whether the norms of queries and keys are over all heads together.
    pub(crate) norm_over_heads: bool,
    /// Factor of queries, in addition to the factor `1/√K` of the scores.
    #[module(skip)]
    pub(crate) query_multiplier: Option<f64>,
    /// Soft-cap of the scores; `None`: no cap.
    #[module(skip)]
    pub(crate) softcap: Option<f64>,
}

/// Arguments that all layers of one forward pass share.
#[derive(Clone, Debug)]
pub struct AttentionContext {
    /// Number format of the products.
    pub precision: Precision,
    /// Rows in the batch (B).
    pub batch: usize,
    /// New tokens in each row (T).
    pub time: usize,
    /// Of layers that attend to everything.
    pub full: View,
    /// Of layers with a sliding window.
    pub windowed: View,
}

/// Tokens that a layer attends to, and their positions.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Rotary positions of the new tokens.
    pub angles: Option<Angles>,
    /// Mask of keys and values in rows.
    pub mask: Mask,
    /// Sliding window over keys and values in pages.
    pub window: Option<usize>,
}

impl Attention {
    /// The layer with its weights in another format. Queries, keys and values become one product, because threads that
    /// decode a token synchronise at each product.
    #[must_use]
    pub(crate) fn stored(mut self, format: WeightStorage) -> Self {
        let maps = [&mut self.query, &mut self.key, &mut self.value];
        if maps.iter().all(|map| map.as_ref().is_some_and(Linear::is_whole)) {
            let maps = maps.map(|map| map.take().expect("all are there"));
            self.joined = Some(Linear::joined(&maps).stored(format));
        } else {
            for map in maps {
                *map = map.take().map(|map| map.stored(format));
            }
        }
        self.output = self.output.stored(format);
        self
    }

    /// Queries `[B, T, H, K]`, keys and values `[B, T, kv heads, K]` of `[B·T, D]`.
    fn projections(&self, x_nd: Tensor<2>, context: &AttentionContext) -> [Tensor<4>; 3] {
        let AttentionContext { precision, batch, time, .. } = *context;
        let heads = [self.heads, self.kv_heads, self.kv_heads];
        let split = |x: Tensor<2>, heads: usize| x.reshape([batch, time, heads, self.head_dim]);
        if let Some(joined) = &self.joined {
            let all = split(joined.forward(x_nd, precision), heads.iter().sum());
            let of = |first: usize, count: usize| all.clone().narrow(2, first, count);
            return [of(0, heads[0]), of(heads[0], heads[1]), of(heads[0] + heads[1], heads[2])];
        }
        let maps = [&self.query, &self.key, &self.value].map(|map| map.as_ref().expect("maps that are not joined"));
        let [q, k, v] = Linear::forward_all(maps, x_nd, precision);
        [split(q, heads[0]), split(k, heads[1]), split(v, heads[2])]
    }

    /// Queries or keys, `[B, T, heads, K]`, normalised and rotated if this layer does so.
    fn norm_and_rotate(&self, x: Tensor<4>, norm: Option<&Norm>, angles: Option<&Angles>) -> Tensor<4> {
        let [batch, time, heads, width] = x.dims();
        match (norm, angles) {
            (Some(norm), angles) if self.norm_over_heads => {
                let x = norm.forward(x.reshape([batch, time, heads * width])).reshape([batch, time, heads, width]);
                match angles {
                    Some(angles) => rotary(x, angles),
                    None => x,
                }
            }
            (Some(norm), Some(angles)) => norm.forward_rotated(x, angles),
            (Some(norm), None) => norm.forward(x),
            (None, Some(angles)) => rotary(x, angles),
            (None, None) => x,
        }
    }

    fn attend(&self, [q, k, v]: [Tensor<4>; 3], mask: &Mask, precision: Precision) -> Tensor<4> {
        match self.softcap {
            Some(cap) => softcapped_attention([q, k, v], mask, cap, precision),
            None => attention(q, k, v, mask, precision),
        }
    }

    /// # Shapes
    /// `[B·T, D]` → `[B·T, D]`; `past` holds the tokens before them.
    #[must_use]
    pub fn forward(&self, x_nd: Tensor<2>, context: &AttentionContext, past: Past) -> Tensor<2> {
        let AttentionContext { precision, batch, time, .. } = *context;
        let View { angles, mask, window } = if self.windowed { &context.windowed } else { &context.full };
        let angles = angles.as_ref().filter(|_| self.rotated);
        let [q_bthk, k_bthk, v_bthk] = self.projections(x_nd, context);
        let q_bthk = self.norm_and_rotate(q_bthk, self.query_norm.as_ref(), angles);
        let k_bthk = self.norm_and_rotate(k_bthk, self.key_norm.as_ref(), angles);
        let q_bthk = match self.query_multiplier {
            Some(multiplier) => q_bthk * multiplier,
            None => q_bthk,
        };
        let q_k_v = [q_bthk, k_bthk, v_bthk];
        // Rows are read by head, pages by token.
        let by_head = |q_k_v: [Tensor<4>; 3]| q_k_v.map(|x| x.swap_dims(1, 2));
        let rows_width = [batch * time, self.heads * self.head_dim];
        let y_nd = match past {
            Past::Nothing => self.attend(by_head(q_k_v), mask, precision).reshape(rows_width),
            Past::Cache(cache, layer) => {
                let [q, k, v] = by_head(q_k_v);
                let (k, v) = cache.append(layer, k, v);
                self.attend([q, k, v], mask, precision).reshape(rows_width)
            }
            Past::Pages(pages, texts) => {
                let by_token = q_k_v.map(|x| x.flatten::<3>(0, 1));
                pages.attend(by_token, texts, *window, precision).reshape(rows_width)
            }
        };
        self.output.forward(y_nd, precision)
    }
}
