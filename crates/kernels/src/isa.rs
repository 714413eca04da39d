//! The instruction set that the CPU kernels use.

use std::sync::OnceLock;

/// An instruction set for which kernels are written, the slower ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// The instructions that every CPU of this architecture has; on 64-bit Arm that includes NEON.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, CD, DQ and VL.
    Avx512,
    /// And AVX512-BF16. [`Precision::Bf16`](crate::Precision::Bf16) is emulated below this one: the same numbers up to
    /// the order of sums, and slower than [`Precision::F32`](crate::Precision::F32).
    Avx512Bf16,
    /// And AMX with bf16 tiles.
    Amx,
}

impl Isa {
    /// The best one that this CPU and its operating system have. It is detected once.
    #[must_use]
    pub fn current() -> Self {
        static DETECTED: OnceLock<Isa> = OnceLock::new();
        *DETECTED.get_or_init(detect)
    }

    /// Its name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable if cfg!(target_arch = "aarch64") => "neon",
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512-bf16",
            Self::Amx => "amx",
        }
    }

    /// Whether it has bf16 products.
    #[must_use]
    pub fn has_bf16(self) -> bool {
        self >= Self::Avx512Bf16
    }
}

/// Whether bf16 products are faster than f32 products on this CPU, by measurements (docs/benchmarks.md): with AMX they
/// are, and with AVX512-BF16 on AMD CPUs, but not on Intel CPUs.
#[cfg(feature = "flex")]
pub(crate) fn bf16_is_faster() -> bool {
    match Isa::current() {
        Isa::Amx => true,
        Isa::Avx512Bf16 => !is_intel(),
        _ => false,
    }
}

/// Whether products of bf16 vectors are faster than products of f32 vectors: on AMD's CPUs that have them, but not on
/// Intel's.
#[cfg(all(target_arch = "x86_64", feature = "flex"))]
pub(crate) fn has_fast_bf16_vectors() -> bool {
    static FAST: OnceLock<bool> = OnceLock::new();
    *FAST.get_or_init(|| Isa::current().has_bf16() && !is_intel())
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Isa {
    if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")) {
        return Isa::Portable;
    }
    let has_avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512cd")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match (has_avx512, is_x86_feature_detected!("avx512bf16")) {
        (false, _) => Isa::Avx2,
        (true, false) => Isa::Avx512,
        (true, true) if has_amx() => Isa::Amx,
        (true, true) => Isa::Avx512Bf16,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Isa {
    Isa::Portable
}

/// Whether the CPU has AMX with bf16, and Linux lets this process use its tile registers, for which it asks here. (The
/// standard library detects AMX in nightly builds only.)
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[expect(unsafe_code, reason = "a system call")]
fn has_amx() -> bool {
    /// Bits of EDX of CPUID's leaf 7: AMX-BF16 and AMX-TILE.
    const AMX: u32 = 1 << 22 | 1 << 24;
    const ARCH_PRCTL: u64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    /// The state component of the tile registers' data.
    const XTILEDATA: u64 = 18;
    let has_leaf = std::arch::x86_64::__cpuid(0).eax >= 7;
    if !has_leaf || std::arch::x86_64::__cpuid_count(7, 0).edx & AMX != AMX {
        return false;
    }
    let refused: i64;
    // SAFETY: the call changes only what this process may use. Kernels that do not know it refuse it.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => refused,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    refused == 0
}

#[cfg(all(target_arch = "x86_64", not(target_os = "linux")))]
fn has_amx() -> bool {
    false
}

#[cfg(all(target_arch = "x86_64", feature = "flex"))]
fn is_intel() -> bool {
    // Leaf 0 has the vendor's name in EBX, EDX, ECX, in this order.
    let leaf = std::arch::x86_64::__cpuid(0);
    [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes).concat() == b"GenuineIntel"
}

#[cfg(all(not(target_arch = "x86_64"), feature = "flex"))]
fn is_intel() -> bool {
    false
}
