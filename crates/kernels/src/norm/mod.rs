//! Normalisation over the last axis.

#[cfg(feature = "flex")]
mod cpu;
pub mod reference;

use burn::tensor::Tensor;

/// Layer norm, `(x − mean) / √(var + ε) · gain + bias` (Ba et al. 2016), or, where there is no bias, RMS norm,
/// `x / √(mean(x²) + ε) · gain` (Zhang and Sennrich 2019).
///
/// # Shapes
/// x `[.., width]`, gain and bias `[width]` → `[.., width]`
#[must_use]
pub fn norm<const R: usize>(x: Tensor<R>, gain: Tensor<1>, bias: Option<Tensor<1>>, epsilon: f64) -> Tensor<R> {
    #[cfg(feature = "flex")]
    if crate::op::on_host(&x) {
        let kernel = cpu::Norm { epsilon: epsilon as f32, centred: bias.is_some() };
        return match bias {
            Some(bias) => crate::op::apply(kernel, [x.into_dispatch(), gain.into_dispatch(), bias.into_dispatch()]),
            None => crate::op::apply(kernel, [x.into_dispatch(), gain.into_dispatch()]),
        };
    }
    reference::norm(x, gain, bias, epsilon)
}
