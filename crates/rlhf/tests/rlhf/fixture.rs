//! Reading the fixtures that `scripts/rlhf_reference.py` writes.

use burn::tensor::{Int, Tensor, TensorData};
use fireclay_rlhf::completions::host;
use serde_json::Value;

use crate::device;

/// A fixture file.
pub(crate) struct Fixture(Value);

impl Fixture {
    pub(crate) fn read(name: &str) -> Self {
        let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self(serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{path}: {error}")))
    }

    pub(crate) fn case(&self, name: &str) -> Case<'_> {
        let case = &self.0["cases"][name];
        assert!(case.is_object(), "there is no case {name}");
        Case { name: name.into(), json: case, inputs: &self.0["inputs"], also: None }
    }
}

/// One case, with the inputs that it shares with the others.
pub(crate) struct Case<'a> {
    name: String,
    json: &'a Value,
    inputs: &'a Value,
    /// Another case whose inputs this one takes.
    also: Option<&'a Value>,
}

/// Shape and numbers.
fn tensor_of(value: &Value) -> (Vec<usize>, Vec<f32>) {
    let numbers =
        |value: &Value| value.as_array().map(|list| list.iter().filter_map(Value::as_f64).collect::<Vec<_>>());
    let shape = numbers(&value["shape"]).expect("a shape").into_iter().map(|n| n as usize).collect();
    (shape, numbers(&value["data"]).expect("numbers").into_iter().map(|n| n as f32).collect())
}

impl<'a> Case<'a> {
    pub(crate) fn with_inputs_of(mut self, other: &Case<'a>) -> Self {
        self.also = Some(other.json);
        self
    }

    fn find(&self, input: &str) -> &Value {
        let own = &self.json["inputs"][input];
        let other = self.also.map_or(&Value::Null, |case| &case["inputs"][input]);
        [own, other, &self.inputs[input]]
            .into_iter()
            .find(|value| !value.is_null())
            .unwrap_or_else(|| panic!("case {} has no input {input}", self.name))
    }

    /// An input.
    pub(crate) fn input<const R: usize>(&self, name: &str) -> Tensor<R> {
        let (shape, numbers) = tensor_of(self.find(name));
        let shape: [usize; R] = shape.try_into().unwrap_or_else(|shape| panic!("{name} has shape {shape:?}"));
        Tensor::from_data(TensorData::new(numbers, shape), &device().autodiff())
    }

    /// An input that gradients are taken by.
    pub(crate) fn variable<const R: usize>(&self, name: &str) -> Tensor<R> {
        self.input::<R>(name).require_grad()
    }

    pub(crate) fn ids<const R: usize>(&self, name: &str) -> Tensor<R, Int> {
        self.input::<R>(name).int()
    }

    pub(crate) fn numbers(&self, name: &str) -> Vec<f64> {
        tensor_of(self.find(name)).1.into_iter().map(f64::from).collect()
    }

    /// Rows of an input, cut to the lengths that the mask gives.
    pub(crate) fn rows(&self, name: &str) -> Vec<Vec<f64>> {
        let (shape, numbers) = tensor_of(self.find(name));
        let (_, mask) = tensor_of(self.find("mask"));
        let rows = numbers.chunks(shape[1]).zip(mask.chunks(shape[1]));
        rows.map(|(row, mask)| row.iter().zip(mask).filter(|(_, m)| **m > 0.0).map(|(x, _)| f64::from(*x)).collect())
            .collect()
    }

    pub(crate) fn setting(&self, name: &str) -> f64 {
        self.json["settings"][name].as_f64().unwrap_or_else(|| panic!("case {} has no setting {name}", self.name))
    }

    /// Compares a number with the one called `name`.
    pub(crate) fn check_number(&self, name: &str, got: f64) {
        let expect = self.json[name].as_f64().unwrap_or_else(|| panic!("case {} has no {name}", self.name));
        self.close(name, 0, got, expect);
    }

    /// Compares numbers with those called `name`.
    pub(crate) fn check_numbers(&self, name: &str, got: &[f64]) {
        let (_, expect) = tensor_of(&self.json[name]);
        assert_eq!(got.len(), expect.len(), "{}: {name}", self.name);
        got.iter().zip(&expect).enumerate().for_each(|(i, (g, e))| self.close(name, i, *g, f64::from(*e)));
    }

    /// Compares rows of different lengths with those called `name`, as far as the mask goes.
    pub(crate) fn check_rows(&self, name: &str, got: &[Vec<f64>]) {
        let (shape, numbers) = tensor_of(&self.json[name]);
        for (got, expect) in got.iter().zip(numbers.chunks(shape[1])) {
            got.iter().zip(expect).enumerate().for_each(|(i, (g, e))| self.close(name, i, *g, f64::from(*e)));
        }
    }

    /// Compares a loss, and its gradients by the named variables.
    pub(crate) fn check_loss<const R: usize>(&self, loss: &Tensor<1>, variables: &[(&str, &Tensor<R>)]) {
        self.check_number("loss", f64::from(loss.clone().into_scalar::<f32>()));
        let gradients = loss.backward();
        for (name, variable) in variables {
            let (_, expect) = tensor_of(&self.json["gradients"][*name]);
            let got = host(variable.grad(&gradients).unwrap_or_else(|| panic!("{}: no gradient by {name}", self.name)));
            assert_eq!(got.len(), expect.len());
            for (i, (g, e)) in got.iter().zip(&expect).enumerate() {
                self.close(&format!("gradient by {name}"), i, f64::from(*g), f64::from(*e));
            }
        }
    }

    fn close(&self, what: &str, index: usize, got: f64, expect: f64) {
        let tolerance = 1e-5 * (1.0 + expect.abs());
        assert!((got - expect).abs() <= tolerance, "{}: {what}[{index}] is {got}, not {expect}", self.name);
    }
}
