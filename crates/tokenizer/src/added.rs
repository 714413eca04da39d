//! Tokens that files beside a vocabulary add to it, as `transformers` does: those of `added_tokens_decoder` and
//! `added_tokens.json` first, by their ids, then those with a role such as `eos_token`, then the other special ones.
//! New tokens get the ids that follow the vocabulary.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use tokenizers::AddedToken;

use crate::TokenizerError;
use crate::settings::{self, Settings};
use crate::text_file::read_object;

/// The roles that every tokenizer may have, in the order in which their tokens are added.
const ROLES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// Adds the tokens of the settings that the library lacks; `path` is the vocabulary's file. A token for which the model
/// in the folder has no row is left out, with a warning: it stays text. Tokens of `stated`, which are those of
/// `added_tokens_decoder`, replace the library's where their flags differ.
pub(crate) fn add(
    library: &mut tokenizers::Tokenizer,
    settings: &Settings,
    stated: &[(u32, AddedToken)],
    path: &Path,
) -> Result<(), TokenizerError> {
    let known: BTreeMap<String, AddedToken> =
        library.get_added_tokens_decoder().into_values().map(|token| (token.content.clone(), token)).collect();
    let is_new = |token: &AddedToken| !known.contains_key(&token.content) && !token.content.is_empty();
    let roles: BTreeSet<&str> = settings.special_roles().map(|(_, token)| token).collect();
    for (_, token) in stated {
        // A token with a role is special in any case.
        let token = AddedToken { special: token.special || roles.contains(token.content.as_str()), ..token.clone() };
        if known.get(&token.content).is_some_and(|known| *known != token) {
            let replaced =
                if token.special { library.add_special_tokens([token]) } else { library.add_tokens([token]) };
            replaced.map_err(|error| TokenizerError::invalid(path, error))?;
        }
    }
    let mut rows = AddedRows::beside(path);
    for (id, token) in settings.added_tokens(path)? {
        let (content, is_new) = (token.content.clone(), is_new(&token));
        if is_new {
            rows.add(library, token)?;
        }
        let Some(own) = library.token_to_id(&content).filter(|own| *own != id) else { continue };
        if is_new {
            let detail = format!(
                "tokenizer_config.json or added_tokens.json gives {content:?} the id {id}, which does not follow its \
                 vocabulary, where it is {own}; copy these files again from one source"
            );
            return Err(TokenizerError::invalid(path, detail));
        }
        tracing::warn!("{}: {content:?} has the id {own}, and not {id} as a file beside it says", path.display());
    }
    for token in special(settings, path)?.into_iter().filter(is_new) {
        rows.add(library, token)?;
    }
    Ok(())
}

/// The rows of the model in the folder of a vocabulary.
struct AddedRows<'a> {
    path: &'a Path,
    /// Number of rows, if there is a model that says it.
    size: Option<u64>,
    /// Number of tokens, once it has been counted.
    tokens: Option<u64>,
}

impl<'a> AddedRows<'a> {
    fn beside(path: &'a Path) -> Self {
        let folder = path.parent().unwrap_or(Path::new("."));
        // The reader of the model reports a damaged one.
        let config = read_object(&folder.join("config.json")).unwrap_or_default();
        Self { path, size: config.get("vocab_size").and_then(Value::as_u64), tokens: None }
    }

    /// Adds a token, unless it is new and has no row.
    fn add(&mut self, library: &mut tokenizers::Tokenizer, token: AddedToken) -> Result<(), TokenizerError> {
        let is_new = library.token_to_id(&token.content).is_none();
        let count = || library.get_vocab(true).into_values().max().map_or(0, |largest| u64::from(largest) + 1);
        if let Some(size) = self.size.filter(|_| is_new) {
            let tokens = self.tokens.get_or_insert_with(count);
            if *tokens >= size {
                tracing::warn!(
                    "{}: the files beside it add {:?} as id {tokens}, but the model has only {size} tokens; it is left \
                     out and read as text",
                    self.path.display(),
                    token.content
                );
                return Ok(());
            }
            *tokens += 1;
        }
        let added = if token.special { library.add_special_tokens([token]) } else { library.add_tokens([token]) };
        added.map(drop).map_err(|error| TokenizerError::invalid(self.path, error))
    }
}

/// The special tokens that the settings name, in the order in which they are added.
fn special(settings: &Settings, path: &Path) -> Result<Vec<AddedToken>, TokenizerError> {
    let config = settings.config();
    let of_key = |key: &str| config.get(key).filter(|value| !value.is_null());
    let mut tokens = vec![];
    for key in ROLES {
        tokens.extend(of_key(key).map(|value| token(value, key, path)).transpose()?);
    }
    let further = config.keys().filter(|key| key.ends_with("_token") && !ROLES.contains(&key.as_str()));
    // Keys such as `add_bos_token` are no tokens.
    tokens.extend(further.filter_map(|key| token(of_key(key)?, key, path).ok()));
    let mut listed = vec![];
    for key in ["extra_special_tokens", "additional_special_tokens"] {
        let values: Vec<&Value> = match of_key(key) {
            None => continue,
            Some(Value::Array(list)) => list.iter().collect(),
            Some(Value::Object(named)) => named.values().collect(),
            Some(other) => return Err(wrong(other, key, path)),
        };
        listed.extend(values.into_iter().map(|value| token(value, key, path)).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(tokens.into_iter().chain(listed).collect())
}

/// A special token: its spelling, or an object with `content`.
fn token(value: &Value, key: &str, path: &Path) -> Result<AddedToken, TokenizerError> {
    let token = match value {
        Value::String(text) => Some(AddedToken::from(text.as_str(), true)),
        _ => settings::added_token(value),
    };
    token.map(|token| AddedToken { special: true, ..token }).ok_or_else(|| wrong(value, key, path))
}

fn wrong(value: &Value, key: &str, path: &Path) -> TokenizerError {
    let shown: String = value.to_string().chars().take(60).collect();
    let detail =
        format!("beside it, {key} in tokenizer_config.json has {shown}; give a token or an object with content");
    TokenizerError::invalid(path, detail)
}
