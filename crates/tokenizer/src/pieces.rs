//! From text to ids: added tokens, normaliser, pre-tokeniser, model.

use tokenizers::{
    AddedVocabulary, Model, ModelWrapper, NormalizedString, OffsetReferential, OffsetType,
    PreTokenizedString, PreTokenizer, Token,
};

use crate::TokenizerError;
use crate::error::one_line;

/// What to do with a character that the vocabulary cannot express.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Unknown {
    Skip,
    Refuse,
}

pub(crate) struct Encoder {
    /// Added tokens of which the special ones are not looked for: plain text cannot contain those.
    plain: AddedVocabulary,
}

impl Encoder {
    pub(crate) fn new(library: &tokenizers::Tokenizer) -> Self {
        let mut plain = library.get_added_vocabulary().clone();
        plain.set_encode_special_tokens(true);
        Self { plain }
    }

    pub(crate) fn plain(
        &self,
        library: &tokenizers::Tokenizer,
        text: &str,
        unknown: Unknown,
    ) -> Result<Vec<u32>, TokenizerError> {
        by_library(library, &self.plain, text, unknown)
    }

    pub(crate) fn with_specials(
        &self,
        library: &tokenizers::Tokenizer,
        text: &str,
        unknown: Unknown,
    ) -> Result<Vec<u32>, TokenizerError> {
        by_library(library, library.get_added_vocabulary(), text, unknown)
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

fn tokens_of(
    model: &ModelWrapper,
    piece: &NormalizedString,
    unknown: Unknown,
) -> tokenizers::Result<Vec<Token>> {
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

/// A BPE model silently drops what it has no token for; its tokens then do not add up to the piece.
fn covers(tokens: &[Token], piece: &str) -> bool {
    tokens.iter().map(|token| token.offsets.1 - token.offsets.0).sum::<usize>() >= piece.len()
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
    let tokens = piece.char_indices().flat_map(|(at, character)| {
        model.tokenize(&piece[at..at + character.len_utf8()]).unwrap_or_default()
    });
    tokens.collect()
}
