//! Gradients reach every parameter, and agree with finite differences.
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, activation::log_softmax};
use fireclay_model::{ActivationCheckpoints, Decoder, LoraConfig};

use crate::{configs, device, distance, tokens};

/// Mean −log p of the next token.
fn loss(decoder: &Decoder) -> Tensor<1> {
    let ids = tokens(2, 9, &decoder.device());
    let logprobs = log_softmax(decoder.forward(ids.clone().narrow(1, 0, 8), None), 2);
    -logprobs.gather(2, ids.narrow(1, 1, 8).unsqueeze_dim(2)).mean()
}

/// The norm of every parameter's gradient; fails where there is none.
struct GradientNorms<'a> {
    gradients: &'a Gradients,
    path: Vec<String>,
    norms: Vec<(String, f32)>,
}

impl ModuleVisitor for GradientNorms<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.into());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
        let name = self.path.join(".");
        let gradient = param.val().grad(self.gradients).unwrap_or_else(|| panic!("{name} has no gradient"));
        self.norms.push((name, gradient.square().sum().sqrt().into_scalar::<f32>()));
    }
}

/// Blocks that are computed twice give the gradients of blocks whose activations are kept, in all parameters that learn
/// and in no other.
#[test]
fn checkpointing_changes_no_gradient() {
    let device = device().autodiff();
    for (name, config) in configs() {
        let whole = config.init(4, &device);
        let adapted = whole.clone().with_lora(&LoraConfig::default(), 1).unwrap();
        for (how, decoder) in [("whole", whole), ("with adapters", adapted)] {
            let expected = all_gradients(&decoder, &[&loss(&decoder).backward()]);
            let checkpoints = ActivationCheckpoints::default();
            let decoder = decoder.with_activation_checkpoints(Some(checkpoints.clone()));
            // Of a loss of two passes, and after one that nobody asked for.
            drop(loss(&decoder));
            let mut parts = vec![];
            let mut gradients = (loss(&decoder) * 0.25 + loss(&decoder) * 0.75).backward();
            checkpoints.backward(&mut gradients, |found| parts.push(found));
            parts.push(gradients);
            let found = all_gradients(&decoder, &parts.iter().collect::<Vec<_>>());
            assert_eq!(found.len(), expected.len(), "{name} {how}: the same parameters learn");
            for ((parameter, found), (_, expected)) in found.into_iter().zip(expected) {
                let (difference, size) = (distance(found, expected.clone()), expected.abs().max().into_scalar::<f32>());
                assert!(
                    difference <= 1e-5 * size.max(0.1),
                    "{name} {how}: {parameter} is off by {difference} of {size}"
                );
            }
        }
    }
}

/// The sums of each parameter's gradients, by name.
fn all_gradients(decoder: &Decoder, parts: &[&Gradients]) -> Vec<(String, Tensor<1>)> {
    struct Sums<'a>(&'a [&'a Gradients], Vec<String>, Vec<(String, Tensor<1>)>);
    impl ModuleVisitor for Sums<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.1.push(name.into());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.1.pop();
        }
        fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
            let found = self.0.iter().filter_map(|part| param.val().grad(part));
            if let Some(sum) = found.reduce(|a, b| a + b) {
                let length = sum.shape().num_elements();
                self.2.push((self.1.join("."), sum.reshape([length])));
            }
        }
    }
    let mut sums = Sums(parts, vec![], vec![]);
    decoder.visit(&mut sums);
    sums.2
}

#[test]
fn every_parameter_gets_a_gradient() {
    let device = device().autodiff();
    for (name, config) in configs() {
        let decoder = config.init(4, &device);
        let gradients = loss(&decoder).backward();
        let mut visitor = GradientNorms { gradients: &gradients, path: vec![], norms: vec![] };
        decoder.visit(&mut visitor);
        for (parameter, norm) in visitor.norms {
            // A bias on keys moves all of a query's scores alike, which softmax does not see: its gradient is 0 but for
            // rounding.
            let invisible = parameter.ends_with("key.bias");
            assert!(invisible || norm > 1e-5, "{name}: the gradient of {parameter} is {norm}");
        }
    }
}

/// Moves every parameter by `step` times its own gradient.
struct Along<'a> {
    gradients: &'a Gradients,
    step: f32,
}

impl ModuleMapper for Along<'_> {
    fn map_float<const R: usize>(&mut self, param: Param<Tensor<R>>) -> Param<Tensor<R>> {
        let gradient = param.val().grad(self.gradients).expect("a gradient");
        param.map(|weight| Tensor::from_inner(weight.inner() + gradient * self.step).require_grad())
    }
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    let device = device().autodiff();
    for (name, config) in configs() {
        let decoder = config.init(5, &device);
        let gradients = loss(&decoder).backward();
        let mut visitor = GradientNorms { gradients: &gradients, path: vec![], norms: vec![] };
        decoder.visit(&mut visitor);
        let squared: f32 = visitor.norms.iter().map(|(_, norm)| norm * norm).sum();
        let step = 2e-3 / squared.sqrt();
        let at =
            |step: f32| loss(&decoder.clone().map(&mut Along { gradients: &gradients, step })).into_scalar::<f32>();
        let slope = (at(step) - at(-step)) / (2.0 * step);
        assert!((slope / squared - 1.0).abs() < 0.02, "{name}: slope {slope}, squared gradient {squared}");
    }
}
