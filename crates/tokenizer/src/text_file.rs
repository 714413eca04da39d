//! The text of a tokenizer's files.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::TokenizerError;

/// A file's text, without a byte-order mark. A pointer of Git LFS in its place is an error.
pub(crate) fn read(path: &Path) -> Result<String, TokenizerError> {
    let mut text = fs::read_to_string(path).map_err(|error| TokenizerError::read(path, error))?;
    if text.starts_with("version https://git-lfs") {
        let detail = "it is a pointer of Git LFS, not the file; fetch it with `git lfs pull`";
        return Err(TokenizerError::invalid(path, detail));
    }
    // Some editors put a byte-order mark before the text.
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// The object of a file of JSON; empty if there is no file.
pub(crate) fn read_object(path: &Path) -> Result<Map<String, Value>, TokenizerError> {
    if !path.is_file() {
        return Ok(Map::new());
    }
    serde_json::from_str(&read(path)?).map_err(|error| TokenizerError::json(path, &error))
}
