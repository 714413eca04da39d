//! Documents of the embedded corpus.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::conversations::DialogueTurn;

/// A document of the embedded corpus.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CorpusDocument {
    /// Plain text.
    Text(String),
    /// A conversation, to be rendered by a chat template
    /// ([`CorpusConfig::chat_template`](super::CorpusConfig::chat_template)).
    Conversation(Vec<DialogueTurn>),
}

impl CorpusDocument {
    /// Bytes of what is written or said.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Conversation(turns) => turns.iter().map(|turn| turn.content.len()).sum(),
        }
    }
}

impl fmt::Display for CorpusDocument {
    /// As plain text: a conversation has a turn a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Conversation(turns) => {
                let lines = turns.iter().map(|turn| {
                    let speaker = if turn.role == "user" { "User" } else { "Fireclay" };
                    format!("{speaker}: {}", turn.content)
                });
                f.write_str(&lines.collect::<Vec<_>>().join("\n"))
            }
        }
    }
}
