//! Bytes of each token, so that decoding is a concatenation.

use tokenizers::DecoderWrapper;

/// GPT-2's printable stand-in for a byte: itself where it prints, otherwise a character from U+0100 up.
pub(crate) fn byte_to_char(byte: u8) -> char {
    match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
        0x00..=0x20 => shifted(u32::from(byte)),
        0x7F..=0xA0 => shifted(u32::from(byte) - 0x7F + 33),
        0xAD => shifted(67),
    }
}

fn shifted(n: u32) -> char {
    char::from_u32(0x100 + n).expect("U+0100 to U+0143 are characters")
}

fn char_to_byte(character: char) -> Option<u8> {
    match u32::from(character) {
        code @ (0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF) => u8::try_from(code).ok(),
        code @ 0x100..=0x120 => u8::try_from(code - 0x100).ok(),
        code @ 0x121..=0x142 => u8::try_from(code - 0x121 + 0x7F).ok(),
        0x143 => Some(0xAD),
        _ => None,
    }
}

/// The bytes of every token, end to end; token `id` is `data[starts[id]..starts[id + 1]]`.
pub(crate) struct ByteTable {
    starts: Vec<usize>,
    data: Vec<u8>,
}

impl ByteTable {
    /// `None` if the decoder does more than join tokens (`SentencePiece`, `WordPiece`), so that the library must
    /// decode.
    pub(crate) fn new(library: &tokenizers::Tokenizer, vocab_size: usize) -> Option<Self> {
        let byte_level = match library.get_decoder()? {
            DecoderWrapper::ByteLevel(_) => true,
            DecoderWrapper::Fuse(_) => false,
            _ => return None,
        };
        let added = library.get_added_vocabulary();
        let mut bytes = Self { starts: Vec::with_capacity(vocab_size + 1), data: Vec::new() };
        bytes.starts.push(0);
        for id in 0..u32::try_from(vocab_size).ok()? {
            if let Some(token) = library.id_to_token(id) {
                let is_added = added.simple_id_to_token(id).is_some();
                let spelled = (byte_level && !is_added)
                    .then(|| token.chars().map(char_to_byte).collect::<Option<Vec<u8>>>())
                    .flatten();
                bytes.data.extend(spelled.unwrap_or_else(|| token.into_bytes()));
            }
            bytes.starts.push(bytes.data.len());
        }
        Some(bytes)
    }

    /// The bytes of a token; empty for ids out of the vocabulary.
    pub(crate) fn of(&self, id: u32) -> &[u8] {
        let id = id as usize;
        match (self.starts.get(id), self.starts.get(id + 1)) {
            (Some(&start), Some(&end)) => &self.data[start..end],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;

    #[test]
    fn every_byte_has_one_printable_stand_in() {
        let alphabet: HashSet<char> = (0..=255).map(byte_to_char).collect();
        assert_eq!(alphabet, ByteLevel::alphabet().into_iter().collect());
        for byte in 0..=255 {
            assert_eq!(char_to_byte(byte_to_char(byte)), Some(byte));
        }
        assert_eq!(byte_to_char(b' '), 'Ġ');
        assert_eq!(char_to_byte('\u{144}'), None);
    }
}
