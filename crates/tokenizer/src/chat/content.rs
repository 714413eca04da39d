//! Words of messages, in the form that a template takes.
//!
//! Some templates of models that see images take `content` only as a list of parts, `[{"type": "text", "text": …}]`,
//! and show nothing of a string, or fail on it. A short conversation shows whether a template is one of these.

use serde_json::{Value, json};

use super::Message;
use super::stand_in::stand_in;

/// The form of a message's words that a template takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A string.
    Text,
    /// A list of parts, of which strings are none.
    Parts,
}

impl Content {
    /// Finds it out with `render`, which gives `None` where the template refuses a conversation.
    pub(super) fn of(render: &dyn Fn(&[Message], Self) -> Option<String>) -> Self {
        let said = [0, 1].map(stand_in);
        let chat = [Message::new("user", &said[0]), Message::new("assistant", &said[1])];
        let shown = |form: Self| {
            let text = render(&chat, form).unwrap_or_default();
            said.iter().filter(|said| text.contains(said.as_str())).count()
        };
        if shown(Self::Text) == 0 && shown(Self::Parts) == said.len() { Self::Parts } else { Self::Text }
    }

    /// The words in this form.
    pub(super) fn given(self, words: &str) -> Value {
        match self {
            Self::Text => words.into(),
            Self::Parts => json!([{"type": "text", "text": words}]),
        }
    }
}
