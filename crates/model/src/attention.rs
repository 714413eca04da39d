//! Multi-head causal self-attention.

use burn::module::Module;
use burn::tensor::{Bool, Tensor, module, ops::AttentionModuleOptions};

use crate::cache::Cache;
use crate::linear::{Linear, Precision};
use crate::norm::Norm;
use crate::position::Rotation;

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
    pub rotation: Option<Rotation>,
    /// Number format of the products.
    pub precision: Precision,
    /// Rows in the batch (B).
    pub batch: usize,
    /// New tokens in each row (T).
    pub time: usize,
    /// True where a query must not look, in layers that attend to everything. `[B or 1, 1, T, S]`; `None`: at later tokens alone.
    pub hidden_keys: Option<Tensor<4, Bool>>,
    /// The same in layers with a sliding window.
    pub hidden_keys_windowed: Option<Tensor<4, Bool>>,
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
        let split = |x: Tensor<2>, heads: usize| x.reshape([batch, time, heads, self.head_dim]).swap_dims(1, 2);
        let mut q = split(self.query.forward(x_nd.clone(), precision), self.heads);
        let mut k = split(self.key.forward(x_nd.clone(), precision), self.kv_heads);
        let mut v = split(self.value.forward(x_nd, precision), self.kv_heads);
        if let (Some(query_norm), Some(key_norm)) = (&self.query_norm, &self.key_norm) {
            q = query_norm.forward(q);
            k = key_norm.forward(k);
        }
        if let Some(rotation) = &context.rotation {
            q = rotation.apply(q);
            k = rotation.apply(k);
        }
        if let Some((cache, layer)) = cache {
            (k, v) = cache.append(layer, k, v);
        }
        let hidden_keys = if self.windowed { &context.hidden_keys_windowed } else { &context.hidden_keys };
        let y_bhtk = self.attend(q, k, v, hidden_keys.as_ref(), precision);
        let merged = y_bhtk.swap_dims(1, 2).reshape([batch * time, self.heads * self.head_dim]);
        self.output.forward(merged, precision)
    }

    /// # Shapes
    /// q `[B, H, T, K]`, k and v `[B, kv heads, S, K]` → `[B, H, T, K]`; the last query stands at the last key.
    fn attend(
        &self,
        q: Tensor<4>,
        k: Tensor<4>,
        v: Tensor<4>,
        hidden_keys: Option<&Tensor<4, Bool>>,
        precision: Precision,
    ) -> Tensor<4> {
        let [batch, _, time, _] = q.dims();
        let keys = k.dims()[2];
        let group = self.heads / self.kv_heads;
        let options = AttentionModuleOptions::default();
        let (q, k, v) = (precision.operand(q), precision.operand(k), precision.operand(v));
        let y = if time == 1 && hidden_keys.is_none() {
            // One new token sees every key, so the heads of a group can stand as rows of one product and no key is copied.
            let q = q.reshape([batch, self.kv_heads, group, self.head_dim]);
            module::attention(q, k, v, None, None, options).reshape([batch, self.heads, 1, self.head_dim])
        } else {
            let (k, v) = (repeat_heads(k, group), repeat_heads(v, group));
            let mask = hidden_keys.map(|hidden| hidden.clone().expand([batch, self.heads, time, keys]));
            let options = AttentionModuleOptions { is_causal: mask.is_none(), ..options };
            module::attention(q, k, v, mask, None, options)
        };
        precision.result(y)
    }
}

/// Repeats every head `group` times, neighbours together. `[B, H, S, K]` → `[B, H·group, S, K]`
fn repeat_heads(x: Tensor<4>, group: usize) -> Tensor<4> {
    if group == 1 {
        return x;
    }
    let [batch, heads, keys, width] = x.dims();
    x.unsqueeze_dim::<5>(2).expand([batch, heads, group, keys, width]).reshape([batch, heads * group, keys, width])
}
