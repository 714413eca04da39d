//! Text that a chat template puts around an answer.

use std::collections::BTreeSet;

use crate::error::spelled;

/// Text that a template puts around an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    /// Opening of a reply.
    pub(crate) opening: String,
    /// The part of the opening that rendered answers do not have, such as `<think>`.
    pub(crate) only_opened: String,
    /// Text after an answer, without white space around it.
    pub(crate) closing: String,
    /// Text between an answer and the next question, without the opening of the question and white space around it.
    pub(crate) between: String,
    /// What ends an answer only where a question follows: a token, or the text that also closes the last one. Empty if
    /// there is none.
    pub(crate) later_end: String,
    /// The text from an answer to the token that ends it, that token included; may be empty.
    pub(crate) end_text: String,
    /// The token that ends an answer at the end of a conversation, if it is one.
    pub(crate) end: Option<u32>,
    /// Other tokens that end turns: those that call tools, and answers before later turns.
    pub(crate) other_ends: Vec<u32>,
    /// Characters that the template writes and the tokenizer has no token for.
    pub(crate) unknown: BTreeSet<char>,
    /// Whether `{% generation %}` marks coincide with the assistant's turns.
    pub(crate) marks_are_turns: bool,
    /// Whether the template renders so short a conversation, which tells the other fields.
    pub(crate) is_known: bool,
    /// Whether the template shows the text of an answer at all.
    pub(crate) shows_answers: bool,
}

impl Frame {
    /// The tokens that end turns: first that of an answer.
    pub(crate) fn ends(&self) -> impl Iterator<Item = u32> + '_ {
        self.end.into_iter().chain(self.other_ends.iter().copied())
    }

    /// Problems of answers as the template renders them, a line each; `name` is the template's.
    pub(crate) fn complaints(&self, name: &str) -> Vec<String> {
        let mut lines = vec![];
        if !self.shows_answers {
            lines.push(format!("{name} shows nothing that the assistant says; use another template"));
            return lines;
        }
        if !self.unknown.is_empty() {
            lines.push(format!(
                "{name} writes {}, for which the tokenizer has no token: they are left out of every conversation",
                spelled(&self.unknown)
            ));
        }
        lines.extend(self.endless().map(|problem| format!("{name} {problem}")));
        if !self.only_opened.is_empty() {
            lines.push(format!(
                "{name} opens a reply with {:?}, which the answers that it shows do not begin with: they are learned \
                 without it; write it into the answers if the template keeps it there",
                short(&self.only_opened)
            ));
        }
        lines
    }

    /// Why a model does not learn to end its answers, if it does not.
    fn endless(&self) -> Option<String> {
        if self.end.is_some() || !self.is_known {
            return None;
        }
        let remedy = "use a template that puts the end-of-sequence token after each answer";
        Some(if !self.closing.is_empty() {
            format!(
                "ends a turn with {:?}, which is not a special token of this tokenizer: a model learns the text but \
                 does not stop there; add it to the tokenizer's special tokens, or use a template whose tokens it has",
                short(&self.closing)
            )
        } else if !self.between.is_empty() {
            format!(
                "separates turns by {:?} and puts nothing after the last one: the last answer of each conversation is \
                 learned without an end, and a model does not learn from it to stop; {remedy}",
                short(&self.between)
            )
        } else {
            format!(
                "ends no turn with a token: answers are learned without an end, and a model does not learn from them \
                 to stop; {remedy}"
            )
        })
    }
}

/// The beginning of a text, for a message.
fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(40).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
