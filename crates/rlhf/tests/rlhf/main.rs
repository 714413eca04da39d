//! Alignment, held against independent references: `PyTorch` and TRL (`scripts/rlhf_reference.py`), and what theory
//! says must come out.

#![expect(clippy::float_cmp, reason = "results must agree to the last bit")]

mod fixture;
mod losses;
mod end_to_end;
mod gradients;
mod rollouts;
mod bandit;
mod battery;

use burn::tensor::Device;
use fireclay_model::{Decoder, DecoderConfig};
use fireclay_tokenizer::{BpeConfig, Tokenizer};

/// The backend compiled in, or `FIRECLAY_TEST_DEVICE`.
pub(crate) fn device() -> Device {
    let name = std::env::var("FIRECLAY_TEST_DEVICE").unwrap_or_else(|_| "cpu".into());
    fireclay_model::device::parse(&name).unwrap_or_else(|error| panic!("{error}"))
}

/// A byte-level tokenizer with a chat template.
pub(crate) fn tokenizer() -> Tokenizer {
    let text = "What is 2 + 3? It is 5. Where does Anna live? She lives here. ".repeat(8);
    Tokenizer::train_bpe(std::iter::once(text), &BpeConfig { vocab_size: 300, ..BpeConfig::default() }).unwrap()
}

/// A decoder for that tokenizer, small enough to train in a test, and far enough from uniform to have opinions.
pub(crate) fn decoder(tokenizer: &Tokenizer) -> Decoder {
    let config = DecoderConfig { init_std: 0.1, ..DecoderConfig::modern(tokenizer.vocab_size(), 32, 2, 4, 96) };
    config.init(1, &device())
}
