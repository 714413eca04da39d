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
        check(&format!("tools[{index}]"), tool)?;
    }
    Ok(Some(tools.iter().map(nested).collect()))
}

/// A tool as chat templates take it: the function in an object of its own.
fn nested(tool: &Value) -> Value {
    if tool.get("function").is_some_and(Value::is_object) {
        return tool.clone();
    }
    let mut function = tool.as_object().cloned().unwrap_or_default();
    function.retain(|field, value| field != "type" && !value.is_null());
    json!({"type": "function", "function": function})
}

/// Refuses tools that are no functions, and what they ask beyond what is done. The function stands in an object, as in
/// chat completions, or beside the type, as in responses.
fn check(place: &str, tool: &Value) -> Result<(), ApiError> {
    let unknown = |place: String| {
        let message = format!("`{place}`: unknown field");
        Err(ApiError::invalid(message).with_param(place).with_code("unknown_parameter"))
    };
    let wrong = |place: String, why: &str| Err(ApiError::invalid(format!("`{place}`: {why}")).with_param(place));
    if !tool.is_object() {
        return wrong(place.into(), "give an object");
    }
    if tool["type"] != "function" {
        return Err(ApiError::unsupported(&format!("{place}.type"), "only tools of type function are"));
    }
    let (within, function) = match tool.get("function").filter(|function| !function.is_null()) {
        None => (place.to_owned(), tool),
        Some(function) => (format!("{place}.function"), function),
    };
    let mut beside = tool.as_object().into_iter().flatten().filter(|_| within != place);
    if let Some((name, _)) =
        beside.find(|(name, value)| !value.is_null() && !["type", "function"].contains(&name.as_str()))
    {
        return unknown(format!("{place}.{name}"));
    }
    if function["name"].as_str().is_none_or(str::is_empty) {
        return wrong(format!("{within}.name"), "give the function's name");
    }
    for (name, value) in function.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        let here = || format!("{within}.{name}");
        match name.as_str() {
            "name" => {}
            "type" if within == place => {}
            "description" if value.is_string() => {}
            "description" => return wrong(here(), "give a text"),
            "parameters" if value.is_object() => {}
            "parameters" => return wrong(here(), "give a JSON schema, an object"),
            "strict" if *value == false => {}
            "strict" => {
                return Err(ApiError::unsupported(
                    &here(),
                    "arguments are not held to their schema; leave it out or false",
                ));
            }
            _ => return unknown(here()),
        }
    }
    Ok(())
}

/// Refuses the promise of at most one call, where there can be calls.
///
/// # Errors
/// 400.
pub fn check_parallel(parallel: Option<bool>, has_tools: bool) -> Result<(), ApiError> {
    match parallel {
        Some(false) if has_tools => {
            Err(ApiError::unsupported("parallel_tool_calls", "how many calls a reply has is the model's choice"))
        }
        _ => Ok(()),
    }
}

/// A piece of a reply that may call tools.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Text(String),
    /// A whole call, in `OpenAI`'s form.
    Call(Value),
}

/// Splits a reply into text and calls while it comes. Text is held back only while it may be the beginning of a call,
/// and space while a call may follow, before which it is dropped. An invalid call is text.
#[derive(Debug, Default)]
pub struct Splitter {
    /// Text that may be the beginning of a call.
    held: String,
    /// Space before what comes next.
    space: String,
    has_text: bool,
    has_calls: bool,
}

impl Splitter {
    /// Takes more of the reply; returns the pieces that are certain now.
    pub fn push(&mut self, text: &str) -> Vec<Piece> {
        self.held += text;
        self.pieces(false)
    }

