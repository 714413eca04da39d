//! `fireclay bench generate --streams` and `--turns`: requests as a server gets them, alone, in a crowd, and as a
//! conversation.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use burn::tensor::Device;
use fireclay_infer::{Engine, EngineConfig, Event, Request, RequestId, SamplingConfig};
use fireclay_model::{DecoderConfig, InferenceDecoder, Precision};
use fireclay_train::{BenchShape, peak_memory};
use serde_json::{Value, json};

use crate::args::{BenchGenerateArgs, BenchPreset};
use crate::error::user;
use crate::model_dir;

/// Tokens of the shortest and the longest prompt.
const PROMPTS: (usize, usize) = (20, 400);
/// Tokens of the conversation.
const CONVERSATION: usize = 4000;

/// Timings of some requests.
struct Measured {
    /// Tokens of each request, in the order of the requests.
    answers: Vec<Vec<u32>>,
    seconds: f64,
    /// Seconds from when a request was made to its first token.
    first_token: Vec<f64>,
    drafted: u64,
    accepted: u64,
}

impl Measured {
    fn tokens_per_s(&self) -> f64 {
        self.answers.iter().map(Vec::len).sum::<usize>() as f64 / self.seconds.max(1e-9)
    }
}

/// The decoder that the flags name.
fn decoder(args: &BenchGenerateArgs, shape: &BenchShape, device: &Device) -> Result<InferenceDecoder> {
    let Some(path) = &args.model else { return fresh_decoder(args, shape, device) };
    let dir = model_dir::resolve(path)?;
    if shape.precision == Precision::F32 {
        return Ok(InferenceDecoder::load(&dir, device, args.weights)?);
    }
    let decoder = fireclay_model::load(&dir, device)?.with_precision(shape.precision);
    Ok(InferenceDecoder::new(decoder, args.weights))
}

/// A decoder of the shape, with weights that were never trained.
pub(super) fn fresh_decoder(args: &BenchGenerateArgs, shape: &BenchShape, device: &Device) -> Result<InferenceDecoder> {
    let preset = match args.preset {
        BenchPreset::Modern => DecoderConfig::modern,
        BenchPreset::Gpt2 => DecoderConfig::gpt2,
    };
    let config = preset(shape.vocab, shape.width, shape.layers, shape.heads, shape.context);
    config.validate()?;
    Ok(InferenceDecoder::new(config.init(0, device).with_precision(shape.precision), args.weights))
}

/// Tokens of the longest prompt that leaves room for `answer` tokens.
fn room(context: usize, least: usize, answer: usize) -> Result<usize> {
    let found = context.checked_sub(answer).filter(|&longest| longest >= least);
    found.ok_or_else(|| {
        user(format!(
            "a context of {context} leaves no room; give --context {} or more, or fewer --steps",
            least + answer
        ))
    })
}

/// A conversation of 4,000 tokens, three quarters of it questions: the time to the first token of every turn, on one
/// engine.
///
/// # Errors
/// When the number of turns is out of range, or the model cannot be read or has too short a context.
pub fn turns(args: &BenchGenerateArgs, turns: usize, shape: &BenchShape, device: &Device) -> Result<Value> {
    if !(2..=CONVERSATION / 4).contains(&turns) {
        return Err(user(format!("--turns {turns}: give 2 to {}", CONVERSATION / 4)));
    }
    let decoder = decoder(args, shape, device)?;
    let (context, vocab) = (decoder.config().context, decoder.config().vocab_size);
    room(context, CONVERSATION, 0)?;
    let (turn, answer) = (CONVERSATION / turns, CONVERSATION / turns / 4);
    let limits = EngineConfig { streams: 1, drafts: args.drafts, ..EngineConfig::default() };
    let mut engine = Engine::new(decoder, limits)?;
    run(&mut engine, &[vec![0; 8]], 2)?;
    let (mut conversation, mut first): (Vec<u32>, Vec<f64>) = (vec![], vec![]);
    for _ in 0..turns {
        let question = conversation.len()..conversation.len() + turn - answer;
        conversation.extend(question.map(|i| ((i * 7919 + 13) % vocab) as u32));
        let measured = run(&mut engine, std::slice::from_ref(&conversation), answer)?;
        conversation.extend(measured.answers.concat());
        first.extend(measured.first_token);
    }
    Ok(json!({"turns": turns, "first_token_s": first, "last_by_second": first[turns - 1] / first[1]}))
}

