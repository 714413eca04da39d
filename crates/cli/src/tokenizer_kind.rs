//! Kinds of tokenizer, for the flag `--kind` and the key `tokenizer.kind` of recipes.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Kinds of tokenizer that can be trained, by a command or a recipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenizerKind {
    /// Byte-level BPE.
    #[default]
    Bpe,
    /// One token for each frequent word; other words in letters.
    Words,
    /// One token a character.
    Char,
}
