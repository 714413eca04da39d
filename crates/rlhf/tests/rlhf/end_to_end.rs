//! From a real directory of weights through log-probabilities to losses and gradients of every parameter, as `PyTorch`
//! has them.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use fireclay_model::Decoder;
use fireclay_rlhf::Sequences;
use fireclay_rlhf::completions::{host, masked_mean, token_logprobs};
use fireclay_rlhf::dpo::{DpoConfig, completion_logprobs, dpo_losses};
use fireclay_rlhf::grpo::{GrpoConfig, GrpoInputs, grpo_loss};
use serde_json::Value;

use crate::device;

struct Reference {
    json: Value,
    decoder: Decoder,
    sequences: Sequences,
}

impl Reference {
    fn read() -> Self {
        let folder = format!("{}/tests/fixtures", env!("CARGO_MANIFEST_DIR"));
        let json: Value = serde_json::from_slice(&std::fs::read(format!("{folder}/end_to_end.json")).unwrap()).unwrap();
        let decoder = fireclay_model::load(format!("{folder}/tiny_lm"), &device()).unwrap();
        let decoder = decoder.to_device(&device().autodiff()).train();
        let whole = |name: &str| numbers(&json["inputs"][name]["data"]).into_iter().map(|n| n as usize);
        let ids: Vec<u32> = whole("input_ids").map(|id| id as u32).collect();
        let rows = ids.chunks(ids.len() / 4).zip(whole("lengths")).zip(whole("prompt_lengths"));
        let sequences = Sequences::new(rows.map(|((row, length), prompt)| (row[..length].to_vec(), prompt)));
        Self { json, decoder, sequences }
    }

    /// An input `[B, T − 1]` that speaks of every token but the first, cut out to `[B, C]`.
    fn per_token(&self, name: &str) -> Tensor<2> {
        let table = numbers(&self.json["inputs"][name]["data"]);
        let prompts = numbers(&self.json["inputs"]["prompt_lengths"]["data"]);
        let width = table.len() / prompts.len();
        let value = |b: usize, c: usize| table[b * width + prompts[b] as usize - 1 + c] as f32;
        self.sequences.per_token(value, &self.decoder.device())
    }

    fn check(&self, case: &str, loss: &Tensor<1>) {
        let case = &self.json["cases"][case];
        let expect = case["loss"].as_f64().unwrap();
        let got = f64::from(loss.clone().into_scalar::<f32>());
        assert!((got - expect).abs() < 1e-4 * (1.0 + expect.abs()), "loss {got}, not {expect}");
        let gradients = norms_and_projections(&self.decoder, &loss.backward());
        let expected_norms = case["gradient_norms"].as_object().unwrap();
        assert_eq!(gradients.len(), expected_norms.len(), "every parameter has a gradient");
        for (ours, (norm, projection)) in gradients {
            let theirs = transformers_name(&ours);
            let expect = |table: &str| case[table][&theirs].as_f64().unwrap_or_else(|| panic!("{theirs}"));
            let (expect_norm, expect_projection) = (expect("gradient_norms"), expect("gradient_projections"));
            let tolerance = 1e-4 * expect_norm + 1e-6;
            assert!((norm - expect_norm).abs() < tolerance, "{ours}: norm {norm}, not {expect_norm}");
            assert!(
                (projection - expect_projection).abs() < 4.0 * tolerance,
                "{ours}: projection {projection}, not {expect_projection}"
            );
        }
    }
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().expect("a list").iter().filter_map(Value::as_f64).collect()
}

