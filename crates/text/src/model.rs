//! A model directory with its tokenizer, chat template, stop ids and sampling defaults.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use fireclay_infer::{
    CompiledConstraint, Constraint, ConstraintCompiler, Engine, EngineConfig, InferError, TokenBytes, Utf8Guard,
};
use fireclay_model::huggingface::{SamplingDefaults, load_sampling};
use fireclay_model::{InferenceDecoder, WeightStorage};
use fireclay_tokenizer::{Message, RenderOptions, Tokenizer, TokenizerError};
use serde_json::Value;

use crate::TextError;

/// A loaded model.
#[derive(Clone)]
pub struct TextModel {
    /// The weights, ready to generate.
    pub decoder: InferenceDecoder,
    /// The model's own tokenizer, if it has one.
    pub tokenizer: Option<Tokenizer>,
    /// The folder of the weights.
    pub dir: PathBuf,
}

impl TextModel {
    /// Loads the model whose `config.json` and weights are in `dir`, or that is the GGUF file `dir`, with the tokenizer
    /// that is [near](tokenizer_near).
    ///
    /// # Errors
    /// When there is no model, or one of its files is damaged.
    pub fn load(dir: PathBuf, device: &Device, weights: WeightStorage) -> Result<Self, TextError> {
        let tokenizer = tokenizer_near(&dir)?;
        let decoder = InferenceDecoder::load(&dir, device, weights)?;
        tracing::debug!("{}: {} parameters", dir.display(), decoder.config().num_params());
        Ok(Self { decoder, tokenizer, dir })
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// When the model has none.
    pub fn tokenizer(&self) -> Result<&Tokenizer, TextError> {
        self.tokenizer.as_ref().ok_or_else(|| TextError::NoTokenizer { dir: self.dir.clone() })
    }

    /// The tokenizer of a chat model.
    ///
    /// # Errors
    /// When there is none, or it has no chat template.
    pub fn chat_tokenizer(&self) -> Result<&Tokenizer, TextError> {
        let tokenizer = self.tokenizer()?;
        match tokenizer.chat_template() {
            Some(_) => Ok(tokenizer),
            None => Err(TextError::NoChatTemplate { dir: self.dir.clone() }),
        }
    }

    /// The ids of a conversation by the chat template, with the opening of a reply.
    ///
    /// # Errors
    /// When there is no template, or it refuses the conversation or leaves out a part of it.
    pub fn chat_prompt(&self, messages: &[Message]) -> Result<Vec<u32>, TextError> {
        let options = self.chat_tokenizer()?.render_options();
        self.chat_prompt_with(messages, &options)
    }

    /// [`chat_prompt`](Self::chat_prompt) with all options of a template; start from
    /// [`render_options`](Tokenizer::render_options). The opening of a reply is always added.
    ///
    /// # Errors
    /// As [`chat_prompt`](Self::chat_prompt).
    pub fn chat_prompt_with(&self, messages: &[Message], options: &RenderOptions) -> Result<Vec<u32>, TextError> {
        let tokenizer = self.chat_tokenizer()?;
        let options = RenderOptions { add_generation_prompt: true, ..options.clone() };
        let text = tokenizer.render_chat_with(messages, &options)?.text;
        match tokenizer.omitted_part(messages, &options) {
            Some(part) => Err(TextError::Omitted(part)),
            None => Ok(tokenizer.encode_with_specials(&text)),
        }
    }

    /// Ids of a text that begins a document. The leading token of the model (a BOS token, for Llama) precedes it; an
    /// empty text becomes the token that separates documents.
    ///
    /// # Errors
    /// When there is no tokenizer, the text has a character that is not in its vocabulary, or nothing can stand for an
    /// empty text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TextError> {
        let tokenizer = self.tokenizer()?;
        let mut ids: Vec<u32> = self.leading_id().into_iter().collect();
        ids.extend(tokenizer.try_encode(text)?);
        if ids.is_empty() {
            let begin = tokenizer.bos_id().or_else(|| tokenizer.end_of_text_id());
            ids.push(begin.ok_or(TextError::EmptyPrompt)?);
        }
        Ok(ids)
    }

    /// The token before every text of this model (a BOS token, for Llama), if there is one.
    pub fn leading_id(&self) -> Option<u32> {
        leading_token(&self.dir, self.tokenizer.as_ref()?)
    }

