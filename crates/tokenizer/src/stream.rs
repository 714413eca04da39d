//! Decoding ids one by one.

use crate::Tokenizer;

/// Decodes ids one at a time, giving out text as soon as its UTF-8 is complete.
///
/// For byte-level and character tokenizers the pieces joined are exactly [`Tokenizer::decode`] of all the ids, invalid
/// bytes included. For other decoders (`SentencePiece`, `WordPiece`) a piece is what the newest ids add to the text
/// of the ids before, which is the same unless the decoder rewrites text across tokens.
pub struct DecodeStream {
    tokenizer: Tokenizer,
    skip_specials: bool,
    /// Byte-level: the bytes of a character that is not complete yet.
    pending: Vec<u8>,
    /// Otherwise: ids still needed as context, and how many of them have been given out.
    window: Vec<u32>,
    given: usize,
}

impl Tokenizer {
    /// A decoder to which ids are given one at a time, special tokens written out.
    pub fn stream(&self) -> DecodeStream {
        DecodeStream::new(self.clone(), false)
    }

    /// A decoder to which ids are given one at a time, special tokens left out.
    pub fn stream_skip_specials(&self) -> DecodeStream {
        DecodeStream::new(self.clone(), true)
    }
}

impl DecodeStream {
    fn new(tokenizer: Tokenizer, skip_specials: bool) -> Self {
        Self { tokenizer, skip_specials, pending: Vec::new(), window: Vec::new(), given: 0 }
    }

    /// Adds the next id. Returns the text that is now certain, if any.
    pub fn push(&mut self, id: u32) -> Option<String> {
        if self.skip_specials && self.tokenizer.is_special(id) {
            return None;
        }
        if let Some(bytes) = self.tokenizer.token_bytes() {
            self.pending.extend_from_slice(bytes.of(id));
            return some(take_complete(&mut self.pending));
        }
        self.window.push(id);
        let text = self.new_text();
        // A replacement character at the end may turn into a real one with the next id.
        if text.is_empty() || text.ends_with(char::REPLACEMENT_CHARACTER) {
            return None;
        }
        self.window.drain(..self.given);
        self.given = self.window.len();
        Some(text)
    }

    /// Ends the text. Returns the text held back, with an incomplete character as U+FFFD.
    pub fn finish(mut self) -> Option<String> {
        if self.tokenizer.token_bytes().is_some() {
            return some(String::from_utf8_lossy(&self.pending).into_owned());
        }
        let text = self.new_text();
        self.window.clear();
        some(text)
    }

    /// Text that `ids[given..]` add to that of `ids[..given]`.
    fn new_text(&self) -> String {
        let before = self.tokenizer.decode(&self.window[..self.given]);
        let mut text = self.tokenizer.decode(&self.window);
        let same = before.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
        let same = (0..=same).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.split_off(same)
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Takes all but an incomplete last character; bytes that can never be UTF-8 become U+FFFD as in
/// [`String::from_utf8_lossy`].
fn take_complete(pending: &mut Vec<u8>) -> String {
    let mut text = String::new();
    let mut rest = pending.as_slice();
    while !rest.is_empty() {
        match std::str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                rest = &[];
            }
            Err(error) => {
                let (valid, bad) = rest.split_at(error.valid_up_to());
                text.push_str(&String::from_utf8_lossy(valid));
                rest = bad;
                let Some(length) = error.error_len() else { break };
                text.push(char::REPLACEMENT_CHARACTER);
                rest = &bad[length..];
            }
        }
    }
    let kept = rest.len();
    pending.drain(..pending.len() - kept);
    text
}
