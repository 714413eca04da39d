//! Text that a chat template puts around an answer.

/// Text that a template puts around an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    /// Opening of a reply.
    pub(crate) opening: String,
    /// The part of the opening that rendered answers do not have, such as `<think>`.
    pub(crate) only_opened: String,
    /// Text after an answer, without white space around it.
    pub(crate) closing: String,
    /// The token that ends a turn, if it is one.
    pub(crate) end: Option<u32>,
    /// Whether `{% generation %}` marks coincide with the assistant's turns.
    pub(crate) marks_are_turns: bool,
    /// Whether the template shows the text of an answer at all.
    pub(crate) shows_answers: bool,
}

impl Frame {
    /// Problems of answers as the template renders them, a line each; `name` is the template's.
    pub(crate) fn complaints(&self, name: &str) -> Vec<String> {
        let mut lines = vec![];
        if !self.shows_answers {
            lines.push(format!("{name} shows nothing that the assistant says; use another template"));
            return lines;
        }
        if self.end.is_none() && !self.closing.is_empty() {
            lines.push(format!(
                "{name} ends a turn with {:?}, which is not a token of this tokenizer: a model learns the text but \
                 never stops there; add it to the tokenizer's special tokens, or use a template whose tokens it has",
                short(&self.closing)
            ));
        } else if self.end.is_none() && !self.opening.is_empty() {
            lines.push(format!(
                "{name} ends no turn with a token: a model that learns from it never stops by itself; use a template \
                 that puts the end-of-sequence token after each answer"
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

/// The beginning of a text, for a message.
fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(40).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
