//! Configuration of adapters: their maps and their size.

use fireclay_kernels::WeightStorage;
use serde::{Deserialize, Serialize};

use crate::ModelError;
use crate::config::DecoderConfig;
use crate::huggingface::names::{LinearMap, linear_maps};

/// Configuration of adapters: their maps and their size.
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
    /// Checks that a decoder of `config` can have these adapters, and returns the names of their maps.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] names the first invalid number or target and the valid values.
    pub fn maps(&self, config: &DecoderConfig) -> Result<Vec<&'static str>, ModelError> {
        let invalid = |message: String| Err(ModelError::Invalid(message));
        if self.rank == 0 || self.rank > config.width {
            return invalid(format!(
                "lora rank = {} is not between 1 and the model's width of {}; choose one that is, such as 16",
                self.rank, config.width
            ));
        }
        if !((self.alpha as f32).is_finite() && self.alpha as f32 > 0.0) {
            let alpha = self.alpha;
            return invalid(format!(
                "lora alpha = {alpha:?} is not a positive number of 32 bits; give one, such as 32"
            ));
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
