//! A model as commands use it: weights, tokenizer, what begins a text and what ends it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use fireclay_infer::{Engine, EngineConfig, Utf8Guard};
use fireclay_model::huggingface::{SamplingDefaults, load_sampling};
use fireclay_model::{InferenceDecoder, WeightStorage};
use fireclay_tokenizer::{Tokenizer, TokenizerError};
use serde_json::Value;

use crate::args::{CacheArgs, LoadArgs};
use crate::error::user;
use crate::stages::at_its_moment;
use crate::{device, model_dir};

/// A loaded model.
pub struct Model {
    /// The weights, ready to generate.
    pub decoder: InferenceDecoder,
    /// The model's own tokenizer, if it has one.
    pub tokenizer: Option<Tokenizer>,
    /// The folder of the weights.
    pub dir: PathBuf,
}

impl Model {
    /// Loads what `--model`, `--device` and `--weights` name.
    ///
    /// # Errors
    /// When there is no model, one of its files is damaged, or there is no such device.
    pub fn load(path: &Path, how: &LoadArgs) -> Result<Self> {
        let (device, _) = device::choose(how.device.as_deref())?;
        if how.weights() == WeightStorage::Bf16 {
            device::check_bf16("--weights bf16", &device)?;
        }
        let dir = model_dir::resolve(path)?;
        let tokenizer = tokenizer_near(&dir)?;
        let decoder = InferenceDecoder::new(fireclay_model::load(&dir, &device)?, how.weights());
        tracing::debug!("{}: {} parameters", dir.display(), decoder.config().num_params());
        Ok(Self { decoder, tokenizer, dir })
    }

