//! Tokens and their log-probabilities as clients get them.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::generation::Said;
use crate::model::Served;

/// The bytes that a token adds to a text, a special token's name included.
fn bytes(model: &Served, id: u32) -> Vec<u8> {
    match model.tokenizer.bytes_of(id) {
        Some(bytes) if !bytes.is_empty() => bytes.to_vec(),
        _ => model.tokenizer.decode(&[id]).into_bytes(),
    }
}

/// A token as text; a part of a character as `bytes:\xe4…`, as in `OpenAI`'s API.
pub fn token_text(model: &Served, id: u32) -> String {
    String::from_utf8(bytes(model, id)).unwrap_or_else(|error| {
        let mut text = String::from("bytes:");
        for byte in error.as_bytes() {
            write!(text, "\\x{byte:02x}").expect("writing to a string cannot fail");
        }
        text
    })
}

/// An entry of a chat's log-probabilities.
pub fn token_entry(model: &Served, said: &Said) -> Value {
    let entry =
        |id: u32, logprob: f32| json!({"token": token_text(model, id), "logprob": logprob, "bytes": bytes(model, id)});
    let mut object = entry(said.id, said.logprob);
    let top = said.top.iter().map(|&(id, logprob)| entry(id, logprob));
    object["top_logprobs"] = top.collect::<Vec<Value>>().into();
    object
}

/// The most probable tokens at a position in the form of raw completions: a map from text to log-probability, including
/// the chosen one. Of tokens with the same text the more probable one counts.
pub fn top_map(model: &Served, top: &[(u32, f32)], chosen: (u32, f32)) -> Value {
    let mut map = Map::new();
    for &(id, logprob) in top.iter().chain([&chosen]) {
        map.entry(token_text(model, id)).or_insert(logprob.into());
    }
    map.into()
}
