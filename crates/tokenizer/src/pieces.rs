//! From text to ids: added tokens, normaliser, pre-tokeniser, model.

use tokenizers::{
    AddedVocabulary, Model, ModelWrapper, NormalizedString, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer, Token,
};

use crate::TokenizerError;
use crate::error::one_line;
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
}

impl Encoder {
    pub(crate) fn new(library: &tokenizers::Tokenizer) -> Self {
        let mut plain = library.get_added_vocabulary().clone();
        plain.set_encode_special_tokens(true);
        Self { plain, words: Words::new(library) }
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
    let mut pre_tokens = added.extract_and_normalize(library.get_normalizer(), text);
    if let Some(pre_tokenizer) = library.get_pre_tokenizer() {
        pre_tokenizer.pre_tokenize(&mut pre_tokens).map_err(own_error)?;
    }
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
    let mut buffer = [0; 4];
    let unknown = |character: char| {
        let text: &str = character.encode_utf8(&mut buffer);
        !model.tokenize(text).is_ok_and(|tokens| covers(&tokens, text))
    };
    let mut unknown = unknown;
    piece.char_indices().find(|&(_, character)| unknown(character)).map(|(at, c)| (c, at))
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
    use crate::bytes::byte_to_char;
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
