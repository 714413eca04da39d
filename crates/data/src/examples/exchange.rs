//! Turns that are not written as messages: texts in turn, and questions with their answers.

use fireclay_tokenizer::Message;
use serde_json::{Map, Value};

use super::record::Record;
use crate::DataError;
use crate::documents::json_lines::{describe_keys, kind};

/// Keys of a question in an exchange.
const ASKED: [&str; 7] = ["user", "human", "question", "query", "prompt", "instruction", "input"];
/// Keys of its answer.
const ANSWERED: [&str; 7] = ["assistant", "gpt", "bot", "answer", "response", "output", "completion"];

/// Texts of a user and an assistant in turn; `None` if anything else is among them, or there are fewer than two.
pub(super) fn texts_in_turn(items: &[Value]) -> Option<Vec<Message>> {
    let roles = ["user", "assistant"].into_iter().cycle();
    let texts = items.iter().zip(roles).map(|(item, role)| Some(Message::new(role, item.as_str()?)));
    texts.collect::<Option<Vec<_>>>().filter(|messages| messages.len() > 1)
}

/// Whether a value is a question with its answer: a list of two texts, or an object with a key of either and no role.
pub(super) fn is_exchange(value: &Value) -> bool {
    match value {
        Value::Array(_) => true,
        Value::Object(object) => {
            let has = |keys: &[&str]| keys.iter().any(|key| object.contains_key(*key));
            !has(&["role", "from"]) && has(&ASKED) && has(&ANSWERED)
        }
        _ => false,
    }
}

/// The messages of a question with its answer, either of which may be null or empty. `place` is where it stands.
pub(super) fn messages(record: &Record, place: &str, value: &Value) -> Result<Vec<Message>, DataError> {
    let expected = || format!("a question and its answer, two strings, as `{place}`");
    let (system, asked, answered) = match value {
        Value::Array(pair) => match pair.as_slice() {
            [asked, answered] => (None, asked, answered),
            _ => return Err(record.wrong(expected(), format!("an array of {}", pair.len()))),
        },
        Value::Object(object) => of_keys(object).ok_or_else(|| record.wrong(expected(), describe_keys(object)))?,
        other => return Err(record.wrong(expected(), kind(other))),
    };
    let mut messages = vec![];
    for (role, value) in [("system", system.unwrap_or(&Value::Null)), ("user", asked), ("assistant", answered)] {
        match value {
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            Value::String(text) => messages.push(Message::new(role, text)),
            other => return Err(record.wrong(expected(), kind(other))),
        }
    }
    Ok(messages)
}

/// The system message, the question and the answer; `None` if there are other keys, or several questions or answers.
fn of_keys(object: &Map<String, Value>) -> Option<(Option<&Value>, &Value, &Value)> {
    let (mut system, mut asked, mut answered) = (None, None, None);
    for (key, value) in object.iter().filter(|(_, value)| !value.is_null()) {
        let place = match key.as_str() {
            "system" => &mut system,
            key if ASKED.contains(&key) => &mut asked,
            key if ANSWERED.contains(&key) => &mut answered,
            _ => return None,
        };
        if place.replace(value).is_some() {
            return None;
        }
    }
    Some((system, asked.unwrap_or(&Value::Null), answered.unwrap_or(&Value::Null)))
}
