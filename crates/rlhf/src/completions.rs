//! Sequences of different lengths as one batch, and what a model says of their completions.
//!
//! Shapes: B sequences, T tokens of the longest (less its last, which predicts nothing), C tokens of the longest completion, N tokens of all completions,
//! D width.
//! Padding stands behind a sequence, where causal attention never looks from.

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_model::{Decoder, LogProbabilities, ScoreModel};

/// Prompts with their completions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequences {
    ids: Vec<Vec<u32>>,
    starts: Vec<usize>,
}

impl Sequences {
    /// Sequences, each with the index of its completion's first token.
    ///
    /// # Panics
    /// When a prompt is empty, or a completion: a model cannot say how probable nothing is.
    #[must_use]
    pub fn new(sequences: impl IntoIterator<Item = (Vec<u32>, usize)>) -> Self {
        let (ids, starts): (Vec<_>, Vec<_>) = sequences.into_iter().unzip();
        for (ids, &start) in ids.iter().zip(&starts) {
            assert!(start > 0 && start < ids.len(), "a completion from token {start} of {} tokens", ids.len());
        }
        Self { ids, starts }
    }

    /// How many there are (B).
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Tokens of all of them, padding not counted.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.ids.iter().map(|ids| ids.len() as u64).sum()
    }

    /// Tokens in each completion.
    pub fn lengths(&self) -> impl Iterator<Item = usize> {
        self.ids.iter().zip(&self.starts).map(|(ids, start)| ids.len() - start)
    }

    /// C: tokens in the longest completion.
    #[must_use]
    pub fn longest_completion(&self) -> usize {
        self.lengths().max().unwrap_or(0)
    }

    /// The inputs, every token but a sequence's last: `[B, T]`.
    fn inputs(&self, device: &Device) -> Tensor<2, Int> {
        self.padded(self.ids.iter().map(Vec::len).max().unwrap_or(1) - 1, device)
    }

    /// The first `time` tokens of each, padded with 0.
    fn padded(&self, time: usize, device: &Device) -> Tensor<2, Int> {
        let row = |ids: &Vec<u32>| {
            let kept: Vec<i32> = ids.iter().take(time).map(|&id| id as i32).collect();
            let padding = time - kept.len();
            kept.into_iter().chain(std::iter::repeat_n(0, padding)).collect::<Vec<_>>()
        };
        let ids: Vec<i32> = self.ids.iter().flat_map(row).collect();
        Tensor::from_data(TensorData::new(ids, [self.len(), time]), device)
    }

    /// 1 where a completion has a token, 0 behind its end: `[B, C]`.
    #[must_use]
    pub fn mask(&self, device: &Device) -> Tensor<2> {
        self.per_token(|_, _| 1.0, device)
    }

    /// `value(b, c)` for token `c` of completion `b`, 0 behind its end: `[B, C]`.
    pub fn per_token(&self, value: impl Fn(usize, usize) -> f32, device: &Device) -> Tensor<2> {
        let longest = self.longest_completion();
        let value = &value;
        let row = |(b, length)| (0..longest).map(move |c| if c < length { value(b, c) } else { 0.0 });
        let values: Vec<f32> = self.lengths().enumerate().flat_map(row).collect();
        Tensor::from_data(TensorData::new(values, [self.len(), longest]), device)
    }

    /// Where in `[B · time]` the token stands that predicts token `c` of completion `b`, for all tokens of all completions: `[N]`
    fn predictors(&self, time: usize, device: &Device) -> Tensor<1, Int> {
        let places = self.lengths().enumerate().flat_map(|(b, length)| {
            let first = b * time + self.starts[b] - 1;
            first..first + length
        });
        indices(places, device)
    }

    /// The tokens of all completions, one after another: N.
    fn targets(&self) -> Vec<u32> {
        self.ids.iter().zip(&self.starts).flat_map(|(ids, &start)| &ids[start..]).copied().collect()
    }

    /// Numbers of all tokens of all completions `[N]`, a completion a row: `[B, C]`, 0 behind its end.
    fn in_rows(&self, values_n: Tensor<1>) -> Tensor<2> {
        let (longest, count, device) = (self.longest_completion(), values_n.dims()[0], values_n.device());
        let mut first = 0;
        let places = self.lengths().flat_map(|length| {
            first += length;
            // Behind the last value stands a 0.
            (first - length..first).chain(std::iter::repeat_n(count, longest - length))
        });
        let places = indices(places, &device);
        let with_zero = Tensor::cat(vec![values_n, Tensor::zeros([1], &device)], 0);
        with_zero.select(0, places).reshape([self.len(), longest])
    }
}

