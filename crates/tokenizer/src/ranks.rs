//! tiktoken's rank files: a line each with a token's bytes in base64 and its rank, which is its id.

use std::collections::HashMap;
use std::path::Path;

use tokenizers::AddedToken;
use tokenizers::models::bpe::{BPE, Merges, Vocab};

use crate::bytes::byte_to_char;
use crate::patterns::{GPT2_PATTERN, RANKS_PATTERN, byte_level};
use crate::settings::Settings;
use crate::text_file::read;
use crate::{Tokenizer, TokenizerError};

/// o200k's words, which also break between lower and upper case.
pub(crate) const O200K_PATTERN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Parameters of an encoding that its rank file lacks.
struct Encoding {
    name: &'static str,
    pattern: &'static str,
    specials: &'static [(&'static str, u32)],
}

const KNOWN: &str = "gpt2, r50k, p50k, cl100k, o200k";
const ENCODINGS: [Encoding; 5] = [
    Encoding { name: "gpt2", pattern: GPT2_PATTERN, specials: &[("<|endoftext|>", 50256)] },
    Encoding { name: "r50k", pattern: GPT2_PATTERN, specials: &[("<|endoftext|>", 50256)] },
    Encoding { name: "p50k", pattern: GPT2_PATTERN, specials: &[("<|endoftext|>", 50256)] },
    Encoding {
        name: "cl100k",
        pattern: RANKS_PATTERN,
        specials: &[
            ("<|endoftext|>", 100_257),
            ("<|fim_prefix|>", 100_258),
            ("<|fim_middle|>", 100_259),
            ("<|fim_suffix|>", 100_260),
            ("<|endofprompt|>", 100_276),
        ],
    },
    Encoding {
        name: "o200k",
        pattern: O200K_PATTERN,
        specials: &[("<|endoftext|>", 199_999), ("<|endofprompt|>", 200_018)],
    },
];

pub(crate) fn load(path: &Path) -> Result<Tokenizer, TokenizerError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let encoding = ENCODINGS
        .iter()
        .find(|encoding| name.contains(encoding.name))
        .ok_or_else(|| TokenizerError::UnknownRankFile { path: path.to_owned(), known: KNOWN })?;
    let ranks = parse(path, &read(path)?)?;
    let invalid = |error: tokenizers::Error| TokenizerError::invalid(path, error);
    if let Some(byte) = (0..=255).find(|&byte: &u8| !ranks.contains_key([byte].as_slice())) {
        return Err(TokenizerError::invalid(path, format!("it has no token for byte {byte}; fetch it again")));
    }
    let mut vocabulary: Vocab = ranks.iter().map(|(token, &rank)| (spell(token), rank)).collect();
    // Their ids leave gaps, which only the model's own vocabulary can express.
    vocabulary.extend(encoding.specials.iter().map(|&(token, id)| (token.to_owned(), id)));
    let model = BPE::builder().vocab_and_merges(vocabulary, merges(&ranks)).ignore_merges(true);
    let mut library = byte_level(model.build().map_err(invalid)?, encoding.pattern, false).map_err(invalid)?;
    let specials = encoding.specials.iter().map(|&(token, _)| AddedToken::from(token, true));
    library.add_special_tokens(specials).map_err(invalid)?;
    Ok(Tokenizer::new(library, Settings::generated(Some("<|endoftext|>"), None)))
}

fn parse(path: &Path, text: &str) -> Result<HashMap<Vec<u8>, u32>, TokenizerError> {
    let mut ranks = HashMap::new();
    let mut taken = std::collections::HashSet::new();
    for (line, content) in (1..).zip(text.lines()) {
        if content.is_empty() {
            continue;
        }
        let invalid = |detail: String| TokenizerError::InvalidLine { path: path.to_owned(), line, detail };
        let (token, rank) = content
            .split_once(' ')
            .ok_or_else(|| invalid(format!("expected base64, a space and a rank, found {content:?}")))?;
        let token = decode_base64(token)
            .filter(|token| !token.is_empty())
            .ok_or_else(|| invalid(format!("{token:?} is not base64")))?;
        let rank: u32 = rank.parse().map_err(|_| invalid(format!("{rank:?} is not a rank")))?;
        if !taken.insert(rank) || ranks.insert(token, rank).is_some() {
            return Err(invalid(format!("the token or its rank {rank} was given before")));
        }
    }
    Ok(ranks)
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let symbols = text.as_bytes();
    if !symbols.len().is_multiple_of(4) {
        return None;
    }
    let padding = symbols.iter().rev().take_while(|&&symbol| symbol == b'=').count();
    let (symbols, _) = symbols.split_at(symbols.len() - padding);
    let mut bytes = Vec::with_capacity(symbols.len() / 4 * 3 + 2);
    let (mut bits, mut held) = (0_u32, 0);
    for &symbol in symbols {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    (padding <= 2).then_some(bytes)
}

/// A token in GPT-2's printable alphabet.
fn spell(token: &[u8]) -> String {
    token.iter().map(|&byte| byte_to_char(byte)).collect()
}

/// Every split of a token into two tokens, in the order of their ranks: `transformers` converts rank files so.
fn merges(ranks: &HashMap<Vec<u8>, u32>) -> Merges {
    let mut merges = Vec::new();
    for (token, &rank) in ranks {
        for (left, right) in (1..token.len()).map(|at| token.split_at(at)) {
            if let (Some(&left_rank), Some(&right_rank)) = (ranks.get(left), ranks.get(right)) {
                merges.push(((rank, left_rank, right_rank), left, right));
            }
        }
    }
    merges.sort_unstable_by_key(|&(order, ..)| order);
    merges.into_iter().map(|(_, left, right)| (spell(left), spell(right))).collect()
}

#[cfg(test)]
mod tests {
    use super::decode_base64;

    #[test]
    fn base64_is_read_as_written_elsewhere() {
        assert_eq!(decode_base64("IQ=="), Some(b"!".to_vec()));
        assert_eq!(decode_base64("aGVsbG8="), Some(b"hello".to_vec()));
        assert_eq!(decode_base64("/+8A"), Some(vec![0xFF, 0xEF, 0x00]));
        assert_eq!(decode_base64(""), Some(vec![]));
        for wrong in ["IQ", "I===", "I Q=", "é==="] {
            assert_eq!(decode_base64(wrong), None, "{wrong}");
        }
    }
}