/// Of each parameter's gradient g, in the layout of transformers (`[out, in]`): its norm, and Σ gᵢ·cos i.
fn norms_and_projections(decoder: &Decoder, gradients: &Gradients) -> BTreeMap<String, (f64, f64)> {
    struct Collect<'a> {
        gradients: &'a Gradients,
        path: Vec<String>,
        found: BTreeMap<String, (f64, f64)>,
    }
    impl ModuleVisitor for Collect<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.into());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
            let Some(gradient) = param.val().grad(self.gradients) else { return };
            let name = self.path.join(".");
            let is_map = name.ends_with("weight") && R == 2;
            let gradient = if is_map { gradient.swap_dims(0, 1) } else { gradient };
            let numbers = host(gradient);
            let norm = numbers.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
            let projection = numbers.iter().enumerate().map(|(i, &g)| f64::from(g) * (i as f64).cos()).sum();
            self.found.insert(name, (norm, projection));
        }
    }
    let mut collect = Collect { gradients, path: vec![], found: BTreeMap::new() };
    decoder.visit(&mut collect);
    collect.found
}

fn transformers_name(ours: &str) -> String {
    let renamed = ours
        .replace("blocks.", "model.layers.")
        .replace("attention_norm", "input_layernorm")
        .replace("feed_forward_norm", "post_attention_layernorm");
    let pairs = [
        (".attention.query.", ".self_attn.q_proj."),
        (".attention.key.", ".self_attn.k_proj."),
        (".attention.value.", ".self_attn.v_proj."),
        (".attention.output.", ".self_attn.o_proj."),
        (".attention.query_norm.", ".self_attn.q_norm."),
        (".attention.key_norm.", ".self_attn.k_norm."),
        (".feed_forward.gate.", ".mlp.gate_proj."),
        (".feed_forward.up.", ".mlp.up_proj."),
        (".feed_forward.down.", ".mlp.down_proj."),
    ];
    let renamed = pairs.iter().fold(renamed, |name, (ours, theirs)| name.replace(ours, theirs));
    match renamed.as_str() {
        "token_embedding" => "model.embed_tokens.weight".into(),
        "norm.weight" => "model.norm.weight".into(),
        "head.weight" => "lm_head.weight".into(),
        _ => renamed,
    }
}

#[test]
fn log_probabilities_are_those_of_pytorch() {
    let reference = Reference::read();
    let case = &reference.json["cases"]["logprobs"];
    let got = host(completion_logprobs(&reference.decoder, &reference.sequences, false));
    for (got, expect) in got.iter().zip(numbers(&case["sequence_logprobs"]["data"])) {
        assert!((f64::from(*got) - expect).abs() < 1e-4 * (1.0 + expect.abs()), "{got}, not {expect}");
    }
}

#[test]
fn next_token_loss_and_gradients() {
    let reference = Reference::read();
    let logprobs = token_logprobs(&reference.decoder, &reference.sequences, 1.0);
    let mask = reference.sequences.mask(&reference.decoder.device());
    reference.check("nll", &-masked_mean(logprobs, &mask));
}

#[test]
fn dpo_loss_and_gradients() {
    let reference = Reference::read();
    let policy = completion_logprobs(&reference.decoder, &reference.sequences, false);
    let mask = reference.sequences.mask(&reference.decoder.device());
    let frozen = (reference.per_token("reference_logprobs") * mask).sum_dim(1).squeeze_dim::<1>(1);
    let half = |all: &Tensor<1>, from| all.clone().narrow(0, from, 2);
    let losses =
        dpo_losses(half(&policy, 0), half(&policy, 2), half(&frozen, 0), half(&frozen, 2), &DpoConfig::default());
    reference.check("dpo", &losses.mean());
}

#[test]
fn grpo_loss_and_gradients() {
    let reference = Reference::read();
    let device = reference.decoder.device();
    let advantages = numbers(&reference.json["inputs"]["advantages"]["data"]);
    let inputs = GrpoInputs {
        logprobs: token_logprobs(&reference.decoder, &reference.sequences, 1.0),
        old: reference.per_token("old_logprobs"),
        reference: reference.per_token("reference_logprobs"),
        advantages: reference.sequences.per_token(|b, _| advantages[b] as f32, &device),
        mask: reference.sequences.mask(&device),
    };
    let config = GrpoConfig { clip_high: 0.28, kl_coefficient: 0.04, ..GrpoConfig::default() };
    reference.check("grpo", &grpo_loss(inputs, &config, 12));
}
