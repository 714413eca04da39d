//! The same logits, loss and gradients as `PyTorch`'s transformers, from the same files.
//! `fixtures/make_parity_fixtures.py` made them.
use std::fs;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData, activation::log_softmax};
use fireclay_model::{DecoderConfig, PositionEncoding, RotaryScaling, load};
use safetensors::SafeTensors;

use crate::{device, distance};

const FIXTURES: [&str; 6] = ["gpt2", "classic", "llama", "llama_biased", "qwen2", "qwen3"];

/// Fixtures of `fixtures/make_family_fixtures.py`.
pub(crate) const FAMILIES: [&str; 17] = [
    "families/mistral",
    "families/qwen2_mixed",
    "families/qwen3_mixed",
    "families/llama_yarn",
    "families/llama_dynamic",
    "families/gemma",
    "families/gemma2",
    "families/gemma3",
    "families/phi3",
    "families/phi3_long",
    "families/smollm3",
    "families/olmo2",
    "families/granite",
    "families/stablelm",
    "families/stablelm_parallel",
    "families/gpt_neox",
    "families/gpt_neox_sequential",
];

/// Results of `PyTorch` for one model.
pub(crate) struct Expected {
    /// `[B, T]`
    pub(crate) ids: Tensor<2, Int>,
    /// `[B, T, V]`
    logits: Tensor<3>,
    loss: f32,
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub(crate) fn expected(name: &str, device: &Device) -> Expected {
    let bytes = fs::read(fixture(name).join("expected.safetensors")).expect("the fixture");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let (batches, logits) = (file.tensor("batches").expect("batches"), file.tensor("logits").expect("logits"));
    let [_, batch, time] = batches.shape()[..] else { panic!("batches have three axes") };
    let ids: Vec<i32> =
        batches.data().as_chunks().0.iter().take(batch * time).map(|b| i32::from_le_bytes(*b)).collect();
    let numbers: Vec<f32> = logits.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(fixture(name).join("expected.json")).expect("the fixture")).expect("JSON");
    Expected {
        ids: Tensor::from_data(TensorData::new(ids, [batch, time]), device),
        logits: Tensor::from_data(TensorData::new(numbers, logits.shape().to_vec()), device),
        loss: record["loss"].as_f64().expect("a loss") as f32,
    }
}

/// Every parameter's gradient, or the numbers of every parameter themselves, by name.
pub(crate) struct Collect<'a> {
    gradients: Option<&'a Gradients>,
    path: Vec<String>,
    found: Vec<(String, Vec<f32>)>,
}

impl<'a> Collect<'a> {
    pub(crate) fn of(module: &impl Module, gradients: Option<&'a Gradients>) -> Vec<(String, Vec<f32>)> {
        let mut collect = Self { gradients, path: vec![], found: vec![] };
        module.visit(&mut collect);
        collect.found
    }
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.into());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
        let tensor = match self.gradients {
            Some(gradients) => param.val().grad(gradients).expect("a gradient"),
            None => param.val(),
        };
        self.found.push((self.path.join("."), tensor.into_data().try_into_vec().expect("f32")));
    }
}

/// `PyTorch`'s gradients under our names: their file has a model's tensors, so it is read as one.
fn expected_gradients(name: &str, device: &Device) -> Vec<(String, Vec<f32>)> {
    let dir = tempfile::tempdir().expect("a folder");
    fs::copy(fixture(name).join("config.json"), dir.path().join("config.json")).expect("a copy");
    fs::copy(fixture(name).join("gradients.safetensors"), dir.path().join("model.safetensors")).expect("a copy");
    Collect::of(&load(dir.path(), device).expect("gradients in a model's shape"), None)
}

#[test]
fn logits_are_those_of_transformers() {
    let device = device();
    for name in FIXTURES.into_iter().chain(FAMILIES) {
        let decoder = load(fixture(name), &device).unwrap_or_else(|error| panic!("{error}"));
        let expected = expected(name, &device);
        let difference = distance(decoder.forward(expected.ids, None), expected.logits);
        eprintln!("{name}: largest difference of a logit {difference:.1e}");
        assert!(difference < 1e-4, "{name}: {difference}");
    }
}

