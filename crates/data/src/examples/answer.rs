//! The answer of a pair or a rating, of which only the text is learned.

use fireclay_tokenizer::Message;

use super::reason;
use super::record::{REASONING, Record, is_nothing};
use super::skips::Skips;

/// Fields that are read elsewhere, or that are a mark that the answer is learned.
const READ: [&str; 5] = ["tools", "chat_template_kwargs", "weight", "train", "tool_calls"];

/// The reason why an answer cannot be learned as text, if any.
pub(super) fn fault(answer: &Message) -> Option<&'static str> {
    let has = |key: &&str| answer.extra.get(*key).is_some_and(|value| !is_nothing(value));
    if answer.role != "assistant" {
        Some(reason::NOT_AN_ANSWER)
    } else if answer.calls_tools() {
        Some(reason::CALLS)
    } else if REASONING.iter().any(has) {
        Some(reason::REASONING)
    } else if answer.is_learned() {
        None
    } else {
        Some(reason::OFF)
    }
}

/// Counts the fields of an answer that are not learned.
pub(super) fn count_fields(answer: &Message, record: &Record, ignored: &mut Skips) {
    for (key, value) in &answer.extra {
        if !READ.contains(&key.as_str()) && !is_nothing(value) {
            ignored.add(format!("the field `{key}` of an answer is ignored"), record.origin());
        }
    }
}
