//! The embedded corpus: seeded generators of everything that a first run needs, from stories to preferences.
//!
//! Nothing here reads a file, and the crate knows no tokenizer and no other crate of the workspace. A document is a
//! function of the seed, the split and its index, the same on every platform, so that a run can be repeated from its
//! recipe alone.
//!
//! # How training and validation differ
//! - Seeds: the streams of random choices of the splits share nothing.
//! - Stories: names, kinds of hero, and templates (plot, opening, first and last beat together) belong to one split
//!   each. A validation story is about somebody unknown, told in a way never seen as a whole.
//! - Biographies: everybody is in both splits, because a fact that is not in training cannot be known. Wordings and
//!   their order as a whole are not shared, so that validation measures the facts and not the memory of a document.
//! - Arithmetic: problems belong to one split each, `a + b` together with `b + a`.
//! - Conversations: training asks about some of the people, validation about the others. Training may mention the
//!   others, and tells nothing of them. What is said to the assistant is drawn from patterns; of 8 wordings one belongs
//!   to validation alone, and so do of 8 things (countries, animals, names) one. What many people type first
//!   ([`HELD_OUT_FIRST_WORDS`]) never stands in training.
//!
//! # Example
//! ```
//! use fireclay_corpus::{CorpusConfig, Split, documents};
//!
//! let config = CorpusConfig { documents: Some(100), ..CorpusConfig::default() };
//! let first: Vec<_> = documents(&config, Split::Train).collect();
//! assert_eq!(first.len(), 100);
//! assert!(documents(&config, Split::Train).eq(first));
//! ```

mod split;
mod error;

mod dice;
mod template;
mod typing;
mod wording;
mod number_words;

pub mod arithmetic;
pub mod stories;
pub mod world;

mod check;
mod topic;

mod assistant;

mod flaws;
mod notes;

pub mod conversations;
mod document;
pub mod preferences;
pub mod prompts;

mod battery;
mod suggestions;

mod pretraining;

pub use assistant::TopicShares;
pub use battery::battery;
pub use check::{Check, ReplyCheck, admits_ignorance};
pub use conversations::{ConversationConfig, Dialogue, DialogueTurn, conversations};
pub use document::CorpusDocument;
pub use error::CorpusError;
pub use preferences::{Corruption, PreferencePair, preferences};
pub use pretraining::{Corpus, CorpusConfig, DocumentKind, SamplePrompt, Shares, documents, sample_prompts};
pub use prompts::{Prompt, PromptConfig, prompts};
pub use split::Split;
pub use stories::{Language, Story};
pub use suggestions::suggestions;
pub use topic::Topic;
pub use wording::{HELD_OUT_FIRST_WORDS, is_held_out};
pub use world::{Attribute, Question, World, WorldConfig};

/// The example of README.md, compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests;
