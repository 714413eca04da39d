//! The interface of a model for loops and checkpoints: [`Trainable`].

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use fireclay_model::huggingface::{SaveOptions, TokenIds, save_with};
use fireclay_model::{ActivationCheckpoints, Decoder, ModelError, Precision, load_adapter, save_adapter};
use serde_json::Value;

use crate::Optimizer;
use crate::optimizer::Optimizers;

/// The folder of adapters inside a checkpoint.
pub(crate) const ADAPTER: &str = "adapter";

/// A model that can be trained, written into a checkpoint, and brought back from it.
pub trait Trainable: Module + Clone {
    /// Optimisers of its parameters.
    type Optimizers: Optimizers;

    /// Device of the weights.
    fn device(&self) -> Device;

    /// The same model with another number format for its matrix products.
    #[must_use]
    fn with_precision(self, precision: Precision) -> Self;

    /// The same model with or without activation checkpointing: see [`Decoder::with_activation_checkpoints`].
    #[must_use]
    fn with_activation_checkpoints(self, checkpoints: Option<ActivationCheckpoints>) -> Self;

    /// Writes a Hugging Face model directory.
    ///
    /// # Errors
    /// [`ModelError`] when the disk refuses.
    fn save(&self, dir: &Path, tokens: &TokenIds) -> Result<(), ModelError>;

    /// The model that [`save`](Self::save) wrote to `dir`, on `device`. Parts that a checkpoint does not hold, such as
    /// the frozen weights below adapters, are taken from `self`; everything else of it is freed before the saved
    /// weights are read.
    ///
    /// # Errors
    /// [`ModelError`] when `dir` holds no such model.
    fn restore(self, dir: &Path, device: &Device) -> Result<Self, ModelError>;

    /// Configuration of the model as JSON: a stage is only resumed with the model it began with.
    fn configuration(&self) -> Value;

    /// Floating-point operations to train on one token of a sequence of `context` tokens.
    fn flops_per_token(&self, context: usize) -> f64;
}

impl Trainable for Decoder {
    type Optimizers = Optimizer;

    fn device(&self) -> Device {
        self.device()
    }

    fn with_precision(self, precision: Precision) -> Self {
        self.with_precision(precision)
    }

    fn with_activation_checkpoints(self, checkpoints: Option<ActivationCheckpoints>) -> Self {
        self.with_activation_checkpoints(checkpoints)
    }

    /// With adapters, the directory holds the merged model, and `adapter/` the adapters in PEFT's layout.
    fn save(&self, dir: &Path, tokens: &TokenIds) -> Result<(), ModelError> {
        save_with(self, dir, &SaveOptions { tokens: tokens.clone(), ..SaveOptions::default() })?;
        if self.has_lora() { save_adapter(self, dir.join(ADAPTER), None) } else { Ok(()) }
    }

    fn restore(self, dir: &Path, device: &Device) -> Result<Self, ModelError> {
        if self.has_lora() {
            return Ok(load_adapter(self.without_lora(), dir.join(ADAPTER))?.to_device(device));
        }
        drop(self);
        fireclay_model::load(dir, device)
    }

    fn configuration(&self) -> Value {
        serde_json::to_value(self.config()).expect("a configuration is JSON")
    }

    fn flops_per_token(&self, context: usize) -> f64 {
        self.config().flops_per_token(context)
    }
}
