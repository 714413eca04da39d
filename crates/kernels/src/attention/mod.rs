//! Multi-head causal self-attention.

#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "flex")]
pub mod flash;
pub mod paged;
pub mod reference;

use std::sync::{Arc, OnceLock};

use burn::tensor::{Bool, Tensor};

use crate::Precision;

/// Keys that a query sees, in addition to the causal rule. The last query is at the position of the last key.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    /// `[rows, T]`, rows 1 or B: the first key that each query may see: the beginning of its text. `None`: 0.
    pub origins: Option<Arc<[u32]>>,
    /// Largest number of keys that a query sees, its own included.
    pub window: Option<usize>,
    /// The same as a tensor, for backends that need one; made once for all layers.
    hidden: OnceLock<Tensor<4, Bool>>,
}

impl Mask {
    /// A mask from the beginnings of texts and the width of a sliding window.
    #[must_use]
    pub fn new(origins: Option<Arc<[u32]>>, window: Option<usize>) -> Self {
        Self { origins, window, hidden: OnceLock::new() }
    }
}

/// [`attention`](attention()) of scores `cap·tanh(score / cap)` (Gemma team 2024, Gemma 2): no score is larger than
/// `cap`. Composed of burn's operations on every backend.
///
/// # Shapes
/// As [`attention`](attention()).
#[must_use]
pub fn softcapped_attention([q, k, v]: [Tensor<4>; 3], mask: &Mask, cap: f64, precision: Precision) -> Tensor<4> {
    reference::attention_with([q, k, v], mask, Some(cap), precision)
}

/// `softmax(Q·Kᵀ / √K + mask)·V` for each head (Vaswani et al. 2017, section 3.2), with fewer key
/// and value heads than query heads if configured (Ainslie et al. 2023). On a CPU that multiplies bf16 faster
/// [`Precision::Bf16`] rounds the operands of products; on others all of it is f32.
///
/// # Shapes
/// q `[B, H, T, K]`, k and v `[B, kv heads, S, K]` → `[B, T, H, K]`
#[must_use]
pub fn attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, mask: &Mask, precision: Precision) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if crate::op::on_host(&q) {
        let kernel = cpu::AttentionKernel { origins: mask.origins.clone(), window: mask.window, precision };
        return crate::op::apply(kernel, [q.into_dispatch(), k.into_dispatch(), v.into_dispatch()]);
    }
    reference::attention(q, k, v, mask, precision)
}
