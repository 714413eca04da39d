//! The decoder: embeddings and positions, blocks of attention and feed-forward, a final norm, and the head.
//!
//! Shapes: B batch, T time, D width, V vocabulary, N = B·T.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_kernels::attention::{Mask, paged::Text};
use fireclay_kernels::cross_entropy::Targets;
use fireclay_kernels::{Head, LogProbabilities, cross_entropy, embedding, linear, log_probabilities};

use crate::attention::{AttentionContext, View};
use crate::block::Block;
use crate::cache::{Cache, PagedCache, Past};
use crate::checkpointing::ActivationCheckpoints;
use crate::config::{DecoderConfig, PositionEncoding};
use crate::layout::Layout;
use crate::linear::{Linear, Precision};
use crate::lora::LoraConfig;
use crate::norm::Norm;
use crate::position::{Lengths, rotary_angles, sinusoids};
use crate::weight::Weight;

/// A decoder-only Transformer. Training, prefill and decoding share [`forward`](Self::forward).
#[derive(Module, Debug)]
pub struct Decoder {
    /// `[V, D]`; if it is stored, a map whose outputs are the tokens, `[D, V]`.
    pub(crate) token_embedding: Weight,
    /// `[context, D]`, if positions are learned.
    pub(crate) position_embedding: Option<Param<Tensor<2>>>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) norm: Norm,
    /// `None`: the head is the embedding's transpose.
    pub(crate) head: Option<Linear>,
    #[module(skip)]
    pub(crate) config: DecoderConfig,
    #[module(skip)]
    pub(crate) precision: Precision,
    #[module(skip)]
    pub(crate) checkpoints: Option<ActivationCheckpoints>,
    /// Configuration of the adapters, if there are any; targets have our names.
    #[module(skip)]
    pub(crate) lora: Option<LoraConfig>,
}

impl Decoder {
    /// Configuration of the decoder.
    #[must_use]
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// Device of the weights.
    #[must_use]
    pub fn device(&self) -> Device {
        self.norm.device()
    }

    /// Number format of the matrix products; f32 at first.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// With `checkpoints`, forward passes that track gradients keep only the input of each block. Call
    /// [`ActivationCheckpoints::backward`] after `backward`.
    #[must_use]
    pub fn with_activation_checkpoints(mut self, checkpoints: Option<ActivationCheckpoints>) -> Self {
        self.checkpoints = checkpoints;
        self
    }

    /// Logits of the token after each of `ids`, which follow the tokens in `cache`; their keys and values are added to
    /// it.
    ///
    /// # Shapes
    /// `[B, T]` → `[B, T, V]`
    ///
    /// # Panics
    /// When positions are learned or sinusoidal and there are more tokens than `config().context`,
    /// or more than the cache holds.
    #[must_use]
    pub fn forward(&self, ids: Tensor<2, Int>, cache: Option<&mut Cache>) -> Tensor<3> {
        self.logits(self.hidden(ids, cache))
    }

    /// Logits of rows that hold several texts each, none of which sees another: see
    /// [`hidden_segmented`](Self::hidden_segmented).
    ///
    /// # Shapes
    /// `[B, T]`, segments `[B, T]` → `[B, T, V]`
    ///
    /// # Panics
    /// As [`hidden_segmented`](Self::hidden_segmented).
    #[must_use]
    pub fn forward_segmented(&self, ids: Tensor<2, Int>, segments: &[u32]) -> Tensor<3> {
        self.logits(self.hidden_segmented(ids, segments))
    }

    /// The hidden states after the final norm, which [`logits`](Self::logits) and value heads read.
    ///
    /// # Shapes
    /// `[B, T]` → `[B, T, D]`
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    #[must_use]
    pub fn hidden(&self, ids: Tensor<2, Int>, cache: Option<&mut Cache>) -> Tensor<3> {
        let time = ids.dims()[1];
        let layout = Layout::plain(cache.as_ref().map_or(0, |cache| cache.len()), time);
        self.hidden_in(ids, &layout, cache)
    }

