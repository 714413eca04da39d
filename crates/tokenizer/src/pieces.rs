//! From text to ids: added tokens, normaliser, pre-tokeniser, model.

use std::cell::RefCell;
use std::collections::BTreeSet;

use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::{
    AddedVocabulary, Encoding, Model, ModelWrapper, NormalizedString, OffsetReferential, OffsetType,
    PreTokenizedString, Token,
};

use crate::TokenizerError;
use crate::bytes::byte_to_char;
use crate::error::one_line;
use crate::steps::pieces;
use crate::words::{Specials, Words, covers};

/// Treatment of a character that the vocabulary cannot express.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Unknown {
    Skip,
    Refuse,
}

pub(crate) struct Encoder {
    /// Added tokens of which the special ones are not looked for: plain text cannot contain those.
    plain: AddedVocabulary,
    words: Option<Words>,
    /// Whether every character has a token, or the unknown token stands for it.
    is_lossless: bool,
}

impl Encoder {
    pub(crate) fn new(library: &tokenizers::Tokenizer) -> Self {
        let mut plain = library.get_added_vocabulary().clone();
        plain.set_encode_special_tokens(true);
        Self { plain, words: Words::new(library), is_lossless: is_lossless(library) }
    }

    /// The ids with the bytes of the text that each is from. Special tokens count as such; characters without a token
    /// are left out, as the library does.
    pub(crate) fn with_offsets(library: &tokenizers::Tokenizer, text: &str) -> Result<Encoding, TokenizerError> {
        let mut pre_tokens = pieces(library, library.get_added_vocabulary(), text)?;
        let model = library.get_model();
        pre_tokens.tokenize(|piece| model.tokenize(piece.get())).map_err(own_error)?;
        let encoding = pre_tokens.into_encoding(None, 0, OffsetType::Byte).map_err(own_error)?;
        library.post_process(encoding, None, false).map_err(own_error)
    }

    /// The characters of a text, as it is normalised, that have neither a token nor an unknown token. Special tokens
    /// count as such.
    pub(crate) fn unknown_characters(
        &self,
        library: &tokenizers::Tokenizer,
        text: &str,
    ) -> Result<BTreeSet<char>, TokenizerError> {
        if self.is_lossless {
            return Ok(BTreeSet::new());
        }
        let found = RefCell::new(BTreeSet::new());
        let model = library.get_model();
        let mut pre_tokens = pieces(library, library.get_added_vocabulary(), text)?;
        let collect = |piece: &NormalizedString| {
            let known = model.tokenize(piece.get()).is_ok_and(|tokens| covers(&tokens, piece.get()));
            if !known {
                let mut found = found.borrow_mut();
                found.extend(piece.get().chars().filter(|character| is_unknown(model, *character)));
            }
            Ok(vec![])
        };
        pre_tokens.tokenize(collect).map_err(own_error)?;
        Ok(found.into_inner())
    }

    pub(crate) fn plain(
        &self,
        library: &tokenizers::Tokenizer,
        text: &str,
        unknown: Unknown,
    ) -> Result<Vec<u32>, TokenizerError> {
        let words = self.words.as_ref().and_then(|words| words.encode(library, text, Specials::AsText));
        words.map_or_else(|| by_library(library, &self.plain, text, unknown), Ok)
    }

    pub(crate) fn with_specials(
        &self,
        library: &tokenizers::Tokenizer,
        text: &str,
        unknown: Unknown,
    ) -> Result<Vec<u32>, TokenizerError> {
        let words = self.words.as_ref().and_then(|words| words.encode(library, text, Specials::AsIds));
        words.map_or_else(|| by_library(library, library.get_added_vocabulary(), text, unknown), Ok)
    }
}

/// The library's own steps, without building its `Encoding`, of which only the ids are needed.
fn by_library(
    library: &tokenizers::Tokenizer,
    added: &AddedVocabulary,
    text: &str,
    unknown: Unknown,
) -> Result<Vec<u32>, TokenizerError> {
    let mut pre_tokens = pieces(library, added, text)?;
    let model = library.get_model();
    pre_tokens.tokenize(|piece| tokens_of(model, piece, unknown)).map_err(own_error)?;
    Ok(ids_of(&pre_tokens))
}

fn ids_of(pre_tokens: &PreTokenizedString) -> Vec<u32> {
    let splits = pre_tokens.get_splits(OffsetReferential::Normalized, OffsetType::None);
    let tokens = splits.into_iter().filter_map(|(_, _, tokens)| tokens.as_ref()).flatten();
    tokens.map(|token| token.id).collect()
}

fn own_error(error: tokenizers::Error) -> TokenizerError {
    match error.downcast::<TokenizerError>() {
        Ok(own) => *own,
        Err(error) => TokenizerError::Encoding(one_line(&error.to_string())),
    }
}