    /// Takes the end of the reply; returns the last pieces.
    pub fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = self.pieces(true);
        let space = std::mem::take(&mut self.space);
        if !self.has_calls && !space.is_empty() {
            pieces.push(Piece::Text(space));
        }
        pieces
    }

    /// Takes more of the reply, and its end if this is the last of it.
    pub fn take(&mut self, text: &str, is_end: bool) -> Vec<Piece> {
        let mut pieces = self.push(text);
        if is_end {
            pieces.extend(self.finish());
        }
        pieces
    }

    fn pieces(&mut self, is_end: bool) -> Vec<Piece> {
        let mut pieces = vec![];
        loop {
            let begin = self.held.find(OPEN).unwrap_or_else(|| self.held.len() - beginning(&self.held, is_end));
            let text: String = self.held.drain(..begin).collect();
            self.text(&mut pieces, &text);
            let Some(body) = self.held.strip_prefix(OPEN) else { return pieces };
            match Body::of(body, is_end) {
                Body::Partial => return pieces,
                Body::Text => {
                    self.held.drain(..OPEN.len());
                    self.text(&mut pieces, OPEN);
                }
                Body::Call(call, length) => {
                    self.held.drain(..OPEN.len() + length);
                    self.has_calls = true;
                    pieces.push(Piece::Call(call));
                }
            }
        }
    }

    fn text(&mut self, pieces: &mut Vec<Piece>, text: &str) {
        self.space += text;
        let end = self.space.trim_end().len();
        if end == 0 {
            return;
        }
        let text: String = self.space.drain(..end).collect();
        // Space at the beginning is kept only where no call came before.
        let text = if self.has_calls && !self.has_text { text.trim_start() } else { &text };
        self.has_text = true;
        pieces.push(Piece::Text(text.into()));
    }
}

/// Number of bytes at the end of a text that may begin the opening tag.
fn beginning(text: &str, is_end: bool) -> usize {
    let lengths = (1..OPEN.len()).rev().filter(|_| !is_end);
    lengths.into_iter().find(|&length| text.ends_with(&OPEN[..length])).unwrap_or(0)
}

/// The text after an opening tag.
enum Body {
    /// It may still become a call.
    Partial,
    /// It is no call.
    Text,
    /// A call, and its length in bytes with the closing tag.
    Call(Value, usize),
}

impl Body {
    fn of(body: &str, is_end: bool) -> Self {
        let partial = if is_end { Self::Text } else { Self::Partial };
        if !body.trim_start().is_empty() && !body.trim_start().starts_with('{') {
            return Self::Text;
        }
        let mut values = serde_json::Deserializer::from_str(body).into_iter::<Value>();
        let value = match values.next() {
            None => return partial,
            Some(Err(error)) if error.is_eof() => return partial,
            Some(Err(_)) => return Self::Text,
            Some(Ok(value)) => value,
        };
        let Some(call) = call(&value) else { return Self::Text };
        let behind = body[values.byte_offset()..].trim_start();
        if behind.starts_with(CLOSE) {
            return Self::Call(call, body.len() - behind.len() + CLOSE.len());
        }
        match CLOSE.starts_with(behind) {
            // The end token may have come in place of the closing tag.
            true if is_end && behind.is_empty() => Self::Call(call, body.len()),
            true => partial,
            false => Self::Text,
        }
    }
}

/// A reply's text and its calls.
pub fn split(with_tools: bool, text: &str) -> (Option<String>, Vec<Value>) {
    if !with_tools {
        return (Some(text.into()), vec![]);
    }
    let (mut words, mut calls) = (String::new(), vec![]);
    for piece in Splitter::default().take(text, true) {
        match piece {
            Piece::Text(text) => words += &text,
            Piece::Call(call) => calls.push(call),
        }
    }
    ((calls.is_empty() || !words.is_empty()).then_some(words), calls)
}