    /// The hidden states after the final norm, for rows that hold several texts each, such as packed short
    /// conversations. A text begins wherever the number in `segments`, row by row, changes. Its tokens see no other
    /// text and its positions begin at 0, so every text gets the same result as in a separate forward pass.
    ///
    /// # Shapes
    /// `[B, T]`, segments `[B, T]` → `[B, T, D]`
    ///
    /// # Panics
    /// When `segments` does not have one number per token, or when positions are learned or sinusoidal and a text is
    /// longer than `config().context`.
    #[must_use]
    pub fn hidden_segmented(&self, ids: Tensor<2, Int>, segments: &[u32]) -> Tensor<3> {
        let [batch, time] = ids.dims();
        self.hidden_in(ids, &Layout::packed(batch, time, segments), None)
    }

    /// The part shared by [`hidden`](Self::hidden) and [`hidden_segmented`](Self::hidden_segmented); `cache` holds the
    /// tokens before those of `layout`.
    fn hidden_in(&self, ids: Tensor<2, Int>, layout: &Layout, mut cache: Option<&mut Cache>) -> Tensor<3> {
        let [batch, time] = ids.dims();
        let x_btd = self.embedded(ids);
        let x_btd = self.add_positions(x_btd, || layout.positions(), layout.rows());
        // Attention sees only differences of rotary positions, so they need not restart at 0 with every text.
        let lengths = || Lengths::All(layout.positions().iter().max().map_or(0, |last| last + 1));
        let [full, windowed] = rotary_angles(&self.config, &(layout.start..layout.start + time), lengths);
        let view = |angles, window| View { angles, mask: layout.mask(window), window: None };
        let context = AttentionContext {
            precision: self.precision,
            batch,
            time,
            full: view(full, None),
            windowed: view(windowed, self.config.sliding_window),
        };
        let mut x_nd = x_btd.reshape([batch * time, self.config.width]);
        match &self.checkpoints {
            Some(checkpoints) if cache.is_none() && x_nd.device().is_autodiff() => {
                let mut embeddings = self.token_embedding.parameter().into_iter().chain(&self.position_embedding);
                let learned = embeddings.any(|table| table.val().is_require_grad());
                x_nd = checkpoints.forward(&self.blocks, x_nd, learned, &context);
            }
            _ => {
                for (layer, block) in self.blocks.iter().enumerate() {
                    let past = cache.as_deref_mut().map_or(Past::Nothing, |cache| Past::Cache(cache, layer));
                    x_nd = block.forward(x_nd, &context, past);
                }
            }
        }
        if let Some(cache) = cache {
            cache.advance(time);
        }
        self.norm.forward(x_nd).reshape([batch, time, self.config.width])
    }

    /// The hidden states after the final norm of the new tokens of several texts, with the KV cache in pages. `[N, D]`
    pub(crate) fn hidden_in_pages(&self, ids_n: Tensor<1, Int>, texts: &[Text], cache: &mut PagedCache) -> Tensor<2> {
        let positions = || texts.iter().flat_map(|text| text.start..text.len());
        let time = ids_n.dims()[0];
        let x_1td = self.embedded(ids_n.unsqueeze_dim(0));
        let x_1td = self.add_positions(x_1td, || positions().collect(), 1);
        // A token's result must not depend on the steps of its text: each token counts as the last of its text.
        let [full, windowed] = rotary_angles(&self.config, &positions(), || Lengths::UpToEach);
        let view = |angles, window| View { angles, window, mask: Mask::default() };
        let context = AttentionContext {
            precision: self.precision,
            batch: 1,
            time,
            full: view(full, None),
            windowed: view(windowed, self.config.sliding_window),
        };
        let mut x_nd = x_1td.reshape([time, self.config.width]);
        for (block, pages) in self.blocks.iter().zip(&mut cache.layers) {
            x_nd = block.forward(x_nd, &context, Past::Pages(pages, texts));
        }
        self.norm.forward(x_nd)
    }

    /// Weighted cross-entropy `Σ −wᵢ·log p(targetᵢ)` of the head's predictions from `hidden`, in nats. On the CPU the
    /// logits are never in memory as a whole.
    ///
    /// # Shapes
    /// `[B, T, D]`, with B·T targets and weights, row by row → `[1]`
    ///
    /// # Panics
    /// When there is not one target and one weight per token, or a target is not in the vocabulary.
    #[must_use]
    pub fn cross_entropy(&self, hidden_btd: Tensor<3>, targets: Targets) -> Tensor<1> {
        let [batch, time, width] = hidden_btd.dims();
        if let Some(head) = self.plain_head() {
            let hidden_nd = self.before_head(hidden_btd.reshape([batch * time, width]));
            return cross_entropy(hidden_nd, head, targets, self.precision);
        }
        let logits_nv = self.logits(hidden_btd).reshape([batch * time, self.config.vocab_size]);
        cross_entropy::reference::of_logits(logits_nv, &targets)
    }

