//! A decoder for inference alone: [`InferenceDecoder`].

use std::path::Path;

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_kernels::LogProbabilities;
use fireclay_kernels::attention::paged::Text;

use crate::ModelError;
use crate::cache::{Cache, PagedCache};
use crate::config::DecoderConfig;
use crate::decoder::Decoder;
use crate::huggingface::{adapter_base, load, load_for};
use crate::init::Purpose;
use crate::linear::{Linear, Precision, WeightStorage};

/// A [`Decoder`] whose linear maps, including the head, are stored in the layout that inference reads. It can be
/// neither trained nor saved.
///
/// On the CPU backend a token's results depend only on the tokens that it sees, to the last bit: not on the other texts
/// of a step, nor on the split of its text into steps, nor on the number of threads. Every product is one chain of
/// fused multiply-adds in a fixed order. Other backends guarantee the same only up to rounding.
#[derive(Clone, Debug)]
pub struct InferenceDecoder {
    decoder: Decoder,
    /// Format of keys and values in pages.
    cache_precision: Precision,
}

impl From<&Decoder> for InferenceDecoder {
    /// The decoder with its weights in f32.
    fn from(decoder: &Decoder) -> Self {
        Self::new(decoder.clone(), WeightStorage::F32)
    }
}

impl From<&Self> for InferenceDecoder {
    /// Shares the weights.
    fn from(decoder: &Self) -> Self {
        decoder.clone()
    }
}

impl InferenceDecoder {
    /// The format that weights are stored in if `format` is asked for: those of f32 are bfloat16 if their products are.
    #[must_use]
    pub fn stored_format(format: WeightStorage, precision: Precision) -> WeightStorage {
        match (format, precision) {
            (WeightStorage::F32, Precision::Bf16) => WeightStorage::Bf16,
            (format, _) => format,
        }
    }

    /// Converts the weights of `decoder` to a format; embeddings, norms and biases stay f32. Adapters are merged into
    /// weights that are quantised, and stay separate beside those that are not. Weights of a decoder with bfloat16
    /// products are stored as bfloat16. Keys and values are bfloat16 if a format of fewer bits than f32 is asked for.
    ///
    /// # Panics
    /// When the decoder tracks gradients. Pass `decoder.valid()`.
    #[must_use]
    pub fn new(decoder: Decoder, format: WeightStorage) -> Self {
        assert!(!decoder.device().is_autodiff(), "inference takes a decoder without gradients: decoder.valid()");
        let cache_precision = cache_precision(format);
        let mut decoder = if format == WeightStorage::F32 { decoder } else { decoder.merged() };
        let format = Self::stored_format(format, decoder.precision);
        let head = decoder.head.take();
        let head = head.unwrap_or_else(|| Linear::tied_to(&decoder.token_embedding));
        decoder.head = Some(head.stored(format));
        decoder.blocks = decoder.blocks.into_iter().map(|block| block.stored(format)).collect();
        Self { decoder, cache_precision }
    }

    /// Reads a decoder as [`load`] does and converts its weights as [`new`](Self::new) does, block by
    /// block: the peak is the converted decoder plus its largest block in f32. A folder of adapters is merged in f32
    /// first.
    ///
    /// # Errors
    /// As [`load`].
    ///
    /// # Panics
    /// When the device tracks gradients.
    pub fn load(dir: impl AsRef<Path>, device: &Device, format: WeightStorage) -> Result<Self, ModelError> {
        assert!(!device.is_autodiff(), "inference takes a device without gradients");
        let dir = dir.as_ref();
        if adapter_base(dir)?.is_some() {
            return Ok(Self::new(load(dir, device)?, format));
        }
        let decoder = load_for(dir, device, Purpose::Inference(format))?;
        Ok(Self { decoder, cache_precision: cache_precision(format) })
    }

    /// Format of the keys and values in pages.
    #[must_use]
    pub fn cache_precision(&self) -> Precision {
        self.cache_precision
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

    /// The hidden states after the final norm of the new tokens of several texts. The tokens of one text follow those
    /// of another; each text reads and writes its pages of `cache`, listed in `texts`. A text may read pages that
    /// another writes in the same step.
    ///
    /// # Shapes
    /// N ids → `[N, D]`
    ///
    /// # Panics
    /// When there is not one id per new token, a text has too few pages, or positions are learned or sinusoidal and a
    /// text is longer than `config().context`.
    #[must_use]
    pub fn step(&self, ids: &[u32], texts: &[Text], cache: &mut PagedCache) -> Tensor<2> {
        let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
        let count = ids.len();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [count]), &self.device());
        self.decoder.hidden_in_pages(ids, texts, cache)
    }

    /// Same as [`Decoder::forward`].
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

    /// Same as [`Decoder::hidden`].
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

    /// The logits of some tokens' hidden states.
    ///
    /// # Shapes
    /// `[N, D]` → `[N, V]`
    #[must_use]
    pub fn logits(&self, hidden_nd: Tensor<2>) -> Tensor<2> {
        self.decoder.logits(hidden_nd.unsqueeze_dim(0)).squeeze_dim(0)
    }

    /// Same as [`Decoder::log_probabilities`].
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

/// Format of keys and values beside weights of a format.
fn cache_precision(format: WeightStorage) -> Precision {
    match format {
        WeightStorage::F32 => Precision::F32,
        WeightStorage::Bf16 | WeightStorage::Int8 | WeightStorage::Int4 => Precision::Bf16,
    }
}