#[test]
fn gradients_are_those_of_pytorch() {
    let device = device();
    for name in FIXTURES.into_iter().chain(FAMILIES) {
        let training = device.clone().autodiff();
        let decoder = load(fixture(name), &training).unwrap_or_else(|error| panic!("{error}"));
        let Expected { ids, loss: expected_loss, .. } = expected(name, &training);
        let next = ids.dims()[1] - 1;
        // Of all tokens, the last one too: some rotary scalings go by how many there are.
        let logits = decoder.forward(ids.clone(), None).narrow(1, 0, next);
        let loss = -log_softmax(logits, 2).gather(2, ids.narrow(1, 1, next).unsqueeze_dim(2)).mean();
        let difference = (loss.clone().into_scalar::<f32>() - expected_loss).abs();
        assert!(difference < 1e-4, "{name}: the losses differ by {difference}");

        let gradients = loss.backward();
        let ours = Collect::of(&decoder, Some(&gradients));
        let theirs = expected_gradients(name, &device);
        assert_eq!(ours.len(), theirs.len(), "{name}");
        // A bias on keys moves all of a query's scores alike, which softmax does not see: its gradient is rounding
        // errors, so it is compared with the size of the others.
        let norm = |numbers: &[f32]| numbers.iter().map(|x| x * x).sum::<f32>().sqrt();
        let floor = 1e-4 * theirs.iter().map(|(_, gradient)| norm(gradient)).fold(0.0, f32::max);
        let mut worst = (0.0, String::new());
        for ((parameter, ours), (other, theirs)) in ours.iter().zip(&theirs) {
            assert_eq!(parameter, other);
            let differences: Vec<f32> = ours.iter().zip(theirs).map(|(a, b)| a - b).collect();
            let relative = norm(&differences) / norm(theirs).max(floor);
            let largest = differences.iter().fold(0.0f32, |largest, d| largest.max(d.abs()));
            assert!(relative < 1e-3 && largest < 1e-4, "{name}, {parameter}: {relative} relative, {largest} at most");
            if relative > worst.0 && norm(theirs) > floor {
                worst = (relative, parameter.clone());
            }
        }
        eprintln!("{name}: largest relative difference of a gradient {:.1e} ({})", worst.0, worst.1);
    }
}

#[test]
fn config_json_says_what_each_model_is_made_of() {
    let config =
        |name: &str| fireclay_model::huggingface::load_config(fixture(name)).unwrap_or_else(|error| panic!("{error}"));
    let check = |name: &str, expected: DecoderConfig| assert_eq!(config(name), expected, "{name}");
    check("gpt2", DecoderConfig { ffn_width: 40, ..DecoderConfig::gpt2(48, 24, 2, 4, 32) });
    check("classic", DecoderConfig::classic(48, 24, 2, 4, 32));
    let llama3 =
        RotaryScaling::Llama3 { factor: 4.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_context: 8 };
    let llama = DecoderConfig { ffn_width: 40, norm_epsilon: 1e-6, ..DecoderConfig::llama(48, 24, 2, 4, 32) };
    let scaled = PositionEncoding::Rotary { theta: 500.0, scaling: llama3 };
    check("llama", DecoderConfig { kv_heads: 2, position: scaled, ..llama.clone() });
    let biased = DecoderConfig {
        head_dim: 8,
        position: PositionEncoding::Rotary { theta: 1000.0, scaling: RotaryScaling::Linear { factor: 2.0 } },
        activation: fireclay_model::Activation::ReluSquared,
        qkv_bias: true,
        output_bias: true,
        ffn_bias: true,
        tied_head: true,
        ..llama
    };
    check("llama_biased", biased);
    let windowed = DecoderConfig { sliding_window: Some(5), full_layers: 1, ..DecoderConfig::qwen2(48, 24, 2, 4, 32) };
    check("qwen2", DecoderConfig { kv_heads: 1, ffn_width: 40, ..windowed });
    let untied = DecoderConfig { tied_head: false, ..DecoderConfig::qwen3(48, 24, 2, 4, 32) };
    check("qwen3", DecoderConfig { kv_heads: 2, head_dim: 8, ffn_width: 40, ..untied });
}
