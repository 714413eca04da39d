//! Products in the tile registers of AMX: whether they are right, how fast they are with blocks of several sizes, and
//! what of the time is packing. Without AMX the times of packing alone are printed.

use std::process::exit;

use fireclay_kernels::product::{MatRef, TileBlocks, TileWork, product, product_in_tiles};
use fireclay_kernels::{Isa, Precision};
use rayon::ThreadPool;

use crate::shapes::{Aligned, Shape, columns, matrices, seconds};

/// Rounds of which the best counts, and the least seconds of one.
const ROUNDS: usize = 5;
const LEAST: f64 = 0.01;

/// Products of the maps of decoders of 2,048 tokens and width 384, and of 1,024 tokens and width 768: forwards, of the
/// gradient with respect to the input, and of that with respect to the weight.
const SHAPES: [Shape; 14] = [
    ([2048, 1536, 384], [false, false]),
    ([2048, 384, 1536], [false, false]),
    ([2048, 384, 384], [false, false]),
    ([1024, 768, 3072], [false, false]),
    ([2048, 4096, 384], [false, true]),
    ([2048, 384, 1536], [false, true]),
    ([2048, 1536, 384], [false, true]),
    ([2048, 384, 384], [false, true]),
    ([1024, 3072, 768], [false, true]),
    ([384, 1536, 2048], [true, false]),
    ([1536, 384, 2048], [true, false]),
    ([384, 384, 2048], [true, false]),
    ([4096, 384, 2048], [true, false]),
    ([3072, 768, 1024], [true, false]),
];

/// Shapes for which sizes are compared.
const COMPARED: [Shape; 6] = [SHAPES[0], SHAPES[1], SHAPES[3], SHAPES[5], SHAPES[9], SHAPES[12]];

const DEFAULT: TileBlocks =
    TileBlocks { depth: 512, band: 256, shared: 512, ahead: 1, prefetch_c: true, work: TileWork::Whole };

/// Sizes by name, each with one difference from [`DEFAULT`].
const SIZES: [(&str, TileBlocks); 15] = [
    ("ahead 0", TileBlocks { ahead: 0, ..DEFAULT }),
    ("ahead 2", TileBlocks { ahead: 2, ..DEFAULT }),
    ("ahead 4", TileBlocks { ahead: 4, ..DEFAULT }),
    ("no C prefetch", TileBlocks { prefetch_c: false, ..DEFAULT }),
    ("no prefetch", TileBlocks { ahead: 0, prefetch_c: false, ..DEFAULT }),
    ("depth 256", TileBlocks { depth: 256, ..DEFAULT }),
    ("depth 384", TileBlocks { depth: 384, ..DEFAULT }),
    ("depth 768", TileBlocks { depth: 768, ..DEFAULT }),
    ("depth 1024", TileBlocks { depth: 1024, ..DEFAULT }),
    ("depth 2048", TileBlocks { depth: 2048, ..DEFAULT }),
    ("band 128", TileBlocks { band: 128, ..DEFAULT }),
    ("band 512", TileBlocks { band: 512, ..DEFAULT }),
    ("shared 256", TileBlocks { shared: 256, ..DEFAULT }),
    ("shared 1024", TileBlocks { shared: 1024, ..DEFAULT }),
    ("shared 4096", TileBlocks { shared: 4096, ..DEFAULT }),
];

/// A way to compute a product.
#[derive(Clone, Copy)]
struct Way {
    sizes: Option<TileBlocks>,
    /// Whether C begins 16 bytes after a cache line.
    shifted: bool,
}

impl Way {
    const fn of(sizes: Option<TileBlocks>) -> Self {
        Self { sizes, shifted: false }
    }
}

pub fn compare() {
    assert_eq!(DEFAULT, TileBlocks::default(), "the sizes that are compared with are the defaults");
    println!("instruction set {}, {:?}", Isa::current().name(), std::thread::available_parallelism());
    let pools = [1, 2].map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads"));
    if Isa::current() != Isa::Amx {
        println!("no AMX: packing alone");
        return pools.iter().for_each(|pool| SHAPES.iter().for_each(|&shape| packing(shape, pool)));
    }
    let right = check(&pools);
    peak(&pools[0]);
    println!("\nGFLOP/s; old: panels of 64 columns; multiplying: without packing; packing in microseconds");
    for pool in &pools {
        for shape in SHAPES {
            parts(shape, pool);
        }
    }
    for pool in &pools {
        for shape in COMPARED {
            sizes(shape, pool);
        }
    }
    if !right {
        exit(1);
    }
}

/// The best time of each way.
fn times(shape: Shape, pool: &ThreadPool, ways: &[Way]) -> Vec<f64> {
    let [m, n, k] = shape.0;
    let (a, b, mut c) = (Aligned::waves(m * k), Aligned::waves(k * n), Aligned::zeros(m * n + 4));
    let (a, b) = matrices(shape, &a, &b);
    let mut best = vec![f64::INFINITY; ways.len()];
    pool.install(|| {
        for _ in 0..ROUNDS {
            for (best, way) in best.iter_mut().zip(ways) {
                let first = if way.shifted { 4 } else { 0 };
                let c = &mut c.numbers()[first..first + m * n];
                *best = best.min(seconds(LEAST, || product_in_tiles(a, b, c, false, way.sizes)));
            }
        }
    });
    best
}

