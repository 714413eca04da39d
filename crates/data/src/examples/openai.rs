//! `OpenAI`'s form of preference pairs: `input` with the messages so far, `preferred_output`, `non_preferred_output`.

use serde_json::{Map, Value};

/// Its names of the answers, and ours.
const ANSWERS: [(&str, &str); 2] = [("preferred_output", "chosen"), ("non_preferred_output", "rejected")];

/// The object with the keys of `input` beside the answers, if it has this form and no key would stand twice.
pub(super) fn flat(mut object: Map<String, Value>) -> Map<String, Value> {
    let of_form = ANSWERS.iter().all(|(theirs, ours)| object.contains_key(*theirs) && !object.contains_key(*ours));
    let Some(Value::Object(input)) = object.get("input").filter(|_| of_form) else { return object };
    if !input.contains_key("messages") || input.keys().any(|key| object.contains_key(key)) {
        return object;
    }
    if let Some(Value::Object(input)) = object.shift_remove("input") {
        object.extend(input);
    }
    for (theirs, ours) in ANSWERS {
        let answer = object.shift_remove(theirs).unwrap_or_default();
        object.insert(ours.into(), answer);
    }
    object
}
