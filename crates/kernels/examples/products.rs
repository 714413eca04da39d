//! The speed of matrix products, in GFLOP/s, in f32 and bf16 and by the `gemm` crate in f32, each at its best of some
//! rounds in turn: `cargo run --release -p fireclay-kernels --example products [-- M N K]`. The shapes are those of a
//! decoder's maps, forwards and backwards.
#![cfg(feature = "flex")]

use std::time::Instant;

use fireclay_kernels::product::{MatRef, product};
use fireclay_kernels::{Isa, Precision};

/// Rounds of which the best counts.
const ROUNDS: usize = 7;

/// Rows of A, columns of B, what is summed over, and whether A and B lie in memory by columns.
type Shape = ([usize; 3], [bool; 2]);

const SHAPES: [Shape; 9] = [
    ([4096, 512, 128], [false, false]),
    ([4096, 128, 512], [false, true]),
    ([128, 512, 4096], [true, false]),
    ([2048, 1536, 384], [false, false]),
    ([2048, 384, 1536], [false, true]),
    ([384, 1536, 2048], [true, false]),
    ([2048, 384, 384], [false, false]),
    ([384, 384, 2048], [true, false]),
    ([256, 4096, 384], [false, false]),
];

fn main() {
    let given: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let shapes = match given[..] {
        [m, n, k] => vec![([m, n, k], [false, false]), ([m, n, k], [false, true]), ([m, n, k], [true, false])],
        _ => SHAPES.to_vec(),
    };
    println!("instruction set {}, {} threads", Isa::current().name(), rayon::current_num_threads());
    println!("{:>24} {:>8} {:>8} {:>8} {:>8}", "m × n × k", "columns", "f32", "gemm", "bf16");
    for ([m, n, k], by_columns) in shapes {
        let numbers = |count: usize| -> Vec<f32> { (0..count).map(|i| (i as f32 * 0.7).sin()).collect() };
        let (a, b, mut c) = (numbers(m * k), numbers(k * n), vec![0.0; m * n]);
        let a = if by_columns[0] { MatRef::row_major(&a, k, m).transposed() } else { MatRef::row_major(&a, m, k) };
        let b = if by_columns[1] { MatRef::row_major(&b, n, k).transposed() } else { MatRef::row_major(&b, k, n) };
        let mut best = [f64::INFINITY; 3];
        for _ in 0..ROUNDS {
            for (best, way) in best.iter_mut().zip([Some(Precision::F32), None, Some(Precision::Bf16)]) {
                *best = best.min(seconds(|| match way {
                    Some(precision) => product(a, b, &mut c, false, precision),
                    None => by_gemm(a, b, &mut c),
                }));
            }
        }
        let flops = 2.0 * (m * n * k) as f64 / 1e9;
        let columns = match by_columns {
            [false, false] => "",
            [true, false] => "A",
            [false, true] => "B",
            [true, true] => "A, B",
        };
        let [f32, gemm, bf16] = best.map(|best| flops / best);
        println!("{:>24} {columns:>8} {f32:8.0} {gemm:8.0} {bf16:8.0}", format!("{m} × {n} × {k}"));
    }
}

/// The seconds that one of several runs takes, all of them some milliseconds.
fn seconds(mut run: impl FnMut()) -> f64 {
    let (start, mut runs) = (Instant::now(), 0);
    while runs == 0 || start.elapsed().as_secs_f64() < 0.05 {
        run();
        runs += 1;
    }
    start.elapsed().as_secs_f64() / f64::from(runs)
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
