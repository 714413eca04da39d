//! Estimates memory and time of training a decoder, then trains it for a few steps and prints both.
//!
//! ```text
//! cargo run --release -p fireclay-train --example estimate -- modern 4096 384 6 6 256 8 [bf16]
//!                                    modern | classic | gpt2, vocabulary, width, layers, heads, context, batch
//! ```

use fireclay_model::{DecoderConfig, Precision};
use fireclay_train::bench::bench_decoder;
use fireclay_train::{BenchShape, TrainConfig, matmul_peak, memory_estimate, time_estimate};

/// The allocator of the binary, whose memory is estimated.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let precision = match arguments.pop_if(|last| last == "bf16") {
        Some(_) => Precision::Bf16,
        None => Precision::F32,
    };
    let [preset, numbers @ ..] = &arguments[..] else { return Err("name a preset and six numbers".into()) };
    let numbers = numbers.iter().map(|number| number.parse()).collect::<Result<Vec<usize>, _>>()?;
    let [vocab, width, layers, heads, context, batch] = numbers[..] else { return Err("give six numbers".into()) };
    let preset = match preset.as_str() {
        "modern" => DecoderConfig::modern,
        "classic" => DecoderConfig::classic,
        _ => DecoderConfig::gpt2,
    };
    let config = preset(vocab, width, layers, heads, context);
    let train = TrainConfig { batch, context, precision, ..TrainConfig::default() };
    let device = fireclay_model::device::parse("cpu")?;

    let peak = matmul_peak(&device, precision);
    let memory = memory_estimate(&config, &train);
    let time = time_estimate(&config, &train, peak);
    let data = BenchShape { batch, context, vocab, ..BenchShape::default() }.data();
    let report = bench_decoder(|device| config.init(0, device).with_precision(precision), &data, 6, None, &device)?;

    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let seconds = train.tokens_per_step() as f64 / report.tokens_per_s;
    println!("{arguments:?}: {} parameters, matrix products at {:.0} GFLOP/s", report.parameters, peak / 1e9);
    println!(
        "  memory   estimated {:.0} MiB, measured {:.0} MiB",
        mebibytes(memory.total),
        mebibytes(report.peak_bytes)
    );
    println!("  a step   estimated {:.3} s, measured {seconds:.3} s", time.seconds_per_step);
    println!("  activations estimated {:.0} MiB", mebibytes(memory.activations));
    Ok(())
}
