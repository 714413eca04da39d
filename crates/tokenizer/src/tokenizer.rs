//! The tokenizer: text to ids and back.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use rayon::prelude::*;

use crate::TokenizerError;
use crate::bytes::ByteTable;
use crate::chat::frame::Frame;
use crate::chat::template::ChatTemplate;
use crate::guard::guarded;
use crate::pieces::{Encoder, Unknown};
use crate::settings::Settings;

/// End-of-turn and end-of-text tokens of well-known models; a tokenizer may have some of them.
const END_MARKS: [&str; 11] = [
    "<|im_end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|call|>",
    "<|return|>",
    "<|end|>",
    "<end_of_turn>",
    "<turn|>",
    "</s>",
];

/// Turns text into token ids and back. Cheap to clone and to share between threads.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
}

struct Inner {
    library: tokenizers::Tokenizer,
    encoder: Encoder,
    /// `None` if only the library can decode.
    bytes: Option<ByteTable>,
    vocab_size: usize,
    special_ids: BTreeSet<u32>,
    settings: Settings,
    /// Frames of the chat templates used so far.
    frames: Mutex<Vec<(ChatTemplate, Arc<Frame>)>>,
    hash: OnceLock<[u8; 32]>,
}

impl Tokenizer {
    /// Wraps the library's tokenizer. Truncation and padding that a file may ask for are dropped: `encode` gives all
    /// of the text and nothing else.
    pub(crate) fn new(mut library: tokenizers::Tokenizer, settings: Settings) -> Self {
        library.with_truncation(None).expect("no truncation is always allowed");
        library.with_padding(None);
        library.set_encode_special_tokens(false);
        let vocab_size = library.get_vocab(true).values().max().map_or(0, |&id| id as usize + 1);
        let added = library.get_added_vocabulary();
        let decoder = added.get_added_tokens_decoder();
        let special_ids = decoder.iter().filter(|(_, token)| token.special).map(|(&id, _)| id).collect();
        let inner = Inner {
            encoder: Encoder::new(&library),
            bytes: ByteTable::new(&library, vocab_size),
            vocab_size,
            special_ids,
            settings,
            frames: Mutex::default(),
            hash: OnceLock::new(),
            library,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Ids of plain text. Nothing is put before or after it, and text that looks like a special token is ordinary text.
    ///
    /// Characters that the vocabulary cannot express become the tokenizer's unknown token if it has one, and are
    /// otherwise left out, as `transformers` does with the same file; [`Self::try_encode`] reports them instead.
    /// Byte-level tokenizers can express everything.
    ///
    /// # Panics
    /// With a [`TokenizerError`] as the payload, when the tokenizer's file makes the library give up.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        sure(self.encode_guarded(|inner| inner.encoder.plain(&inner.library, text, Unknown::Skip)))
    }

    /// Like [`Self::encode`], but refuses text that the vocabulary cannot express.
    ///
    /// # Errors
    /// [`TokenizerError::UnknownCharacter`] names the first character that has neither a token nor an unknown token.
    pub fn try_encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        self.encode_guarded(|inner| inner.encoder.plain(&inner.library, text, Unknown::Refuse))
    }

    /// Ids of text in which special tokens count as such: `<|im_start|>` becomes its one id, as rendered chat
    /// templates need. Nothing is put before or after the text.
    ///
    /// # Panics
    /// As [`Self::encode`].
    pub fn encode_with_specials(&self, text: &str) -> Vec<u32> {
        sure(self.encode_guarded(|inner| inner.encoder.with_specials(&inner.library, text, Unknown::Skip)))
    }

    /// Like [`Self::encode_with_specials`], but refuses text that the vocabulary cannot express.
    ///
    /// # Errors
    /// As [`Self::try_encode`].
    pub fn try_encode_with_specials(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        self.encode_guarded(|inner| inner.encoder.with_specials(&inner.library, text, Unknown::Refuse))
    }

    /// The characters of a text, as it is normalised, that have neither a token nor an unknown token; special tokens
    /// count as such.
    ///
    /// # Errors
    /// When the tokenizer's file makes the library give up.
    pub fn unknown_characters(&self, text: &str) -> Result<BTreeSet<char>, TokenizerError> {
        let unknown = guarded(|| self.inner.encoder.unknown_characters(&self.inner.library, text));
        unknown.and_then(|unknown| unknown).map_err(|error| self.of_file(error))
    }

