//! `fireclay bench`: speed and memory.

use std::io::{self, Write};

use anyhow::Result;
use burn::tensor::Device;
use fireclay_infer::{SamplingConfig, generate_batch};
use fireclay_model::{DecoderConfig, Precision};
use fireclay_train::{BenchShape, bench_train, peak_memory};
use serde_json::{Value, json};

use crate::args::{BenchCommand, BenchShapeArgs};
use crate::device;
use crate::error::user;

/// Measures and prints.
///
/// # Errors
/// When a number means nothing or there is no such device.
pub fn run(command: &BenchCommand) -> Result<()> {
    let (BenchCommand::Train(args) | BenchCommand::Generate(args)) = command;
    let shape = shape(args)?;
    let (device, _) = device::choose(args.device.as_deref())?;
    let result = match command {
        BenchCommand::Train(_) => json!(bench_train(&shape, &device)?),
        BenchCommand::Generate(_) => generate(&shape, &device)?,
    };
    let mut out = io::stdout();
    if args.json {
        return Ok(writeln!(out, "{result}")?);
    }
    for (name, value) in result.as_object().expect("a result is an object") {
        writeln!(out, "{name:20} {value}")?;
    }
    Ok(())
}

fn shape(args: &BenchShapeArgs) -> Result<BenchShape> {
    let BenchShapeArgs { batch, context, width, heads, layers, vocab, steps, .. } = *args;
    let numbers = [
        ("--batch", batch),
        ("--context", context),
        ("--width", width),
        ("--heads", heads),
        ("--layers", layers),
        ("--vocab", vocab),
        ("--steps", steps),
    ];
    if let Some((flag, _)) = numbers.into_iter().find(|&(_, number)| number == 0) {
        return Err(user(format!("{flag} 0: give a positive number")));
    }
    if let Some((flag, number)) = numbers.into_iter().find(|&(_, number)| number > 1 << 24) {
        return Err(user(format!("{flag} {number}: give a smaller number")));
    }
    if !width.is_multiple_of(heads) {
        return Err(user(format!("--width {width} is no multiple of --heads {heads}; make it one")));
    }
    let precision = if args.precision == "bf16" { Precision::Bf16 } else { Precision::F32 };
    Ok(BenchShape { batch, context, width, heads, layers, vocab, steps, precision })
}

/// Greedy generation by a fresh `modern` decoder: a prompt of half a context in every row, then `steps` tokens at most.
fn generate(shape: &BenchShape, device: &Device) -> Result<Value> {
    let config = DecoderConfig::modern(shape.vocab, shape.width, shape.layers, shape.heads, shape.context);
    config.validate()?;
    let decoder = config.init(0, device).with_precision(shape.precision);
    let length = (shape.context / 2).max(1);
    let row = |row: usize| (0..length).map(|i| (((row * length + i) * 7919 + 13) % shape.vocab) as u32).collect();
    let prompts: Vec<Vec<u32>> = (0..shape.batch).map(row).collect();
    // The first run prepares: threads on a CPU, kernels on a card.
    generate_batch(&decoder, &prompts, &SamplingConfig::greedy(2))?;
    let completions = generate_batch(&decoder, &prompts, &SamplingConfig::greedy(shape.steps + 1))?;
    let timing = completions[0].timing;
    Ok(json!({
        "tokens_per_s": timing.tokens_per_s(),
        "prefill_tokens_per_s": (shape.batch * length) as f64 / timing.prefill_seconds,
        "tokens": timing.decode_outputs,
        "peak_bytes": peak_memory().unwrap_or(0),
        "parameters": config.num_params(),
    }))
}
