//! Multi-head causal self-attention.

use burn::module::Module;
use burn::tensor::Tensor;
use fireclay_kernels::attention::Mask;
use fireclay_kernels::{Angles, attention, rotary};

use crate::cache::Cache;
use crate::linear::{Linear, Precision};
use crate::norm::Norm;

/// `softmax(Q·Kᵀ / √K + mask)·V` per head, heads side by side, then a linear map (Vaswani et al. 2017, section 3.2), with
/// fewer key and value heads than query heads if wished (Ainslie et al. 2023).
#[derive(Module, Debug)]
pub struct Attention {
    pub(crate) query: Linear,
    pub(crate) key: Linear,
    pub(crate) value: Linear,
    pub(crate) output: Linear,
    pub(crate) query_norm: Option<Norm>,
    pub(crate) key_norm: Option<Norm>,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    /// Whether the configuration's sliding window holds in this layer.
    pub(crate) windowed: bool,
}

/// What all layers of one forward pass share.
#[derive(Clone, Debug)]
pub struct AttentionContext {
    /// Rotary positions of the new tokens.
    pub angles: Option<Angles>,
    /// Number format of the products.
    pub precision: Precision,
    /// Rows in the batch (B).
    pub batch: usize,
    /// New tokens in each row (T).
    pub time: usize,
    /// What queries see in layers that attend to everything.
    pub mask: Mask,
    /// The same in layers with a sliding window.
    pub mask_windowed: Mask,
}

impl Attention {
    /// # Shapes
    /// `[B·T, D]` → `[B·T, D]`; `cache` holds the tokens before them, and this layer's index in it.
    #[must_use]
    pub fn forward(
        &self,
        x_nd: Tensor<2>,
        context: &AttentionContext,
        cache: Option<(&mut Cache, usize)>,
    ) -> Tensor<2> {
        let AttentionContext { precision, batch, time, .. } = *context;
        let split = |x: Tensor<2>, heads: usize| x.reshape([batch, time, heads, self.head_dim]);
        let mut q_bthk = split(self.query.forward(x_nd.clone(), precision), self.heads);
        let mut k_bthk = split(self.key.forward(x_nd.clone(), precision), self.kv_heads);
        let v_bthk = split(self.value.forward(x_nd, precision), self.kv_heads);
        if let (Some(query_norm), Some(key_norm)) = (&self.query_norm, &self.key_norm) {
            q_bthk = query_norm.forward(q_bthk);
            k_bthk = key_norm.forward(k_bthk);
        }
        if let Some(angles) = &context.angles {
            q_bthk = rotary(q_bthk, angles);
            k_bthk = rotary(k_bthk, angles);
        }
        let q = q_bthk.swap_dims(1, 2);
        let (mut k, mut v) = (k_bthk.swap_dims(1, 2), v_bthk.swap_dims(1, 2));
        if let Some((cache, layer)) = cache {
            (k, v) = cache.append(layer, k, v);
        }
        let mask = if self.windowed { &context.mask_windowed } else { &context.mask };
        let y_bthk = attention(q, k, v, mask, precision);
        self.output.forward(y_bthk.reshape([batch * time, self.heads * self.head_dim]), precision)
    }
}
