//! A fast path from text to ids for byte-level BPE, the usual case for training text.
//!
//! The library tracks, for every byte, its character in the original text; ids alone do not need that. Here the text is
//! split into words by the same patterns, and the library's BPE encodes each word that is not cached yet. The ids are
//! the same.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Mutex;

use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::split::SplitPattern;
use tokenizers::utils::SysRegex;
use tokenizers::{Model, ModelWrapper, NormalizedString, Normalizer, NormalizerWrapper, SplitDelimiterBehavior};

use crate::bytes::byte_to_char;
use crate::patterns::GPT2_PATTERN;

/// Longer words are too rare to be cached.
const REMEMBERED_BYTES: usize = 64;
const REMEMBERED_WORDS: usize = 1 << 16;

type Seen = HashMap<Box<str>, Box<[u32]>>;

/// Treatment of special tokens spelled out in a text.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Specials {
    AsText,
    AsIds,
}

pub(crate) struct Words {
    /// Applied one after the other, each to the pieces of the one before.
    patterns: Vec<SysRegex>,
    nfc: bool,
    special: Spellings,
    added: Spellings,
    /// One cache for each thread that has used it concurrently.
    seen: Mutex<Vec<Seen>>,
}

impl Words {
    /// `None` if the tokenizer does more than split by patterns and merge bytes.
    pub(crate) fn new(library: &tokenizers::Tokenizer) -> Option<Self> {
        bpe(library)?;
        let nfc = match library.get_normalizer() {
            None => false,
            Some(NormalizerWrapper::NFC(_)) => true,
            Some(_) => return None,
        };
        let steps = match library.get_pre_tokenizer()? {
            PreTokenizerWrapper::Sequence(steps) => steps.as_ref(),
            single => std::slice::from_ref(single),
        };
        let (PreTokenizerWrapper::ByteLevel(last), splits) = steps.split_last()? else { return None };
        let mut patterns = splits.iter().map(pattern).collect::<Option<Vec<_>>>()?;
        match (last.add_prefix_space, last.use_regex) {
            (true, _) => return None,
            (false, true) => patterns.push(SysRegex::new(GPT2_PATTERN).ok()?),
            (false, false) => {}
        }
        let tokens = library.get_added_vocabulary().get_added_tokens_decoder().values();
        let (special, added): (Vec<_>, Vec<_>) = tokens.partition(|token| token.special);
        let spellings = |tokens: Vec<&tokenizers::AddedToken>| {
            Spellings::new(tokens.into_iter().map(|token| token.content.clone()).collect())
        };
        Some(Self { patterns, nfc, special: spellings(special), added: spellings(added), seen: Mutex::new(Vec::new()) })
    }

    /// `None` if the text has added tokens, or the library would report an error.
    pub(crate) fn encode(&self, library: &tokenizers::Tokenizer, text: &str, specials: Specials) -> Option<Vec<u32>> {
        let bpe = bpe(library)?;
        let mentions =
            |text: &str| self.added.occur_in(text) || specials == Specials::AsIds && self.special.occur_in(text);
        if mentions(text) {
            return None;
        }
        let normalized = if self.nfc && !text.is_ascii() { compose(library, text)? } else { Cow::Borrowed(text) };
        if matches!(normalized, Cow::Owned(_)) && mentions(&normalized) {
            return None;
        }
        let mut seen = self.take_seen();
        let mut ids = Vec::with_capacity(text.len() / 3);
        let done = each_word(&self.patterns, &normalized, &mut |word| {
            if let Some(known) = seen.get(word) {
                ids.extend_from_slice(known);
                return Some(());
            }
            let spelled: String = word.bytes().map(byte_to_char).collect();
            let tokens = bpe.tokenize(&spelled).ok().filter(|tokens| covers(tokens, &spelled))?;
            let first = ids.len();
            ids.extend(tokens.iter().map(|token| token.id));
            if word.len() <= REMEMBERED_BYTES && seen.len() < REMEMBERED_WORDS {
                seen.insert(word.into(), ids[first..].into());
            }
            Some(())
        });
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(seen);
        done.map(|()| ids)
    }

    fn take_seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop().unwrap_or_default()
    }
}

/// Dropout makes encodings random, so they must not be cached.
fn bpe(library: &tokenizers::Tokenizer) -> Option<&BPE> {
    match library.get_model() {
        ModelWrapper::BPE(bpe) if bpe.dropout.is_none() => Some(bpe),
        _ => None,
    }
}

fn pattern(step: &PreTokenizerWrapper) -> Option<SysRegex> {
    let PreTokenizerWrapper::Split(split) = step else { return None };
    let isolated = split.behavior == SplitDelimiterBehavior::Isolated && !split.invert;
    match &split.pattern {
        SplitPattern::Regex(pattern) if isolated => SysRegex::new(pattern).ok(),
        _ => None,
    }
}

/// Calls `on_word` on what the patterns match and on what lies between, in order, until it gives `None`.
fn each_word(patterns: &[SysRegex], text: &str, on_word: &mut impl FnMut(&str) -> Option<()>) -> Option<()> {
    let Some((pattern, finer)) = patterns.split_first() else {
        return if text.is_empty() { Some(()) } else { on_word(text) };
    };
    let mut done = 0;
    for (start, end) in pattern.find_iter(text) {
        if done < start {
            each_word(finer, &text[done..start], on_word)?;
        }
        each_word(finer, &text[start..end], on_word)?;
        done = end;
    }
    each_word(finer, &text[done..], on_word)
}

/// The text in Unicode's composed form. Nothing composes with an ASCII character before it in the text, so
/// only stretches from the last ASCII character on need to be looked at.
fn compose<'t>(library: &tokenizers::Tokenizer, text: &'t str) -> Option<Cow<'t, str>> {
    let normalizer = library.get_normalizer()?;
    let bytes = text.as_bytes();
    let mut composed = String::new();
    let mut done = 0;
    while let Some(found) = bytes[done..].iter().position(|byte| !byte.is_ascii()) {
        let start = (done + found).saturating_sub(1).max(done);
        let after = bytes[done + found..].iter().position(u8::is_ascii);
        let end = after.map_or(bytes.len(), |after| done + found + after);
        composed.push_str(&text[done..start]);
        let mut stretch = NormalizedString::from(&text[start..end]);
        normalizer.normalize(&mut stretch).ok()?;
        composed.push_str(stretch.get());
        done = end;
    }
    composed.push_str(&text[done..]);
    Some(if composed == text { Cow::Borrowed(text) } else { Cow::Owned(composed) })
}

/// A handful of strings to look for.
struct Spellings {
    first_bytes: Box<[bool; 256]>,
    all: Vec<String>,
}

impl Spellings {
    fn new(all: Vec<String>) -> Self {
        let mut first_bytes = Box::new([false; 256]);
        for spelling in &all {
            if let Some(&first) = spelling.as_bytes().first() {
                first_bytes[usize::from(first)] = true;
            }
        }
        Self { first_bytes, all }
    }

    fn occur_in(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        !self.all.is_empty()
            && bytes.iter().enumerate().any(|(at, &byte)| {
                self.first_bytes[usize::from(byte)]
                    && self.all.iter().any(|spelling| bytes[at..].starts_with(spelling.as_bytes()))
            })
    }
}

/// A BPE model silently drops characters without a token; its tokens then do not add up to the piece.
pub(crate) fn covers(tokens: &[tokenizers::Token], piece: &str) -> bool {
    tokens.iter().map(|token| token.offsets.1 - token.offsets.0).sum::<usize>() >= piece.len()
}
