//! The sum of two tensors, on all threads: burn's on the host is on one.

#[cfg(feature = "flex")]
mod cpu;

use burn::tensor::Tensor;

/// `a + b`
///
/// # Shapes
/// Both `[N, width]` → `[N, width]`
///
/// # Panics
/// When the shapes differ.
#[must_use]
pub fn add(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    assert_eq!(a.dims(), b.dims(), "what is added has the same shape");
    #[cfg(feature = "flex")]
    if crate::op::on_host(&a) {
        return crate::op::apply(cpu::Add, [a.into_dispatch(), b.into_dispatch()]);
    }
    a + b
}
