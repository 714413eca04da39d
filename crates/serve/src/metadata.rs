//! Metadata of conversations and responses: the caller's own data.

use serde_json::{Map, Value};

use crate::error::ApiError;

/// Pairs that metadata may have, and characters of a key and of a value.
const METADATA: (usize, usize, usize) = (16, 64, 512);

/// Refuses metadata that is more than a few short texts.
///
/// # Errors
/// 400.
pub fn check_metadata(metadata: &Map<String, Value>) -> Result<(), ApiError> {
    let (most, key, value) = METADATA;
    let fits = |(name, text): (&String, &Value)| {
        name.chars().count() <= key && text.as_str().is_some_and(|text| text.chars().count() <= value)
    };
    if metadata.len() <= most && metadata.iter().all(fits) {
        return Ok(());
    }
    let message = format!("`metadata`: at most {most} texts of {value} characters, under names of {key}");
    Err(ApiError::invalid(message).with_param("metadata"))
}
