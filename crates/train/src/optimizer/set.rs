//! The optimisers of a model, by name.

use super::{Optimizer, OptimizerConfig};

/// The optimisers that a model needs, one per field: a decoder has one, an actor with a critic two.
pub trait Optimizers: Sized {
    /// Makes each by the name that its file has in a checkpoint.
    ///
    /// # Errors
    /// The first that `make` gives.
    fn make<E>(make: impl FnMut(&'static str) -> Result<Optimizer, E>) -> Result<Self, E>;

    /// Each with its name.
    fn named(&self) -> Vec<(&'static str, &Optimizer)>;

    /// Optimisers that have seen nothing yet.
    #[must_use]
    fn new(config: &OptimizerConfig) -> Self {
        let made: Result<Self, std::convert::Infallible> = Self::make(|_| Ok(Optimizer::new(config.clone())));
        match made {
            Ok(optimizers) => optimizers,
        }
    }
}

/// The only optimiser of a model, in `optimizer.safetensors`.
impl Optimizers for Optimizer {
    fn make<E>(mut make: impl FnMut(&'static str) -> Result<Optimizer, E>) -> Result<Self, E> {
        make("optimizer")
    }

    fn named(&self) -> Vec<(&'static str, &Optimizer)> {
        vec![("optimizer", self)]
    }
}