    /// Ids that end a text: [`Tokenizer::stop_ids`], which include those of the `generation_config.json` and
    /// `config.json` beside the tokenizer; and those of the model's own files, if the tokenizer is from elsewhere.
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

    /// Default sampling settings of this model; errors in its `generation_config.json` are logged as warnings.
    pub fn sampling(&self) -> SamplingDefaults {
        let (defaults, complaints) = load_sampling(&self.dir);
        for complaint in complaints {
            tracing::warn!("{complaint}");
        }
        defaults
    }

    /// Guard of valid UTF-8 for this model's text: special tokens and those that end a text are allowed only between
    /// characters. `None` without a tokenizer, or with one that does more than join bytes.
    pub fn utf8_guard(&self) -> Option<Arc<Utf8Guard>> {
        Some(Arc::new(Utf8Guard::new(self.text_bytes()?)))
    }

    /// The bytes of the tokens, in which stop strings are searched, without those that end a text. `None` if there is
    /// no [guard](Self::utf8_guard).
    pub fn token_bytes(&self) -> Option<Arc<TokenBytes>> {
        Some(Arc::new(TokenBytes::new(self.text_bytes()?)))
    }

    /// Compiler of constraints for this model's completions. `None` if there is no [guard](Self::utf8_guard).
    pub fn constraint_compiler(&self) -> Option<ConstraintCompiler> {
        Some(ConstraintCompiler::new(self.text_bytes()?))
    }

    /// A constraint for this model's completions.
    ///
    /// # Errors
    /// When it cannot be met, or the model has no tokenizer whose tokens are plain bytes.
    pub fn constrain(&self, constraint: &Constraint) -> Result<CompiledConstraint, TextError> {
        self.tokenizer()?;
        let compiler = self.constraint_compiler();
        let compiler = compiler.ok_or_else(|| TextError::NoConstraints { dir: self.dir.clone() })?;
        Ok(compiler.compile(constraint)?)
    }

    /// The bytes of every token that is text, in the order of the ids.
    fn text_bytes(&self) -> Option<impl Iterator<Item = Option<&[u8]>>> {
        let tokenizer = self.tokenizer.as_ref()?;
        tokenizer.bytes_of(0)?;
        let stop = self.stop_ids();
        let is_text = move |id: &u32| !tokenizer.is_special(*id) && !stop.contains(id);
        let ids = 0..tokenizer.vocab_size() as u32;
        Some(ids.map(move |id| tokenizer.bytes_of(id).filter(|_| is_text(&id))))
    }

    /// An engine that answers at most `streams` requests at once with at most `memory` bytes of keys and values.
    ///
    /// # Errors
    /// When one of them is 0.
    pub fn engine(&self, streams: usize, memory: usize) -> Result<Engine, InferError> {
        Engine::new(self.decoder.clone(), EngineConfig { memory, streams, ..EngineConfig::default() })
    }
}

/// The tokenizer of the checkpoint `dir`: in it, or in the folder `tokenizer` of its run.
///
/// # Errors
/// When there is one and it is damaged.
pub fn tokenizer_near(dir: &Path) -> Result<Option<Tokenizer>, TokenizerError> {
    let run = dir.ancestors().nth(3).map(|run| run.join("tokenizer"));
    for place in [Some(dir.to_path_buf()), run].into_iter().flatten().filter(|place| place.is_dir() || place == dir) {
        match Tokenizer::load(&place) {
            Err(TokenizerError::NotFound { .. }) => {}
            other => return Ok(Some(other?)),
        }
    }
    // An adapter's folder may leave the tokenizer to its base model. The reader of weights reports errors of that.
    match fireclay_model::huggingface::adapter_base(dir) {
        Ok(Some(base)) => tokenizer_near(&base),
        _ => Ok(None),
    }
}

/// The token that `transformers` puts before every text of this tokenizer: the one that the post-processor of
/// `tokenizer.json` begins with. Only without that file does `add_bos_token` of `tokenizer_config.json` count (5.24).
pub(crate) fn leading_token(dir: &Path, tokenizer: &Tokenizer) -> Option<u32> {
    if dir.is_file() {
        // A GGUF file has its own setting.
        return tokenizer.bos_id().filter(|_| tokenizer.adds_bos());
    }
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