fn name(([m, n, k], by_columns): Shape, pool: &ThreadPool) -> String {
    let threads = pool.current_num_threads();
    format!("{threads} thread(s) {:>19} by columns: {:<2}", format!("{m} × {n} × {k}"), columns(by_columns))
}

fn gflops(([m, n, k], _): Shape, seconds: f64) -> f64 {
    2.0 * (m * n * k) as f64 / 1e9 / seconds
}

fn packing(shape: Shape, pool: &ThreadPool) {
    let packing = Way::of(Some(TileBlocks { work: TileWork::Packing, ..DEFAULT }));
    println!("{} packing {:6.0} µs", name(shape, pool), 1e6 * times(shape, pool, &[packing])[0]);
}

/// The old way, the new one, and its parts.
fn parts(shape: Shape, pool: &ThreadPool) {
    let part = |work| Way::of(Some(TileBlocks { work, ..DEFAULT }));
    let ways = [Way::of(None), part(TileWork::Whole), part(TileWork::Multiplying), part(TileWork::Packing)];
    let times = times(shape, pool, &ways);
    let [old, new, multiplying] = [0, 1, 2].map(|way| gflops(shape, times[way]));
    println!(
        "{} old {old:5.0} new {new:5.0} ({:4.2}×) multiplying {multiplying:5.0} packing {:5.0} µs of {:5.0}",
        name(shape, pool),
        new / old,
        1e6 * times[3],
        1e6 * times[1],
    );
}

/// Other sizes beside the defaults.
fn sizes(shape: Shape, pool: &ThreadPool) {
    let ways = SIZES.map(|(name, sizes)| (name, Way::of(Some(sizes))));
    let ways = [("default", Way::of(Some(DEFAULT)))].into_iter().chain(ways);
    let ways: Vec<_> = ways.chain([("C off a line", Way { sizes: Some(DEFAULT), shifted: true })]).collect();
    let times = times(shape, pool, &ways.iter().map(|way| way.1).collect::<Vec<_>>());
    println!("\n{}", name(shape, pool));
    for ((name, _), time) in ways.iter().zip(&times) {
        println!("    {name:<14} {:5.0} GFLOP/s, {:4.2} × default", gflops(shape, *time), times[0] / time);
    }
}

/// What one thread multiplies if all operands and sums are near.
fn peak(pool: &ThreadPool) {
    let multiplying = Way::of(Some(TileBlocks { work: TileWork::Multiplying, ..DEFAULT }));
    for m in [64, 256] {
        let shape = ([m, m, 512], [false; 2]);
        let time = times(shape, pool, &[multiplying])[0];
        println!("near operands, {m} × {m} × 512, one thread: {:.0} GFLOP/s", gflops(shape, time));
    }
}

/// Whether all products agree with f32 products of rounded operands, and one thread's with two threads'.
fn check(pools: &[ThreadPool; 2]) -> bool {
    let odd = [([33, 70, 97], [false, true]), ([100, 17, 1000], [true, false]), ([128, 96, 4100], [true, true])];
    let mut right = true;
    for shape in odd.into_iter().chain(SHAPES) {
        let ([m, n, k], by_columns) = shape;
        let rounded = |count, seed| {
            let mut numbers = Aligned::zeros(count);
            numbers.numbers().iter_mut().enumerate().for_each(|(i, number)| *number = eighth(i, seed));
            numbers
        };
        let (a, b) = (rounded(m * k, 1), rounded(k * n, 2));
        let (a, b) = matrices(shape, &a, &b);
        let of = |pool: &ThreadPool, multiply: &(dyn Fn(MatRef, MatRef, &mut [f32]) + Sync)| {
            let mut c = vec![1.0; m * n];
            pool.install(|| multiply(a, b, &mut c));
            c
        };
        let want = of(&pools[1], &|a, b, c| product(a, b, c, true, Precision::F32));
        let [one, two] =
            [0, 1].map(|threads| of(&pools[threads], &|a, b, c| product_in_tiles(a, b, c, true, Some(DEFAULT))));
        let old = of(&pools[1], &|a, b, c| product_in_tiles(a, b, c, true, None));
        // Sums of multiples of 1/64 below 2¹⁸ are exact in any order.
        if one != want || old != want || one != two {
            let wrong = |got: &[f32]| got.iter().zip(&want).filter(|(got, want)| (*got - *want).abs() > 0.0).count();
            let [of_one, of_two, of_old] = [wrong(&one), wrong(&two), wrong(&old)];
            println!("WRONG: {m} × {n} × {k}, by columns {by_columns:?}, of {} numbers:", m * n);
            println!("    {of_one} on one thread, {of_two} on two, {of_old} the old way");
            right = false;
        }
    }
    println!("values: {}", if right { "right, to the last bit" } else { "WRONG" });
    right
}

/// One of the multiples of 1/8 between −1 and 1, which bf16 has too.
fn eighth(i: usize, seed: u64) -> f32 {
    let mixed = (i as u64 + seed.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 40) as f32 % 17.0 / 8.0 - 1.0
}
