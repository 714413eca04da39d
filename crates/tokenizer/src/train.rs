//! Training of tokenizers.

mod whole_words;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use tokenizers::decoders::fuse::Fuse;
use tokenizers::models::bpe::{BPE, BpeTrainer, Vocab};
use tokenizers::models::{ModelWrapper, TrainerWrapper};
use tokenizers::normalizers::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Trainer};

use crate::chat::template::ChatTemplate;
use crate::error::one_line;
use crate::patterns::{QWEN_PATTERN, RANKS_PATTERN, byte_level};
use crate::settings::Settings;
use crate::{CHATML, Tokenizer, TokenizerError};
use whole_words::WholeWordTrainer;

const BYTES: usize = 256;
/// Longer documents are fed in parts cut at line ends, so that one huge file costs no more memory than many small ones.
const FEED_BYTES: usize = 1 << 20;

/// Configuration of a byte-level BPE tokenizer's training.
#[derive(Clone, Debug, PartialEq)]
pub struct BpeConfig {
    /// Ids in all: special tokens, the 256 bytes, and as many merges as fit. Fewer when the text runs out of pairs.
    pub vocab_size: usize,
    /// A pair seen less often is not merged.
    pub min_frequency: u64,
    /// One token a digit, as Qwen and Llama 2 have it, which makes arithmetic learnable; otherwise up to three.
    pub split_digits: bool,
    /// Compose characters first (NFC), as `transformers` does beside every model of type `qwen2`, regardless of the
    /// tokenizer's file says.
    pub composed: bool,
    /// Get the ids from 0 up, in this order. `<|endoftext|>` among them becomes the end of sequence.
    pub special_tokens: Vec<String>,
}

impl Default for BpeConfig {
    fn default() -> Self {
        Self {
            vocab_size: 4096,
            min_frequency: 2,
            split_digits: true,
            composed: false,
            special_tokens: ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(String::from).into(),
        }
    }
}

/// Configuration of a tokenizer of whole words and letters.
#[derive(Clone, Debug, PartialEq)]
pub struct WordsConfig {
    /// Ids in all: special tokens, the 256 bytes, and as many words and characters as fit. Fewer when the text runs
    /// out.
    pub vocab_size: usize,
    /// Words and characters seen less often are no tokens.
    pub min_frequency: u64,
    /// Get the ids from 0 up, in this order. `<|endoftext|>` among them becomes the end of sequence.
    pub special_tokens: Vec<String>,
}

impl Default for WordsConfig {
    fn default() -> Self {
        let BpeConfig { vocab_size, min_frequency, special_tokens, .. } = BpeConfig::default();
        Self { vocab_size, min_frequency, special_tokens }
    }
}

/// Configuration of a tokenizer of single characters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CharConfig {
    /// Get the ids from 0 up, in this order. `<|endoftext|>` among them becomes the end of sequence.
    pub special_tokens: Vec<String>,
    /// A special token that stands for every character not seen in training. `None`: such characters are left out by
    /// [`Tokenizer::encode`] and refused by [`Tokenizer::try_encode`].
    pub unknown_token: Option<String>,
}

