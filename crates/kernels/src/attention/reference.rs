//! Attention composed of burn's operations.

use burn::tensor::{Bool, Device, Tensor, TensorData, module, ops::AttentionModuleOptions};

use super::Mask;
use crate::Precision;

/// Reference implementation of [`attention`](super::attention()).
#[must_use]
pub fn attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, mask: &Mask, precision: Precision) -> Tensor<4> {
    attention_with([q, k, v], mask, None, precision)
}

/// [`attention`] with an optional soft-cap of the scores.
#[must_use]
pub(super) fn attention_with(
    [q, k, v]: [Tensor<4>; 3],
    mask: &Mask,
    softcap: Option<f64>,
    precision: Precision,
) -> Tensor<4> {
    let [batch, heads, time, width] = q.dims();
    let [_, kv_heads, keys, _] = k.dims();
    let group = heads / kv_heads;
    let options = AttentionModuleOptions { softcap, ..AttentionModuleOptions::default() };
    let hidden = mask.hidden_keys(time, keys, &q.device());
    let (q, k, v) = (precision.operand(q), precision.operand(k), precision.operand(v));
    let y = if time == 1 && hidden.is_none() {
        // One new token sees every key, so the heads of a group can be rows of one product and no key is copied.
        let q = q.reshape([batch, kv_heads, group, width]);
        module::attention(q, k, v, None, None, options).reshape([batch, heads, 1, width])
    } else {
        let (k, v) = (repeat_heads(k, group), repeat_heads(v, group));
        let hidden = hidden.map(|hidden| hidden.expand([batch, heads, time, keys]));
        let options = AttentionModuleOptions { is_causal: hidden.is_none(), ..options };
        module::attention(q, k, v, hidden, None, options)
    };
    precision.result(y).swap_dims(1, 2)
}

/// Repeats every head `group` times, neighbours together. `[B, H, S, K]` → `[B, H·group, S, K]`
fn repeat_heads(x: Tensor<4>, group: usize) -> Tensor<4> {
    if group == 1 {
        return x;
    }
    let [batch, heads, keys, width] = x.dims();
    x.unsqueeze_dim::<5>(2).expand([batch, heads, group, keys, width]).reshape([batch, heads * group, keys, width])
}

impl Mask {
    /// True where a key is hidden from a query: later tokens, those before its own text, and those before its window,
    /// if any. `None` if only later tokens are hidden. `[rows, 1, T, S]`
    ///
    /// # Panics
    /// If the mask was used in a forward pass of another shape before.
    #[must_use]
    pub fn hidden_keys(&self, time: usize, keys: usize, device: &Device) -> Option<Tensor<4, Bool>> {
        let window = self.window.unwrap_or(keys);
        if window >= keys && self.origins.is_none() {
            return None;
        }
        let hidden = self.hidden.get_or_init(|| {
            let none = vec![0; time];
            let origins = self.origins.as_deref().unwrap_or(&none);
            let mut hidden = Vec::with_capacity(origins.len() * keys);
            for (i, &origin) in origins.iter().enumerate() {
                let query = keys - time + i % time;
                let seen = (origin as usize).max((query + 1).saturating_sub(window))..=query;
                hidden.extend((0..keys).map(|key| !seen.contains(&key)));
            }
            Tensor::from_data(TensorData::new(hidden, [origins.len() / time, 1, time, keys]), device)
        });
        assert_eq!(hidden.dims()[2..], [time, keys], "a mask serves the layers of one forward pass");
        Some(hidden.clone())
    }
}
