//! Normalisation over the last axis.

#[cfg(feature = "flex")]
mod cpu;
pub mod reference;

use burn::tensor::Tensor;

use crate::rotary::{Angles, rotary};

/// Layer norm, `(x − mean) / √(var + ε) · gain + bias` (Ba et al. 2016), or, without a bias, RMS norm,
/// `x / √(mean(x²) + ε) · gain` (Zhang and Sennrich 2019).
///
/// # Shapes
/// x `[.., width]`, gain and bias `[width]` → `[.., width]`
#[must_use]
pub fn norm<const R: usize>(x: Tensor<R>, gain: Tensor<1>, bias: Option<Tensor<1>>, epsilon: f64) -> Tensor<R> {
    #[cfg(feature = "flex")]
    if crate::op::on_host(&x) {
        let kernel = cpu::NormKernel { epsilon: epsilon as f32, centred: bias.is_some(), rotation: None };
        return match bias {
            Some(bias) => crate::op::apply(kernel, [x.into_dispatch(), gain.into_dispatch(), bias.into_dispatch()]),
            None => crate::op::apply(kernel, [x.into_dispatch(), gain.into_dispatch()]),
        };
    }
    reference::norm(x, gain, bias, epsilon)
}

/// The sum `x + added`, or x alone, and the [`norm`](norm()) of it: the residual stream and the input of the next
/// layer. On the CPU both are one pass over memory, and so are their gradients.
///
/// # Shapes
/// x and added `[N, width]`, gain and bias `[width]` → two of `[N, width]`
#[must_use]
pub fn add_norm(
    x: Tensor<2>,
    added: Option<Tensor<2>>,
    gain: Tensor<1>,
    bias: Option<Tensor<1>>,
    epsilon: f64,
) -> [Tensor<2>; 2] {
    #[cfg(feature = "flex")]
    if crate::op::on_host(&x) {
        let norm = cpu::NormKernel { epsilon: epsilon as f32, centred: bias.is_some(), rotation: None };
        let kernel = cpu::AddNorm { norm, adds: added.is_some() };
        let rows = [Some(x), added].into_iter().flatten().map(Tensor::into_dispatch);
        let vectors = [Some(gain), bias].into_iter().flatten().map(Tensor::into_dispatch);
        return crate::op::apply_multi(kernel, rows.chain(vectors).collect::<Vec<_>>());
    }
    let sum = match added {
        Some(added) => x + added,
        None => x,
    };
    [sum.clone(), reference::norm(sum, gain, bias, epsilon)]
}

/// The RMS norm of every head and then its [rotation](rotary()), as QK-norm applies them to queries and keys. On the
/// CPU this is one pass over memory.
///
/// # Shapes
/// x `[B, T, H, K]`, gain `[K]` → `[B, T, H, K]`
///
/// # Panics
/// When the angles are not those of T tokens and at most K/2 planes.
#[must_use]
pub fn norm_rotary(x: Tensor<4>, gain: Tensor<1>, epsilon: f64, angles: &Angles) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if crate::op::on_host(&x) {
        angles.check(x.dims());
        let kernel = cpu::NormKernel { epsilon: epsilon as f32, centred: false, rotation: Some(angles.clone()) };
        return crate::op::apply(kernel, [x.into_dispatch(), gain.into_dispatch()]);
    }
    rotary(norm(x, gain, None, epsilon), angles)
}
