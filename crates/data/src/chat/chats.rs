//! Conversations as ids.

use std::sync::Arc;

use fireclay_tokenizer::{EncodedChat, Message, Tokenizer, TokenizerError};

use super::encode::{Encoded, HIDDEN_CALLS, NOT_LEARNED, NOTHING_MARKED, ROUNDED, TORN, encode_all, too_long};
use super::omissions::Omissions;
use crate::DataError;
use crate::examples::{Conversation, Skips};

/// Conversations as ids, each with at least one token to learn, and none longer than a row. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EncodedChats {
    pub(super) chats: Arc<[EncodedChat]>,
    pub(super) context: usize,
    pub(super) padding: u32,
    skips: Skips,
    cut: u64,
    hidden: u64,
    omissions: Omissions,
}

impl EncodedChats {
    /// Encodes conversations, on all cores, for rows of `context` tokens and the one to predict after them.
    ///
    /// A longer conversation is truncated at its end, and skipped if no token to learn remains. Rows are padded with
    /// the tokenizer's padding token, or with id 0 if it has none.
    ///
    /// # Errors
    /// When there are no conversations, the tokenizer has no chat template, or every conversation has to be left out.
    ///
    /// # Panics
    /// When `context` is 0.
    pub fn new(conversations: &[Conversation], tokenizer: &Tokenizer, context: usize) -> Result<Self, DataError> {
        assert!(context > 0, "a row of 0 tokens is empty");
        let encode = |conversation: &Conversation| {
            let mut chat = tokenizer.encode_chat(&conversation.messages)?;
            if !chat.unknown.is_empty() {
                return Err(TokenizerError::unknown(std::mem::take(&mut chat.unknown)));
            }
            if chat.hides_calls {
                return Ok(Err(HIDDEN_CALLS.to_owned()));
            }
            if chat.is_torn {
                return Ok(Err(TORN.to_owned()));
            }
            if tokenizer.rounds_arguments(&conversation.messages) {
                return Ok(Err(ROUNDED.to_owned()));
            }
            let mut answers = conversation.messages.iter().filter(|message| message.role == "assistant");
            if !answers.any(Message::is_learned) {
                return Ok(Err(NOT_LEARNED.to_owned()));
            }
            let cut = chat.ids.len() > context + 1;
            chat.ids.truncate(context + 1);
            chat.loss.truncate(context + 1);
            Ok(match (loss_tokens(&chat), cut) {
                (0, true) => Err(format!("nothing to learn before the cut: {}", too_long(context))),
                (0, false) => Err(NOTHING_MARKED.to_owned()),
                _ => Ok((chat, cut)),
            })
        };
        let Encoded { items, skips, .. } =
            encode_all("conversations", conversations, |conversation| &conversation.origin, encode)?;
        let cut = items.iter().filter(|(_, cut)| *cut).count() as u64;
        let hidden_tools = items.iter().filter(|(chat, _)| chat.hides_tools).count() as u64;
        let hidden_words = items.iter().map(|(chat, _)| chat.hidden_words as u64).sum();
        let hidden = items.iter().map(|(chat, _)| chat.hidden as u64).sum();
        let chats = items.into_iter().map(|(chat, _)| chat).collect();
        let all: Vec<&[Message]> = conversations.iter().map(|conversation| &conversation.messages[..]).collect();
        let omissions = Omissions::new(&all, (hidden_tools, hidden_words), tokenizer);
        let padding = tokenizer.pad_id().unwrap_or(0);
        Ok(Self { chats, context, padding, skips, cut, hidden, omissions })
    }

    /// Number of conversations.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chats.len()
    }

    /// Whether there are none, which [`new`](Self::new) refuses.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chats.is_empty()
    }

    /// Number of tokens, with and without loss.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.chats.iter().map(|chat| chat.ids.len() as u64).sum()
    }

    /// Number of tokens to learn.
    #[must_use]
    pub fn loss_tokens(&self) -> u64 {
        self.chats.iter().map(loss_tokens).sum()
    }

    /// Number of conversations that were truncated at the context.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.cut
    }

    /// Number of answers that the chat template omits, in conversations that are learned from.
    #[must_use]
    pub fn hidden(&self) -> u64 {
        self.hidden
    }

    /// What else the chat template leaves out.
    #[must_use]
    pub fn omissions(&self) -> &Omissions {
        &self.omissions
    }

    /// Skipped examples by reason.
    #[must_use]
    pub fn skips(&self) -> &Skips {
        &self.skips
    }

    /// Fingerprint of the ids, the tokens to learn, and the rows.
    pub(super) fn fingerprint(&self, seed: u64) -> String {
        let mut hasher = blake3::Hasher::new();
        for chat in self.chats.iter() {
            hasher.update(&(chat.ids.len() as u64).to_le_bytes());
            for (id, &loss) in chat.ids.iter().zip(&chat.loss) {
                hasher.update(&id.to_le_bytes());
                hasher.update(&[u8::from(loss)]);
            }
        }
        hasher.update(format!("chat {} {} {seed}", self.context, self.padding).as_bytes());
        hasher.finalize().to_hex()[..16].to_owned()
    }
}

/// Number of tokens to learn: nothing can predict the first token of a conversation.
fn loss_tokens(chat: &EncodedChat) -> u64 {
    chat.loss.iter().skip(1).map(|&loss| u64::from(loss)).sum()
}
