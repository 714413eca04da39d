//! Labelled examples as token ids, and batches of them.
//!
//! - [`EncodedChats`] are conversations as ids; [`ChatSource`] packs them into rows that fine-tuning learns from, and
//!   [`chat_validation`] gives each of them once.
//! - [`encode_preferences`], [`encode_tasks`] and [`encode_ratings`] encode the other kinds, which [`Shuffled`] returns
//!   in batches.
//!
//! ```
//! use fireclay_data::chat::{ChatSource, EncodedChats};
//! use fireclay_corpus::ConversationConfig;
//! use fireclay_data::{Source, Split};
//! use fireclay_tokenizer::{BpeConfig, Tokenizer};
//!
//! let corpus = fireclay_corpus::conversations(&ConversationConfig::default(), Split::Train).take(100);
//! let conversations: Vec<_> = corpus.map(fireclay_data::examples::Conversation::from).collect();
//! let texts = conversations.iter().flat_map(|c| c.messages.iter().map(|message| message.content.clone()));
//! let config = BpeConfig { vocab_size: 512, ..BpeConfig::default() };
//! let tokenizer = Tokenizer::train_bpe(texts.collect::<Vec<_>>().into_iter(), &config)?;
//!
//! let chats = EncodedChats::new(&conversations, &tokenizer, 256)?;
//! let mut source = ChatSource::new(chats, 4, 42)?;
//! assert_eq!(source.next_batch()?.ids.len(), 4 * 256);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod encode;
mod omissions;
mod chats;
mod packing;
mod source;
mod pairs;
mod shuffled;

pub use chats::EncodedChats;
pub use encode::Encoded;
pub use omissions::Omissions;
pub use pairs::{EncodedPair, EncodedRating, EncodedTask, encode_preferences, encode_ratings, encode_tasks};
pub use shuffled::Shuffled;
pub use source::{ChatSource, chat_validation};

#[cfg(test)]
mod tests;