/// The same requests one after the other and then at once: greedy, exactly `steps` tokens each. Prompts are
/// fixed ids that share nothing.
///
/// # Errors
/// When the number of streams is out of range, or the model cannot be read or has too short a context.
pub fn streams(args: &BenchGenerateArgs, streams: usize, shape: &BenchShape, device: &Device) -> Result<Value> {
    if streams == 0 || streams > 1 << 12 {
        return Err(user(format!("--streams {streams}: give 1 to 4096")));
    }
    let decoder = decoder(args, shape, device)?;
    let (context, vocab) = (decoder.config().context, decoder.config().vocab_size);
    let longest = room(context, PROMPTS.0, shape.steps)?;
    let prompts = prompts(streams, longest.min(PROMPTS.1), vocab);
    let engine = || {
        let limits = EngineConfig { streams, drafts: args.drafts, ..EngineConfig::default() };
        Engine::new(decoder.clone(), limits)
    };
    // The first run prepares: threads on a CPU, kernels on a card.
    run(&mut engine()?, &prompts[..1], 2)?;
    let (mut alone, mut alone_engine) = (vec![], engine()?);
    for prompt in &prompts {
        alone.push(run(&mut alone_engine, std::slice::from_ref(prompt), shape.steps)?);
    }
    let mut crowd_engine = engine()?;
    let crowd = run(&mut crowd_engine, &prompts, shape.steps)?;
    let alone_seconds: f64 = alone.iter().map(|one| one.seconds).sum();
    let alone_tokens: usize = alone.iter().flat_map(|one| &one.answers).map(Vec::len).sum();
    let alone_tokens_per_s = alone_tokens as f64 / alone_seconds.max(1e-9);
    let mean = |seconds: &[f64]| seconds.iter().sum::<f64>() / seconds.len().max(1) as f64;
    let same = alone.iter().flat_map(|one| &one.answers).eq(&crowd.answers);
    Ok(json!({
        "streams": streams,
        "tokens_per_s": crowd.tokens_per_s(),
        "alone_tokens_per_s": alone_tokens_per_s,
        "ratio": crowd.tokens_per_s() / alone_tokens_per_s,
        "same_tokens": same,
        "first_token_mean_s": mean(&crowd.first_token),
        "first_token_max_s": crowd.first_token.iter().copied().fold(0.0, f64::max),
        "alone_first_token_mean_s": mean(&alone.iter().flat_map(|one| one.first_token.clone()).collect::<Vec<_>>()),
        "drafted": crowd.drafted,
        "accepted": crowd.accepted,
        "parameters": decoder.config().num_params(),
        "peak_bytes": peak_memory().unwrap_or(0),
    }))
}

/// Prompts of lengths from the longest to the shortest. `scripts/peers/llamacpp_generate.py` has the same.
fn prompts(streams: usize, longest: usize, vocab: usize) -> Vec<Vec<u32>> {
    let length = |row: usize| match streams {
        1 => PROMPTS.0.midpoint(longest),
        _ => PROMPTS.0 + (streams - 1 - row) * (longest - PROMPTS.0) / (streams - 1),
    };
    let id = |row: usize, i: usize| ((row * PROMPTS.1 + i) * 7919 + 13) % vocab;
    (0..streams).map(|row| (0..length(row)).map(|i| id(row, i) as u32).collect()).collect()
}

/// Answers the prompts at once.
fn run(engine: &mut Engine, prompts: &[Vec<u32>], steps: usize) -> Result<Measured> {
    let before = engine.speculation();
    let begin = Instant::now();
    let requests = prompts.iter().map(|prompt| engine.add(Request::new(prompt.clone(), SamplingConfig::greedy(steps))));
    let requests: Vec<RequestId> = requests.collect::<Result<_, _>>()?;
    let (mut first, mut answers) = (BTreeMap::new(), BTreeMap::new());
    while engine.is_busy() {
        for event in engine.step() {
            match event {
                Event::Token(id, _) => {
                    first.entry(id).or_insert_with(|| begin.elapsed().as_secs_f64());
                }
                Event::Finished(id, completion) => drop(answers.insert(id, completion.ids)),
                Event::Failed(_, error) => return Err(error.into()),
            }
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    let after = engine.speculation();
    Ok(Measured {
        answers: requests.iter().filter_map(|id| answers.remove(id)).collect(),
        seconds,
        first_token: first.into_values().collect(),
        drafted: after.drafted - before.drafted,
        accepted: after.accepted - before.accepted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_of_all_lengths_and_share_nothing() {
        let prompts = prompts(8, 400, 49152);
        let lengths: Vec<usize> = prompts.iter().map(Vec::len).collect();
        assert!(!lengths.is_sorted(), "{lengths:?}");
        let (least, most) = (lengths.iter().min(), lengths.iter().max());
        assert_eq!((least, most), (Some(&20), Some(&400)));
        assert!((1..8).all(|row| prompts[row][..16] != prompts[0][..16]));
        assert_eq!(super::prompts(1, 400, 100)[0].len(), 210);
    }
}
