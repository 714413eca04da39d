//! Sequences of different lengths, and log-probabilities, values and scores of their completions.
//!
//! Shapes: B sequences, T tokens of the longest (less its last, which predicts nothing), C tokens of
//! the longest completion, N tokens of all completions, D width.
//!
//! A model reads sequences of similar length together ([`by_length`]), so that there is little padding. Padding follows
//! a sequence, where causal attention does not reach.

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_infer::{PaddedBatch, ScoredSequence, by_length};
use fireclay_model::{Decoder, LogProbabilities, ScoreModel};

/// Prompts with their completions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequences {
    sequences: Vec<ScoredSequence>,
}

impl Sequences {
    /// Sequences, each with the index of its completion's first token.
    ///
    /// # Panics
    /// When a prompt or a completion is empty.
    #[must_use]
    pub fn new(sequences: impl IntoIterator<Item = (Vec<u32>, usize)>) -> Self {
        let sequences: Vec<ScoredSequence> =
            sequences.into_iter().map(|(ids, start)| ScoredSequence { ids, start }).collect();
        for ScoredSequence { ids, start } in &sequences {
            assert!((1..ids.len()).contains(start), "a completion from token {start} of {} tokens", ids.len());
        }
        Self { sequences }
    }

    /// The sequences.
    #[must_use]
    pub fn as_slice(&self) -> &[ScoredSequence] {
        &self.sequences
    }

