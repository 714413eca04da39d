//! The patterns by which byte-level tokenizers cut text into words.

use tokenizers::SplitDelimiterBehavior;
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};

/// Qwen2's words: letters with one leading mark or space, single digits, runs of punctuation, line ends, spaces.
pub(crate) const QWEN_PATTERN: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// cl100k's words: as Qwen2's, with digits in groups of up to three.
pub(crate) const RANKS_PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// GPT-2's words, which are also the library's own.
pub(crate) const GPT2_PATTERN: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// A byte-level BPE tokenizer that splits words by `pattern`, perhaps with a space put before every text.
pub(crate) fn byte_level(model: BPE, pattern: &str, prefix: bool) -> tokenizers::Result<tokenizers::Tokenizer> {
    let split = Split::new(SplitPattern::Regex(pattern.to_owned()), SplitDelimiterBehavior::Isolated, false)?;
    let steps: Vec<PreTokenizerWrapper> = vec![split.into(), ByteLevel::new(prefix, false, false).into()];
    let mut library = tokenizers::Tokenizer::new(model);
    library.with_pre_tokenizer(Some(Sequence::new(steps)));
    library.with_decoder(Some(ByteLevel::default()));
    Ok(library)
}
