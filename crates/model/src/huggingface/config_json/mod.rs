//! `config.json` and `generation_config.json`, as `transformers` writes and reads them.
//!
//! Reading supports both spellings (4.x: `rope_theta`, `rope_scaling`, `torch_dtype`; 5.x: `rope_parameters`, `dtype`).
//! A key that could change the arithmetic and that this decoder does not support is refused by name; `inert.rs` lists
//! the keys that cannot. Writing uses both spellings.

mod read;
mod write;
mod rope;
mod adapter;
mod inert;
mod families;
mod variant;
mod fields;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde_json::{Map, Value, json};

pub(crate) use adapter::{adapter_to_json, parse_adapter};
pub(crate) use read::{parse, parse_score};
pub use write::check_representable;
pub(crate) use write::{difference, score_to_json, to_json};

use crate::ModelError;
use fields::Fields;

/// Marks the scale of a score model's rewards. Other programs ignore the key.
const REWARD: &str = "fireclay_reward";

/// Marks a GPT-2 whose position embedding is the fixed table of sines. Other programs ignore the key and read the
/// table.
const SINUSOIDAL_MARK: &str = "fireclay_position";

/// Ids of the tokens that begin a text, end it, and fill a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenIds {
    /// Begins a text.
    pub bos: Option<u32>,
    /// Each of these ends a text.
    pub eos: Vec<u32>,
    /// Fills rows of a batch.
    pub pad: Option<u32>,
}

impl TokenIds {
    /// `null`, one id, or a list: as transformers writes no id, one and several.
    fn eos_json(&self) -> Value {
        match self.eos[..] {
            [] => Value::Null,
            [id] => json!(id),
            _ => json!(self.eos),
        }
    }

    /// The entries of a `generation_config.json` for these ids.
    pub(crate) fn generation_config(&self) -> Map<String, Value> {
        let mut object = Map::new();
        let entries =
            [("bos_token_id", json!(self.bos)), ("eos_token_id", self.eos_json()), ("pad_token_id", json!(self.pad))];
        for (key, value) in entries {
            if !value.is_null() {
                object.insert(key.into(), value);
            }
        }
        object
    }

    /// The ids in the text of a `config.json` or `generation_config.json`.
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, ModelError> {
        let mut fields = Fields::parse(path, bytes)?;
        Ok(Self {
            bos: fields.token_ids("bos_token_id")?.first().copied(),
            eos: fields.token_ids("eos_token_id")?,
            pad: fields.token_ids("pad_token_id")?.first().copied(),
        })
    }
}
