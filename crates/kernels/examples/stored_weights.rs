//! The speed of products with stored weights, by rows at once: milliseconds for all weights of a decoder as large as
//! `SmolLM2-135M` (width 576, 30 blocks, a vocabulary of 49,152), GFLOP/s, and the stored gigabytes read per second, each
//! at its best of some rounds: `cargo run --release -p fireclay-kernels --example stored_weights [-- [FORMAT…] [ROWS…]]`.
#![cfg(feature = "flex")]

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use fireclay_kernels::{Precision, StoredWeight, WeightStorage};

/// Rounds of which the best counts.
const ROUNDS: usize = 5;
/// Inputs and outputs of the maps, and how many there are of each.
const MAPS: [([usize; 2], usize); 5] =
    [([576, 576], 60), ([576, 192], 60), ([576, 1536], 60), ([1536, 576], 30), ([576, 49_152], 1)];

fn main() {
    // As the command line does: the thread that calls computes as well, and is not woken for every product.
    rayon::ThreadPoolBuilder::new().use_current_thread().build_global().expect("the first pool");
    let words: Vec<String> = std::env::args().skip(1).collect();
    let given: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let given_count = given.len();
    let rows = if given.is_empty() { vec![1, 2, 4, 8, 16, 64, 256] } else { given };
    let device = Device::flex();
    println!("{:>6} {:>6} {:>10} {:>8} {:>8}", "format", "rows", "ms", "GFLOP/s", "GB/s");
    let formats = [
        (WeightStorage::F32, 4.0),
        (WeightStorage::Bf16, 2.0),
        (WeightStorage::Int8, 1.0),
        (WeightStorage::Int4, 0.625),
    ];
    for (format, bytes) in formats {
        let name = format!("{format:?}").to_lowercase();
        if words.len() > given_count && !words.contains(&name) {
            continue;
        }
        let random = |shape: [usize; 2]| Tensor::<2>::random(shape, Distribution::Uniform(-1.0, 1.0), &device);
        let maps: Vec<StoredWeight> = MAPS
            .iter()
            .flat_map(|&(shape, count)| (0..count).map(move |_| shape))
            .map(|shape| StoredWeight::for_inference(random(shape), format))
            .collect();
        let weights: usize = maps.iter().map(|map| map.dims().iter().product::<usize>()).sum();
        for &rows in &rows {
            let inputs: Vec<Tensor<2>> = maps.iter().map(|map| random([rows, map.dims()[0]])).collect();
            let seconds = (0..ROUNDS)
                .map(|_| {
                    let start = Instant::now();
                    for (map, x) in maps.iter().zip(&inputs) {
                        std::hint::black_box(map.linear(x.clone(), None, Precision::F32));
                    }
                    start.elapsed().as_secs_f64()
                })
                .fold(f64::INFINITY, f64::min);
            println!(
                "{name:>6} {rows:>6} {:>10.2} {:>8.0} {:>8.1}",
                seconds * 1e3,
                2.0 * (rows * weights) as f64 / seconds / 1e9,
                weights as f64 * bytes / seconds / 1e9,
            );
        }
    }
}
