//! Features of this CPU.

/// Whether this CPU multiplies bf16 by itself. If not, [`Precision::Bf16`](crate::Precision::Bf16) is emulated: the
/// same numbers but for the order of sums, and slower than [`Precision::F32`](crate::Precision::F32).
pub fn has_native_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Whether products in bf16 are faster than those in f32 on this CPU: AVX512-BF16 is on AMD's, and slower than f32 on Intel's.
#[must_use]
pub fn bf16_is_faster() -> bool {
    has_native_bf16() && !is_intel()
}

#[cfg(target_arch = "x86_64")]
fn is_intel() -> bool {
    // The maker's name stands in EBX, EDX, ECX of leaf 0, in this order.
    let leaf = std::arch::x86_64::__cpuid(0);
    [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes).concat() == b"GenuineIntel"
}

#[cfg(not(target_arch = "x86_64"))]
fn is_intel() -> bool {
    false
}
