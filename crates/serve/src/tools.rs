//! Function tools, for models whose chat template supports them.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::store::new_id;

/// Tags that open and close a call in the text of most models whose templates show tools (Hermes, Qwen).
const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";

/// The tools that the template is given, if any.
///
/// # Errors
/// 400 for a tool that is no function, or a choice that cannot be enforced.
pub fn offered(tools: Option<Vec<Value>>, choice: Option<&Value>) -> Result<Option<Vec<Value>>, ApiError> {
    match choice.map(Value::as_str) {
        None | Some(Some("auto")) => {}
        Some(Some("none")) => return Ok(None),
        Some(_) => {
            return Err(ApiError::unsupported(
                "tool_choice",
                "whether a tool is called is the model's choice; use auto or none",
            ));
        }
    }
    let Some(tools) = tools.filter(|tools| !tools.is_empty()) else { return Ok(None) };
    for (index, tool) in tools.iter().enumerate() {
        let place = format!("tools[{index}]");
        if tool["type"] != "function" {
            return Err(ApiError::unsupported(&place, "only tools of type function are"));
        }
        if tool["function"]["name"].as_str().is_none_or(str::is_empty) {
            return Err(ApiError::invalid(format!("`{place}`: function.name is missing")).with_param(place));
        }
    }
    Ok(Some(tools))
}

/// A reply's text and its calls. An invalid call stays text.
pub fn split(with_tools: bool, text: &str) -> (Option<String>, Vec<Value>) {
    if !with_tools {
        return (Some(text.into()), vec![]);
    }
    let (mut words, mut calls, mut rest) = (String::new(), vec![], text);
    while let Some(begin) = rest.find(OPEN) {
        let inside = &rest[begin + OPEN.len()..];
        // The end token may have come in place of the closing mark.
        let (body, behind) = inside.split_once(CLOSE).unwrap_or((inside, ""));
        words += &rest[..begin];
        match call(body) {
            Some(call) => calls.push(call),
            None => words += &rest[begin..rest.len() - behind.len()],
        }
        rest = behind;
    }
    words += rest;
    if calls.is_empty() {
        return (Some(text.into()), calls);
    }
    let words = words.trim();
    ((!words.is_empty()).then(|| words.into()), calls)
}

/// A call in `OpenAI`'s form, from `{"name": …, "arguments": {…}}`.
fn call(body: &str) -> Option<Value> {
    let call: Value = serde_json::from_str(body.trim()).ok()?;
    let name = call["name"].as_str()?;
    let arguments = match call.get("arguments").or_else(|| call.get("parameters")) {
        None => "{}".into(),
        Some(Value::String(text)) => text.clone(),
        Some(arguments) => arguments.to_string(),
    };
    Some(json!({"id": new_id("call"), "type": "function", "function": {"name": name, "arguments": arguments}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> (Option<String>, Vec<String>) {
        let (words, calls) = split(true, text);
        let shown = |call: &Value| {
            format!(
                "{}({})",
                call["function"]["name"].as_str().unwrap(),
                call["function"]["arguments"].as_str().unwrap()
            )
        };
        (words, calls.iter().map(shown).collect())
    }

    #[test]
    fn calls_are_taken_out_of_the_words() {
        let text = "Let me \
                    see.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tool_call>\n<tool_call>{\"name\": \"g\"}";
        assert_eq!(names(text), (Some("Let me see.".into()), vec!["f({\"x\":1})".into(), "g({})".into()]));
        assert_eq!(names("<tool_call>{\"name\": \"f\"}</tool_call>"), (None, vec!["f({})".into()]));
    }

    #[test]
    fn what_is_no_call_stays() {
        for text in ["no call", "<tool_call>half", "<tool_call>[]</tool_call> so", ""] {
            assert_eq!(names(text), (Some(text.into()), vec![]));
        }
        assert_eq!(split(false, "<tool_call>{\"name\": \"f\"}").1, Vec::<Value>::new());
    }

    #[test]
    fn a_choice_that_cannot_be_enforced_is_refused() {
        let tools = || Some(vec![json!({"type": "function", "function": {"name": "f"}})]);
        assert_eq!(offered(tools(), None).unwrap(), tools());
        assert_eq!(offered(tools(), Some(&json!("none"))).unwrap(), None);
        assert!(offered(tools(), Some(&json!("required"))).is_err());
        assert!(offered(tools(), Some(&json!({"type": "function", "function": {"name": "f"}}))).is_err());
        assert!(offered(Some(vec![json!({"type": "web_search"})]), None).is_err());
    }
}
