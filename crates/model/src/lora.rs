//! Low-rank adapters: a frozen decoder with a few trained numbers beside its matrices (Hu et al. 2021, `LoRA`).
//!
//! An adapted map computes `y = x·W + (alpha / rank)·(x·A)·B` with A `[inputs, rank]` and B `[rank, outputs]`. W and
//! everything else is frozen: it has no gradient, and stays so through burn's `valid` and `train`.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use fireclay_kernels::{StoredWeight, WeightStorage, linear};
use serde::{Deserialize, Serialize};

use crate::block::Block;
use crate::config::DecoderConfig;
use crate::huggingface::names::{LinearMap, linear_maps};
use crate::init::{WeightSource, uniform};
use crate::linear::{Linear, Precision, on_device_of};
use crate::{Decoder, ModelError};

/// Which maps get adapters, and of what size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoraConfig {
    /// Columns of A and rows of B.
    pub rank: usize,
    /// Scale of the adapters: their result is multiplied by `alpha / rank`.
    pub alpha: f64,
    /// The maps in every block that get adapters, by our names (`attention.query`, `feed_forward.up`) or by those of
    /// the family's checkpoints (`q_proj`, `mlp.c_fc`). None: all that can have them.
    pub targets: Vec<String>,
    /// Number format of the frozen weights while adapters are trained (Dettmers et al. 2023, `QLoRA`). None: as the
    /// model has them, a GGUF file's in its blocks, all others as f32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightStorage>,
}

impl Default for LoraConfig {
    /// Rank 16 and alpha 32 on all linear maps in the blocks (Dettmers et al. 2023, section 4, adapt all of them).
    fn default() -> Self {
        Self { rank: 16, alpha: 32.0, targets: vec![], weights: None }
    }
}

impl LoraConfig {
    /// Checks that a decoder of `config` can have these adapters, and gives the maps that they are for by our names.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] names the first number or target that does not fit and what it must be.
    pub fn maps(&self, config: &DecoderConfig) -> Result<Vec<&'static str>, ModelError> {
        let invalid = |message: String| Err(ModelError::Invalid(message));
        if self.rank == 0 || self.rank > config.width {
            return invalid(format!(
                "lora rank = {} is not between 1 and the model's width of {}; choose one that is, such as 16",
                self.rank, config.width
            ));
        }
        if !(self.alpha.is_finite() && self.alpha > 0.0) {
            return invalid(format!("lora alpha = {} is not a positive number; give one, such as 32", self.alpha));
        }
        let all: Vec<LinearMap> =
            linear_maps(config.family).filter(|map| map.ours != "feed_forward.gate" || config.gated).collect();
        let adaptable = || all.iter().filter(|map| !map.fused).map(|map| map.ours);
        if self.targets.is_empty() {
            return Ok(adaptable().collect());
        }
        for target in &self.targets {
            let choose = || format!("choose among {}", adaptable().collect::<Vec<_>>().join(", "));
            match all.iter().find(|map| map.is_called(target)) {
                None => return invalid(format!("this model has no linear map {target:?} for lora; {}", choose())),
                Some(map) if map.fused => {
                    return invalid(format!(
                        "{target:?} cannot have a lora adapter of its own in a model whose checkpoints keep several \
                         maps as one; {}",
                        choose()
                    ));
                }
                Some(_) => {}
            }
        }
        let wanted = |map: &&LinearMap| self.targets.iter().any(|target| map.is_called(target));
        Ok(all.iter().filter(wanted).map(|map| map.ours).collect())
    }
}

impl LoraConfig {
    /// Numbers in the adapters of a decoder of `config`, and the adapted maps of all its blocks.
    ///
    /// # Errors
    /// As [`maps`](Self::maps).
    pub fn size(&self, config: &DecoderConfig) -> Result<AdapterSize, ModelError> {
        let maps = self.maps(config)?;
        let (width, ffn) = (config.width, config.ffn_width);
        let both = |name: &str| match name {
            "attention.query" | "attention.output" => width + config.query_width(),
            "attention.key" | "attention.value" => width + config.kv_width(),
            _ => width + ffn,
        };
        let in_block: usize = maps.iter().map(|name| both(name)).sum();
        Ok(AdapterSize { numbers: config.layers * self.rank * in_block, maps: config.layers * maps.len() })
    }
}

