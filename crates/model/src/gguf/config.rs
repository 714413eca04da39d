//! Converts a GGUF file's metadata to the equivalent `config.json`, which is then read like any other.

use fireclay_gguf::{GgufFile, Value as Entry};
use serde_json::{Map, Value, json};

use super::unsupported::{refuse, shown};
use crate::ModelError;
use crate::config::{DecoderConfig, Family, PositionEncoding, RotaryScaling};
use crate::huggingface::config_json;

/// Name of a family in a GGUF file. A Mistral is a Llama there.
const ARCHITECTURES: [(&str, &str, Family); 13] = [
    ("llama", "llama", Family::Llama),
    ("gpt2", "gpt2", Family::Gpt2),
    ("qwen2", "qwen2", Family::Qwen2),
    ("qwen3", "qwen3", Family::Qwen3),
    ("gemma", "gemma", Family::Gemma),
    ("gemma2", "gemma2", Family::Gemma2),
    ("gemma3", "gemma3_text", Family::Gemma3),
    ("phi3", "phi3", Family::Phi3),
    ("smollm3", "smollm3", Family::SmolLm3),
    ("olmo2", "olmo2", Family::Olmo2),
    ("granite", "granite", Family::Granite),
    ("stablelm", "stablelm", Family::StableLm),
    ("gptneox", "gpt_neox", Family::GptNeoX),
];

/// Name of a family in a GGUF file.
pub(super) fn architecture(family: Family) -> &'static str {
    let family = if family == Family::Mistral { Family::Llama } else { family };
    ARCHITECTURES.iter().find(|entry| entry.2 == family).expect("every family is listed").0
}

/// Reads the configuration of a file's decoder.
pub(super) fn read(file: &GgufFile) -> Result<DecoderConfig, ModelError> {
    let architecture = file.text("general.architecture").ok_or_else(|| {
        file.error("general.architecture is missing: this is not a language model; use the model's own file")
    })?;
    let Some(&(_, model_type, family)) = ARCHITECTURES.iter().find(|entry| entry.0 == architecture) else {
        let known: Vec<&str> = ARCHITECTURES.iter().map(|entry| entry.0).collect();
        return Err(file
            .error(format!(
                "architecture {architecture:?} is not supported; use a model of one of: {}",
                known.join(", ")
            ))
            .into());
    };
    let reader = Reader { file, architecture, family };
    let json = Value::Object(reader.config(model_type)?);
    let mut config = config_json::parse(file.path(), json.to_string().as_bytes())?;
    reader.long_rope(&mut config)?;
    config.validate().map_err(|error| file.error(error.to_string()))?;
    Ok(config)
}

struct Reader<'a> {
    file: &'a GgufFile,
    architecture: &'a str,
    family: Family,
}

