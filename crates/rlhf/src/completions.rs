//! Sequences of different lengths, and what a model says of their completions.
//!
//! Shapes: B sequences, T tokens of the longest (less its last, which predicts nothing), C tokens of
//! the longest completion, N tokens of all completions, D width.
//!
//! A model reads sequences of about the same length together, so that little of what it computes is
//! [padding](crate::completions). Padding stands behind a sequence, where causal attention never looks.

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_model::{Decoder, LogProbabilities, ScoreModel};

use crate::padding::by_length;

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

    /// The rows that a model reads together.
    fn batches(&self) -> Vec<Vec<usize>> {
        by_length(&self.ids.iter().map(Vec::len).collect::<Vec<_>>())
    }

    /// These rows, each without its last `left_out` tokens, padded with 0 to the longest: `[rows, time]`.
    fn padded(&self, rows: &[usize], left_out: usize, device: &Device) -> Tensor<2, Int> {
        let time = rows.iter().map(|&row| self.ids[row].len() - left_out).max().unwrap_or(0);
        let padded = |&row: &usize| {
            let ids = &self.ids[row][..self.ids[row].len() - left_out];
            let padding = std::iter::repeat_n(0, time - ids.len());
            ids.iter().map(|&id| id as i32).chain(padding).collect::<Vec<_>>()
        };
        let ids: Vec<i32> = rows.iter().flat_map(padded).collect();
        Tensor::from_data(TensorData::new(ids, [rows.len(), time]), device)
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

    /// Where in `[rows · time]` the tokens stand that predict the tokens of these rows' completions, one after another.
    fn predictors(&self, rows: &[usize], time: usize, device: &Device) -> Tensor<1, Int> {
        let places = rows.iter().enumerate().flat_map(|(b, &row)| {
            let last = b * time + self.ids[row].len() - 1;
            b * time + self.starts[row] - 1..last
        });
        indices(places, device)
    }

    /// The tokens of these rows' completions, one after another.
    fn targets(&self, rows: &[usize]) -> impl Iterator<Item = u32> {
        rows.iter().flat_map(|&row| &self.ids[row][self.starts[row]..]).copied()
    }

    /// Numbers of all tokens of all completions, in the order of the batches, `[N]`; a completion a
    /// row: `[B, C]`, 0 behind its end.
    fn in_rows(&self, values_n: Tensor<1>, batches: &[Vec<usize>]) -> Tensor<2> {
        let (longest, count, device) = (self.longest_completion(), values_n.dims()[0], values_n.device());
        let lengths: Vec<usize> = self.lengths().collect();
        let mut firsts = vec![0; self.len()];
        let mut first = 0;
        for &row in batches.iter().flatten() {
            firsts[row] = first;
            first += lengths[row];
        }
        // Behind the last value stands a 0.
        let places = firsts
            .iter()
            .zip(&lengths)
            .flat_map(|(&first, &length)| (first..first + length).chain(std::iter::repeat_n(count, longest - length)));
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
    let batches = sequences.batches();
    sequences.in_rows(of_tokens(decoder, sequences, &batches, temperature).chosen, &batches)
}

/// [`token_logprobs`] with entropies, which carry gradients only if they are `differentiable`: as a number for the log they need none.
#[must_use]
pub fn token_scores(
    decoder: &Decoder,
    sequences: &Sequences,
    temperature: f64,
    differentiable: bool,
) -> CompletionScores {
    let batches = sequences.batches();
    let LogProbabilities { chosen, entropy } = of_tokens(decoder, sequences, &batches, temperature);
    let entropy = if differentiable { entropy } else { entropy.detach() };
    CompletionScores { logprobs: sequences.in_rows(chosen, &batches), entropies: sequences.in_rows(entropy, &batches) }
}

/// What the head, which is computed before the completions' tokens alone, says of them: `[N]`, in the order of the batches.
fn of_tokens(decoder: &Decoder, sequences: &Sequences, batches: &[Vec<usize>], temperature: f64) -> LogProbabilities {
    let device = decoder.device();
    let hidden = |rows: &Vec<usize>| {
        let hidden_btd = decoder.hidden(sequences.padded(rows, 1, &device), None);
        let [batch, time, width] = hidden_btd.dims();
        hidden_btd.reshape([batch * time, width]).select(0, sequences.predictors(rows, time, &device))
    };
    let hidden_nd = Tensor::cat(batches.iter().map(hidden).collect(), 0);
    let targets = batches.iter().flat_map(|rows| sequences.targets(rows)).collect();
    decoder.log_probabilities(hidden_nd, targets, temperature)
}

/// A critic's value before each token of the completions: of the tokens before it. `[B, C]`
#[must_use]
pub fn token_values(critic: &ScoreModel, sequences: &Sequences) -> Tensor<2> {
    let device = critic.device();
    let batches = sequences.batches();
    let values = |rows: &Vec<usize>| {
        let scores_bt = critic.forward(sequences.padded(rows, 1, &device));
        let [batch, time] = scores_bt.dims();
        scores_bt.reshape([batch * time]).select(0, sequences.predictors(rows, time, &device))
    };
    sequences.in_rows(Tensor::cat(batches.iter().map(values).collect(), 0), &batches)
}

/// The score at each sequence's last token: `[B]`.
#[must_use]
pub fn final_scores(model: &ScoreModel, sequences: &Sequences) -> Tensor<1> {
    let device = model.device();
    let batches = sequences.batches();
    let scores = |rows: &Vec<usize>| {
        let scores_bt = model.forward(sequences.padded(rows, 0, &device));
        let [batch, time] = scores_bt.dims();
        let last = rows.iter().enumerate().map(|(b, &row)| b * time + sequences.ids[row].len() - 1);
        scores_bt.reshape([batch * time]).select(0, indices(last, &device))
    };
    let in_batches = Tensor::cat(batches.iter().map(scores).collect(), 0);
    let mut places = vec![0; sequences.len()];
    for (place, &row) in batches.iter().flatten().enumerate() {
        places[row] = place;
    }
    in_batches.select(0, indices(places.into_iter(), &device))
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