    /// The tokenizer, for a command that cannot do without.
    ///
    /// # Errors
    /// When the model has none.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        self.tokenizer.as_ref().ok_or_else(|| {
            user(format!(
                "{}: no tokenizer beside this model; put its tokenizer.json there, or use --ids",
                self.dir.display()
            ))
        })
    }

    /// Ids of a text that begins a document. What the tokenizer puts before every text (a BOS token, for Llama) stands before it;
    /// an empty text is the token that separates documents.
    ///
    /// # Errors
    /// When there is no tokenizer, the text has a character that is not in its vocabulary, or nothing can stand for an empty text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let tokenizer = self.tokenizer()?;
        let mut ids: Vec<u32> = self.leading_id().into_iter().collect();
        ids.extend(tokenizer.try_encode(text)?);
        if ids.is_empty() {
            let begin = tokenizer.bos_id().or_else(|| tokenizer.end_of_text_id());
            ids.push(begin.ok_or_else(|| {
                user("the prompt is empty, and this tokenizer has no token that begins a text; give some text")
            })?);
        }
        Ok(ids)
    }

    /// The token that stands before every text of this model (a BOS token, for Llama), if one does.
    pub fn leading_id(&self) -> Option<u32> {
        leading_token(&self.dir, self.tokenizer.as_ref()?)
    }

    /// Ids that end a text: [`Tokenizer::stop_ids`], which has those of `generation_config.json` and `config.json` beside
    /// the tokenizer; and these files' own, where the tokenizer is from elsewhere.
    pub fn stop_ids(&self) -> Vec<u32> {
        let mut ids = self.tokenizer.as_ref().map_or_else(Vec::new, Tokenizer::stop_ids);
        for file in ["generation_config.json", "config.json"] {
            let eos = json(&self.dir.join(file)).and_then(|mut config| config.get_mut("eos_token_id").map(Value::take));
            ids.extend(match eos {
                Some(Value::Array(list)) => list.iter().filter_map(id_of).collect(),
                Some(value) => id_of(&value).into_iter().collect::<Vec<u32>>(),
                None => vec![],
            });
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// How this model's tokens are drawn unless flags say otherwise; what is wrong with that in its `generation_config.json` is warned of.
    pub fn sampling(&self) -> SamplingDefaults {
        let (defaults, complaints) = load_sampling(&self.dir);
        for complaint in complaints {
            tracing::warn!("{complaint}");
        }
        defaults
    }

    /// What keeps this model's text valid UTF-8: special tokens and those that end a text stand between characters. None for a model without a
    /// tokenizer, or with one that does more than join bytes.
    pub fn utf8_guard(&self) -> Option<Arc<Utf8Guard>> {
        let tokenizer = self.tokenizer.as_ref()?;
        tokenizer.bytes_of(0)?;
        let stop = self.stop_ids();
        let text = |id| !tokenizer.is_special(id) && !stop.contains(&id);
        let bytes = (0..tokenizer.vocab_size() as u32).map(|id| tokenizer.bytes_of(id).filter(|_| text(id)));
        Some(Arc::new(Utf8Guard::new(bytes)))
    }

    /// An engine that answers at most `streams` requests at once.
    ///
    /// # Errors
    /// When a number of the flags is 0.
    pub fn engine(&self, streams: usize, cache: CacheArgs) -> Result<Engine> {
        let config = EngineConfig { memory: cache.bytes()?, streams, ..EngineConfig::default() };
        Ok(Engine::new(self.decoder.clone(), config)?)
    }
}

/// The tokenizer that `--tokenizer` names: a tokenizer's folder or file, or the one of a run, stage or checkpoint.
///
/// # Errors
/// When there is none.
pub fn load_tokenizer(path: &Path) -> Result<Tokenizer> {
    let own = match Tokenizer::load(path) {
        Err(error @ TokenizerError::NotFound { .. }) if path.is_dir() => error,
        other => return Ok(other?),
    };
    let inside = path.join("tokenizer");
    if inside.is_dir() {
        return Ok(at_its_moment(&Tokenizer::load(&inside)?, &inside));
    }
    let beside = model_dir::resolve(path).ok().map(|dir| tokenizer_near(&dir)).transpose()?.flatten();
    beside.ok_or_else(|| own.into())
}

/// The tokenizer of the checkpoint `dir`: in it, or in the folder `tokenizer` of the run it belongs to.
///
/// # Errors
/// When there is one, and it is damaged.
pub fn tokenizer_near(dir: &Path) -> Result<Option<Tokenizer>> {
    let run = dir.ancestors().nth(3).map(|run| run.join("tokenizer"));
    for place in [Some(dir.to_path_buf()), run].into_iter().flatten().filter(|place| place.is_dir()) {
        match Tokenizer::load(&place) {
            Err(TokenizerError::NotFound { .. }) => {}
            other => return Ok(Some(other?)),
        }
    }
    Ok(None)
}

/// The token that `transformers` puts before every text of this tokenizer: the one that the post-processor of
/// `tokenizer.json` begins with. Only without that file does `add_bos_token` of `tokenizer_config.json` count (5.24).
fn leading_token(dir: &Path, tokenizer: &Tokenizer) -> Option<u32> {
    if let Some(mut file) = json(&dir.join("tokenizer.json")) {
        return tokenizer.token_to_id(first_of_template(&file.get_mut("post_processor")?.take())?);
    }
    let settings = json(&dir.join("tokenizer_config.json"))?;
    let adds = settings.get("add_bos_token").and_then(Value::as_bool) == Some(true);
    tokenizer.bos_id().filter(|_| adds)
}

/// The special token that a `TemplateProcessing`, alone or in a `Sequence`, puts first.
fn first_of_template(processor: &Value) -> Option<&str> {
    if let Some(processors) = processor.get("processors").and_then(Value::as_array) {
        return processors.iter().find_map(first_of_template);
    }
    processor.get("single")?.get(0)?.get("SpecialToken")?.get("id")?.as_str()
}

fn id_of(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

fn json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_template_tells_what_stands_first() {
        let template = json!({"type": "TemplateProcessing", "single": [
            {"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
        ]});
        assert_eq!(first_of_template(&template), Some("<|begin_of_text|>"));
        let byte_level = json!({"type": "ByteLevel"});
        let sequence = json!({"type": "Sequence", "processors": [byte_level, template]});
        assert_eq!(first_of_template(&sequence), Some("<|begin_of_text|>"));
        assert_eq!(first_of_template(&byte_level), None);
        let bert = json!({"single": [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "[SEP]"}}]});
        assert_eq!(first_of_template(&bert), None);
    }
}