impl Reader<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    /// A number that is not negative. Some converters write 0 for an absent value.
    fn number(&self, name: &str) -> Result<Option<f64>, ModelError> {
        Ok(self.checked(name, |number| number >= 0.0, "a number from 0")?.filter(|number| *number > 0.0))
    }

    /// A number that may be absent but not 0.
    fn positive(&self, name: &str) -> Result<Option<f64>, ModelError> {
        self.checked(name, |number| number > 0.0, "a positive number")
    }

    fn checked(&self, name: &str, test: fn(f64) -> bool, expected: &str) -> Result<Option<f64>, ModelError> {
        let key = self.key(name);
        let Some(value) = self.file.value(&key) else { return Ok(None) };
        match self.file.number(&key).filter(|number| number.is_finite() && test(*number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(&key, value, expected)),
        }
    }

    fn wrong(&self, key: &str, value: &Entry, expected: &str) -> ModelError {
        let value = shown(value);
        self.file.error(format!("{key} is {value}; it must be {expected}: copy the file again from its source")).into()
    }

    fn size(&self, name: &str) -> Result<u64, ModelError> {
        let key = self.key(name);
        match self.file.value(&key) {
            Some(Entry::Array(_)) => {
                let sizes = self.file.numbers(&key).unwrap_or_default();
                match sizes.first() {
                    Some(&first) if sizes.iter().all(|size| (size - first).abs() < 0.5) && first >= 0.0 => {
                        Ok(first as u64)
                    }
                    _ => Err(self
                        .file
                        .error(format!("{key} differs between layers, which is not supported; use another model"))
                        .into()),
                }
            }
            _ => self.file.unsigned(&key).ok_or_else(|| {
                self.file
                    .error(format!("metadata {key:?} is missing or not a size; the file is incomplete: copy it again"))
                    .into()
            }),
        }
    }

    fn has(&self, tensor: &str) -> bool {
        self.file.tensor(tensor).is_some()
    }

    /// The rows of the token embedding.
    fn vocab_size(&self) -> Result<u64, ModelError> {
        let missing = "tensor \"token_embd.weight\" is missing; the file is incomplete: copy it again";
        let embedding = self.file.tensor("token_embd.weight").ok_or_else(|| self.file.error(missing))?;
        Ok(embedding.shape[0] as u64)
    }

    /// The number of layers.
    fn layers(&self) -> Result<u64, ModelError> {
        const MOST: u64 = 1 << 12;
        let layers = self.size("block_count")?;
        if layers > MOST {
            let message = format!("block_count is {layers}, more than any model has; copy the file again");
            return Err(self.file.error(message).into());
        }
        Ok(layers)
    }

    /// The `config.json` of the file's model.
    fn config(&self, model_type: &str) -> Result<Map<String, Value>, ModelError> {
        let mut object = Map::new();
        let mut set = |key: &str, value: Value| object.insert(key.into(), value);
        let (width, heads) = (self.size("embedding_length")?, self.size("attention.head_count")?.max(1));
        let context = self.size("context_length")?;
        set("model_type", json!(model_type));
        set("vocab_size", json!(self.vocab_size()?));
        set("hidden_size", json!(width));
        set("num_hidden_layers", json!(self.layers()?));
        set("num_attention_heads", json!(heads));
        set("tie_word_embeddings", json!(!self.has("output.weight")));
        set("max_position_embeddings", json!(context));
        let layer_norm = matches!(self.family, Family::Gpt2 | Family::StableLm | Family::GptNeoX);
        let epsilon = if layer_norm { "attention.layer_norm_epsilon" } else { "attention.layer_norm_rms_epsilon" };
        let epsilon = self.positive(epsilon)?.ok_or_else(|| {
            self.file.error(format!("metadata {:?} is missing; convert the model again", self.key(epsilon)))
        })?;
        if self.family == Family::Gpt2 {
            refuse(self.file, self.architecture, self.family, (width / heads) as f64)?;
            set("n_inner", json!(self.size("feed_forward_length")?));
            set("layer_norm_epsilon", json!(epsilon));
            return Ok(object);
        }
        set(if layer_norm { "layer_norm_eps" } else { "rms_norm_eps" }, json!(epsilon));
        set("intermediate_size", json!(self.size("feed_forward_length")?));
        let kv_heads = if self.file.value(&self.key("attention.head_count_kv")).is_some() {
            self.size("attention.head_count_kv")?
        } else {
            heads
        };
        let head_dim = self.number("attention.key_length")?.map_or(width / heads, |length| length as u64);
        if !layer_norm {
            set("head_dim", json!(head_dim));
        }
        if self.family != Family::GptNeoX {
            set("num_key_value_heads", json!(kv_heads));
        }
        let bias = self.has("blk.0.attn_q.bias") || self.has("blk.0.attn_qkv.bias");
        let bias_key = if self.family == Family::StableLm { "use_qkv_bias" } else { "attention_bias" };
        if self.family == Family::GptNeoX || bias && self.family != Family::Qwen2 {
            set(bias_key, json!(bias));
        }
        if self.has("blk.0.ffn_up.bias") && self.family != Family::GptNeoX {
            set("mlp_bias", json!(true));
        }
        refuse(self.file, self.architecture, self.family, head_dim as f64)?;
        self.of_family(&mut object, head_dim, width / heads)?;
        self.rope(&mut object, head_dim, context)?;
        Ok(object)
    }

    /// Adds the keys that only some families have.
    fn of_family(&self, object: &mut Map<String, Value>, head_dim: u64, usual_head_dim: u64) -> Result<(), ModelError> {
        let mut set = |key: &str, value: Value| object.insert(key.into(), value);
        let window = self.number("attention.sliding_window")?.map(|window| window as u64);
        match self.family {
            Family::Gemma2 | Family::Gemma3 => {
                let layers = self.file.unsigned(&self.key("block_count")).unwrap_or(0);
                // llama.cpp recognises the largest models, which have another divisor, by their number of layers.
                let largest = if self.family == Family::Gemma2 { 46 } else { 62 };
                let scalar = if layers == largest { usual_head_dim } else { head_dim };
                set("query_pre_attn_scalar", json!(scalar));
                let absent = if self.family == Family::Gemma2 { [Some(50.0), Some(30.0)] } else { [None, None] };
                // A Gemma 3 has none, whatever its file says.
                set("attn_logit_softcapping", json!(self.number("attn_logit_softcapping")?.or(absent[0])));
                set("final_logit_softcapping", json!(self.number("final_logit_softcapping")?.or(absent[1])));
                let window = window.or((self.family == Family::Gemma2).then_some(4096));
                set("sliding_window", json!(window));
                let kind = |windowed: bool| if windowed { "sliding_attention" } else { "full_attention" };
                let pattern = self.key("attention.sliding_window_pattern");
                if window.is_none() {
                    set("layer_types", json!(vec![kind(false); layers as usize]));
                } else if let Some(pattern) = self.file.numbers(&pattern) {
                    set("layer_types", json!(pattern.into_iter().map(|flag| kind(flag != 0.0)).collect::<Vec<_>>()));
                } else if let Some(each) = self.file.unsigned(&pattern).filter(|each| *each > 0) {
                    let windowed = |layer: u64| !(layer + 1).is_multiple_of(each);
                    set("layer_types", json!((0..layers).map(|layer| kind(windowed(layer))).collect::<Vec<_>>()));
                }
            }
            Family::Phi3 => {
                set("sliding_window", json!(window));
            }
            Family::Granite => {
                let usual = 1.0 / (head_dim as f64).sqrt();
                set("attention_multiplier", json!(self.number("attention.scale")?.unwrap_or(usual)));
                set("embedding_multiplier", json!(self.number("embedding_scale")?.unwrap_or(1.0)));
                set("residual_multiplier", json!(self.number("residual_scale")?.unwrap_or(1.0)));
                set("logits_scaling", json!(self.number("logit_scale")?.unwrap_or(1.0)));
            }
            Family::StableLm => {
                set("use_parallel_residual", json!(!self.has("blk.0.ffn_norm.weight")));
            }
            Family::GptNeoX => {
                set("use_parallel_residual", json!(self.flag("use_parallel_residual")?.unwrap_or(true)));
            }
            _ => {}
        }
        if matches!(self.family, Family::Olmo2 | Family::Llama) && window.is_some() {
            // Set so that the option is refused by name.
            set("sliding_window", json!(window));
        }
        Ok(())
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, ModelError> {
        let key = self.key(name);
        let Some(value) = self.file.value(&key) else { return Ok(None) };
        self.file.flag(&key).map(Some).ok_or_else(|| self.wrong(&key, value, "true or false"))
    }

    /// Adds the rotary parameters.
    fn rope(&self, object: &mut Map<String, Value>, head_dim: u64, context: u64) -> Result<(), ModelError> {
        let absent = if self.family == Family::Gemma3 { 1_000_000.0 } else { 10_000.0 };
        let theta = self.positive("rope.freq_base")?.unwrap_or(absent);
        let mut entries = json!({"rope_type": "default", "rope_theta": theta});
        self.rope_scaling(&mut entries, context)?;
        self.rotated_part(&mut entries, head_dim)?;
        if self.family == Family::Gemma3 {
            let local = self.positive("rope.freq_base_swa")?.unwrap_or(10_000.0);
            let local = json!({"rope_type": "default", "rope_theta": local});
            entries = json!({"full_attention": entries, "sliding_attention": local});
        }
        object.insert("rope_parameters".into(), entries);
        Ok(())
    }

    /// Adds how positions are scaled beyond the context that the model began with.
    fn rope_scaling(&self, entries: &mut Value, context: u64) -> Result<(), ModelError> {
        let original = self.number("rope.scaling.original_context_length")?.map(|length| length as u64);
        // Older files have the other name.
        let factor = match self.number("rope.scaling.factor")? {
            None => self.number("rope.scale_linear")?,
            factor => factor,
        };
        let kind_key = self.key("rope.scaling.type");
        let kind = match self.file.value(&kind_key) {
            // As in llama.cpp.
            None => "linear",
            Some(Entry::Text(kind)) => kind,
            Some(other) => return Err(self.wrong(&kind_key, other, "a name")),
        };
        let attention_factor = self.number("rope.scaling.attn_factor")?.filter(|factor| (factor - 1.0).abs() > 1e-6);
        match kind {
            "linear" if factor.is_some() => {
                entries["rope_type"] = json!("linear");
                entries["factor"] = json!(factor);
            }
            "yarn" if factor.is_some() => {
                entries["rope_type"] = json!("yarn");
                entries["factor"] = json!(factor);
                entries["original_max_position_embeddings"] = json!(original.unwrap_or(context));
                for (ours, theirs) in [
                    ("attention_factor", "rope.scaling.attn_factor"),
                    ("beta_fast", "rope.scaling.yarn_beta_fast"),
                    ("beta_slow", "rope.scaling.yarn_beta_slow"),
                ] {
                    if let Some(number) = self.number(theirs)? {
                        entries[ours] = json!(number);
                    }
                }
            }
            "longrope" if !["rope_factors_long.weight", "rope_freqs.weight"].iter().any(|name| self.has(name)) => {
                let message = format!(
                    "{kind_key} is longrope, but the file has no tensors rope_factors_long.weight and \
                     rope_factors_short.weight; convert the model again"
                );
                return Err(self.file.error(message).into());
            }
            "none" | "linear" | "yarn" | "longrope" => {}
            other => {
                return Err(self
                    .file
                    .error(format!("rope.scaling.type {other:?} is not supported; use another model"))
                    .into());
            }
        }
        if let Some(factor) = attention_factor
            && entries["rope_type"] != "yarn"
            && !self.has("rope_factors_long.weight")
        {
            let key = self.key("rope.scaling.attn_factor");
            let message = format!("{key} = {factor} is supported only with yarn or longrope; use another model");
            return Err(self.file.error(message).into());
        }
        Ok(())
    }

    /// Adds the share of a head that is rotated.
    fn rotated_part(&self, entries: &mut Value, head_dim: u64) -> Result<(), ModelError> {
        let partly = matches!(self.family, Family::Phi3 | Family::StableLm | Family::GptNeoX);
        // As in llama.cpp, the whole head where nothing is said.
        let stated = self.number("rope.dimension_count")?;
        if let Some(rotated) = stated.or(partly.then_some(head_dim as f64)) {
            let whole = rotated as u64 == head_dim;
            if rotated as u64 > head_dim || !partly && !whole {
                let key = self.key("rope.dimension_count");
                let most = if partly { "at most " } else { "" };
                let message = format!(
                    "{key} is {rotated}; this decoder needs {most}{head_dim}, the width of a head; \
                                       use another model"
                );
                return Err(self.file.error(message).into());
            }
            if partly {
                // A little more, so that truncation gives the count.
                entries["partial_rotary_factor"] = json!((rotated + 0.25).min(head_dim as f64) / head_dim as f64);
            }
        }
        Ok(())
    }

    /// Reads the divisors of the planes, which are tensors.
    fn long_rope(&self, config: &mut DecoderConfig) -> Result<(), ModelError> {
        let divisors = |name: &str| {
            self.file
                .tensor(name)
                .map(|tensor| self.file.widened(tensor).into_iter().map(f64::from).collect::<Vec<f64>>())
        };
        let [long, short] = ["rope_factors_long.weight", "rope_factors_short.weight"].map(divisors);
        let all = divisors("rope_freqs.weight");
        let PositionEncoding::Rotary { theta, scaling } = &mut config.position else { return Ok(()) };
        let original = self.number("rope.scaling.original_context_length")?.map(|length| length as usize);
        let original = original.unwrap_or(config.context).max(1);
        if *scaling != RotaryScaling::None && (all.is_some() || long.is_some() || short.is_some()) {
            let key = self.key("rope.scaling.factor");
            let message = format!("it has both {key} and tensors that scale rotary positions; use another model");
            return Err(self.file.error(message).into());
        }
        *scaling = match (all, long, short) {
            (Some(all), None, None) => {
                let dims = config.variant.rotary_dims.unwrap_or(config.head_dim);
                llama3(&all, *theta, dims).unwrap_or(RotaryScaling::LongRope {
                    short_factor: all.clone(),
                    long_factor: all,
                    original_context: original,
                    factor: None,
                    attention_factor: Some(1.0),
                })
            }
            (None, Some(long_factor), Some(short_factor)) => RotaryScaling::LongRope {
                short_factor,
                long_factor,
                original_context: original,
                factor: None,
                attention_factor: self.number("rope.scaling.attn_factor")?,
            },
            (None, None, None) => return Ok(()),
            _ => {
                return Err(self
                    .file
                    .error("it has only some of the tensors about rotary positions; copy it again")
                    .into());
            }
        };
        Ok(())
    }
}

/// Llama 3.1's scaling, if it has these divisors.
fn llama3(divisors: &[f64], theta: f64, dims: usize) -> Option<RotaryScaling> {
    let factor = divisors.iter().copied().fold(0.0, f64::max);
    let scaling = RotaryScaling::Llama3 { factor, low_freq_factor: 1.0, high_freq_factor: 4.0, original_context: 8192 };
    let plain = crate::position::rotary_frequencies(dims, theta, &RotaryScaling::None, 0);
    let scaled = crate::position::rotary_frequencies(dims, theta, &scaling, 0);
    let alike = plain.len() == divisors.len()
        && plain
            .iter()
            .zip(&scaled)
            .zip(divisors)
            .all(|((plain, scaled), divisor)| (plain / scaled / divisor - 1.0).abs() < 1e-4);
    alike.then_some(scaling)
}
