//! Topics of conversations with the assistant of the embedded corpus.

use serde::{Deserialize, Serialize};

/// The topic of a prompt: the battery reports a share for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Hello, how are you, goodbye.
    Greeting,
    /// Who the assistant is, and what it can do.
    Identity,
    /// Moods, thanks, praise, blame, boredom, jokes, weather.
    Talk,
    /// A story is asked for.
    Story,
    /// Sums and differences.
    Sum,
    /// The people of the invented world.
    People,
    /// Things that the assistant does not know.
    Unknown,
    /// Facts that the user told earlier in the conversation.
    Recall,
    /// Any of these in Chinese.
    Chinese,
    /// A request after others of another topic.
    Turns,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 10] = [
        Self::Greeting,
        Self::Identity,
        Self::Talk,
        Self::Story,
        Self::Sum,
        Self::People,
        Self::Unknown,
        Self::Recall,
        Self::Chinese,
        Self::Turns,
    ];

    /// Its name in recipes and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Identity => "identity",
            Self::Talk => "talk",
            Self::Story => "story",
            Self::Sum => "sum",
            Self::People => "people",
            Self::Unknown => "unknown",
            Self::Recall => "recall",
            Self::Chinese => "chinese",
            Self::Turns => "turns",
        }
    }
}
