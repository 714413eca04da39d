//! Score models as the `…ForSequenceClassification` directories of `transformers`, with one label.

use std::path::Path;

use burn::tensor::Device;
use serde_json::Value;

use super::weights::Checkpoint;
use super::{SaveOptions, body, check_representable, config_json, make_folder, read, weights, write_json};
use crate::init::{Purpose, WeightSource};
use crate::{ModelError, RewardScale, ScoreModel};

/// Writes a score model as a model directory; creates the directory if there is none. `transformers` reads a text's
/// score at its last token that is not `options.tokens.pad`, and refuses batches if that is `None`: give a token that
/// no text ends with. Adapters are merged into the weights.
///
/// `config.json` has one key of ours, `fireclay_reward`: the scale of the rewards, `(score − mean) / std`.
///
/// # Errors
/// As [`save`](super::save); also when [`RewardScale::validate`] refuses the scale.
pub fn save_score_model(
    model: &ScoreModel,
    dir: impl AsRef<Path>,
    options: &SaveOptions,
    scale: &RewardScale,
) -> Result<(), ModelError> {
    let dir = dir.as_ref();
    check_representable(model.config())?;
    scale.validate()?;
    make_folder(dir)?;
    let merged = ScoreModel { decoder: model.decoder.merged(), ..model.clone() };
    weights::write_model(&merged, model.config(), &dir.join("model.safetensors"), options.format)?;
    let config = config_json::score_to_json(model.config(), &options.tokens, options.format, scale);
    write_json(&dir.join("config.json"), &config)
}

/// Whether a model directory holds a sequence classifier, as `config.json` says.
#[must_use]
pub fn is_score_model(dir: &Path) -> bool {
    let config: Option<Value> =
        std::fs::read(dir.join("config.json")).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let architectures = config.as_ref().and_then(|config| config.get("architectures")?.as_array());
    architectures.is_some_and(|list| {
        list.iter().filter_map(Value::as_str).any(|name| name.ends_with("ForSequenceClassification"))
    })
}

/// Reads a score model from a model directory, and the scale of its rewards: the default if `config.json` has none.
///
/// # Errors
/// As [`load`](super::load); also when the directory holds a language model, or a classifier with several labels.
pub fn load_score_model(dir: impl AsRef<Path>, device: &Device) -> Result<(ScoreModel, RewardScale), ModelError> {
    let dir = dir.as_ref();
    let path = dir.join("config.json");
    let (config, scale) = config_json::parse_score(&path, &read(&path)?)?;
    let mut weights = Checkpoint::open(dir, &config)?;
    let width = config.width;
    let decoder = body(config, &mut weights, device, Purpose::Training)?;
    let model = ScoreModel::with_weight(decoder, weights.numbers("score.weight", &[width, 1])?);
    weights.refuse_unused()?;
    Ok((model, scale))
}
