//! Pretraining: next-token prediction on tokenised text, by [`fit()`].

use fireclay_data::{Batch, ShardSet, Source, Split};
use fireclay_model::Decoder;
use fireclay_tokenizer::Tokenizer;

use crate::{Evaluation, Fit, Objective, Outcome, StageRun, TrainConfig, TrainError, evaluate, fit, sample};

/// Arguments of [`pretrain`] beside the decoder.
pub struct Pretrain<'a> {
    /// Settings, folder, interrupt.
    pub run: StageRun<'a>,
    /// The loss to minimise.
    pub objective: &'a dyn Objective,
    /// Batches to train on, of `config.batch` rows of `config.context` tokens.
    pub source: &'a mut dyn Source,
    /// Shards with the validation split. Without one of at least 2 tokens nothing is evaluated.
    pub shards: &'a ShardSet,
    /// Prompts of samples; an empty one begins a document. No prompts, no samples.
    pub prompts: &'a [String],
}

/// Trains `decoder` for `config.steps` steps, or resumes exactly; see [`fit()`].
///
/// # Errors
/// [`TrainError`] when the settings do not fit the model or the checkpoint, data or disk fail, or
/// losses stay non-finite.
pub fn pretrain(decoder: Decoder, pretrain: Pretrain<'_>) -> Result<Outcome, TrainError> {
    let Pretrain { run, objective, source, shards, prompts } = pretrain;
    let (config, tokenizer) = (run.config, run.tokenizer);
    config.validate()?;
    check_fit(config, &decoder, tokenizer)?;
    fit::<Decoder, Batch>(
        decoder,
        Fit {
            run,
            objective,
            source,
            evaluate: &|decoder| evaluate_split(decoder, config, shards),
            exam: None,
            sample: &|decoder, step| sample::sample(decoder, tokenizer, prompts, config, step),
            finish: &Ok,
            shows: &[],
        },
    )
}

/// The loss on (at most `eval_batches` batches of) the validation split.
fn evaluate_split(
    decoder: &Decoder,
    config: &TrainConfig,
    shards: &ShardSet,
) -> Result<Option<Evaluation>, TrainError> {
    if shards.tokens(Split::Validation) < 2 {
        return Ok(None);
    }
    let batches = fireclay_data::validation(shards, config.batch, config.context)?;
    let limit = if config.eval_batches == 0 { usize::MAX } else { config.eval_batches };
    let bytes_per_token = batches.bytes_per_token();
    let mut damaged = None;
    let readable = batches.take(limit).map_while(|batch| batch.map_err(|error| damaged = Some(error)).ok());
    let evaluation = evaluate(decoder, readable, bytes_per_token);
    damaged.map_or(Ok(Some(evaluation)), |error| Err(error.into()))
}

/// Refuses settings that do not fit the decoder.
///
/// # Errors
/// [`TrainError::Config`] when the context is longer than the decoder's or the tokenizer has more
/// tokens than its vocabulary.
pub fn check_fit(config: &TrainConfig, decoder: &Decoder, tokenizer: &Tokenizer) -> Result<(), TrainError> {
    let model = decoder.config();
    if config.context > model.context {
        let value = format!("{} with a model of context {}", config.context, model.context);
        return Err(TrainError::Config { key: "context", value, expected: "at most the model's" });
    }
    if tokenizer.vocab_size() > model.vocab_size {
        let value = format!("{} with a tokenizer of {} tokens", model.vocab_size, tokenizer.vocab_size());
        return Err(TrainError::Config { key: "vocab_size", value, expected: "at least the tokenizer's" });
    }
    Ok(())
}
