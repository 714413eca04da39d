//! Multi-head causal self-attention.

use burn::module::Module;
use burn::tensor::{Bool, Device, Tensor, TensorData, module, ops::AttentionModuleOptions};

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
    /// A query sees itself and the `window − 1` tokens before it; `None`: everything before it.
    pub(crate) window: Option<usize>,
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
        let mut padding = vec![];
        if let Some((cache, layer)) = cache {
            padding.extend_from_slice(cache.padding());
            (k, v) = cache.append(layer, k, v);
        }
        let y_bhtk = self.attend(q, k, v, &padding, precision);
        let merged = y_bhtk.swap_dims(1, 2).reshape([batch * time, self.heads * self.head_dim]);
        self.output.forward(merged, precision)
    }

    /// # Shapes
    /// q `[B, H, T, K]`, k and v `[B, kv heads, S, K]` → `[B, H, T, K]`; the last query stands at the last key.
    fn attend(&self, q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, padding: &[usize], precision: Precision) -> Tensor<4> {
        let [batch, _, time, _] = q.dims();
        let keys = k.dims()[2];
        let group = self.heads / self.kv_heads;
        let window = self.window.filter(|&window| window < keys);
        let padded = padding.iter().any(|&p| p > 0);
        let options = AttentionModuleOptions::default();
        let (q, k, v) = (precision.operand(q), precision.operand(k), precision.operand(v));
        let y = if time == 1 && window.is_none() && !padded {
            // One new token sees every key, so the heads of a group can stand as rows of one product and no key is copied.
            let q = q.reshape([batch, self.kv_heads, group, self.head_dim]);
            module::attention(q, k, v, None, None, options).reshape([batch, self.heads, 1, self.head_dim])
        } else {
            let (k, v) = (repeat_heads(k, group), repeat_heads(v, group));
            if window.is_none() && !padded {
                let options = AttentionModuleOptions { is_causal: true, ..options };
                module::attention(q, k, v, None, None, options)
            } else {
                let mask = hidden_keys(batch, time, keys, window, padding, &q.device())
                    .expand([batch, self.heads, time, keys]);
                module::attention(q, k, v, Some(mask), None, options)
            }
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

/// True where a query must not look: at later tokens, at tokens before its window, and at padding. `[B, 1, T, S]`
fn hidden_keys(
    batch: usize,
    time: usize,
    keys: usize,
    window: Option<usize>,
    padding: &[usize],
    device: &Device,
) -> Tensor<4, Bool> {
    let mut hidden = Vec::with_capacity(batch * time * keys);
    for row in 0..batch {
        let first = padding.get(row).copied().unwrap_or(0);
        for query in keys - time..keys {
            let seen_from = window.map_or(0, |w| (query + 1).saturating_sub(w)).max(first);
            // A padding token sees itself, so that no row of the softmax is empty; nothing real looks at it.
            hidden.extend((0..keys).map(|key| key != query && (key > query || key < seen_from)));
        }
    }
    Tensor::from_data(TensorData::new(hidden, [batch, 1, time, keys]), device)
}
