//! `fireclay bench`: speed and memory.

use std::io::{self, Write};

use anyhow::Result;
use burn::tensor::Device;
use fireclay_infer::{Engine, EngineConfig, SamplingConfig, Timing};
use fireclay_kernels::Isa;
use fireclay_kernels::bench::{OpShape, OpTiming, Pass, bench_ops};
use fireclay_model::{DecoderConfig, InferenceDecoder, PAGE, PagedCache, WeightStorage};
use fireclay_report::format::bytes;
use fireclay_train::{BenchShape, bench_train, memory_bandwidth, peak_memory};
use serde_json::{Value, json};

use super::bench_streams::{self, fresh_decoder};
use crate::args::{BenchCommand, BenchGenerateArgs, BenchOpsArgs, BenchTrainArgs, ShapeArgs};
use crate::device;
use crate::error::user;

/// Measures and prints.
///
/// # Errors
/// When a number means nothing or there is no such device.
pub fn run(command: &BenchCommand) -> Result<()> {
    let isa = match command {
        BenchCommand::Train(args) | BenchCommand::Generate(BenchGenerateArgs { train: args, .. }) => args.isa,
        BenchCommand::Ops(args) => args.isa,
    };
    device::choose_instruction_set(isa)?;
    match command {
        BenchCommand::Train(args) => print(args, |shape, device| {
            let mut result = json!(bench_train(shape, device)?);
            result["shape"] = sizes(shape);
            result["checkpointing"] = shape.checkpointing.into();
            Ok(result)
        }),
        BenchCommand::Generate(args) => generation(args),
        BenchCommand::Ops(args) => operations(*args),
    }
}

fn print(args: &BenchTrainArgs, measure: impl Fn(&BenchShape, &Device) -> Result<Value>) -> Result<()> {
    let shape = shape(args)?;
    let (device, choice) = device::choose(args.device)?;
    let mut result = measure(&shape, &device)?;
    result["steps"] = shape.steps.into();
    result["precision"] = json!(shape.precision);
    result["device"] = choice.to_string().into();
    if let Some(name) = device::instruction_set(choice) {
        result["instruction_set"] = name.into();
        result["threads"] = rayon::current_num_threads().into();
    }
    let mut out = io::stdout();
    if args.json {
        return Ok(writeln!(out, "{result}")?);
    }
    for (name, value) in result.as_object().expect("a result is an object") {
        writeln!(out, "{name:25} {}", readable(name, value))?;
    }
    Ok(())
}

/// The sizes of a decoder that was made for the benchmark.
pub(super) fn sizes(shape: &BenchShape) -> Value {
    let BenchShape { batch, context, width, heads, layers, vocab, .. } = *shape;
    json!({"batch": batch, "context": context, "width": width, "heads": heads, "layers": layers, "vocab": vocab})
}

/// A value for people: bytes with a unit, and four digits of what is measured.
fn readable(name: &str, value: &Value) -> String {
    let digits = |number: f64| if number.abs() >= 1000.0 { format!("{number:.0}") } else { format!("{number:.4}") };
    match value {
        Value::Number(number) if name.contains("bytes") => {
            number.as_f64().map_or_else(String::new, |n| bytes(n as u64))
        }
        Value::Number(number) if number.is_f64() => number.as_f64().map_or_else(String::new, digits),
        Value::Array(all) => all.iter().map(|value| readable(name, value)).collect::<Vec<_>>().join(" "),
        Value::Object(all) => all.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", "),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

const OPERATIONS_HEADING: &str =
    "                                                    kernel, ms  burn, ms   ratio  GFLOP/s: kernel    burn\n";

/// Kernels are `flex`'s, so there is no choice of device.
fn operations(args: BenchOpsArgs) -> Result<()> {
    let BenchOpsArgs { shape: ShapeArgs { batch, context, width, heads, vocab }, rounds, json, isa: _ } = args;
    let isa = Isa::current().name();
    let device = fireclay_model::device::parse("flex")?;
    let mut out = io::stdout();
    let (mut timings, mut written) = (vec![], Ok(()));
    bench_ops(&OpShape { batch, context, width, heads, vocab, rounds }, &device, |timing| {
        // People see each row as soon as it is known.
        if !json && written.is_ok() {
            let heading = match timings.is_empty() {
                true => format!("kernels with {isa}; burn's operations choose theirs\n{OPERATIONS_HEADING}"),
                false => String::new(),
            };
            written = writeln!(out, "{heading}{}", operation_row(&timing));
        }
        timings.push(timing);
    })?;
    written?;
    if json {
        let named = |timing: OpTiming| {
            let mut row = json!(timing);
            row["instruction_set"] = isa.into();
            row
        };
        writeln!(out, "{}", timings.into_iter().map(named).collect::<Value>())?;
    }
    Ok(())
}

fn operation_row(timing: &OpTiming) -> String {
    let pass = if timing.pass == Pass::Both { ", forward and backward" } else { "" };
    let rate = |rate: Option<f64>| rate.map_or_else(String::new, |rate| format!("{rate:.1}"));
    let row = format!(
        "{:50} {:>11.3} {:>9.3} {:>7.2} {:>16} {:>7}",
        timing.operation.clone() + pass,
        timing.kernel_ms,
        timing.reference_ms,
        timing.ratio,
        rate(timing.kernel_gflops),
        rate(timing.reference_gflops),
    );
    row.trim_end().to_owned()
}

fn shape(args: &BenchTrainArgs) -> Result<BenchShape> {
    let BenchTrainArgs { shape: ShapeArgs { batch, context, width, heads, vocab }, layers, steps, .. } = *args;
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
        return Err(user(format!("--width {width} is not a multiple of --heads {heads}; make it one")));
    }
    let (precision, checkpointing) = (args.precision, args.checkpointing);
    Ok(BenchShape { batch, context, width, heads, layers, vocab, steps, precision, checkpointing })
}

