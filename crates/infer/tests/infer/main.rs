//! Generation and scoring against the decoder's own logits. The backend is the one compiled in, or
//! `FIRECLAY_TEST_DEVICE`.

mod generation;
mod batches;
mod engine;
mod schedules;
mod speculation;
mod requests;
mod constraints;
mod scores;
mod endurance;

use std::ops::ControlFlow;

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_infer::{Completion, Engine, EngineConfig, InferError, SamplingConfig, generate};
use fireclay_model::{Decoder, DecoderConfig, InferenceDecoder, WeightStorage};

const VOCABULARY: usize = 61;
const CONTEXT: usize = 24;

type Preset = fn(usize, usize, usize, usize, usize) -> DecoderConfig;

/// The device under test.
fn device() -> Device {
    let name = std::env::var("FIRECLAY_TEST_DEVICE").unwrap_or_else(|_| "cpu".into());
    fireclay_model::device::parse(&name).unwrap_or_else(|error| panic!("{error}"))
}

/// A decoder of each kind of position, with weights large enough for opinions.
fn decoders() -> Vec<(&'static str, Decoder)> {
    let presets: [(_, Preset); 3] =
        [("classic", DecoderConfig::classic), ("gpt2", DecoderConfig::gpt2), ("modern", DecoderConfig::modern)];
    let mut decoders: Vec<_> = presets
        .into_iter()
        .map(|(name, preset)| {
            let config = DecoderConfig { init_std: 0.2, ..preset(VOCABULARY, 32, 2, 4, CONTEXT) };
            (name, config.init(1, &device()))
        })
        .collect();
    let window = DecoderConfig {
        sliding_window: Some(5),
        init_std: 0.2,
        ..DecoderConfig::modern(VOCABULARY, 32, 2, 4, CONTEXT)
    };
    decoders.push(("window", window.init(2, &device())));
    decoders
}

fn decoder() -> Decoder {
    decoders().pop().expect("there are some").1
}

fn inference(decoder: &Decoder) -> InferenceDecoder {
    InferenceDecoder::new(decoder.clone(), WeightStorage::F32)
}

fn engine(decoder: &Decoder, config: EngineConfig) -> Engine {
    Engine::new(inference(decoder), config).unwrap()
}

/// A prompt of `length` tokens that repeats nothing obvious.
fn prompt(length: usize) -> Vec<u32> {
    (0..length as u32).map(|i| (i * 7919 + 13) % VOCABULARY as u32).collect()
}

fn complete(decoder: &Decoder, prompt: &[u32], config: &SamplingConfig) -> Result<Completion, InferError> {
    generate(decoder, prompt, config, &mut |_, _| ControlFlow::Continue(()))
}

/// The logits after the last of `ids`, by one full forward without a cache.
fn last_logits(decoder: &Decoder, ids: &[u32]) -> Vec<f32> {
    let data: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    let ids_1t = Tensor::<2, Int>::from_data(TensorData::new(data, [1, ids.len()]), &device());
    let logits = decoder.forward(ids_1t, None).narrow(1, ids.len() - 1, 1);
    logits.into_data().try_to_vec::<f32>().expect("f32 logits")
}

/// log softmax in f64.
fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let max = logits.iter().copied().map(f64::from).fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - max).exp()).sum();
    logits.iter().map(|&logit| f64::from(logit) - max - sum.ln()).collect()
}

/// To the last bit on the default device; within rounding on one that `FIRECLAY_TEST_DEVICE` names.
fn assert_same(name: &str, a: &[f32], b: &[f32]) {
    match std::env::var_os("FIRECLAY_TEST_DEVICE") {
        None => assert_eq!(a, b, "{name}"),
        Some(_) => assert_close(name, a, b),
    }
}

fn assert_close(name: &str, a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len(), "{name}");
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() < 1e-4, "{name}: number {i} is {a} and {b}");
    }
}
