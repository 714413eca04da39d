//! Calls of functions in the text of a reply: [`Splitter`].

use std::collections::HashMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::store::new_id;

/// Tags that open and close a call in the text of most models whose templates show tools (Hermes, Qwen).
pub const OPEN: &str = "<tool_call>";
pub const CLOSE: &str = "</tool_call>";

/// A piece of a reply that may call tools.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Text(String),
    /// A whole call, in `OpenAI`'s form.
    Call(Value),
}

/// Splits a reply into text and calls while it comes. Text is held back only while it may be the beginning of a call,
/// and space while a call may follow, before which it is dropped. An invalid call is text, and so is one that is cut
/// off at the end, unless calls are forced: then it is left out.
#[derive(Clone, Debug, Default)]
pub struct Splitter {
    /// Whether a call was forced, so that one that is cut off is nobody's words.
    is_forced: bool,
    /// Text that may be the beginning of a call.
    held: String,
    /// Space before what comes next.
    space: String,
    has_text: bool,
    has_calls: bool,
}

impl Splitter {
    /// Of a reply whose calls are forced.
    pub fn of_forced_calls() -> Self {
        Self { is_forced: true, ..Self::default() }
    }

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
        let is_text = is_end && !self.is_forced;
        loop {
            let begin = self.held.find(OPEN).unwrap_or_else(|| self.held.len() - beginning(&self.held, is_text));
            let text: String = self.held.drain(..begin).collect();
            self.text(&mut pieces, &text);
            let Some(body) = self.held.strip_prefix(OPEN) else { return pieces };
            match TaggedBody::of(body, is_end) {
                TaggedBody::Partial if !is_text => return pieces,
                TaggedBody::Partial | TaggedBody::Text => {
                    self.held.drain(..OPEN.len());
                    self.text(&mut pieces, OPEN);
                }
                TaggedBody::Call(call, length) => {
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
enum TaggedBody {
    /// It may still become a call.
    Partial,
    /// It is no call.
    Text,
    /// A call, and its length in bytes with the closing tag.
    Call(Value, usize),
}

impl TaggedBody {
    fn of(body: &str, is_end: bool) -> Self {
        if !body.trim_start().is_empty() && !body.trim_start().starts_with('{') {
            return Self::Text;
        }
        let mut values = serde_json::Deserializer::from_str(body).into_iter::<&RawValue>();
        let written = match values.next() {
            None => return Self::Partial,
            Some(Err(_)) if ends_early(body) => return Self::Partial,
            Some(Err(_)) => return Self::Text,
            Some(Ok(written)) => written.get(),
        };
        let Some(call) = call(written) else { return Self::Text };
        let behind = body[values.byte_offset()..].trim_start();
        if behind.starts_with(CLOSE) {
            return Self::Call(call, body.len() - behind.len() + CLOSE.len());
        }
        match CLOSE.starts_with(behind) {
            // The end may have come in place of the closing tag, or within it.
            true if is_end => Self::Call(call, body.len()),
            true => Self::Partial,
            false => Self::Text,
        }
    }
}

/// Whether a text is the beginning of JSON. The parser takes a number that breaks off, such as `1.`, for a wrong one.
fn ends_early(body: &str) -> bool {
    let before = body.trim_end_matches(|last: char| last.is_ascii_digit() || ['-', '+', '.', 'e', 'E'].contains(&last));
    let read = serde_json::Deserializer::from_str(before).into_iter::<&RawValue>().next();
    read.is_none_or(|read| read.is_err_and(|error| error.is_eof()))
}

/// A reply's text and its calls, where it may have some.
pub fn split(splitter: Option<Splitter>, text: &str) -> (Option<String>, Vec<Value>) {
    let Some(mut splitter) = splitter else { return (Some(text.into()), vec![]) };
    let (mut words, mut calls) = (String::new(), vec![]);
    for piece in splitter.take(text, true) {
        match piece {
            Piece::Text(text) => words += &text,
            Piece::Call(call) => calls.push(call),
        }
    }
    ((calls.is_empty() || !words.is_empty()).then_some(words), calls)
}

/// A call in `OpenAI`'s form, from `{"name": …, "arguments": {…}}`, whose arguments may be in a string; `None` without
/// a name, or with arguments that are no object. The arguments stay as the model wrote them: numbers keep their digits.
fn call(written: &str) -> Option<Value> {
    let call = fields(written)?;
    let name: String = serde_json::from_str(call.get("name")?.get()).ok()?;
    let arguments = match call.get("arguments").or_else(|| call.get("parameters")).map(|raw| raw.get()) {
        None | Some("null") => "{}".to_owned(),
        Some(text) if text.starts_with('"') => serde_json::from_str(text).ok()?,
        Some(text) => text.to_owned(),
    };
    fields(&arguments).filter(|_| !name.is_empty())?;
    Some(json!({"id": new_id("call"), "type": "function", "function": {"name": name, "arguments": arguments}}))
}

/// The fields of a JSON object with their values as they are written; `None` if it is none.
fn fields(object: &str) -> Option<HashMap<String, &RawValue>> {
    serde_json::from_str(object).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> (Option<String>, Vec<String>) {
        let (words, calls) = split(Some(Splitter::default()), text);
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
        assert_eq!(names(text), (Some("Let me see.".into()), vec!["f({\"x\": 1})".into(), "g({})".into()]));
        assert_eq!(names("<tool_call>{\"name\": \"f\"}</tool_call>"), (None, vec!["f({})".into()]));
        assert_eq!(names("\n<tool_call>{\"name\": \"f\"}</tool_call>\nso"), (Some("so".into()), vec!["f({})".into()]));
        let tag = "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": \"</tool_call>\"}}</tool_call>";
        assert_eq!(names(tag), (None, vec!["f({\"x\": \"</tool_call>\"})".into()]));
    }

    #[test]
    fn arguments_stay_as_they_were_written() {
        for written in [
            "{\"price\": 1.10, \"id\": 123456789012345678901234567890}",
            "{ \"a\":1e+2,\"b\" : -0.0, \"c\": [1E400, true, -7.5e-3] }",
            "{\"text\": \"\\u00e9 \\/ \\ud800\", \"twice\": 1, \"twice\": 2}",
        ] {
            let text = format!("<tool_call>{{\"name\": \"f\", \"arguments\": {written}}}</tool_call>");
            assert_eq!(names(&text), (None, vec![format!("f({written})")]));
            let mut splitter = Splitter::default();
            let pieces: Vec<Piece> = text.chars().flat_map(|next| splitter.push(&next.to_string())).collect();
            assert!(
                matches!(&pieces[..], [Piece::Call(call)] if call["function"]["arguments"] == written),
                "{pieces:?}"
            );
            let quoted = Value::from(written).to_string();
            let text = format!("<tool_call>{{\"name\": \"f\", \"parameters\": {quoted}}}</tool_call>");
            assert_eq!(names(&text), (None, vec![format!("f({written})")]));
        }
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
        assert_eq!(split(None, "<tool_call>{\"name\": \"f\"}").1, Vec::<Value>::new());
    }

    #[test]
    fn a_forced_call_that_is_cut_off_is_left_out() {
        let whole = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tool_call>";
        for before in ["", whole, "So. "] {
            for length in 0..whole.len() {
                let text = format!("{before}{}", &whole[..length]);
                let (words, calls) = split(Some(Splitter::of_forced_calls()), &text);
                let is_whole = length >= whole.len() - "\n</tool_call>".len();
                let number = usize::from(before == whole) + usize::from(is_whole);
                let said = if before == "So. " { before } else { "" };
                let expect = if is_whole { said.trim() } else { said };
                let expect = (number == 0 || !expect.is_empty()).then(|| expect.to_owned());
                assert_eq!((words, calls.len()), (expect, number), "{text}");
            }
        }
        let no_call = "<tool_call>{\"name\": \"\"}</tool_call>";
        assert_eq!(
            split(Some(Splitter::of_forced_calls()), no_call).0.as_deref(),
            Some(no_call),
            "what is whole stays"
        );
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
}