fn generation(args: &BenchGenerateArgs) -> Result<()> {
    if args.train.checkpointing {
        return Err(user("--checkpointing is of `bench train`: generation has no backward pass; leave it out"));
    }
    print(&args.train, |shape, device| {
        let mut result = match (args.streams, args.turns) {
            (Some(streams), _) => bench_streams::streams(args, streams, shape, device)?,
            (None, Some(turns)) => bench_streams::turns(args, turns, shape, device)?,
            (None, None) if args.model.is_some() => {
                return Err(user("--model needs --streams or --turns; give one of them"));
            }
            (None, None) => generate(args, shape, device)?,
        };
        result["weights"] = json!(args.weights);
        result["drafts"] = args.drafts.into();
        match &args.model {
            Some(model) => result["model"] = model.to_string_lossy().into(),
            None => result["shape"] = sizes(shape),
        }
        Ok(result)
    })
}

/// Greedy generation by a fresh decoder: a prompt of half a context in every row, then `steps` tokens at most.
fn generate(args: &BenchGenerateArgs, shape: &BenchShape, device: &Device) -> Result<Value> {
    let decoder = fresh_decoder(args, shape, device)?;
    let config = decoder.config().clone();
    let length = (shape.context / 2).max(1);
    let room = shape.context - length;
    if shape.steps + 1 > room {
        let (steps, context) = (shape.steps, shape.context);
        let needed = 2 * (steps + 1);
        return Err(user(format!(
            "--steps {steps}: after a prompt of half of --context {context} there is room for {}; give fewer, or \
             --context {needed}",
            room - 1
        )));
    }
    let row = |row: usize| (0..length).map(|i| (((row * length + i) * 7919 + 13) % shape.vocab) as u32).collect();
    let prompts: Vec<Vec<u32>> = (0..shape.batch).map(row).collect();
    // All prompts are read in one step.
    let chunk = shape.batch * length;
    let limits = EngineConfig { streams: shape.batch, chunk, drafts: args.drafts, ..EngineConfig::default() };
    let engine = || Engine::new(decoder.clone(), limits);
    // The first run prepares: threads on a CPU, kernels on a card.
    engine()?.complete_all(&prompts, &SamplingConfig::greedy(2))?;
    let completions = engine()?.complete_all(&prompts, &SamplingConfig::greedy(shape.steps + 1))?;
    let longest = |seconds: fn(&Timing) -> f64| completions.iter().map(|row| seconds(&row.timing)).fold(0.0, f64::max);
    let (prefill_seconds, decode_seconds) = (longest(|t| t.prefill_seconds), longest(|t| t.decode_seconds));
    let tokens: usize = completions.iter().map(|row| row.timing.decode_outputs).sum();
    let tokens_per_s = if tokens == 0 { 0.0 } else { tokens as f64 / decode_seconds.max(1e-9) };
    let format = InferenceDecoder::stored_format(args.weights, shape.precision);
    let bytes = weight_bytes(&config, format) + cache_bytes(&decoder, shape.batch, length + shape.steps / 2);
    let steps_per_s = tokens_per_s / shape.batch as f64;
    // Measuring the bandwidth takes memory of its own.
    let peak = peak_memory().unwrap_or(0);
    let bandwidth = memory_bandwidth();
    let mut result = json!({
        "tokens_per_s": tokens_per_s,
        "prefill_tokens_per_s": (shape.batch * length) as f64 / prefill_seconds.max(1e-9),
        "tokens": tokens,
        "peak_bytes": peak,
        "parameters": config.num_params(),
        "bytes_a_step": bytes,
        "memory_bytes_per_s": bandwidth,
    });
    // With drafts a step gives a number of tokens that differs from step to step.
    if args.drafts == 0 {
        result["bandwidth_share"] = (bytes * steps_per_s / bandwidth).into();
    }
    Ok(result)
}

/// Bytes of the weights that every step reads: all but an embedding that is not the head too.
fn weight_bytes(config: &DecoderConfig, format: WeightStorage) -> f64 {
    let embedding = if config.tied_head { 0 } else { config.vocab_size * config.width };
    format.bytes((config.num_params() - embedding) as u64) as f64
}

/// Bytes of the keys and values of `batch` rows of `time` tokens.
fn cache_bytes(decoder: &InferenceDecoder, batch: usize, time: usize) -> f64 {
    (PagedCache::page_bytes(decoder.config(), decoder.cache_precision()) * batch * time) as f64 / PAGE as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stands_below_its_heading() {
        let timing = OpTiming {
            operation: "linear with bias, f32".into(),
            pass: Pass::Both,
            kernel_ms: 12.3456,
            reference_ms: 24.6,
            ratio: 1.993,
            kernel_gflops: Some(147.26),
            reference_gflops: None,
        };
        let expected =
            "linear with bias, f32, forward and backward             12.346    24.600    1.99            147.3";
        assert_eq!(operation_row(&timing), expected);
        let ends = |text: &str, column: &str| text.find(column).map(|start| start + column.len());
        assert_eq!(ends(OPERATIONS_HEADING, "kernel, ms"), ends(expected, "12.346"));
        assert_eq!(ends(OPERATIONS_HEADING, ": kernel"), ends(expected, "147.3"));
    }
}
