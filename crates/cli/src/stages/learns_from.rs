//! What a stage learns from: the kinds of examples, and what the program asks of each.

use fireclay_corpus::{self as corpus, Split};

use super::lengths::{mean_length, tokens_of_pair, tokens_of_prompt};
use crate::args::DataKind;
use crate::recipe::{ConversationData, PreferenceData, PromptData};

/// Kind of examples from which a stage learns, and the keys that say where they are. Everything that differs between
/// kinds is a method here, without a wildcard, so that a new kind answers each question; only `data show`, which reads
/// the examples, tells them apart itself.
#[derive(Clone, Copy, Debug)]
pub enum LearnsFrom<'a> {
    /// Text: that of the recipe, or of the stage's own section.
    Text,
    /// Conversations.
    Conversations(&'a ConversationData),
    /// Pairs of answers, of which one is preferred.
    Pairs(&'a PreferenceData),
    /// Answers, each good or bad.
    Ratings(&'a PreferenceData),
    /// The policy's own answers to prompts, judged.
    Prompts(&'a PromptData),
}

impl<'a> LearnsFrom<'a> {
    /// Whether the examples are text alone, without messages and a chat template.
    #[must_use]
    pub fn is_text(self) -> bool {
        match self {
            Self::Text => true,
            Self::Conversations(_) | Self::Pairs(_) | Self::Ratings(_) | Self::Prompts(_) => false,
        }
    }

    /// Whether the stage predicts the next token of given text. All others compare log-probabilities.
    #[must_use]
    pub fn is_given_text(self) -> bool {
        match self {
            Self::Text | Self::Conversations(_) => true,
            Self::Pairs(_) | Self::Ratings(_) | Self::Prompts(_) => false,
        }
    }

    /// The keys of conversations, if it learns from them.
    #[must_use]
    pub fn conversations(self) -> Option<&'a ConversationData> {
        match self {
            Self::Conversations(data) => Some(data),
            Self::Text | Self::Pairs(_) | Self::Ratings(_) | Self::Prompts(_) => None,
        }
    }

    /// The keys of judged answers, if it learns from pairs or ratings.
    #[must_use]
    pub fn preferences(self) -> Option<&'a PreferenceData> {
        match self {
            Self::Pairs(data) | Self::Ratings(data) => Some(data),
            Self::Text | Self::Conversations(_) | Self::Prompts(_) => None,
        }
    }

    /// The keys of prompts, if its policy answers them.
    #[must_use]
    pub fn prompts(self) -> Option<&'a PromptData> {
        match self {
            Self::Prompts(data) => Some(data),
            Self::Text | Self::Conversations(_) | Self::Pairs(_) | Self::Ratings(_) => None,
        }
    }

    /// The files and folders of `NAME.data`; none: examples of the embedded corpus. Text is that of `[data]`.
    #[must_use]
    pub fn files(self) -> &'a [String] {
        match self {
            Self::Text => &[],
            Self::Conversations(data) => &data.data,
            Self::Pairs(data) | Self::Ratings(data) => &data.data,
            Self::Prompts(data) => &data.data,
        }
    }

    /// The `--kind` of `data show` that shows such examples; ratings and prompts are shown by their stage alone.
    #[must_use]
    pub fn kind(self) -> Option<DataKind> {
        match self {
            Self::Text => Some(DataKind::Text),
            Self::Conversations(_) => Some(DataKind::Conversations),
            Self::Pairs(_) => Some(DataKind::Preferences),
            Self::Ratings(_) | Self::Prompts(_) => None,
        }
    }

    /// Estimate of the mean number of tokens of a sequence, by the embedded corpus. `None` where batches are full, and
    /// for files, which a plan does not read.
    #[must_use]
    pub fn mean_tokens(self) -> Option<f64> {
        if !self.files().is_empty() {
            return None;
        }
        match self {
            Self::Text | Self::Conversations(_) => None,
            Self::Pairs(data) | Self::Ratings(data) => {
                Some(mean_length(corpus::preferences(&data.corpus, Split::Train).map(|pair| tokens_of_pair(&pair))))
            }
            Self::Prompts(data) => {
                Some(mean_length(corpus::prompts(&data.corpus, Split::Train).map(|prompt| tokens_of_prompt(&prompt))))
            }
        }
    }

    /// Checks the keys of the examples; `name` is the stage's name.
    ///
    /// # Errors
    /// Key, value and its valid range.
    pub fn validate(self, name: &str) -> Result<(), String> {
        match self {
            Self::Text => Ok(()),
            Self::Conversations(data) => data.validate(name),
            Self::Pairs(data) | Self::Ratings(data) => data.validate(name),
            Self::Prompts(data) => data.validate(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_corpus_has_examples_of_seventy_tokens() {
        let (pairs, prompts) = (PreferenceData::default(), PromptData::default());
        for from in [LearnsFrom::Pairs(&pairs), LearnsFrom::Prompts(&prompts)] {
            let tokens = from.mean_tokens().unwrap();
            assert!((50.0..90.0).contains(&tokens), "{tokens}");
        }
        assert_eq!(LearnsFrom::Text.mean_tokens(), None);
        let files = PromptData { data: vec!["prompts.jsonl".into()], ..prompts };
        assert_eq!(LearnsFrom::Prompts(&files).mean_tokens(), None);
    }
}
