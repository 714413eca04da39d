//! The library's steps from text to pieces, with bounds on what they may take.
//!
//! A tokenizer's file may come from strangers. Its normaliser can make a text longer with each step, and its
//! pre-tokeniser can cut a long text into pieces of one byte, for each of which the library keeps some 400 bytes. Both
//! are measured here before they are done.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokenizers::normalizers::Replace;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::split::SplitPattern;
use tokenizers::utils::SysRegex;
use tokenizers::{
    AddedVocabulary, NormalizedString, Normalizer, NormalizerWrapper, OffsetReferential, OffsetType,
    PreTokenizedString, PreTokenizer,
};

use crate::TokenizerError;
use crate::error::one_line;

/// The largest factor by which normalising and pre-tokenising may lengthen a text. The longest legitimate step writes
/// one character as 18 bytes each (NFKD), and one after it each byte as two.
const GROWTH: usize = 40;
/// Further bytes that a text may gain, however short it is.
const FREE_GROWTH: usize = 1 << 16;
/// Bytes of a normalised text from which on it may be at most four times as long as the text.
const LONGEST_GROWN: usize = 64 << 20;
/// The most pieces of a text.
const MOST_PIECES: usize = 4 << 20;
/// Replacing text in a decoder may make a token this many times longer.
const DECODER_GROWTH: usize = 1024;

/// The normalised pieces of a text.
pub(crate) fn pieces(
    library: &tokenizers::Tokenizer,
    added: &AddedVocabulary,
    text: &str,
) -> Result<PreTokenizedString, TokenizerError> {
    let limit = longest(text.len());
    let normalizer = library.get_normalizer().map(|steps| Bounded::new(steps, limit));
    let mut pieces = added.extract_and_normalize(normalizer.as_ref(), text);
    // The library drops a normaliser's error.
    if let Some(reason) = normalizer.and_then(|bounded| bounded.progress().failed.take()) {
        return Err(TokenizerError::Encoding(reason));
    }
    for step in library.get_pre_tokenizer().into_iter().flat_map(flat) {
        check_pieces(step, &pieces, text.len())?;
        step.pre_tokenize(&mut pieces).map_err(|error| TokenizerError::Encoding(one_line(&error.to_string())))?;
        check_length(length_of(&pieces), limit).map_err(TokenizerError::Encoding)?;
    }
    Ok(pieces)
}

/// The most bytes of a normalised text of so many bytes.
fn longest(bytes: usize) -> usize {
    let grown = bytes.saturating_mul(GROWTH).saturating_add(FREE_GROWTH);
    grown.min(bytes.saturating_mul(4).max(LONGEST_GROWN))
}

/// The steps of a pre-tokeniser.
fn flat(step: &PreTokenizerWrapper) -> Vec<&PreTokenizerWrapper> {
    match step {
        PreTokenizerWrapper::Sequence(steps) => steps.as_ref().iter().flat_map(flat).collect(),
        single => vec![single],
    }
}

fn length_of(pieces: &PreTokenizedString) -> usize {
    let splits = pieces.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
    splits.iter().map(|(piece, _, _)| piece.len()).sum()
}

fn check_length(length: usize, limit: usize) -> Result<(), String> {
    if length <= limit {
        return Ok(());
    }
    Err(format!("its normaliser or pre-tokeniser makes a text {GROWTH} times longer, or too long for memory"))
}

/// Refuses a step that would cut a long text into too many pieces.
fn check_pieces(step: &PreTokenizerWrapper, pieces: &PreTokenizedString, bytes: usize) -> Result<(), TokenizerError> {
    if bytes <= MOST_PIECES {
        return Ok(());
    }
    let splits = pieces.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
    let texts = splits.iter().map(|(text, _, _)| *text);
    let count: usize = match pattern_of(step) {
        // What lies between two matches is a piece as well.
        Some(pattern) => texts.map(|text| 2 * pattern.find_iter(text).count() + 1).sum(),
        None => texts.map(|text| 2 * text.chars().filter(|&character| cuts(character)).count() + 1).sum(),
    };
    if count <= MOST_PIECES {
        return Ok(());
    }
    let reason =
        format!("it may cut a text of {bytes} bytes into {count} pieces, more than {MOST_PIECES}; shorten the text");
    Err(TokenizerError::Encoding(reason))
}

