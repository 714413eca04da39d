//! The file: messages of `sentencepiece_model.proto`, in protocol buffers' wire format.

use super::{Kind, Model, Normalization, Piece, Split};

/// The model in the bytes of a file. `prefix_everywhere` is not stated in the file.
///
/// # Errors
/// Describes the problem, or the unsupported feature.
pub(super) fn parse(bytes: &[u8], prefix_everywhere: bool) -> Result<Model, String> {
    const UNIGRAM: u64 = 1;
    const BPE: u64 = 2;
    let damaged = || "it is not a SentencePiece model, or it was cut off; fetch it again".to_owned();
    let mut pieces = vec![];
    // What the format takes where nothing is said.
    let (mut kind, mut suffix, mut escapes) = (UNIGRAM, false, true);
    let mut normalization =
        Normalization { charsmap: vec![], removes_spaces: true, dummy_prefix: true, prefix_everywhere };
    for field in Fields(bytes) {
        match field.ok_or_else(damaged)? {
            (1, Wire::Bytes(read)) => pieces.push(piece(read).ok_or_else(damaged)?),
            (2, Wire::Bytes(trainer)) => {
                for field in Fields(trainer) {
                    match field.ok_or_else(damaged)? {
                        (3, Wire::Number(number)) => kind = number,
                        (24, Wire::Number(flag)) => suffix = flag != 0,
                        _ => {}
                    }
                }
            }
            (3, Wire::Bytes(normalizer)) => {
                for field in Fields(normalizer) {
                    match field.ok_or_else(damaged)? {
                        (2, Wire::Bytes(map)) => map.clone_into(&mut normalization.charsmap),
                        (3, Wire::Number(flag)) => normalization.dummy_prefix = flag != 0,
                        (4, Wire::Number(flag)) => normalization.removes_spaces = flag != 0,
                        (5, Wire::Number(flag)) => escapes = flag != 0,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let split = match kind {
        _ if pieces.is_empty() => return Err(damaged()),
        _ if suffix || !escapes => Err("a model that writes spaces in another way"),
        BPE => Ok(Split::Bpe),
        UNIGRAM => Ok(Split::Unigram),
        _ => Err("a model of words or characters"),
    };
    match split {
        Ok(split) => Ok(Model { pieces, split, normalization }),
        Err(what) => Err(format!(
            "it is {what} of SentencePiece, which is not supported (BPE and unigram are); open it in transformers and \
             save it, which writes tokenizer.json"
        )),
    }
}

fn piece(bytes: &[u8]) -> Option<Piece> {
    let mut piece = Piece { text: String::new(), score: 0.0, kind: Kind::Normal };
    for field in Fields(bytes) {
        match field? {
            (1, Wire::Bytes(text)) => std::str::from_utf8(text).ok()?.clone_into(&mut piece.text),
            (2, Wire::Fixed(bits)) => piece.score = f32::from_bits(bits),
            (3, Wire::Number(kind)) => piece.kind = Kind::of(kind)?,
            _ => {}
        }
    }
    Some(piece)
}

/// A value of protocol buffers' wire format.
enum Wire<'a> {
    Number(u64),
    Fixed(u32),
    Bytes(&'a [u8]),
    Other,
}

/// The fields of a message, one after another; `None` once where it is damaged.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Wire<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u64, Wire<'a>)> {
        let tag = self.number()?;
        let wire = match tag & 7 {
            0 => Wire::Number(self.number()?),
            1 => {
                self.take(8)?;
                Wire::Other
            }
            2 => {
                let length = self.number()?;
                Wire::Bytes(self.take(usize::try_from(length).ok()?)?)
            }
            5 => Wire::Fixed(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((tag >> 3, wire))
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Some(number);
            }
        }
        None
    }
}