fn indices(places: impl Iterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let places: Vec<i32> = places.map(|place| place as i32).collect();
    let count = places.len();
    Tensor::from_data(TensorData::new(places, [count]), device)
}

/// What a decoder says of every token of the completions; 0 behind a completion's end.
#[derive(Clone, Debug)]
pub struct CompletionScores {
    /// log p of each token, given those before it: `[B, C]`.
    pub logprobs: Tensor<2>,
    /// The entropy `−Σ p log p` of the distribution that each token was chosen from, in nats: `[B, C]`.
    pub entropies: Tensor<2>,
}

/// Log-probabilities of the completions' tokens under `decoder` at a temperature: those of a softmax of `logits / temperature`. `[B, C]`
#[must_use]
pub fn token_logprobs(decoder: &Decoder, sequences: &Sequences, temperature: f64) -> Tensor<2> {
    sequences.in_rows(of_tokens(decoder, sequences, temperature).chosen)
}

/// [`token_logprobs`] with entropies, which carry gradients only if they are `differentiable`: as a number for the log they need none.
#[must_use]
pub fn token_scores(
    decoder: &Decoder,
    sequences: &Sequences,
    temperature: f64,
    differentiable: bool,
) -> CompletionScores {
    let LogProbabilities { chosen, entropy } = of_tokens(decoder, sequences, temperature);
    let entropy = if differentiable { entropy } else { entropy.detach() };
    CompletionScores { logprobs: sequences.in_rows(chosen), entropies: sequences.in_rows(entropy) }
}

/// What the head, which is computed before the completions' tokens alone, says of them: `[N]`
fn of_tokens(decoder: &Decoder, sequences: &Sequences, temperature: f64) -> LogProbabilities {
    let device = decoder.device();
    let hidden_btd = decoder.hidden(sequences.inputs(&device), None);
    let [batch, time, width] = hidden_btd.dims();
    let hidden_nd = hidden_btd.reshape([batch * time, width]).select(0, sequences.predictors(time, &device));
    decoder.log_probabilities(hidden_nd, sequences.targets(), temperature)
}

/// A critic's value before each token of the completions: of the tokens before it. `[B, C]`
#[must_use]
pub fn token_values(critic: &ScoreModel, sequences: &Sequences) -> Tensor<2> {
    let device = critic.device();
    let scores_bt = critic.forward(sequences.inputs(&device));
    let [batch, time] = scores_bt.dims();
    sequences.in_rows(scores_bt.reshape([batch * time]).select(0, sequences.predictors(time, &device)))
}

/// The score at each sequence's last token: `[B]`.
#[must_use]
pub fn final_scores(model: &ScoreModel, sequences: &Sequences) -> Tensor<1> {
    let device = model.device();
    let time = sequences.ids.iter().map(Vec::len).max().unwrap_or(1);
    let scores_bt = model.forward(sequences.padded(time, &device));
    let last = sequences.ids.iter().enumerate().map(|(b, ids)| b * time + ids.len() - 1);
    scores_bt.reshape([sequences.len() * time]).select(0, indices(last, &device))
}

/// `Σ x · mask / Σ mask`: the mean over all tokens of all completions. `[B, C]` → `[1]`
#[must_use]
pub fn masked_mean(x_bc: Tensor<2>, mask_bc: &Tensor<2>) -> Tensor<1> {
    (x_bc * mask_bc.clone()).sum() / mask_bc.clone().sum()
}

/// A tensor's numbers on the host.
///
/// # Panics
/// When they are no floats.
#[must_use]
pub fn host<const R: usize>(tensor: Tensor<R>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec().expect("converted to f32")
}

/// The one number of a tensor.
#[must_use]
pub fn number(tensor: Tensor<1>) -> f64 {
    f64::from(tensor.into_scalar::<f32>())
}