fn tokens_of(model: &ModelWrapper, piece: &NormalizedString, unknown: Unknown) -> tokenizers::Result<Vec<Token>> {
    let tokens = model.tokenize(piece.get());
    match (&tokens, unknown) {
        (Ok(tokens), Unknown::Refuse) if covers(tokens, piece.get()) => {}
        (_, Unknown::Refuse) => {
            if let Some((character, at)) = first_unknown(model, piece.get()) {
                let position = piece.offsets_original().0 + at;
                return Err(Box::new(TokenizerError::UnknownCharacter { character, position }));
            }
        }
        (Ok(_), Unknown::Skip) => {}
        (Err(_), Unknown::Skip) => return Ok(known_characters(model, piece.get())),
    }
    tokens
}

fn first_unknown(model: &ModelWrapper, piece: &str) -> Option<(char, usize)> {
    piece.char_indices().find(|&(_, character)| is_unknown(model, character)).map(|(at, character)| (character, at))
}

/// Whether the model has neither a token nor an unknown token for a character.
fn is_unknown(model: &ModelWrapper, character: char) -> bool {
    let mut buffer = [0; 4];
    let text: &str = character.encode_utf8(&mut buffer);
    !model.tokenize(text).is_ok_and(|tokens| covers(&tokens, text))
}

/// Whether a BPE has an unknown token, or tokens of all bytes; of other models, this is not known before a text is
/// encoded.
fn is_lossless(library: &tokenizers::Tokenizer) -> bool {
    let ModelWrapper::BPE(bpe) = library.get_model() else { return false };
    let has = |token: &str| bpe.token_to_id(token).is_some();
    let all_bytes = |spell: &dyn Fn(u8) -> String| (0..=u8::MAX).all(|byte| has(&spell(byte)));
    let byte_level = || match library.get_pre_tokenizer() {
        Some(PreTokenizerWrapper::ByteLevel(_)) => true,
        Some(PreTokenizerWrapper::Sequence(steps)) => {
            steps.as_ref().iter().any(|step| matches!(step, PreTokenizerWrapper::ByteLevel(_)))
        }
        _ => false,
    };
    bpe.unk_token.as_deref().is_some_and(has)
        || bpe.byte_fallback && all_bytes(&|byte| format!("<0x{byte:02X}>"))
        || byte_level() && all_bytes(&|byte| byte_to_char(byte).to_string())
}

fn known_characters(model: &ModelWrapper, piece: &str) -> Vec<Token> {
    let tokens = piece
        .char_indices()
        .flat_map(|(at, character)| model.tokenize(&piece[at..at + character.len_utf8()]).unwrap_or_default());
    tokens.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::patterns::{GPT2_PATTERN, QWEN_PATTERN, byte_level};
    use tokenizers::models::bpe::{BPE, Merges, Vocab};
    use tokenizers::{AddedToken, normalizers::NFC};

    /// Merges a few pairs, so that words have several tokens, and has added tokens of both kinds.
    fn library(pattern: &str, nfc: bool) -> tokenizers::Tokenizer {
        let mut vocabulary: Vocab = (0..=255).map(|byte| (byte_to_char(byte).to_string(), u32::from(byte))).collect();
        let mut merges = Merges::new();
        for (left, right) in [("t", "h"), ("th", "e"), ("Ġ", "the"), ("Ã", "©"), ("1", "2"), ("Ġ", "Ġ"), ("l", "l")]
        {
            let id = u32::try_from(vocabulary.len()).unwrap();
            vocabulary.insert(format!("{left}{right}"), id);
            merges.push((left.to_owned(), right.to_owned()));
        }
        let model = BPE::builder().vocab_and_merges(vocabulary, merges).build().unwrap();
        let mut library = byte_level(model, pattern, false).unwrap();
        if nfc {
            library.with_normalizer(Some(NFC)).unwrap();
        }
        library.add_special_tokens([AddedToken::from("<|end|>", true)]).unwrap();
        library.add_tokens([AddedToken::from("<tool>", false)]).unwrap();
        library
    }

    fn check(text: &str) {
        for (pattern, nfc) in [(GPT2_PATTERN, false), (QWEN_PATTERN, false), (QWEN_PATTERN, true)] {
            let library = library(pattern, nfc);
            let encoder = Encoder::new(&library);
            assert!(encoder.words.is_some());
            let plain = by_library(&library, &encoder.plain, text, Unknown::Refuse).unwrap();
            let all = by_library(&library, library.get_added_vocabulary(), text, Unknown::Refuse).unwrap();
            // Twice, for the second finds words remembered.
            for _ in 0..2 {
                assert_eq!(encoder.plain(&library, text, Unknown::Refuse).unwrap(), plain, "{text:?}");
                assert_eq!(encoder.with_specials(&library, text, Unknown::Refuse).unwrap(), all, "{text:?}");
            }
        }
    }

    #[test]
    fn tricky_texts_take_either_way() {
        check("");
        check("the<|end|>the<tool> the\n\n  12'LL e\u{301} \u{e9} \u{1100}\u{1161} q\u{307}\u{323}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_short_way_gives_the_librarys_ids(text in "([a-z ]|the|12|e\u{301}|\u{1100}\u{1161}|q\u{307}\u{323}|\
            <tool>|<.end.>|\\PC|\\s){0,24}") {
            check(&text);
        }
    }
}