    /// Ids by the library, with its panics as errors that name the tokenizer's file.
    fn encode_guarded(
        &self,
        encode: impl FnOnce(&Inner) -> Result<Vec<u32>, TokenizerError>,
    ) -> Result<Vec<u32>, TokenizerError> {
        guarded(|| encode(&self.inner)).and_then(|ids| ids).map_err(|error| self.of_file(error))
    }

    /// The error with the file that the tokenizer is from.
    pub(crate) fn of_file(&self, error: TokenizerError) -> TokenizerError {
        match (error, self.settings().origin()) {
            (TokenizerError::Encoding(reason), Some(file)) => TokenizerError::invalid(file, reason),
            (error, _) => error,
        }
    }

    /// [`Self::encode`] of each text, on all cores.
    pub fn encode_batch(&self, texts: &[&str]) -> Vec<Vec<u32>> {
        texts.par_iter().map(|text| self.encode(text)).collect()
    }

    /// The text of the ids. Special tokens are written out; ids out of the vocabulary are skipped; bytes that are not
    /// UTF-8 become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.decode_where(ids, |_| true)
    }

    /// The text of the ids without the special tokens among them.
    pub fn decode_skip_specials(&self, ids: &[u32]) -> String {
        self.decode_where(ids, |id| !self.is_special(id))
    }

    fn decode_where(&self, ids: &[u32], keep: impl Fn(u32) -> bool) -> String {
        let ids = ids.iter().copied().filter(|&id| keep(id));
        let Some(bytes) = &self.inner.bytes else {
            let ids: Vec<u32> = ids.collect();
            return guarded(|| self.inner.library.decode(&ids, false).unwrap_or_default()).unwrap_or_default();
        };
        let mut text = Vec::new();
        for id in ids {
            text.extend_from_slice(bytes.of(id));
        }
        String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// The largest id plus one: how many rows an embedding table needs.
    pub fn vocab_size(&self) -> usize {
        self.inner.vocab_size
    }

    /// The id of a token as it is spelled in the vocabulary (byte-level tokens in GPT-2's printable alphabet).
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.library.token_to_id(token)
    }

    /// The token of an id as it is spelled in the vocabulary; not the text it stands for, which is
    /// [`Self::decode`]'s.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.inner.library.id_to_token(id)
    }

    /// The bytes that the token adds to a text wherever it stands, which may be a part of a character; none for an id
    /// out of the vocabulary. `None` when the decoder does more than join tokens (`SentencePiece`, `WordPiece`).
    pub fn bytes_of(&self, id: u32) -> Option<&[u8]> {
        Some(self.inner.bytes.as_ref()?.of(id))
    }

    /// Whether the id is a special token.
    pub fn is_special(&self, id: u32) -> bool {
        self.inner.special_ids.contains(&id)
    }

    /// Ids of the special tokens, ascending.
    pub fn special_ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.inner.special_ids.iter().copied()
    }

    /// The id of `bos_token` in `tokenizer_config.json`.
    pub fn bos_id(&self) -> Option<u32> {
        self.named("bos_token")
    }

    /// The id of `eos_token` in `tokenizer_config.json`.
    pub fn eos_id(&self) -> Option<u32> {
        self.named("eos_token")
    }

    /// The id of `pad_token` in `tokenizer_config.json`.
    pub fn pad_id(&self) -> Option<u32> {
        self.named("pad_token")
    }

    /// The id of `unk_token` in `tokenizer_config.json`.
    pub fn unk_id(&self) -> Option<u32> {
        self.named("unk_token")
    }

    fn named(&self, role: &str) -> Option<u32> {
        self.token_to_id(self.inner.settings.special(role)?)
    }

    /// The id that separates documents: `<|endoftext|>` where there is one (chat models often name the end of a turn
    /// as their `eos_token`), else the end of sequence.
    pub fn end_of_text_id(&self) -> Option<u32> {
        let end_of_text = self.token_to_id("<|endoftext|>").filter(|&id| self.is_special(id));
        end_of_text.or_else(|| self.eos_id())
    }

    /// Ids that end a reply: [`Self::end_ids`], and every well-known end token among the added tokens, special or not.
    /// Generation stops at these.
    pub fn stop_ids(&self) -> Vec<u32> {
        let added = self.inner.library.get_added_vocabulary().get_vocab();
        let marks = END_MARKS.iter().filter_map(|mark| added.get(*mark).copied());
        let mut ids = self.end_ids();
        for id in marks {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    /// Ids that a model's `eos_token_id` should list: the end of sequence, the tokens with which the chat template ends
    /// the assistant's turns, and those of the `config.json` and `generation_config.json` that the tokenizer was read
    /// beside.
    pub fn end_ids(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = self.eos_id().into_iter().collect();
        let of_model = self.settings().stop_ids().into_iter().filter(|&id| (id as usize) < self.vocab_size());
        for id in self.turn_end_ids().into_iter().chain(of_model) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    /// The chat template, if the tokenizer has one.
    pub fn chat_template(&self) -> Option<&ChatTemplate> {
        self.inner.settings.template("default")
    }

    /// One of several named templates (`default`, `tool_use`, `rag`), as some tokenizers have.
    pub fn chat_template_named(&self, name: &str) -> Option<&ChatTemplate> {
        self.inner.settings.template(name)
    }

    /// The same tokenizer with another (default) chat template.
    #[must_use]
    pub fn with_chat_template(&self, template: ChatTemplate) -> Self {
        let mut settings = self.inner.settings.clone();
        settings.set_template("default", template);
        Self::new(self.inner.library.clone(), settings)
    }

    /// Hash of everything that determines ids: vocabulary, merges, normaliser, pre-tokeniser, decoder and added tokens.
    /// Saving and loading keep it; the chat template and truncation settings do not affect it.
    pub fn hash(&self) -> [u8; 32] {
        *self.inner.hash.get_or_init(|| crate::hash::hash(&self.inner.library))
    }

    /// The same tokenizer whose padding token is not the one that answers end with, for models that read a text's score
    /// at its last token that is no padding; `None` where no special token is free for that.
    #[must_use]
    pub fn with_distinct_padding(&self) -> Option<Self> {
        let mut ends = self.turn_end_ids();
        if ends.is_empty() {
            ends.extend(self.eos_id());
        }
        if self.pad_id().is_some_and(|pad| !ends.contains(&pad)) {
            return Some(self.clone());
        }
        let free = self.special_ids().find(|id| !ends.contains(id) && Some(*id) != self.bos_id())?;
        let mut settings = self.inner.settings.clone();
        settings.set_special("pad_token", &self.id_to_token(free)?);
        Some(Self::new(self.inner.library.clone(), settings))
    }

    /// The same tokenizer, with this time as the present in chat templates.
    #[must_use]
    pub fn with_now(&self, now: SystemTime) -> Self {
        let mut settings = self.inner.settings.clone();
        settings.now = Some(now);
        Self::new(self.inner.library.clone(), settings)
    }

    /// Frames of the chat templates used so far.
    pub(crate) fn frames(&self) -> MutexGuard<'_, Vec<(ChatTemplate, Arc<Frame>)>> {
        self.inner.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tokens beyond the model's vocabulary, special or not, as they are spelled.
    pub(crate) fn added_tokens(&self) -> Vec<(u32, String)> {
        let decoder = self.inner.library.get_added_tokens_decoder();
        decoder.into_iter().map(|(id, token)| (id, token.content)).collect()
    }

    pub(crate) fn library(&self) -> &tokenizers::Tokenizer {
        &self.inner.library
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn token_bytes(&self) -> Option<&ByteTable> {
        self.inner.bytes.as_ref()
    }
}

/// Unwraps ids; only a damaged tokenizer fails. It panics with the error as payload, so that callers need not handle it
/// each time.
fn sure(ids: Result<Vec<u32>, TokenizerError>) -> Vec<u32> {
    ids.unwrap_or_else(|error| std::panic::resume_unwind(Box::new(error)))
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let specials = self.special_ids().count();
        write!(formatter, "Tokenizer {{ vocab_size: {}, special tokens: {specials} }}", self.vocab_size())
    }
}