/// Whether pre-tokenisers without a pattern may cut a text at a character.
fn cuts(character: char) -> bool {
    !character.is_alphabetic() || character >= '\u{2e80}'
}

fn pattern_of(step: &PreTokenizerWrapper) -> Option<SysRegex> {
    let PreTokenizerWrapper::Split(split) = step else { return None };
    match &split.pattern {
        SplitPattern::Regex(pattern) => SysRegex::new(pattern).ok(),
        SplitPattern::String(text) => literal(text),
    }
}

/// The pattern that matches this text only.
fn literal(text: &str) -> Option<SysRegex> {
    let special = |character: char| character.is_ascii_punctuation();
    let escape = |character: char| special(character).then_some('\\').into_iter().chain([character]);
    SysRegex::new(&text.chars().flat_map(escape).collect::<String>()).ok()
}

/// A normaliser whose result is at most so long over all pieces of a text.
struct Bounded<'a> {
    steps: &'a NormalizerWrapper,
    limit: usize,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// Bytes of the pieces so far.
    done: usize,
    failed: Option<String>,
}

impl<'a> Bounded<'a> {
    fn new(steps: &'a NormalizerWrapper, limit: usize) -> Self {
        Self { steps, limit, progress: Mutex::default() }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Normalizer for Bounded<'_> {
    fn normalize(&self, text: &mut NormalizedString) -> tokenizers::Result<()> {
        let mut progress = self.progress();
        if progress.failed.is_none() {
            let left = self.limit.saturating_sub(progress.done);
            progress.failed = normalize_within(left, self.steps, text).err();
            progress.done += text.get().len();
        }
        Ok(())
    }
}

/// Normalises a text by one step, which may make it at most `left` bytes long.
fn normalize_within(left: usize, step: &NormalizerWrapper, text: &mut NormalizedString) -> Result<(), String> {
    match step {
        NormalizerWrapper::Sequence(steps) => {
            return steps.as_ref().iter().try_for_each(|step| normalize_within(left, step, text));
        }
        NormalizerWrapper::Replace(replace) => {
            // Every match may be of no bytes.
            let most = |matches: usize| text.get().len() + matches.saturating_mul(replace.content.len());
            if most(text.get().len() + 1) > left {
                check_length(most(matches(replace, text.get())), left)?;
            }
        }
        NormalizerWrapper::Prepend(prepend) => check_length(text.get().len() + prepend.prepend.len(), left)?,
        _ => {}
    }
    step.normalize(text).map_err(|error| one_line(&error.to_string()))?;
    check_length(text.get().len(), left)
}

/// Number of places that a step replaces.
fn matches(replace: &Replace, text: &str) -> usize {
    let json = serde_json::to_value(replace).unwrap_or_default();
    let pattern = &json["pattern"];
    let regex = match (pattern["Regex"].as_str(), pattern["String"].as_str()) {
        (Some(regex), _) => SysRegex::new(regex).ok(),
        (_, Some(text)) => literal(text),
        _ => None,
    };
    regex.map_or(text.len() + 1, |regex| regex.find_iter(text).count())
}

/// The problem of a decoder, as its file has it, that could make text much longer.
pub(crate) fn check_decoder(decoder: &serde_json::Value) -> Result<(), String> {
    let growth = growth(decoder);
    if growth <= DECODER_GROWTH {
        return Ok(());
    }
    Err(format!("its decoder may make a token {growth} times longer, more than {DECODER_GROWTH} times"))
}

fn growth(decoder: &serde_json::Value) -> usize {
    let steps = decoder["decoders"].as_array().into_iter().flatten();
    let own = match decoder["type"].as_str() {
        Some("Replace") => {
            let content = decoder["content"].as_str().unwrap_or_default().len();
            let pattern = decoder["pattern"]["String"].as_str().map_or(1, |text| text.len().max(1));
            content.div_ceil(pattern).max(1)
        }
        _ => 1,
    };
    steps.map(growth).fold(own, usize::saturating_mul)
}