    /// Log-probabilities of the tokens `ids` that follow `hidden`, and the entropies of the head's distributions, at a
    /// temperature. On the CPU the logits are never in memory as a whole.
    ///
    /// # Shapes
    /// `[N, D]`, N ids → two of `[N]`
    ///
    /// # Panics
    /// When there is not one id per row, an id is not in the vocabulary, or the temperature is not positive.
    #[must_use]
    pub fn log_probabilities(&self, hidden_nd: Tensor<2>, ids: Vec<u32>, temperature: f64) -> LogProbabilities {
        if let Some(head) = self.plain_head() {
            return log_probabilities(self.before_head(hidden_nd), head, ids, temperature, self.precision);
        }
        let logits_nv = self.logits(hidden_nd.unsqueeze_dim(0)).squeeze_dim::<2>(0);
        log_probabilities::reference::of_logits(logits_nv, &ids, temperature)
    }

    /// Input of the head: the last hidden states, divided by the divisor of the logits.
    fn before_head(&self, hidden_nd: Tensor<2>) -> Tensor<2> {
        match self.config.variant.logit_divisor {
            1.0 => hidden_nd,
            divisor => hidden_nd / divisor,
        }
    }

    /// The head, if it is only a product with one matrix.
    fn plain_head(&self) -> Option<Head> {
        if self.config.variant.logit_softcap.is_some() {
            return None;
        }
        match (&self.head, &self.token_embedding) {
            (Some(head), _) => head.as_head(),
            (None, Weight::Stored(stored)) => Some(Head::Stored(stored.clone())),
            (None, Weight::Trained(embedding)) => Some(Head::Embedding(embedding.val())),
        }
    }

    /// The head: a linear map to the vocabulary.
    ///
    /// # Shapes
    /// `[B, T, D]` → `[B, T, V]`
    #[must_use]
    pub fn logits(&self, hidden_btd: Tensor<3>) -> Tensor<3> {
        let [batch, time, width] = hidden_btd.dims();
        let hidden_nd = self.before_head(hidden_btd.reshape([batch * time, width]));
        let logits_nv = match (&self.head, &self.token_embedding) {
            (Some(head), _) => head.forward(hidden_nd, self.precision),
            (None, Weight::Stored(stored)) => stored.linear(hidden_nd, None, self.precision),
            (None, Weight::Trained(embedding)) => linear(hidden_nd, embedding.val().transpose(), None, self.precision),
        };
        let logits_nv = match self.config.variant.logit_softcap {
            Some(cap) => (logits_nv / cap).tanh() * cap,
            None => logits_nv,
        };
        logits_nv.reshape([batch, time, self.config.vocab_size])
    }

    /// The embeddings of tokens. `[B, T]` → `[B, T, D]`
    fn embedded(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let x_btd = match &self.token_embedding {
            Weight::Stored(stored) => stored.embedding(ids),
            Weight::Trained(table) => embedding(table.val(), ids),
        };
        match self.config.variant.embedding_multiplier {
            1.0 => x_btd,
            multiplier => x_btd * multiplier,
        }
    }

    /// Adds learned or sinusoidal positions, `[rows, T]` with 1 or B rows, to the embeddings `[B, T, D]`.
    fn add_positions(&self, x_btd: Tensor<3>, positions: impl FnOnce() -> Vec<usize>, rows: usize) -> Tensor<3> {
        let [_, time, width] = x_btd.dims();
        if matches!(self.config.position, PositionEncoding::Rotary { .. }) {
            return x_btd;
        }
        let positions = positions();
        let last = positions.iter().max().copied().unwrap_or(0);
        let context = self.config.context;
        assert!(last < context, "token {} has no position: the context is {context} tokens", last + 1);
        let device = x_btd.device();
        let added = match &self.position_embedding {
            Some(table) => {
                let positions: Vec<i32> =
                    positions.iter().map(|&p| i32::try_from(p).expect("a position fits i32")).collect();
                embedding(table.val(), Tensor::from_data(TensorData::new(positions, [rows, time]), &device))
            }
            None => Tensor::from_data(TensorData::new(sinusoids(&positions, width), [rows, time, width]), &device),
        };
        x_btd + added
    }
}
