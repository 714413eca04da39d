//! Features of this CPU.

/// Whether this CPU has bf16 instructions. If not, [`Precision::Bf16`](crate::Precision::Bf16) is emulated: the same
/// numbers up to the order of sums, and slower than [`Precision::F32`](crate::Precision::F32).
pub fn has_native_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Whether bf16 products are faster than f32 products on this CPU. With AVX512-BF16 they are on AMD CPUs, and slower on
/// Intel CPUs.
#[must_use]
pub fn bf16_is_faster() -> bool {
    has_native_bf16() && !is_intel()
}

#[cfg(target_arch = "x86_64")]
fn is_intel() -> bool {
    // Leaf 0 has the vendor's name in EBX, EDX, ECX, in this order.
    let leaf = std::arch::x86_64::__cpuid(0);
    [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes).concat() == b"GenuineIntel"
}

#[cfg(not(target_arch = "x86_64"))]
fn is_intel() -> bool {
    false
}
