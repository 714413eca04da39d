//! Speed of the machine: the rate of a large matrix product, memory bandwidth, and the peak memory of the process.

use std::time::{Duration, Instant};

use burn::tensor::{Device, Distribution, Tensor};
use fireclay_model::{Precision, linear::linear};
use rayon::prelude::*;

/// Floating-point operations a second of a product of two 1,024 × 1,024 matrices, the best of the runs in a quarter of
/// a second. Model-flops utilisation is relative to this number.
#[must_use]
pub fn matmul_peak(device: &Device, precision: Precision) -> f64 {
    const SIZE: usize = 1024;
    let device = device.clone().without_autodiff();
    let matrix = || Tensor::<2>::random([SIZE, SIZE], Distribution::Uniform(-1.0, 1.0), &device);
    let (a, b) = (matrix(), matrix());
    // Reading one number waits for the product to finish.
    let product = || linear(a.clone(), b.clone(), None, precision).narrow(0, 0, 1).narrow(1, 0, 1).into_data();
    let started = Instant::now();
    let mut best = f64::INFINITY;
    let mut runs = 0;
    // The first run is a warm-up: threads on a CPU, kernels on a GPU.
    while runs < 2 || (runs < 64 && started.elapsed() < Duration::from_millis(250)) {
        let start = Instant::now();
        drop(product());
        if runs > 0 {
            best = best.min(start.elapsed().as_secs_f64());
        }
        runs += 1;
    }
    2.0 * (SIZE as f64).powi(3) / best
}

/// Bytes a second that all threads together read from main memory: the best of some passes over half a gibibyte, far
/// more than the caches hold. Decoding one token at a time is limited by this number.
#[must_use]
pub fn memory_bandwidth() -> f64 {
    const NUMBERS: usize = 1 << 26;
    const PIECE: usize = 1 << 16;
    let numbers: Vec<u64> = (0..NUMBERS as u64).into_par_iter().collect();
    let pass = || {
        let start = Instant::now();
        let sum: u64 =
            numbers.par_chunks(PIECE).map(|piece| piece.iter().fold(0, |sum: u64, x| sum.wrapping_add(*x))).sum();
        std::hint::black_box(sum);
        (NUMBERS * size_of::<u64>()) as f64 / start.elapsed().as_secs_f64()
    };
    (0..8).map(|_| pass()).fold(0.0, f64::max)
}

/// Peak memory of this process in bytes; `None` if the system does not report it (only Linux does).
#[must_use]
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