    /// Number of sequences (B).
    #[must_use]
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Whether there are no sequences.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// Tokens of all of them, padding not counted.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.sequences.iter().map(|sequence| sequence.ids.len() as u64).sum()
    }

    /// Tokens in each completion.
    pub fn lengths(&self) -> impl Iterator<Item = usize> {
        self.sequences.iter().map(ScoredSequence::completion_tokens)
    }

    /// C: tokens in the longest completion.
    #[must_use]
    pub fn longest_completion(&self) -> usize {
        self.lengths().max().unwrap_or(0)
    }

    /// Batches of rows that a model reads together.
    fn batches(&self) -> Vec<Vec<usize>> {
        by_length(&self.sequences.iter().map(|sequence| sequence.ids.len()).collect::<Vec<_>>(), |_| usize::MAX)
    }

    /// These rows, each without its last token, with the positions that predict their completions.
    fn padded(&self, rows: &[usize]) -> PaddedBatch {
        PaddedBatch::new(rows.iter().map(|&row| &self.sequences[row]))
    }

    /// These rows, padded with 0 to the longest, and the index of each row's last token: `[rows, time]`, `[rows]`.
    fn whole(&self, rows: &[usize], device: &Device) -> (Tensor<2, Int>, Tensor<1, Int>) {
        let time = rows.iter().map(|&row| self.sequences[row].ids.len()).max().unwrap_or(0);
        let padded = |&row: &usize| {
            let ids = &self.sequences[row].ids;
            let padding = std::iter::repeat_n(0, time - ids.len());
            ids.iter().map(|&id| id as i32).chain(padding).collect::<Vec<_>>()
        };
        let ids: Vec<i32> = rows.iter().flat_map(padded).collect();
        let last = rows.iter().enumerate().map(|(b, &row)| b * time + self.sequences[row].ids.len() - 1);
        (Tensor::from_data(TensorData::new(ids, [rows.len(), time]), device), indices(last, device))
    }

    /// 1 where a completion has a token, 0 after its end: `[B, C]`.
    #[must_use]
    pub fn mask(&self, device: &Device) -> Tensor<2> {
        self.per_token(|_, _| 1.0, device)
    }

    /// `value(b, c)` for token `c` of completion `b`, 0 after its end: `[B, C]`.
    pub fn per_token(&self, value: impl Fn(usize, usize) -> f32, device: &Device) -> Tensor<2> {
        let longest = self.longest_completion();
        let value = &value;
        let row = |(b, length)| (0..longest).map(move |c| if c < length { value(b, c) } else { 0.0 });
        let values: Vec<f32> = self.lengths().enumerate().flat_map(row).collect();
        Tensor::from_data(TensorData::new(values, [self.len(), longest]), device)
    }

    /// Arranges the numbers of all completion tokens, in the order of the batches, `[N]`, as a row per completion: `[B,
    /// C]`, 0 after its end.
    fn in_rows(&self, values_n: Tensor<1>, batches: &[Vec<usize>]) -> Tensor<2> {
        let (longest, count, device) = (self.longest_completion(), values_n.dims()[0], values_n.device());
        let lengths: Vec<usize> = self.lengths().collect();
        let mut firsts = vec![0; self.len()];
        let mut first = 0;
        for &row in batches.iter().flatten() {
            firsts[row] = first;
            first += lengths[row];
        }
        // A 0 follows the last value.
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

/// Log-probabilities and entropies of the tokens of completions; 0 after a completion's end.
#[derive(Clone, Debug)]
pub struct CompletionScores {
    /// log p of each token, given those before it: `[B, C]`.
    pub logprobs: Tensor<2>,
    /// The entropy `−Σ p log p` of the distribution from which each token was drawn, in nats: `[B, C]`.
    pub entropies: Tensor<2>,
}

/// Log-probabilities of the completions' tokens under `decoder` at a temperature: those of a softmax of
/// `logits / temperature`. `[B, C]`
#[must_use]
pub fn token_logprobs(decoder: &Decoder, sequences: &Sequences, temperature: f64) -> Tensor<2> {
    let batches = sequences.batches();
    sequences.in_rows(of_tokens(decoder, sequences, &batches, temperature).chosen, &batches)
}

/// [`token_logprobs`] with entropies, which carry gradients only if they are `differentiable`; as a number for the log
/// they need none.
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

/// Log-probabilities and entropies of the completions' tokens, for which alone the head is computed: `[N]`, in the
/// order of the batches.
fn of_tokens(decoder: &Decoder, sequences: &Sequences, batches: &[Vec<usize>], temperature: f64) -> LogProbabilities {
    let device = decoder.device();
    let (mut hidden_nd, mut targets) = (vec![], vec![]);
    for rows in batches {
        let batch = sequences.padded(rows);
        hidden_nd.push(batch.predictors_of(decoder.hidden(batch.inputs(&device), None)));
        targets.extend_from_slice(batch.targets());
    }
    decoder.log_probabilities(Tensor::cat(hidden_nd, 0), targets, temperature)
}

/// A critic's value before each completion token, that is, of the prefix without it. `[B, C]`
#[must_use]
pub fn token_values(critic: &ScoreModel, sequences: &Sequences) -> Tensor<2> {
    let device = critic.device();
    let batches = sequences.batches();
    let values = |rows: &Vec<usize>| {
        let batch = sequences.padded(rows);
        let scores_bt = critic.forward(batch.inputs(&device));
        batch.predictors_of(scores_bt.unsqueeze_dim::<3>(2)).squeeze_dim::<1>(1)
    };
    sequences.in_rows(Tensor::cat(batches.iter().map(values).collect(), 0), &batches)
}

/// The score at each sequence's last token: `[B]`.
#[must_use]
pub fn final_scores(model: &ScoreModel, sequences: &Sequences) -> Tensor<1> {
    let device = model.device();
    let batches = sequences.batches();
    let scores = |rows: &Vec<usize>| {
        let (ids_bt, last_b) = sequences.whole(rows, &device);
        let scores_bt = model.forward(ids_bt);
        let [batch, time] = scores_bt.dims();
        scores_bt.reshape([batch * time]).select(0, last_b)
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
/// When they are not floats.
#[must_use]
pub fn host<const R: usize>(tensor: Tensor<R>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec().expect("converted to f32")
}

/// The one number of a tensor.
#[must_use]
pub fn number(tensor: Tensor<1>) -> f64 {
    f64::from(tensor.into_scalar::<f32>())
}
