//! The first 128 bytes of a shard.

use blake3::Hash;

const MAGIC: &[u8; 8] = b"FCSHARD\n";
const VERSION: u32 = 1;

/// Bytes of a token id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Ids up to 65,535.
    U16,
    /// Any id.
    U32,
}

impl Width {
    /// The narrowest that holds the ids `0..vocab_size`.
    #[must_use]
    pub fn for_vocabulary(vocab_size: usize) -> Self {
        if vocab_size <= 1 << 16 { Self::U16 } else { Self::U32 }
    }

    /// 2 or 4.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::U16 => 2,
            Self::U32 => 4,
        }
    }
}

/// Header of a shard.
///
/// | bytes | field (little-endian) |
/// |---|---|
/// | 0..8 | magic `FCSHARD\n` |
/// | 8..12 | version, 1 |
/// | 12..16 | bytes a token: 2 or 4 |
/// | 16..24 | tokens |
/// | 24..32 | documents that begin here |
/// | 32..40 | bytes of the text that the tokens stand for |
/// | 40..72 | tokenizer hash |
/// | 72..104 | BLAKE3 of the token bytes |
/// | 104..112 | zero |
/// | 112..128 | first half of the BLAKE3 of bytes 0..112 |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Bytes of a token.
    pub width: Width,
    /// Tokens that follow.
    pub tokens: u64,
    /// Documents that begin in this shard.
    pub documents: u64,
    /// Bytes of the text that the tokens stand for.
    pub text_bytes: u64,
    /// [`Tokenizer::hash`](fireclay_tokenizer::Tokenizer::hash) of the tokenizer.
    pub tokenizer: [u8; 32],
    /// BLAKE3 of the token bytes.
    pub checksum: [u8; 32],
}

impl Header {
    /// Length of a header; the tokens start here, aligned for any width.
    pub const BYTES: usize = 128;

    const SUM_AT: usize = 112;

    /// The header as bytes of the file.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12] = if self.width == Width::U16 { 2 } else { 4 };
        bytes[16..24].copy_from_slice(&self.tokens.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.documents.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.text_bytes.to_le_bytes());
        bytes[40..72].copy_from_slice(&self.tokenizer);
        bytes[72..104].copy_from_slice(&self.checksum);
        let sum = blake3::hash(&bytes[..Self::SUM_AT]);
        bytes[Self::SUM_AT..].copy_from_slice(&half(&sum));
        bytes
    }

    /// Reads the header at the start of `bytes`; any bytes may be given.
    ///
    /// # Errors
    /// Names the mismatch: the length, the magic, the version, or the header's own checksum.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let Some((bytes, _)) = bytes.split_first_chunk::<{ Self::BYTES }>() else {
            return Err(format!("{} bytes are too few for a header", bytes.len()));
        };
        if field::<8>(bytes, 0) != *MAGIC {
            return Err("it is not a shard of tokens".into());
        }
        let version = u32::from_le_bytes(field(bytes, 8));
        if version != VERSION {
            return Err(format!("it has format version {version}, and only {VERSION} is supported"));
        }
        let sum = blake3::hash(&bytes[..Self::SUM_AT]);
        if field::<16>(bytes, Self::SUM_AT) != half(&sum) {
            return Err("its header does not match its checksum".into());
        }
        let width = match u32::from_le_bytes(field(bytes, 12)) {
            2 => Width::U16,
            4 => Width::U32,
            other => return Err(format!("it has {other} bytes a token, and only 2 and 4 are supported")),
        };
        Ok(Self {
            width,
            tokens: u64::from_le_bytes(field(bytes, 16)),
            documents: u64::from_le_bytes(field(bytes, 24)),
            text_bytes: u64::from_le_bytes(field(bytes, 32)),
            tokenizer: field(bytes, 40),
            checksum: field(bytes, 72),
        })
    }

    /// Length of the whole file; `None` if no file can be that long.
    #[must_use]
    pub fn file_bytes(&self) -> Option<u64> {
        self.tokens.checked_mul(self.width.bytes() as u64)?.checked_add(Self::BYTES as u64)
    }
}

fn field<const N: usize>(bytes: &[u8; Header::BYTES], at: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[at + i])
}

fn half(sum: &Hash) -> [u8; 16] {
    std::array::from_fn(|i| sum.as_bytes()[i])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(width: Width, tokens: u64) -> Header {
        Header { width, tokens, documents: 3, text_bytes: 99, tokenizer: [7; 32], checksum: [9; 32] }
    }

    proptest! {
        #[test]
        fn any_header_survives_the_round_trip(tokens: u64, wide: bool) {
            let header = header(if wide { Width::U32 } else { Width::U16 }, tokens);
            prop_assert_eq!(Header::parse(&header.to_bytes()), Ok(header));
        }

        #[test]
        fn any_bytes_parse_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(header) = Header::parse(&bytes) {
                let _ = header.file_bytes();
            }
        }

        /// Bytes that get past the magic and the checksum still cannot do harm.
        #[test]
        fn any_well_summed_bytes_parse_without_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 128)) {
            bytes[..8].copy_from_slice(MAGIC);
            bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
            let sum = blake3::hash(&bytes[..Header::SUM_AT]);
            bytes[Header::SUM_AT..].copy_from_slice(&half(&sum));
            if let Ok(header) = Header::parse(&bytes) {
                let _ = header.file_bytes();
            }
        }

        #[test]
        fn any_flipped_bit_is_noticed(at in 0..Header::BYTES, bit in 0..8) {
            let mut bytes = header(Width::U16, 5).to_bytes();
            bytes[at] ^= 1_u8 << bit;
            prop_assert!(Header::parse(&bytes).is_err());
        }
    }
}
