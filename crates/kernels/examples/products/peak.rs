//! What the CPU can do at most: multiplications from registers with each instruction set, and reading memory. These are
//! the floors that a training step is held against.

#![expect(unsafe_code, reason = "loops of single instructions")]

use std::arch::asm;

use fireclay_kernels::Isa;

use crate::shapes::seconds;

/// Rounds of which the best counts, and the least seconds of one.
const ROUNDS: usize = 5;
const LEAST: f64 = 0.1;
/// Repetitions of a loop, each of [`SUMS`] independent sums.
const REPETITIONS: u64 = 1 << 18;
/// More sums than the latency of a multiplication times the number that begin in a cycle.
const SUMS: u64 = 12;
/// Bytes that each thread reads: more than caches hold.
const BYTES: usize = 256 << 20;

pub fn print() {
    let threads = rayon::current_num_threads();
    println!("{threads} threads, at best of {ROUNDS} rounds");
    for isa in Isa::all() {
        let (name, loops): (_, &[(&str, f64, Loop)]) = match isa {
            Isa::Portable => continue,
            Isa::Avx2 => ("avx2", &[("f32", 16.0, avx2)]),
            Isa::Avx512 => ("avx512", &[("f32", 32.0, avx512)]),
            Isa::Avx512Bf16 => ("avx512-bf16", &[("bf16", 64.0, avx512_bf16)]),
            Isa::Amx => ("amx", &[("bf16", 2.0 * 16.0 * 16.0 * 32.0, amx)]),
        };
        for &(format, operations, run) in loops {
            let total = operations * (SUMS * REPETITIONS) as f64 * threads as f64;
            let rate = total / on_all_threads(&|| run(REPETITIONS)) / 1e9;
            println!("{name:>12} {format:>5} {rate:8.0} GFLOP/s from registers");
        }
    }
    let memory = vec![1u64; BYTES / 8];
    let rate = (threads * BYTES) as f64 / on_all_threads(&|| read(&memory)) / 1e9;
    println!("{:>12} {:>5} {rate:8.1} GB/s read", "memory", "");
}

/// Repeats [`SUMS`] multiplications.
type Loop = fn(u64);

/// The fewest seconds in which all threads do `work` once.
fn on_all_threads(work: &(impl Fn() + Sync)) -> f64 {
    let round = |_| {
        seconds(LEAST, || {
            rayon::broadcast(|_| work());
        })
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

fn read(memory: &[u64]) {
    let sum = memory.chunks_exact(64).fold([0u64; 64], |mut sums, chunk| {
        for (sum, number) in sums.iter_mut().zip(chunk) {
            *sum ^= number;
        }
        sums
    });
    std::hint::black_box(sum);
}

/// A loop of 12 multiplications with sums in registers 0 to 11; both factors are register 12.
macro_rules! multiplications {
    ($name:ident, $multiply:literal, $register:literal) => {
        fn $name(repetitions: u64) {
            // SAFETY: the caller has seen that the CPU has the instructions; they touch nothing but registers.
            unsafe {
                asm!(
                    // All lanes are 0, so that none becomes slow.
                    "vzeroall",
                    "2:",
                    concat!($multiply, " ", $register, "0, ", $register, "12, ", $register, "12"),
                    concat!($multiply, " ", $register, "1, ", $register, "12, ", $register, "12"),
                    concat!($multiply, " ", $register, "2, ", $register, "12, ", $register, "12"),
                    concat!($multiply, " ", $register, "3, ", $register, "12, ", $register, "12"),
                    concat!($multiply, " ", $register, "4, ", $register, "12, ", $register, "12"),
                    concat!($multiply, " ", $register, "5, ", $register, "12, ", $register, "12"),
                    concat!($multiply, " ", $register, "6, ", $register, "12, ", $register, "12"),
                    concat!($multiply, " ", $register, "7, ", $register, "12, ", $register, "12"),
                    concat!($multiply, " ", $register, "8, ", $register, "12, ", $register, "12"),
                    concat!($multiply, " ", $register, "9, ", $register, "12, ", $register, "12"),
                    concat!($multiply, " ", $register, "10, ", $register, "12, ", $register, "12"),
                    concat!($multiply, " ", $register, "11, ", $register, "12, ", $register, "12"),
                    "dec {n}",
                    "jnz 2b",
                    n = inout(reg) repetitions => _,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                    out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                    out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                    options(nomem, nostack),
                );
            }
        }
    };
}

multiplications!(avx2, "vfmadd231ps", "ymm");
multiplications!(avx512, "vfmadd231ps", "zmm");
multiplications!(avx512_bf16, "vdpbf16ps", "zmm");

/// Operand of `ldtilecfg`: palette 1, eight tiles of 16 rows of 64 bytes.
#[repr(align(64))]
struct TileConfig {
    bytes: [u8; 64],
}

const fn whole_tiles() -> TileConfig {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        bytes[16 + 2 * tile] = 64;
        bytes[48 + tile] = 16;
        tile += 1;
    }
    TileConfig { bytes }
}

static WHOLE_TILES: TileConfig = whole_tiles();

/// The same with six tiles of sums, twice.
fn amx(repetitions: u64) {
    // SAFETY: the caller has seen that the CPU has AMX and that the system lets this process use it.
    unsafe {
        asm!(
            "ldtilecfg [{config}]",
            "2:",
            "tdpbf16ps tmm0, tmm6, tmm7",
            "tdpbf16ps tmm1, tmm6, tmm7",
            "tdpbf16ps tmm2, tmm6, tmm7",
            "tdpbf16ps tmm3, tmm6, tmm7",
            "tdpbf16ps tmm4, tmm6, tmm7",
            "tdpbf16ps tmm5, tmm6, tmm7",
            "tdpbf16ps tmm0, tmm6, tmm7",
            "tdpbf16ps tmm1, tmm6, tmm7",
            "tdpbf16ps tmm2, tmm6, tmm7",
            "tdpbf16ps tmm3, tmm6, tmm7",
            "tdpbf16ps tmm4, tmm6, tmm7",
            "tdpbf16ps tmm5, tmm6, tmm7",
            "dec {n}",
            "jnz 2b",
            "tilerelease",
            config = in(reg) WHOLE_TILES.bytes.as_ptr(),
            n = inout(reg) repetitions => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(readonly, nostack),
        );
    }
}
