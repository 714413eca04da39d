//! Errors of the embedded corpus.

use thiserror::Error;

/// Errors of a configuration of the embedded corpus.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CorpusError {
    /// Nothing to generate.
    #[error("corpus.shares are all 0: give at least one of them a positive number")]
    NoShares,
    /// A share of more than 100 percent.
    #[error("{option} is {percent}: it must be from 0 to 100")]
    Percent {
        /// Its name.
        option: &'static str,
        /// As given.
        percent: u8,
    },
    /// No conversations or prompts to generate.
    #[error("the shares of the {section} are all 0: give at least one of them a positive number")]
    NoShareOf {
        /// `conversations` or `prompts`.
        section: &'static str,
    },
    /// Only questions about people, and nobody to ask about.
    #[error(
        "the {section} are all about people, and the {split} split has nobody to ask about: give another share a \
         positive number, or hold out at least 1 of the {people} people and not all"
    )]
    NobodyToAsk {
        /// `conversations` or `prompts`.
        section: &'static str,
        /// `training` or `validation`.
        split: &'static str,
        /// Number of people.
        people: usize,
    },
    /// More people than names, or none.
    #[error("corpus.world.people is {people}: it must be from 1 to {most}")]
    People {
        /// Requested number.
        people: usize,
        /// Largest number.
        most: usize,
    },
    /// More people held out than there are.
    #[error("corpus.world.held_out_people is {held_out}: it must be at most the number of people, {people}")]
    HeldOut {
        /// Requested number of held-out people.
        held_out: usize,
        /// Number of people.
        people: usize,
    },
}

impl CorpusError {
    pub(super) fn check_percent(option: &'static str, percent: u8) -> Result<(), Self> {
        if percent > 100 { Err(Self::Percent { option, percent }) } else { Ok(()) }
    }
}
