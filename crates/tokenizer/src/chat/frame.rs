//! What a chat template puts around an answer, learned from short conversations.

use super::Message;
use super::turns::{self, Finder};
use crate::Tokenizer;
use crate::chat::template::{ChatTemplate, RenderOptions};

/// What a template puts around an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    /// What opens a reply.
    pub(crate) opening: String,
    /// The part of the opening that the answers which the template shows do not have: `<think>`, say.
    pub(crate) only_opened: String,
    /// What follows the words of an answer, without white space around it.
    pub(crate) closing: String,
    /// The token that ends a turn, if it is one.
    pub(crate) end: Option<u32>,
    /// Whether `{% generation %}` marks lie exactly on the assistant's turns.
    pub(crate) marks_are_turns: bool,
    /// Whether the template shows the words of an answer at all.
    pub(crate) shows_answers: bool,
}

impl Frame {
    /// Learns it by rendering; nothing is known of a template that refuses so short a conversation.
    pub(crate) fn of(template: &ChatTemplate, tokenizer: &Tokenizer) -> Self {
        let options = tokenizer.render_options();
        let render = |messages: &[Message], add_generation_prompt: bool| {
            let options = RenderOptions { add_generation_prompt, ..options.clone() };
            template.render_marked(messages, &options).ok()
        };
        let [asked, answered] = [0, 1].map(turns::stand_in);
        let chat = [Message::new("user", &asked), Message::new("assistant", &answered)];
        let Some(whole) = render(&chat, false) else { return Self { shows_answers: true, ..Self::default() } };
        let Some(at) = whole.text.find(&answered) else { return Self::default() };
        let behind = &whole.text[at + answered.len()..];
        let closing = behind.trim();
        let end = end_token(closing, tokenizer);
        let opened = render(&chat[..1], true).map(|opened| opened.text);
        let plain = render(&chat[..1], false).map(|plain| plain.text);
        let (mut opening, mut only_opened) = (String::new(), String::new());
        if let (Some(opened), Some(plain)) = (&opened, &plain)
            && let Some(added) = opened.strip_prefix(plain.as_str())
        {
            let common = turns::common_prefix(opened, &whole.text).max(plain.len()).min(opened.len());
            added[..common - plain.len()].clone_into(&mut opening);
            opened[common..].clone_into(&mut only_opened);
        }
        let stops: Vec<String> = end.iter().filter_map(|&id| tokenizer.id_to_token(id)).collect();
        let marks_are_turns = template.marks_generation() && {
            let twice = [&chat[..], &[Message::new("user", &asked), Message::new("assistant", turns::stand_in(2))]];
            let twice = twice.concat();
            render(&twice, false).is_some_and(|whole| {
                let plain = |messages: &[Message], opened: bool| Some(render(messages, opened)?.text);
                let finder =
                    Finder { messages: &twice, whole: &whole.text, stops: &stops, opening: &opening, render: &plain };
                let found: Vec<_> = finder.turns().into_iter().map(|turn| turn.text).collect();
                !stops.is_empty() && found == whole.generated
            })
        };
        Self { opening, only_opened, closing: closing.to_owned(), end, marks_are_turns, shows_answers: true }
    }

    /// What is wrong with answers as the template shows them, a line each; `name` is the template's.
    pub(crate) fn complaints(&self, name: &str) -> Vec<String> {
        let mut lines = vec![];
        if !self.shows_answers {
            lines.push(format!("{name} shows nothing that the assistant says; use another template"));
            return lines;
        }
        if self.end.is_none() && !self.closing.is_empty() {
            lines.push(format!(
                "{name} ends a turn with {:?}, which is no token of this tokenizer: a model learns the text but never \
                 stops there; add it to the tokenizer's special tokens, or use a template whose tokens it has",
                short(&self.closing)
            ));
        } else if self.end.is_none() && !self.opening.is_empty() {
            lines.push(format!(
                "{name} ends no turn with a token: a model that learns from it never stops by itself; use a template \
                 that puts the end-of-sequence token behind each answer"
            ));
        }
        if !self.only_opened.is_empty() {
            lines.push(format!(
                "{name} opens a reply with {:?}, which the answers that it shows do not begin with: they are learned \
                 without it; write it into the answers if the template keeps it there",
                short(&self.only_opened)
            ));
        }
        lines
    }
}

/// The token that closes an answer: the one that comes first, or else the first special one.
fn end_token(closing: &str, tokenizer: &Tokenizer) -> Option<u32> {
    let added = tokenizer.added_tokens();
    let first = added.iter().filter(|(_, token)| !token.is_empty() && closing.starts_with(token.as_str()));
    let longest = first.max_by_key(|(_, token)| token.len());
    longest.map(|&(id, _)| id).or_else(|| {
        let special: Vec<_> = added.iter().filter(|(id, _)| tokenizer.is_special(*id)).collect();
        let spelled: Vec<String> = special.iter().map(|(_, token)| token.clone()).collect();
        let (at, length) = turns::first_of(closing, &spelled)?;
        tokenizer.token_to_id(&closing[at..at + length])
    })
}

/// The beginning of a text, for a message.
fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(40).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
