//! The instruction set that the CPU kernels use.

#[cfg(all(target_arch = "x86_64", target_os = "linux", any(test, feature = "emulated-amx")))]
mod emulated;

use std::env;
use std::sync::OnceLock;

use thiserror::Error;

/// An instruction set for which kernels are written, the slower ones first. A CPU that has one has those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// The instructions that every CPU of this architecture has; on 64-bit Arm that includes NEON.
    Portable,
    /// AVX2, FMA and F16C; and AVX-VNNI where the CPU has it.
    Avx2,
    /// AVX-512 F, BW, CD, DQ and VL; and AVX512-VNNI where the CPU has it.
    Avx512,
    /// And AVX512-BF16. [`Precision::Bf16`](crate::Precision::Bf16) is emulated below this one: the same numbers up to
    /// the order of sums, and slower than [`Precision::F32`](crate::Precision::F32).
    Avx512Bf16,
    /// And AMX with tiles of bf16 and of 8-bit integers.
    Amx,
}

/// Why kernels cannot use an instruction set.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum IsaError {
    /// There is none of this name.
    #[error("there is no instruction set {0:?}; there is {names}", names = names())]
    Unknown(String),
    /// The CPU does not have it.
    #[error("this CPU has no {asked}; the best it has is {best}", asked = asked.name(), best = best.name())]
    Missing {
        /// What was asked for.
        asked: Isa,
        /// The best that the CPU has.
        best: Isa,
    },
    /// Kernels may have run with another.
    #[error("kernels use {used} already; choose the instruction set before the first of them runs", used = .0.name())]
    Late(Isa),
}

/// The environment variable that limits the instruction set.
const VARIABLE: &str = "FIRECLAY_ISA";

/// What all kernels of this process use.
static CHOSEN: OnceLock<Isa> = OnceLock::new();

impl Isa {
    /// Every one with its name.
    pub const NAMED: [(&'static str, Self); 5] = [
        (if cfg!(target_arch = "aarch64") { "neon" } else { "portable" }, Self::Portable),
        ("avx2", Self::Avx2),
        ("avx512", Self::Avx512),
        ("avx512-bf16", Self::Avx512Bf16),
        ("amx", Self::Amx),
    ];

    /// The one that every kernel of this process uses: what [`limit`](Self::limit) was called with before, else what
    /// [`asked`](Self::asked) says now. It does not change afterwards.
    ///
    /// # Panics
    /// If the environment asks for what there is not.
    #[must_use]
    pub fn current() -> Self {
        *CHOSEN.get_or_init(|| Self::asked().unwrap_or_else(|error| panic!("{VARIABLE}: {error}")))
    }

    /// The one that the environment variable `FIRECLAY_ISA` asks for, by its [name](Self::NAMED); without it the
    /// [best](Self::best).
    ///
    /// # Errors
    /// When there is none of that name, or this CPU does not have it.
    pub fn asked() -> Result<Self, IsaError> {
        match env::var_os(VARIABLE).filter(|name| !name.is_empty()) {
            Some(name) => Self::named(&name.to_string_lossy())?.available(),
            None => Ok(Self::best()),
        }
    }

    /// Limits all kernels of this process to this one, before any of them has run.
    ///
    /// # Errors
    /// When this CPU does not have it, or kernels use another already.
    pub fn limit(self) -> Result<(), IsaError> {
        self.available()?;
        match *CHOSEN.get_or_init(|| self) {
            chosen if chosen == self => Ok(()),
            chosen => Err(IsaError::Late(chosen)),
        }
    }

    /// The best one that this CPU and its operating system have; with the feature `emulated-amx` that is
    /// [`Amx`](Self::Amx) wherever its instructions can be emulated. It is detected once.
    #[must_use]
    pub fn best() -> Self {
        static DETECTED: OnceLock<Isa> = OnceLock::new();
        *DETECTED.get_or_init(detect)
    }

    /// Those that this CPU has, the slower ones first.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::NAMED.into_iter().map(|(_, isa)| isa).filter(|&isa| isa <= Self::best())
    }

    /// The one of a name.
    fn named(name: &str) -> Result<Self, IsaError> {
        let found = Self::NAMED.into_iter().chain([("portable", Self::Portable)]).find(|(known, _)| *known == name);
        found.map(|(_, isa)| isa).ok_or_else(|| IsaError::Unknown(name.into()))
    }

    fn available(self) -> Result<Self, IsaError> {
        let best = Self::best();
        if self <= best { Ok(self) } else { Err(IsaError::Missing { asked: self, best }) }
    }

    /// Its name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMED[self as usize].0
    }

    /// Whether it has bf16 products.
    #[must_use]
    pub fn has_bf16(self) -> bool {
        self >= Self::Avx512Bf16
    }
}

fn names() -> String {
    Isa::NAMED.map(|(name, _)| name).join(", ")
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
    let has_avx2 =
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
    if !has_avx2 {
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
        #[cfg(feature = "emulated-amx")]
        (true, true) if emulate_amx() => Isa::Amx,
        (true, true) => Isa::Avx512Bf16,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Isa {
    Isa::Portable
}

/// Whether the CPU has AMX with bf16 and 8-bit integers, and Linux lets this process use its tile registers, for which
/// it asks here. (The standard library detects AMX in nightly builds only.)
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[expect(unsafe_code, reason = "a system call")]
fn has_amx() -> bool {
    /// Bits of EDX of CPUID's leaf 7: AMX-BF16, AMX-TILE and AMX-INT8.
    const AMX: u32 = 1 << 22 | 1 << 24 | 1 << 25;
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

/// From now on tile instructions are emulated, on a CPU without AMX. Returns whether they can be.
#[cfg(all(target_arch = "x86_64", any(test, feature = "emulated-amx")))]
pub(crate) fn emulate_amx() -> bool {
    #[cfg(target_os = "linux")]
    emulated::install();
    cfg!(target_os = "linux")
}

#[cfg(all(target_arch = "x86_64", feature = "flex"))]
fn is_intel() -> bool {
    // Leaf 0 has the vendor's name in EBX, EDX, ECX, in this order.
    let leaf = std::arch::x86_64::__cpuid(0);
    [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes).concat() == b"GenuineIntel"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_and_what_is_none_is_refused() {
        for (name, isa) in Isa::NAMED {
            assert_eq!((isa.name(), Isa::named(name)), (name, Ok(isa)));
        }
        assert_eq!(Isa::named("portable"), Ok(Isa::Portable));
        let message = Isa::named("sse9").unwrap_err().to_string();
        assert!(message.starts_with("there is no instruction set \"sse9\"; there is "), "{message}");
        assert!(message.ends_with("avx2, avx512, avx512-bf16, amx"), "{message}");
    }

    #[test]
    fn a_cpu_has_those_below_its_best() {
        let all: Vec<Isa> = Isa::all().collect();
        assert!(all.contains(&Isa::Portable) && all.last() == Some(&Isa::best()) && all.is_sorted());
        let missing = Isa::NAMED.map(|(_, isa)| isa).into_iter().find(|isa| !all.contains(isa));
        if let Some(asked) = missing {
            assert_eq!(asked.limit(), Err(IsaError::Missing { asked, best: Isa::best() }));
        }
    }

    #[test]
    fn there_is_one_in_a_process() {
        let current = Isa::current();
        assert_eq!(current.limit(), Ok(()));
        if let Some(other) = Isa::all().find(|&isa| isa != current) {
            assert_eq!(other.limit(), Err(IsaError::Late(current)));
            let message = IsaError::Late(current).to_string();
            assert!(message.contains(&format!("use {} already", current.name())), "{message}");
        }
    }
}
