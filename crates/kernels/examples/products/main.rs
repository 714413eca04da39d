//! The speed of matrix products, in GFLOP/s, each at its best of some rounds in turn.
//!
//! `cargo run --release -p fireclay-kernels --example products [-- M N K]` compares f32, bf16, and the `gemm` crate in
//! f32, for the shapes of a decoder's maps, forwards and backwards. `-- tiles` compares sizes of the blocks of products
//! in the tile registers of AMX (`tiles.rs`). `-- peak` measures what the CPU can do at most (`peak.rs`).
#![cfg(feature = "flex")]

#[cfg(target_arch = "x86_64")]
mod peak;
mod shapes;
#[cfg(target_arch = "x86_64")]
mod tiles;

use fireclay_kernels::product::{MatRef, product};
use fireclay_kernels::{Isa, Precision};

use shapes::{Aligned, Shape, seconds};

/// Rounds of which the best counts.
const ROUNDS: usize = 7;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        #[cfg(target_arch = "x86_64")]
        Some("tiles") => return tiles::compare(),
        #[cfg(target_arch = "x86_64")]
        Some("peak") => return peak::print(),
        #[cfg(not(target_arch = "x86_64"))]
        Some("tiles" | "peak") => return println!("only for x86-64"),
        _ => {}
    }
    let given: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let shapes = match given[..] {
        [m, n, k] => [[false, false], [false, true], [true, false]].map(|by_columns| ([m, n, k], by_columns)).to_vec(),
        _ => shapes::DECODER.to_vec(),
    };
    println!("instruction set {}, {} threads", Isa::current().name(), rayon::current_num_threads());
    println!("{:>24} {:>8} {:>8} {:>8} {:>8}", "m × n × k", "columns", "f32", "gemm", "bf16");
    shapes.into_iter().for_each(measure);
}

fn measure(shape: Shape) {
    let ([m, n, k], by_columns) = shape;
    let (a, b, mut c) = (Aligned::waves(m * k), Aligned::waves(k * n), Aligned::zeros(m * n));
    let (a, b) = shapes::matrices(shape, &a, &b);
    let mut best = [f64::INFINITY; 3];
    for _ in 0..ROUNDS {
        for (best, way) in best.iter_mut().zip([Some(Precision::F32), None, Some(Precision::Bf16)]) {
            *best = best.min(seconds(0.05, || match way {
                Some(precision) => product(a, b, c.numbers(), false, precision),
                None => by_gemm(a, b, c.numbers()),
            }));
        }
    }
    let flops = 2.0 * (m * n * k) as f64 / 1e9;
    let [f32, gemm, bf16] = best.map(|best| flops / best);
    let columns = shapes::columns(by_columns);
    println!("{:>24} {columns:>8} {f32:8.0} {gemm:8.0} {bf16:8.0}", format!("{m} × {n} × {k}"));
}

#[expect(unsafe_code, reason = "the gemm crate takes pointers")]
fn by_gemm(a: MatRef, b: MatRef, c: &mut [f32]) {
    // SAFETY: the matrices lie inside their data, and C has a number for each row of A and column of B.
    unsafe {
        gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            c.as_mut_ptr(),
            1,
            b.cols as isize,
            false,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(0),
        );
    }
}