/// A call in `OpenAI`'s form, from `{"name": …, "arguments": {…}}`, whose arguments may be in a string; `None` without a
/// name, or with arguments that are no object.
fn call(call: &Value) -> Option<Value> {
    let name = call["name"].as_str().filter(|name| !name.is_empty())?;
    let arguments = match call.get("arguments").or_else(|| call.get("parameters")) {
        None | Some(Value::Null) => "{}".into(),
        Some(Value::String(text)) => {
            serde_json::from_str::<Value>(text).ok().filter(Value::is_object)?;
            text.clone()
        }
        Some(arguments) => arguments.is_object().then(|| arguments.to_string())?,
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
        assert_eq!(names("\n<tool_call>{\"name\": \"f\"}</tool_call>\nso"), (Some("so".into()), vec!["f({})".into()]));
        let tag = "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": \"</tool_call>\"}}</tool_call>";
        assert_eq!(names(tag), (None, vec!["f({\"x\":\"</tool_call>\"})".into()]));
    }

    #[test]
    fn what_is_no_call_stays() {
        for text in
            ["no call ", "<tool_call>half", "<tool_call>[]</tool_call> so", "", " <tool_c", "<tool_call>{\"name\":"]
        {
            assert_eq!(names(text), (Some(text.into()), vec![]));
        }
        for call in [
            r#"{"name": "", "arguments": {}}"#,
            r#"{"name": "f", "arguments": "kin"}"#,
            r#"{"name": "f", "arguments": [1]}"#,
        ] {
            let text = format!("<tool_call>{call}</tool_call>");
            assert_eq!(names(&text), (Some(text.clone()), vec![]));
        }
        let null = "<tool_call>{\"name\": \"f\", \"arguments\": null}</tool_call>";
        assert_eq!(names(null), (None, vec!["f({})".into()]));
        let text = "<tool_call>no <tool_call>{\"name\": \"f\"}</tool_call>";
        assert_eq!(names(text), (Some("<tool_call>no".into()), vec!["f({})".into()]));
        assert_eq!(split(false, "<tool_call>{\"name\": \"f\"}").1, Vec::<Value>::new());
    }

    /// Pieces of a reply that comes character by character: with each, the number of characters after which it came.
    fn pieces(text: &str) -> Vec<(usize, String)> {
        let mut splitter = Splitter::default();
        let mut found = vec![];
        let mut add = |number, pieces: Vec<Piece>| {
            found.extend(pieces.into_iter().map(|piece| match piece {
                Piece::Text(text) => (number, text),
                Piece::Call(call) => (number, call["function"]["name"].to_string()),
            }));
        };
        for (index, character) in text.chars().enumerate() {
            add(index + 1, splitter.push(&character.to_string()));
        }
        add(text.len() + 1, splitter.finish());
        found
    }

    #[test]
    fn a_piece_comes_as_soon_as_it_is_certain() {
        let check = |text: &str, expect: &[(usize, &str)]| {
            let expect: Vec<(usize, String)> = expect.iter().map(|&(number, text)| (number, text.into())).collect();
            assert_eq!(pieces(text), expect, "{text}");
        };
        check("ab <c", &[(1, "a"), (2, "b"), (5, " <c")]);
        check("a<tool_call>x", &[(1, "a"), (13, "<tool_call>"), (13, "x")]);
        check("a <tool_call>{\"name\":\"f\"}</tool_call>b", &[(1, "a"), (37, "\"f\""), (38, " b")]);
        check("<tool_call>{\"a\"", &[(16, "<tool_call>"), (16, "{\"a\"")]);
    }

    #[test]
    fn a_choice_that_cannot_be_enforced_is_refused() {
        let tools = || Some(vec![json!({"type": "function", "function": {"name": "f"}})]);
        assert_eq!(offered(tools(), None).unwrap(), tools());
        assert_eq!(offered(tools(), Some(&json!("none"))).unwrap(), None);
        assert!(offered(tools(), Some(&json!("required"))).is_err());
        assert!(offered(tools(), Some(&json!({"type": "function", "function": {"name": "f"}}))).is_err());
    }

    #[test]
    fn what_a_tool_asks_beyond_what_is_done_is_named() {
        let parameters = json!({"type": "object"});
        let whole = json!({"name": "f", "description": "d", "parameters": parameters, "strict": false});
        let mut flat = whole.clone();
        flat["type"] = "function".into();
        let nested = json!({"type": "function", "function": whole});
        assert_eq!(offered(Some(vec![nested.clone()]), None).unwrap(), Some(vec![nested.clone()]));
        assert_eq!(offered(Some(vec![flat.clone()]), None).unwrap(), Some(vec![nested]));
        for (field, value, param) in [
            ("type", json!("web_search"), "tools[0].type"),
            ("name", json!(""), "tools[0].name"),
            ("strict", json!(true), "tools[0].strict"),
            ("parameters", json!([]), "tools[0].parameters"),
            ("colour", json!("red"), "tools[0].colour"),
        ] {
            let mut tool = flat.clone();
            tool[field] = value.clone();
            let error = offered(Some(vec![tool]), None).unwrap_err().object();
            assert_eq!(error["error"]["param"], param);
            if field != "type" {
                let mut function = whole.clone();
                function[field] = value;
                let error = offered(Some(vec![json!({"type": "function", "function": function})]), None).unwrap_err();
                let param = param.replace("tools[0]", "tools[0].function");
                assert_eq!(error.object()["error"]["param"], param);
            }
        }
        let beside = json!({"type": "function", "function": whole, "cache_control": {}});
        let error = offered(Some(vec![beside]), None).unwrap_err().object();
        assert_eq!(error["error"]["param"], "tools[0].cache_control");
    }
}
