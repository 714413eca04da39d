//! The gradients of a module's parameters, by name.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor};
use fireclay_model::ActivationCheckpoints;
use rayon::prelude::*;

/// One gradient a parameter, flattened, and a factor that all of them are to be multiplied by.
///
/// Sums are formed in the order of the names and in f64, so that the same gradients give the same norm to the last bit,
/// however many threads there are.
#[derive(Clone, Debug)]
pub struct ModuleGradients {
    by_name: BTreeMap<String, Tensor<1>>,
    scale: f64,
}

impl ModuleGradients {
    /// Takes the gradients of `module`'s parameters out of the result of `backward`. Parameters that took no part have
    /// none.
    #[must_use]
    pub fn of<M: Module>(module: &M, mut gradients: Gradients) -> Self {
        let mut collect = Collect { gradients: &mut gradients, path: vec![], by_name: BTreeMap::new() };
        module.visit(&mut collect);
        Self { by_name: collect.by_name, scale: 1.0 }
    }

    /// The gradients of a loss of `module`, also those that its decoders left for later if they have `checkpoints`.
    #[must_use]
    pub fn of_loss<M: Module>(module: &M, loss: &Tensor<1>, checkpoints: Option<&ActivationCheckpoints>) -> Self {
        let mut gradients = loss.backward();
        let mut later = vec![];
        if let Some(checkpoints) = checkpoints {
            checkpoints.backward(&mut gradients, |found| later.push(Self::of(module, found)));
        }
        later.into_iter().fold(Self::of(module, gradients), |mut all, found| {
            all.add(found);
            all
        })
    }

    /// Adds the gradients of another batch.
    ///
    /// # Panics
    /// When the two carry different factors.
    pub fn add(&mut self, other: Self) {
        assert!((self.scale - other.scale).abs() < f64::EPSILON, "gradients are added before they are scaled");
        for (name, gradient) in other.by_name {
            let sum = match self.by_name.remove(&name) {
                Some(sum) => sum + gradient,
                None => gradient,
            };
            self.by_name.insert(name, sum);
        }
    }

    /// Leaves out the gradients of biases, so that these stay as they are.
    #[must_use]
    pub fn without_biases(mut self) -> Self {
        self.by_name.retain(|name, _| name.rsplit('.').next() != Some("bias"));
        self
    }

    /// Multiplies all gradients by `factor`: a number is kept, no tensor is touched.
    #[must_use]
    pub fn scaled(mut self, factor: f64) -> Self {
        self.scale *= factor;
        self
    }

    /// √Σg² over all parameters. Not finite when any gradient is not. The gradients stay the same. On the host they are
    /// taken out and put back, because the numbers of a tensor with another owner are copied before they can be read.
    #[must_use]
    pub fn norm(&mut self) -> f64 {
        let (on_host, mut squares) = (self.on_host(), 0.0);
        let add_squares = |(name, gradient): (String, Tensor<1>)| {
            let (gradient, of_gradient) = with_squares(gradient, on_host);
            squares += of_gradient;
            (name, gradient)
        };
        self.by_name = std::mem::take(&mut self.by_name).into_iter().map(add_squares).collect();
        self.scale.abs() * squares.sqrt()
    }

    /// √Σg² of each parameter, by its name.
    #[must_use]
    pub fn norms(&self) -> Vec<(String, f64)> {
        let on_host = self.on_host();
        let norm = |gradient: &Tensor<1>| self.scale.abs() * with_squares(gradient.clone(), on_host).1.sqrt();
        self.by_name.iter().map(|(name, gradient)| (name.clone(), norm(gradient))).collect()
    }

    /// The names of the parameters that have a gradient.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Tensor<1>> {
        self.by_name.remove(name)
    }

    pub(super) fn scale(&self) -> f64 {
        self.scale
    }

    /// Whether the numbers are in the host's memory, where they can be worked on without copying.
    pub(super) fn on_host(&self) -> bool {
        self.by_name.values().next().is_some_and(|gradient| is_host(&gradient.device()))
    }
}

#[allow(deprecated, reason = "upstream removes ndarray in 0.23; until then it is a second opinion on flex")]
fn is_host(device: &Device) -> bool {
    let hosts = [
        #[cfg(feature = "flex")]
        Device::flex(),
        #[cfg(feature = "ndarray")]
        Device::ndarray(),
    ];
    hosts.contains(device)
}

/// The gradient, and Σg² of it.
fn with_squares(gradient: Tensor<1>, on_host: bool) -> (Tensor<1>, f64) {
    if !on_host {
        let squares = gradient.clone().square().sum().into_scalar::<f32>();
        return (gradient, squares.into());
    }
    let (device, gradient) = (gradient.device(), gradient.into_data());
    let (dtype, squares) = (gradient.dtype(), gradient.as_slice::<f32>().map_or(f64::NAN, sum_of_squares));
    (Tensor::from_data(gradient, (&device, dtype)), squares)
}

/// Σx² in f64: chunks in parallel, then in order.
fn sum_of_squares(numbers: &[f32]) -> f64 {
    let of_chunk = |chunk: &[f32]| {
        // Eight sums side by side, so that the loop is vectorised.
        let mut sums = [0.0f64; 8];
        let (eights, rest) = chunk.as_chunks::<8>();
        for eight in eights {
            for (sum, &x) in sums.iter_mut().zip(eight) {
                *sum += f64::from(x) * f64::from(x);
            }
        }
        sums.iter().sum::<f64>() + rest.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>()
    };
    numbers.par_chunks(1 << 14).map(of_chunk).collect::<Vec<f64>>().into_iter().sum()
}

struct Collect<'a> {
    gradients: &'a mut Gradients,
    path: Vec<String>,
    by_name: BTreeMap<String, Tensor<1>>,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
        if let Some(gradient) = param.val().grad_remove(self.gradients) {
            let elements = gradient.dims().iter().product::<usize>();
            self.by_name.insert(self.path.join("."), gradient.reshape([elements]));
        }
    }
}
