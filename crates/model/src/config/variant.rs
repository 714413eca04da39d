//! Options that only some families have: [`Variant`].

use serde::{Deserialize, Serialize};

use super::{DecoderConfig, PositionEncoding, RotaryScaling};
use crate::ModelError;

/// Place of the norms in a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormPlace {
    /// On the input of each sub-layer (Xiong et al. 2020).
    #[default]
    Before,
    /// On the output of each sub-layer, before it is added (`OLMo 2`).
    After,
    /// On both (Gemma 2).
    Both,
}

/// Order of attention and feed-forward layer in a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residual {
    /// The feed-forward layer reads the sum of the input and attention's output.
    #[default]
    Sequential,
    /// Both read the block's input, each through its own norm (`GPT-NeoX`).
    Parallel,
    /// Both read the block's input through one norm.
    ParallelOneNorm,
}

/// Options that only some families have. The presets use the default, which costs nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Variant {
    /// Place of the norms in a block.
    pub norm_place: NormPlace,
    /// Order of the two halves of a block.
    pub residual: Residual,
    /// Whether norms multiply by 1 + weight (Gemma).
    pub zero_centred_norms: bool,
    /// Whether the norms of queries and of keys are over all heads together (`OLMo 2`).
    pub qk_norm_over_heads: bool,
    /// Number of a head's first dimensions that are rotated; `None`: all.
    pub rotary_dims: Option<usize>,
    /// Layers whose queries and keys are not rotated.
    pub unrotated_layers: Vec<usize>,
    /// Whether each layer has the sliding window; `None`: all layers after the first `full_layers` have it.
    pub window_layers: Option<Vec<bool>>,
    /// Rotary positions of the layers with a window, if they differ (Gemma 3).
    pub window_position: Option<PositionEncoding>,
    /// Factor of the embeddings.
    pub embedding_multiplier: f64,
    /// Factor of a sub-layer's result before it is added.
    pub residual_multiplier: f64,
    /// Divisor of the logits.
    pub logit_divisor: f64,
    /// Factor of attention's scores; `None`: `1/√head_dim`.
    pub attention_multiplier: Option<f64>,
    /// Soft-cap of attention's scores: they become `cap·tanh(score / cap)`.
    pub attention_softcap: Option<f64>,
    /// Soft-cap of the logits: they become `cap·tanh(logit / cap)`.
    pub logit_softcap: Option<f64>,
}

impl Default for Variant {
    fn default() -> Self {
        Self {
            norm_place: NormPlace::Before,
            residual: Residual::Sequential,
            zero_centred_norms: false,
            qk_norm_over_heads: false,
            rotary_dims: None,
            unrotated_layers: vec![],
            window_layers: None,
            window_position: None,
            embedding_multiplier: 1.0,
            residual_multiplier: 1.0,
            logit_divisor: 1.0,
            attention_multiplier: None,
            attention_softcap: None,
            logit_softcap: None,
        }
    }
}

impl Variant {
    /// Whether all options have their defaults.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Number of norms in a block, without those of heads.
    pub(super) fn norms_per_block(&self) -> usize {
        match (self.norm_place, self.residual) {
            (NormPlace::Both, _) => 4,
            (NormPlace::Before, Residual::ParallelOneNorm) => 1,
            _ => 2,
        }
    }

    /// Checks that it fits `config`, whose sizes are already checked.
    pub(super) fn validate(&self, config: &DecoderConfig) -> Result<(), ModelError> {
        let invalid = |message: String| Err(ModelError::Invalid(message));
        let multipliers = [
            ("embedding_multiplier", Some(self.embedding_multiplier)),
            ("residual_multiplier", Some(self.residual_multiplier)),
            ("logit_divisor", Some(self.logit_divisor)),
            ("attention_multiplier", self.attention_multiplier),
            ("attention_softcap", self.attention_softcap),
            ("logit_softcap", self.logit_softcap),
        ];
        for (name, value) in multipliers {
            // Converted to f32, it must be neither 0 nor infinite.
            if value.is_some_and(|value| !(value > 1e-30 && value < 1e30)) {
                return invalid(format!("{name} is {}; give a positive number", value.unwrap_or(0.0)));
            }
        }
        let rotated = self.rotary_dims.unwrap_or(config.head_dim);
        let rotary = matches!(config.position, PositionEncoding::Rotary { .. });
        if rotary && (rotated == 0 || rotated > config.head_dim || !rotated.is_multiple_of(2)) {
            return match self.rotary_dims {
                None => invalid(format!("head_dim = {rotated} is odd; rotary positions need an even head_dim")),
                Some(_) => invalid(format!(
                    "rotary_dims = {rotated} is not an even number up to head_dim = {}; choose one that is",
                    config.head_dim
                )),
            };
        }
        for position in [Some(&config.position), self.window_position.as_ref()].into_iter().flatten() {
            validate_rotary(position, rotated / 2)?;
        }
        if self.window_position.as_ref().is_some_and(|position| !matches!(position, PositionEncoding::Rotary { .. })) {
            return invalid("window_position is not rotary; give rotary positions or leave it out".into());
        }
        if let Some(layer) = self.unrotated_layers.iter().find(|&&layer| layer >= config.layers) {
            return invalid(format!("unrotated_layers names layer {layer}, but there are {}", config.layers));
        }
        if self.window_layers.as_ref().is_some_and(|layers| layers.len() != config.layers) {
            return invalid(format!("window_layers must have one entry for each of the {} layers", config.layers));
        }
        if self.residual != Residual::Sequential && self.norm_place != NormPlace::Before {
            return invalid("parallel sub-layers have their norm before them; set norm_place to before".into());
        }
        Ok(())
    }
}

fn validate_rotary(position: &PositionEncoding, planes: usize) -> Result<(), ModelError> {
    let PositionEncoding::Rotary { theta, scaling } = position else { return Ok(()) };
    let invalid = |message: String| Err(ModelError::Invalid(message));
    if !(*theta > 0.0 && theta.is_finite()) {
        return invalid(format!("rope theta is {theta}; give a positive number"));
    }
    match scaling {
        RotaryScaling::LongRope { short_factor, long_factor, .. } => {
            for (name, factors) in [("short_factor", short_factor), ("long_factor", long_factor)] {
                if factors.len() != planes {
                    return invalid(format!("{name} has {} numbers, but {planes} planes are rotated", factors.len()));
                }
                if !factors.iter().all(|factor| *factor > 0.0 && factor.is_finite()) {
                    return invalid(format!("{name} has a number that is not positive"));
                }
            }
            Ok(())
        }
        RotaryScaling::Dynamic { .. } if planes < 2 => {
            invalid("dynamic rope scaling needs at least 4 rotated numbers a head".into())
        }
        _ => Ok(()),
    }
}
