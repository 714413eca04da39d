//! The first ten losses of `torch.optim.AdamW` on the models of `crates/model/tests/fixtures`, made by the script
//! there.

use std::fs;
use std::path::PathBuf;

use fireclay_data::Batch;
use fireclay_train::{ModuleGradients, NextToken, Objective, Optimizer, OptimizerConfig};
use safetensors::SafeTensors;
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    adamw: Hyperparameters,
    adamw_losses: Vec<f64>,
    adamw_gradient_norms: Vec<f64>,
}

#[derive(Deserialize)]
struct Hyperparameters {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
    clip: f64,
}

/// The batches `[steps, B, T]` as next-token batches of `T − 1`.
fn batches(directory: &std::path::Path) -> Vec<Batch> {
    let bytes = fs::read(directory.join("expected.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let view = tensors.tensor("batches").unwrap();
    let [_, rows, time] = view.shape()[..] else { panic!("batches are [steps, B, T]") };
    let ids: Vec<u32> = view.data().as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
    let of_step = |step: &[u32]| Batch {
        batch: rows,
        context: time - 1,
        ids: step.chunks(time).flat_map(|row| row[..time - 1].to_vec()).collect(),
        targets: step.chunks(time).flat_map(|row| row[1..].to_vec()).collect(),
        weights: None,
        segments: None,
    };
    ids.chunks(rows * time).map(of_step).collect()
}

fn check(family: &str) {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../model/tests/fixtures").join(family);
    let Expected { adamw: h, adamw_losses, adamw_gradient_norms } =
        serde_json::from_slice(&fs::read(directory.join("expected.json")).unwrap()).unwrap();
    let mut decoder = fireclay_model::load(&directory, &crate::device().autodiff()).unwrap();
    let mut optimizer = Optimizer::new(OptimizerConfig {
        beta1: h.beta1,
        beta2: h.beta2,
        epsilon: h.epsilon,
        weight_decay: h.weight_decay,
        clip: h.clip,
        ..OptimizerConfig::default()
    });
    let batches = batches(&directory);
    assert_eq!((batches.len(), adamw_losses.len()), (10, 10));
    for (step, batch) in batches.iter().enumerate() {
        let loss = NextToken.loss(&decoder, batch);
        let mut gradients = ModuleGradients::of(&decoder, loss.mean.backward());
        let norm = gradients.norm();
        decoder = optimizer.step(decoder, gradients, norm, h.learning_rate);
        let loss = f64::from(loss.mean.into_scalar::<f32>());
        let (expected_loss, expected_norm) = (adamw_losses[step], adamw_gradient_norms[step]);
        assert!((loss - expected_loss).abs() < 1e-3, "{family}, step {step}: loss {loss}, PyTorch's {expected_loss}");
        assert!(
            (norm / expected_norm - 1.0).abs() < 1e-3,
            "{family}, step {step}: norm {norm}, PyTorch's {expected_norm}"
        );
    }
}

#[test]
fn ten_steps_of_gpt2_are_pytorchs() {
    check("gpt2");
}

#[test]
fn ten_steps_of_classic_are_pytorchs() {
    check("classic");
}

#[test]
fn ten_steps_of_llama_are_pytorchs() {
    check("llama");
    check("llama_biased");
}

#[test]
fn ten_steps_of_qwen2_are_pytorchs() {
    check("qwen2");
}

#[test]
fn ten_steps_of_qwen3_are_pytorchs() {
    check("qwen3");
}
