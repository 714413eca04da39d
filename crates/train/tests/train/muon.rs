//! The updates of `torch.optim.Muon`, made by `scripts/muon_reference.py`, and their state in a checkpoint.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use fireclay_train::{ModuleGradients, Optimizer, OptimizerConfig, UpdateRule};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    learning_rate: f64,
    weight_decay: f64,
    momentum: f64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    rows: usize,
    columns: usize,
    after: Vec<Vec<f32>>,
}

/// A matrix where Muon looks for them, and one elsewhere.
#[derive(Module, Debug)]
struct Model {
    blocks: Vec<Param<Tensor<2>>>,
    head: Param<Tensor<2>>,
}

/// The script's formula.
fn matrix(case: &Case, seed: f64) -> Tensor<2> {
    let number = |i: usize| ((i * i) as f64 * 0.37 + seed).sin() as f32;
    let numbers: Vec<f32> = (0..case.rows * case.columns).map(number).collect();
    Tensor::from_data(TensorData::new(numbers, [case.rows, case.columns]), &crate::device().autodiff())
}

fn gradients(model: &Model, case: &Case, seed: f64) -> ModuleGradients {
    let weighted = |weight: &Param<Tensor<2>>| (weight.val() * matrix(case, seed)).sum();
    ModuleGradients::of(model, (weighted(&model.blocks[0]) + weighted(&model.head)).backward())
}

fn numbers(weight: &Param<Tensor<2>>) -> Vec<f32> {
    weight.val().inner().into_data().try_to_vec().unwrap()
}

#[test]
fn updates_are_those_of_pytorch() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/muon.json")).unwrap();
    let config = |rule| OptimizerConfig {
        rule,
        momentum: fixture.momentum,
        weight_decay: fixture.weight_decay,
        clip: 0.0,
        ..OptimizerConfig::default()
    };
    for case in &fixture.cases {
        let weight = || Param::from_tensor(matrix(case, 1.0));
        let fresh = Model { blocks: vec![weight()], head: weight() };
        let (mut model, mut optimizer) = (fresh.clone(), Optimizer::new(config(UpdateRule::Muon)));
        let (mut other, mut adamw) = (fresh, Optimizer::new(config(UpdateRule::AdamW)));
        for (update, expected) in case.after.iter().enumerate() {
            let seed = 2.0 + update as f64;
            if update == 2 {
                // As if the run had been resumed.
                let file = tempfile::NamedTempFile::new().unwrap();
                optimizer.save(file.path()).unwrap();
                optimizer = Optimizer::load(config(UpdateRule::Muon), file.path(), &crate::device()).unwrap();
            }
            let found = gradients(&model, case, seed);
            model = optimizer.step(model, found, 1.0, fixture.learning_rate);
            let found = gradients(&other, case, seed);
            other = adamw.step(other, found, 1.0, fixture.learning_rate);
            // PyTorch's products are bf16, which leaves some hundredths of an update; four updates of about 0.004 each.
            let far = numbers(&model.blocks[0]).iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far < 4e-4, "{} × {}, update {update}: {far}", case.rows, case.columns);
            assert_eq!(numbers(&model.head), numbers(&other.head), "what is not in a block has AdamW");
        }
    }
}
