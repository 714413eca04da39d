//! Low-rank adapters: a frozen decoder with a few trainable parameters next to its matrices (Hu et al. 2021, `LoRA`).
//!
//! An adapted map computes `y = x·W + (alpha / rank)·(x·A)·B` with A `[inputs, rank]` and B `[rank, outputs]`. W and
//! everything else is frozen: it has no gradient, also after burn's `valid` and `train`.

mod adapter;
mod config;

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use fireclay_kernels::{StoredWeight, WeightStorage};

pub use adapter::Adapter;
pub use config::{AdapterSize, LoraConfig};

use crate::block::Block;
use crate::init::{WeightSource, uniform};
use crate::linear::{Linear, on_device_of};
use crate::weight::Weight;
use crate::{Decoder, ModelError};

impl Decoder {
    /// Freezes the decoder and gives it fresh adapters: A uniform between ±1/√inputs, as PEFT has it, B zero, so that
    /// it computes what it did before.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when it has adapters already, or when [`LoraConfig::maps`] refuses the configuration.
    pub fn with_lora(self, config: &LoraConfig, seed: u64) -> Result<Self, ModelError> {
        self.with_adapters(config, &mut FreshAdapters { seed })
    }

    /// Freezes the decoder and gives it adapters whose numbers `source` has as `blocks.0.attention.query.lora.a` and so
    /// on.
    pub(crate) fn with_adapters(self, config: &LoraConfig, source: &mut impl WeightSource) -> Result<Self, ModelError> {
        if self.has_lora() {
            return Err(ModelError::Invalid(
                "the decoder has lora adapters already; merge them or take them off before attaching others".into(),
            ));
        }
        let maps = config.maps(&self.config)?;
        let device = self.device();
        let mut decoder = self.no_grad();
        for (layer, block) in decoder.blocks.iter_mut().enumerate() {
            for (name, map) in block.linear_maps().filter(|(name, _)| maps.contains(name)) {
                let [inputs, outputs] = map.dims();
                let mut matrix = |factor: &str, shape: [usize; 2]| {
                    let numbers = source.numbers(&format!("blocks.{layer}.{name}.lora.{factor}"), &shape)?;
                    Ok::<_, ModelError>(Tensor::from_data(TensorData::new(numbers, shape), &device))
                };
                let (a, b) = (matrix("a", [inputs, config.rank])?, matrix("b", [config.rank, outputs])?);
                map.lora = Some(Adapter::new(a, b, config.alpha / config.rank as f64));
            }
        }
        decoder.lora = Some(LoraConfig { targets: maps.into_iter().map(Into::into).collect(), ..config.clone() });
        Ok(decoder)
    }

    /// Whether it is frozen with adapters beside its matrices.
    #[must_use]
    pub fn has_lora(&self) -> bool {
        self.lora.is_some()
    }

    /// The same decoder with `W + (alpha / rank)·A·B` for weights, all in f32, and no adapters, trainable as a whole.
    /// One without adapters whose weights are trained is given as it is.
    #[must_use]
    pub fn merged(&self) -> Self {
        let mut decoder = self.clone();
        let device = self.device();
        let had_lora = decoder.lora.take().is_some();
        if let Weight::Stored(stored) = &decoder.token_embedding {
            decoder.token_embedding = Weight::trained(on_device_of(stored.widened().transpose(), &device));
        } else if !had_lora && !decoder.has_stored_maps() {
            return decoder;
        }
        decoder.head = decoder.head.map(|head| head.merged(&device));
        for (_, map) in decoder.blocks.iter_mut().flat_map(Block::linear_maps) {
            *map = map.clone().merged(&device);
        }
        decoder.set_require_grad(true)
    }

    fn has_stored_maps(&mut self) -> bool {
        let mut maps = self.blocks.iter_mut().flat_map(Block::linear_maps).map(|(_, map)| &*map);
        maps.any(Linear::is_stored) || self.head.as_ref().is_some_and(Linear::is_stored)
    }

    /// The decoder as it was before it got adapters, trainable as a whole but for weights that are not kept as f32.
    #[must_use]
    pub fn without_lora(mut self) -> Self {
        if self.lora.take().is_none() {
            return self;
        }
        for (_, map) in self.blocks.iter_mut().flat_map(Block::linear_maps) {
            map.lora = None;
        }
        self.set_require_grad(true)
    }

    /// The decoder with embedding and matrices in a format in which they are not trained.
    #[must_use]
    pub(crate) fn with_stored_weights(mut self, format: WeightStorage) -> Self {
        self.token_embedding =
            self.token_embedding.stored_by(|embedding| StoredWeight::new(embedding.transpose(), format));
        self.head = self.head.map(|head| head.frozen(format));
        for (_, map) in self.blocks.iter_mut().flat_map(Block::linear_maps) {
            *map = map.clone().frozen(format);
        }
        self
    }

    /// The maps, by the names of their weights, whose weight differs from the checkpoint's: it is in another format,
    /// or has an adapter beside it.
    pub(crate) fn maps_to_merge(&self) -> BTreeMap<String, Linear> {
        let mut decoder = self.clone();
        let mut found = BTreeMap::new();
        for (layer, block) in decoder.blocks.iter_mut().enumerate() {
            for (name, map) in block.linear_maps().filter(|(_, map)| !map.is_whole()) {
                found.insert(format!("blocks.{layer}.{name}.weight"), map.clone());
            }
        }
        found.extend(decoder.head.filter(|head| !head.is_whole()).map(|head| ("head.weight".into(), head)));
        found
    }
}

/// Fresh adapters, each from a random stream of its name.
struct FreshAdapters {
    seed: u64,
}

impl WeightSource for FreshAdapters {
    fn numbers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let count = shape.iter().product();
        Ok(match name.ends_with("lora.a") {
            // Kaiming's uniform with a = √5 (He et al. 2015): √(6 / ((1 + 5)·inputs)).
            true => uniform(self.seed, name, count, 1.0 / (shape[0] as f64).sqrt()),
            false => vec![0.0; count],
        })
    }
}
