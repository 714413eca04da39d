//! Finds the tokens that end the assistant's turns, by rendering short conversations of each kind.
//!
//! Some templates end a turn that calls a tool with another token than an answer (`<|eom_id|>` and `<|eot_id|>` of
//! Llama 3.1), and an answer that a later turn follows with another token than the last one.

use serde_json::{Value, json};

use super::Message;
use super::stand_in::stand_in;
use super::template::{ChatTemplate, RenderOptions};
use super::turns;
use crate::Tokenizer;

/// Variables that switch a template to another way of calling tools: Llama 3.1 then ends calls with `<|eom_id|>`.
const BUILTIN_TOOLS: &str = "builtin_tools";

/// Renders the short conversations of one template.
pub(super) struct Ends<'a> {
    pub(super) template: &'a ChatTemplate,
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) options: &'a RenderOptions,
}

/// What stands between an answer and the next question.
#[derive(Default)]
pub(super) struct Between {
    /// All of it.
    pub(super) whole: String,
    /// Without the opening of the question and white space.
    pub(super) own: String,
}

impl Ends<'_> {
    /// The token that ends an answer, and the text from the answer to it: of the text that stands behind an answer at
    /// the end of a conversation as well as before a question, the end-of-sequence token, or else the last of the
    /// tokens that it begins with. Without such a text, the token of what closes the conversation.
    pub(super) fn of_answers(&self, closing: &str, between: &str) -> Option<(u32, String)> {
        let common = &closing[..turns::common_prefix(between.trim_start(), closing)];
        if let Some(eos) = self.options.eos_token.as_deref().filter(|eos| !eos.is_empty())
            && let Some(id) = self.tokenizer.token_to_id(eos)
            && let Some(at) = common.find(eos)
        {
            return Some((id, common[..at + eos.len()].to_owned()));
        }
        let added = self.tokenizer.added_tokens();
        let (mut last, mut end) = (None, 0);
        let first = |text: &str| {
            let first = added.iter().filter(|(_, token)| !token.is_empty() && text.starts_with(token.as_str()));
            first.max_by_key(|(_, token)| token.len())
        };
        while let Some((id, token)) = first(&common[end..]) {
            last = Some(*id);
            end += token.len();
        }
        match last {
            Some(id) => Some((id, common[..end].to_owned())),
            None => Some((self.of_closing(closing)?, String::new())),
        }
    }

    /// The token that closes an answer: the one that comes first, or else the first special one.
    pub(super) fn of_closing(&self, closing: &str) -> Option<u32> {
        let added = self.tokenizer.added_tokens();
        let first = added.iter().filter(|(_, token)| !token.is_empty() && closing.starts_with(token.as_str()));
        let longest = first.max_by_key(|(_, token)| token.len());
        longest.map(|&(id, _)| id).or_else(|| {
            let special: Vec<_> = added.iter().filter(|(id, _)| self.tokenizer.is_special(*id)).collect();
            let spelled: Vec<String> = special.iter().map(|(_, token)| token.clone()).collect();
            let (at, length) = turns::first_of(closing, &spelled)?;
            self.tokenizer.token_to_id(&closing[at..at + length])
        })
    }

    /// The tokens that end turns which call tools.
    pub(super) fn of_calls(&self) -> Vec<u32> {
        let tool = json!({"type": "function", "function": {"name": "look", "description": "Looks.",
            "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}}});
        let mut settings = vec![self.options.clone()];
        settings.push(RenderOptions { tools: Some(vec![tool]), ..self.options.clone() });
        if self.template.source().contains(BUILTIN_TOOLS) {
            let mut builtin = self.options.clone();
            builtin.variables.insert(BUILTIN_TOOLS.to_owned(), json!(["look"]));
            settings.push(builtin);
        }
        let mut ends = vec![];
        for options in &settings {
            for words in ["", "Let me look."] {
                ends.extend(self.of_call(words, options).filter(|end| !ends.contains(end)));
            }
        }
        ends
    }

    /// The token at the end of a turn that says `words` and calls a tool; `None` if a text ends it, or the token also
    /// stands between two calls.
    fn of_call(&self, words: &str, options: &RenderOptions) -> Option<u32> {
        let [asked, first, second] = [0, 1, 2].map(stand_in);
        let behind_last = |names: &[&str], name: &str| {
            let chat = [Message::new("user", &asked), calling(words, names)];
            let text = self.template.render(&chat, options).ok()?;
            Some((text.rfind(name)?, text))
        };
        let (at, text) = behind_last(&[&first], &first)?;
        let closing = text[at + first.len()..].trim_end();
        let added = self.tokenizer.added_tokens().into_iter();
        let ending = added.filter(|(_, token)| !token.is_empty() && closing.ends_with(token.as_str()));
        let (id, token) = ending.max_by_key(|(_, token)| token.len())?;
        let between_calls = behind_last(&[&first, &second], &second)
            .and_then(|(at, text)| Some(text[text.find(&first)?..at].contains(&token)));
        (between_calls != Some(true)).then_some(id)
    }

    /// The text between an answer and the next question.
    pub(super) fn between_turns(&self) -> Option<Between> {
        let [asked, answered, next, last] = [0, 1, 2, 3].map(stand_in);
        let chat = [
            Message::new("user", &asked),
            Message::new("assistant", &answered),
            Message::new("user", &next),
            Message::new("assistant", last),
        ];
        let text = self.template.render(&chat, self.options).ok()?;
        let before = &text[..text.find(&asked)?];
        let whole = &text[text.find(&answered)? + answered.len()..text.find(&next)?];
        let same = before.chars().rev().zip(whole.chars().rev()).take_while(|(a, b)| a == b);
        let opening: usize = same.map(|(character, _)| character.len_utf8()).sum();
        let own = whole[..self.token_end(whole, whole.len() - opening)].trim().to_owned();
        Some(Between { whole: whole.to_owned(), own })
    }

    /// The end of the added token that has this place inside, or else the place itself.
    fn token_end(&self, text: &str, at: usize) -> usize {
        let added = self.tokenizer.added_tokens().into_iter().filter(|(_, token)| !token.is_empty());
        let ends = added.flat_map(|(_, token)| {
            let places = text.match_indices(&token).map(|(start, token)| start..start + token.len());
            places.filter(|place| place.start < at && at < place.end).map(|place| place.end).collect::<Vec<_>>()
        });
        ends.max().unwrap_or(at)
    }
}

/// A message that calls these functions.
fn calling(words: &str, names: &[&str]) -> Message {
    let call = |(number, name): (usize, &&str)| {
        json!({"id": format!("look{number:05}"), "type": "function",
            "function": {"name": name, "arguments": {"at": "it"}}})
    };
    let mut message = Message::new("assistant", words);
    let calls: Vec<Value> = names.iter().enumerate().map(call).collect();
    message.extra.insert("tool_calls".into(), calls.into());
    message
}
