//! Gradients reach every parameter, and agree with finite differences.
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, activation::log_softmax};
use fireclay_model::Decoder;

use crate::{configs, device, tokens};

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

#[test]
fn every_parameter_gets_a_gradient() {
    let device = device().autodiff();
    for (name, config) in configs() {
        let decoder = config.init(4, &device);
        let gradients = loss(&decoder).backward();
        let mut visitor = GradientNorms { gradients: &gradients, path: vec![], norms: vec![] };
        decoder.visit(&mut visitor);
        for (parameter, norm) in visitor.norms {
            // A bias on keys moves all of a query's scores alike, which softmax does not see: its gradient is 0 but for rounding.
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
