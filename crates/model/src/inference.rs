//! A decoder for inference alone: [`InferenceDecoder`].

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_kernels::LogProbabilities;
use fireclay_kernels::attention::paged::Text;

use crate::block::Block;
use crate::cache::{Cache, PagedCache};
use crate::config::DecoderConfig;
use crate::decoder::Decoder;
use crate::linear::{Linear, Precision, WeightStorage};

/// A [`Decoder`] whose linear maps, the head among them, are stored as inference reads them. It can be neither trained
/// nor saved.
///
/// On the CPU backend a token's results depend on nothing but the tokens that it sees, down to the last bit: neither on
/// the texts that are computed beside it, nor on how its text is cut into steps, nor on the number of threads. Every
/// product is one chain of fused multiply-adds in a fixed order. Other backends promise the same only within rounding.
#[derive(Clone, Debug)]
pub struct InferenceDecoder {
    decoder: Decoder,
}

impl From<&Decoder> for InferenceDecoder {
    /// The decoder with its weights as they are.
    fn from(decoder: &Decoder) -> Self {
        Self::new(decoder.clone(), WeightStorage::F32)
    }
}

impl From<&Self> for InferenceDecoder {
    /// The same weights, not copied.
    fn from(decoder: &Self) -> Self {
        decoder.clone()
    }
}

impl InferenceDecoder {
    /// `decoder` with its weights in a format; embeddings, norms and biases stay f32. Adapters are settled into weights
    /// that are rounded, and stay beside those that are not. Weights that are multiplied in bfloat16 are stored so.
    ///
    /// # Panics
    /// When the decoder tracks gradients. Pass `decoder.valid()`.
    #[must_use]
    pub fn new(decoder: Decoder, format: WeightStorage) -> Self {
        assert!(!decoder.device().is_autodiff(), "inference takes a decoder without gradients: decoder.valid()");
        let (mut decoder, format) = match (format, decoder.precision) {
            (WeightStorage::F32, Precision::F32) => (decoder, WeightStorage::F32),
            (WeightStorage::F32, Precision::Bf16) => (decoder, WeightStorage::Bf16),
            (format, _) => (decoder.merged(), format),
        };
        let head = decoder.head.take();
        let head = head.unwrap_or_else(|| match &decoder.stored_embedding {
            Some(stored) => Linear::of_stored(stored.clone(), None, &decoder.device()),
            None => Linear::new(decoder.token_embedding.val().transpose(), None),
        });
        decoder.head = Some(head.stored(format));
        let stored = |block: Block| Block {
            attention: block.attention.stored(format),
            feed_forward: block.feed_forward.stored(format),
            ..block
        };
        decoder.blocks = decoder.blocks.into_iter().map(stored).collect();
        Self { decoder }
    }

    /// Configuration of the decoder.
    #[must_use]
    pub fn config(&self) -> &DecoderConfig {
        self.decoder.config()
    }

    /// Device of the weights.
    #[must_use]
    pub fn device(&self) -> Device {
        self.decoder.device()
    }

    /// The normalised last layer of the new tokens of several texts, one text behind the other, which read and write
    /// the pages of `cache` that `texts` name. A text may read what another writes in the same step.
    ///
    /// # Shapes
    /// N ids → `[N, D]`
    ///
    /// # Panics
    /// When there is not one id a new token, a text has too few pages, or positions are learned or sinusoidal and a
    /// text is longer than `config().context`.
    #[must_use]
    pub fn step(&self, ids: &[u32], texts: &[Text], cache: &mut PagedCache) -> Tensor<2> {
        let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
        let count = ids.len();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [count]), &self.device());
        self.decoder.hidden_in_pages(ids, texts, cache)
    }

    /// [`Decoder::forward`].
    ///
    /// # Shapes
    /// `[B, T]` → `[B, T, V]`
    ///
    /// # Panics
    /// As [`Decoder::forward`].
    #[must_use]
    pub fn forward(&self, ids: Tensor<2, Int>, cache: Option<&mut Cache>) -> Tensor<3> {
        self.decoder.forward(ids, cache)
    }

    /// [`Decoder::hidden`].
    ///
    /// # Shapes
    /// `[B, T]` → `[B, T, D]`
    ///
    /// # Panics
    /// As [`Decoder::forward`].
    #[must_use]
    pub fn hidden(&self, ids: Tensor<2, Int>, cache: Option<&mut Cache>) -> Tensor<3> {
        self.decoder.hidden(ids, cache)
    }

    /// The logits of some tokens' last layer.
    ///
    /// # Shapes
    /// `[N, D]` → `[N, V]`
    #[must_use]
    pub fn logits(&self, hidden_nd: Tensor<2>) -> Tensor<2> {
        self.decoder.logits(hidden_nd.unsqueeze_dim(0)).squeeze_dim(0)
    }

    /// [`Decoder::log_probabilities`].
    ///
    /// # Shapes
    /// `[N, D]`, N ids → two of `[N]`
    ///
    /// # Panics
    /// As [`Decoder::log_probabilities`].
    #[must_use]
    pub fn log_probabilities(&self, hidden_nd: Tensor<2>, ids: Vec<u32>, temperature: f64) -> LogProbabilities {
        self.decoder.log_probabilities(hidden_nd, ids, temperature)
    }
}