impl Tokenizer {
    /// Trains byte-level BPE (Sennrich et al. 2016, <https://arxiv.org/abs/1508.07909>, on bytes as in GPT-2) on the
    /// documents, which are read once and not kept. The same documents give the same tokenizer.
    ///
    /// Words are split as Qwen splits them; merges never cross words. The chat template is [`CHATML`] when
    /// `<|im_start|>` and `<|im_end|>` are among the special tokens.
    ///
    /// # Errors
    /// When the vocabulary is too small for the bytes and special tokens, a special token is empty or listed twice, or
    /// the documents hold no text.
    pub fn train_bpe<I>(documents: I, config: &BpeConfig) -> Result<Self, TokenizerError>
    where
        I: Iterator<Item = String> + Send,
    {
        check_specials(&config.special_tokens)?;
        check_size(config.vocab_size, &config.special_tokens)?;
        let pattern = if config.split_digits { QWEN_PATTERN } else { RANKS_PATTERN };
        let mut library = byte_level(BPE::default(), pattern, false).map_err(training_failed)?;
        if config.composed {
            library.with_normalizer(Some(NFC)).map_err(training_failed)?;
        }
        let specials = config.special_tokens.iter().map(|token| special(token));
        let trainer = BpeTrainer::builder()
            .vocab_size(config.vocab_size)
            .min_frequency(config.min_frequency)
            .special_tokens(specials.collect())
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect::<HashSet<char>>())
            .show_progress(false)
            .build();
        train(&mut library, &mut TrainerWrapper::BpeTrainer(trainer), documents)?;
        Ok(Self::new(library, trained_settings(&config.special_tokens, None)))
    }

    /// A byte-level tokenizer for small models: each frequent word is one token, and every other word is spelt in
    /// letters. So the letters of a word that a model has to copy, from a prompt to a story, are tokens which mean
    /// nothing else; the pieces of BPE are often frequent words themselves ("came", "l").
    ///
    /// Words of ASCII characters are whole or spelt; everything else is spelt in characters, which suits scripts
    /// without spaces between words. The vocabulary has the words and characters that are most frequent in the
    /// documents, which are read once and not kept; a rare character is bytes. A digit is one token. Words are split as
    /// Llama 3 splits them, and what is saved is a BPE model with `ignore_merges`, as Llama 3's is.
    ///
    /// # Errors
    /// As [`Self::train_bpe`].
    pub fn train_words<I>(documents: I, config: &WordsConfig) -> Result<Self, TokenizerError>
    where
        I: Iterator<Item = String> + Send,
    {
        check_specials(&config.special_tokens)?;
        let needed = check_size(config.vocab_size, &config.special_tokens)?;
        let mut library = byte_level(BPE::default(), RANKS_PATTERN, false).map_err(training_failed)?;
        let mut trainer = WholeWordTrainer {
            most: config.vocab_size - needed,
            min_frequency: config.min_frequency.max(1),
            special_tokens: config.special_tokens.iter().map(|token| special(token)).collect(),
            counts: HashMap::new(),
        };
        train(&mut library, &mut trainer, documents)?;
        Ok(Self::new(library, trained_settings(&config.special_tokens, None)))
    }

    /// One token for each Unicode character of the documents, in code point order, and no special tokens: text with 65
    /// different characters gives a vocabulary of 65, as in nanoGPT's shakespeare-char.
    ///
    /// # Errors
    /// When the documents hold no text.
    pub fn train_char<I>(documents: I) -> Result<Self, TokenizerError>
    where
        I: Iterator<Item = String>,
    {
        Self::train_char_with(documents, &CharConfig::default())
    }

    /// [`Self::train_char`] with special tokens or a token for unknown characters. What is saved is a BPE model
    /// without merges, so that it opens wherever a `tokenizer.json` does.
    ///
    /// # Errors
    /// When the documents hold no text, or a special token is empty or listed twice.
    pub fn train_char_with<I>(documents: I, config: &CharConfig) -> Result<Self, TokenizerError>
    where
        I: Iterator<Item = String>,
    {
        let mut specials = config.special_tokens.clone();
        if let Some(unknown) = config.unknown_token.as_ref().filter(|&unknown| !specials.contains(unknown)) {
            specials.push(unknown.clone());
        }
        check_specials(&specials)?;
        let mut characters = BTreeSet::new();
        for document in documents {
            characters.extend(document.chars());
        }
        if characters.is_empty() {
            return Err(TokenizerError::NoText);
        }
        let spelled = specials.iter().cloned().chain(characters.into_iter().map(String::from));
        let mut seen = HashSet::new();
        // A special token of one character is that character too.
        let tokens = spelled.filter(|token| seen.insert(token.clone()));
        let vocabulary: Vocab = tokens.zip(0..).collect();

        let mut model = BPE::builder().vocab_and_merges(vocabulary, Vec::new());
        if let Some(unknown) = &config.unknown_token {
            model = model.unk_token(unknown.clone());
        }
        let mut library = tokenizers::Tokenizer::new(model.build().map_err(training_failed)?);
        library.with_decoder(Some(Fuse::new()));
        library.add_special_tokens(specials.iter().map(|token| special(token))).map_err(training_failed)?;
        Ok(Self::new(library, trained_settings(&specials, config.unknown_token.as_deref())))
    }
}

/// Trains a library's tokenizer on documents, in parts.
fn train<T, I>(library: &mut tokenizers::Tokenizer, trainer: &mut T, documents: I) -> Result<(), TokenizerError>
where
    T: Trainer<Model = ModelWrapper> + Sync,
    I: Iterator<Item = String> + Send,
{
    let any = AtomicBool::new(false);
    let parts = documents.flat_map(|document| parts(document, FEED_BYTES));
    let parts = parts.inspect(|part| any.store(!part.is_empty() || any.load(Ordering::Relaxed), Ordering::Relaxed));
    library.train(trainer, parts).map_err(training_failed)?;
    if any.into_inner() { Ok(()) } else { Err(TokenizerError::NoText) }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn training_failed(error: tokenizers::Error) -> TokenizerError {
    TokenizerError::Training(one_line(&error.to_string()))
}

/// The ids that bytes and special tokens need, if there are as many.
fn check_size(asked: usize, special_tokens: &[String]) -> Result<usize, TokenizerError> {
    let needed = BYTES + special_tokens.len();
    let what = "the 256 bytes and the special tokens";
    if asked < needed { Err(TokenizerError::VocabularyTooSmall { asked, needed, what }) } else { Ok(needed) }
}

fn special(token: &str) -> AddedToken {
    AddedToken::from(token, true).normalized(false)
}

fn check_specials(tokens: &[String]) -> Result<(), TokenizerError> {
    let mut seen = HashSet::new();
    for token in tokens {
        let problem = match token.as_str() {
            "" => "is empty",
            _ if !seen.insert(token) => "is listed twice",
            _ => continue,
        };
        return Err(TokenizerError::SpecialToken { token: token.clone(), problem });
    }
    Ok(())
}

fn trained_settings(specials: &[String], unknown: Option<&str>) -> Settings {
    let has = |token: &str| specials.iter().any(|special| special == token);
    let mut settings = Settings::generated(has("<|endoftext|>").then_some("<|endoftext|>"), unknown);
    if has("<|im_start|>") && has("<|im_end|>") {
        settings.set_template("default", ChatTemplate::new(CHATML).expect("the built-in template is valid"));
    }
    settings
}

/// Cuts after the first line end past every `limit` bytes.
fn parts(mut document: String, limit: usize) -> Vec<String> {
    let mut parts = Vec::new();
    while document.len() > limit {
        let Some(line_end) = document.as_bytes()[limit..].iter().position(|&byte| byte == b'\n') else { break };
        let rest = document.split_off(limit + line_end + 1);
        parts.push(std::mem::replace(&mut document, rest));
    }
    parts.push(document);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_documents_are_fed_in_whole_lines() {
        assert_eq!(parts("one\ntwo\nthree\n".into(), 4), ["one\ntwo\n", "three\n", ""]);
        assert_eq!(parts("one line that is long".into(), 4), ["one line that is long"]);
        assert_eq!(parts(String::new(), 4), [""]);
    }
}