/// Size of a decoder's adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdapterSize {
    /// Numbers in all A and B.
    pub numbers: usize,
    /// Maps that have one.
    pub maps: usize,
}

/// Adapter of one linear map.
#[derive(Module, Debug)]
pub struct Adapter {
    /// A, `[inputs, rank]`
    a: Param<Tensor<2>>,
    /// B, `[rank, outputs]`
    b: Param<Tensor<2>>,
    /// `alpha / rank`
    scale: f64,
    /// A and B in a format for inference.
    #[module(skip)]
    stored: Option<[StoredWeight; 2]>,
}

impl Adapter {
    /// # Shapes
    /// `[N, inputs]` → `[N, outputs]`
    #[must_use]
    pub fn forward(&self, x: Tensor<2>, precision: Precision) -> Tensor<2> {
        if let Some([a, b]) = &self.stored {
            return b.linear(a.linear(x, None, precision), None, precision) * self.scale;
        }
        let low = linear(x, self.a.val(), None, precision);
        linear(low, self.b.val(), None, precision) * self.scale
    }

    /// The adapter with its matrices in another format, in which they are not trained.
    #[must_use]
    pub(crate) fn stored_by(mut self, store: impl Fn(Tensor<2>) -> StoredWeight) -> Self {
        self.stored = Some([&self.a, &self.b].map(|matrix| store(matrix.val())));
        self
    }

    /// Its addition to the weight. `[inputs, outputs]`
    pub(crate) fn delta(&self) -> Tensor<2> {
        self.a.val().matmul(self.b.val()) * self.scale
    }
}

impl Block {
    /// The linear maps by our names.
    pub(crate) fn linear_maps(&mut self) -> impl Iterator<Item = (&'static str, &mut Linear)> {
        let Self { attention, feed_forward, .. } = self;
        [
            ("attention.query", Some(&mut attention.query)),
            ("attention.key", Some(&mut attention.key)),
            ("attention.value", Some(&mut attention.value)),
            ("attention.output", Some(&mut attention.output)),
            ("feed_forward.gate", feed_forward.gate.as_mut()),
            ("feed_forward.up", Some(&mut feed_forward.up)),
            ("feed_forward.down", Some(&mut feed_forward.down)),
        ]
        .into_iter()
        .filter_map(|(name, map)| Some((name, map?)))
    }
}

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
                    Ok::<_, ModelError>(Param::from_tensor(Tensor::from_data(TensorData::new(numbers, shape), &device)))
                };
                let (a, b) = (matrix("a", [inputs, config.rank])?, matrix("b", [config.rank, outputs])?);
                map.lora = Some(Adapter { a, b, scale: config.alpha / config.rank as f64, stored: None });
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
        if let Some(stored) = decoder.stored_embedding.take() {
            let embedding = on_device_of(stored.widened().transpose(), &device);
            decoder.token_embedding = Param::from_tensor(embedding);
        } else if !had_lora && !decoder.has_stored_maps() {
            return decoder;
        }
        decoder.head = decoder.head.map(Linear::merged);
        for (_, map) in decoder.blocks.iter_mut().flat_map(Block::linear_maps) {
            *map = map.clone().merged();
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
        let device = self.device();
        if self.stored_embedding.is_none() {
            let embedding = self.token_embedding.val().transpose();
            self.stored_embedding = Some(StoredWeight::new(embedding, format));
            self.token_embedding = Param::from_tensor(Tensor::zeros([0, 0], &device));
        }
        self.head = self.head.map(|head| head.frozen(format));
        for (_, map) in self.blocks.iter_mut().flat_map(Block::linear_maps) {
            *map = map.clone().frozen(format);
        }
        self
    }

    /// The maps, by the names of their weights, whose weight is not what a checkpoint says: it is in another format,
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
