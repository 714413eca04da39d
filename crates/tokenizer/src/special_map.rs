//! `special_tokens_map.json` and `added_tokens.json`, as `transformers` 5 takes them: they count where
//! `tokenizer_config.json` has no `added_tokens_decoder`, as older versions wrote it, and not at all where it has one.

use std::path::Path;

use serde_json::{Map, Value};

use crate::TokenizerError;
use crate::text_file::read_object;

/// The key of `tokenizer_config.json` beside which the other files do not count.
const LIST: &str = "added_tokens_decoder";
/// Lists of special tokens without a role: the name of `transformers` 5, and the one before.
const EXTRA: &str = "extra_special_tokens";
const ADDITIONAL: &str = "additional_special_tokens";

/// Whether `tokenizer_config.json` lists the added tokens itself.
pub(crate) fn lists_added_tokens(config: &Map<String, Value>) -> bool {
    config.contains_key(LIST)
}

/// Puts the special tokens of a map into the settings, which `config` is. A token that does not count is named in a
/// warning.
pub(crate) fn merge(config: &mut Map<String, Value>, path: &Path) -> Result<(), TokenizerError> {
    let map = read_object(path)?;
    if lists_added_tokens(config) {
        for (role, token) in &map {
            match token {
                Value::Array(list) => warn_of_unlisted(config, path, list.iter().filter_map(spelled)),
                Value::Object(named) if spelled(token).is_none() => {
                    warn_of_unlisted(config, path, named.values().filter_map(spelled));
                }
                token if spelled(token) == config.get(role).and_then(spelled) => {}
                token => warn(path, &format!("{role} {}", spelled(token).unwrap_or_default())),
            }
        }
        return Ok(());
    }
    for (role, token) in map {
        let is_given = |key: &str| config.get(key).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        match (role.as_str(), token) {
            (EXTRA, Value::Array(further)) => {
                let own = if is_given(EXTRA) { EXTRA } else { ADDITIONAL };
                let own = config.shift_remove(own).and_then(|list| list.as_array().cloned());
                let mut all = own.unwrap_or_default();
                for token in further {
                    if !all.iter().any(|known| spelled(known) == spelled(&token)) {
                        all.push(token);
                    }
                }
                config.insert(role, all.into());
            }
            (ADDITIONAL, Value::Array(further)) if is_given(EXTRA) || is_given(ADDITIONAL) => {
                let known = |token: &str| [EXTRA, ADDITIONAL].iter().any(|key| lists(config, key, token));
                for token in further.iter().filter_map(spelled).filter(|token| !known(token)) {
                    warn(path, token);
                }
            }
            (_, token) => {
                config.insert(role, token);
            }
        }
    }
    Ok(())
}

/// Names the tokens of a file that count nowhere, as the file does not.
pub(crate) fn warn_of_unlisted<'t>(config: &Map<String, Value>, path: &Path, tokens: impl Iterator<Item = &'t str>) {
    let listed = config.get(LIST).and_then(Value::as_object);
    let is_listed =
        |token: &str| listed.is_some_and(|listed| listed.values().any(|other| spelled(other) == Some(token)));
    let roles = config.iter().filter(|(key, _)| key.ends_with("_token")).filter_map(|(_, token)| spelled(token));
    let roles: Vec<&str> = roles.collect();
    let is_known = |token: &&str| {
        is_listed(token) || roles.contains(token) || [EXTRA, ADDITIONAL].iter().any(|key| lists(config, key, token))
    };
    for token in tokens.filter(|token| !is_known(token)) {
        warn(path, token);
    }
}

fn warn(path: &Path, token: &str) {
    tracing::warn!(
        "{}: {token} is not read, as in transformers, because tokenizer_config.json lists its tokens itself; add it there \
         if the model needs it",
        path.display()
    );
}

fn lists(config: &Map<String, Value>, key: &str, token: &str) -> bool {
    match config.get(key) {
        Some(Value::Array(list)) => list.iter().any(|other| spelled(other) == Some(token)),
        Some(Value::Object(named)) => named.values().any(|other| spelled(other) == Some(token)),
        _ => false,
    }
}

/// The spelling of a token: a string, or an object with `content`.
fn spelled(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token.get("content")?.as_str())
}
