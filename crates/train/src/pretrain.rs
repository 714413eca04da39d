//! The pretraining loop.

use std::path::PathBuf;
use std::time::Instant;

use burn::module::Module;
use fireclay_data::{ShardSet, Source, Split};
use fireclay_model::Decoder;
use fireclay_tokenizer::Tokenizer;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{self, Best};
use crate::metrics::JsonLines;
use crate::progress::Progress;
use crate::tensorboard::EventWriter;
use crate::{
    AdamW, Evaluation, Interrupt, ModuleGradients, Objective, StageDir, StepMetrics, TrainConfig, TrainError,
    TrainerState, evaluate, matmul_peak, sample,
};

/// What [`pretrain`] needs beside the decoder.
pub struct Pretrain<'a> {
    /// How to train.
    pub config: &'a TrainConfig,
    /// What to minimise.
    pub objective: &'a dyn Objective,
    /// Batches to train on, of `config.batch` rows of `config.context` tokens.
    pub source: &'a mut dyn Source,
    /// Where the validation split is. Without one of at least 2 tokens nothing is evaluated.
    pub shards: &'a ShardSet,
    /// Saved with every checkpoint; turns samples into text.
    pub tokenizer: &'a Tokenizer,
    /// What samples begin with; an empty one begins a document. No prompts, no samples.
    pub prompts: &'a [String],
    /// Where everything is written.
    pub stage: &'a mut StageDir,
    /// When to save and leave early.
    pub interrupt: &'a Interrupt,
    /// No progress line.
    pub quiet: bool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All steps are made; the stage is marked done.
    Finished(Summary),
    /// It was asked to stop, and saved. Running again goes on from there.
    Interrupted(Summary),
}

/// Where a stage stands. [`DONE`](crate::stage::done) holds it as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Steps made.
    pub step: u64,
    /// Tokens consumed.
    pub tokens: u64,
    /// Seconds spent, over all runs.
    pub seconds: f64,
    /// Loss on the validation split at the last evaluation, nats a token.
    pub val_loss: Option<f64>,
    /// The same in bits per byte of text.
    pub val_bits_per_byte: Option<f64>,
    /// The best checkpoint by validation loss.
    pub best: Option<Best>,
    /// Steps skipped because something was not finite.
    pub skipped: u64,
    /// The newest checkpoint, relative to the stage's folder.
    pub checkpoint: PathBuf,
}

/// Trains `decoder` for `config.steps` steps, or resumes from the newest checkpoint of the stage, whose weights then replace the given ones.
///
/// Resuming is exact: on a deterministic backend (`flex`) a run that is cut anywhere gives the same losses and weights, to the last bit,
/// as one that is not.
///
/// # Errors
/// [`TrainError`] when the settings do not fit the model or the checkpoint, data or disk fail, or losses stay non-finite.
pub fn pretrain(decoder: Decoder, mut run: Pretrain<'_>) -> Result<Outcome, TrainError> {
    let config = run.config;
    check(config, &decoder, run.tokenizer)?;
    let device = decoder.device().autodiff();

    let resumed = checkpoint::resume(run.stage, config, &decoder, run.tokenizer, &device)?;
    let from = resumed.as_ref().map(|resumed| resumed.state.step);
    let (decoder, mut optimizer, mut state) = match resumed {
        Some(resumed) => {
            run.source.seek(&resumed.state.position)?;
            (resumed.decoder, resumed.optimizer, resumed.state)
        }
        None => {
            (decoder.to_device(&device), AdamW::new(config.adamw()), TrainerState::new(config, run.source.position()))
        }
    };
    let mut decoder = decoder.train().with_precision(config.precision);

    let mut log = Log::open(&run, from, &decoder)?;
    let clock = Clock { started: Instant::now(), before: state.seconds };
    let mut saved = from;
    let mut last_evaluation = None;
    if from.is_none() {
        last_evaluation = run.evaluate(&decoder)?;
        log.evaluated_untrained(last_evaluation)?;
    }

    while state.step < config.steps && !run.interrupt.requested() {
        let step = state.step + 1;
        let is_last = step == config.steps;
        let due = |every: u64| is_last || (every > 0 && step.is_multiple_of(every));

        // Step: gradients of `accumulate` batches, one update, unless something is not finite.
        let started = Instant::now();
        let (loss, gradients) = run.gradients(&decoder)?;
        let norm = gradients.norm();
        let learning_rate = config.learning_rate_at(step);
        let finite = loss.is_finite() && norm.is_finite();
        if finite {
            decoder = optimizer.step(decoder, gradients, norm, learning_rate);
            state.skipped_in_a_row = 0;
        } else {
            state.skipped += 1;
            state.skipped_in_a_row += 1;
        }
        let elapsed = started.elapsed().as_secs_f64();
        state.step = step;
        state.tokens += config.tokens_per_step();
        state.position = run.source.position();
        state.seconds = clock.seconds();

        // Evaluate.
        let evaluation = if due(config.eval_every) { run.evaluate(&decoder)? } else { None };
        state.val_loss = evaluation.map(|evaluation| evaluation.loss);
        last_evaluation = evaluation.or(last_evaluation);

        // Log.
        let tokens_per_s = config.tokens_per_step() as f64 / elapsed.max(1e-9);
        log.step(&StepMetrics {
            step,
            tokens: state.tokens,
            loss: Some(loss),
            lr: Some(learning_rate),
            grad_norm: Some(norm),
            tokens_per_s: Some(tokens_per_s),
            mfu: Some(tokens_per_s * log.flops_per_token / log.peak),
            seconds: clock.seconds(),
            val_loss: state.val_loss,
            val_bits_per_byte: evaluation.and_then(|evaluation| evaluation.bits_per_byte),
            skipped: (!finite).then_some(state.skipped),
            ..StepMetrics::default()
        })?;
        if state.skipped_in_a_row > config.max_skipped_steps {
            return Err(TrainError::Diverged { step, count: state.skipped_in_a_row });
        }

        // Sample.
        if due(config.sample_every) && config.sample_tokens > 0 && !run.prompts.is_empty() {
            match sample::sample(&decoder.valid(), run.tokenizer, run.prompts, config, step) {
                Ok(samples) => log.samples(&samples)?,
                // A sample is for people to look at: what spoils it must not end the training before it is saved.
                Err(error) => tracing::warn!("step {step}: no sample: {error}"),
            }
        }

        // Save.
        if due(config.checkpoint_every) {
            state.seconds = clock.seconds();
            checkpoint::save(run.stage, &decoder.valid(), run.tokenizer, &optimizer, &mut state)?;
            saved = Some(step);
        }
    }

    log.progress.finish();
    if saved != Some(state.step) {
        checkpoint::save(run.stage, &decoder.valid(), run.tokenizer, &optimizer, &mut state)?;
    }
    let summary = summarise(&state, last_evaluation);
    if state.step < config.steps {
        return Ok(Outcome::Interrupted(summary));
    }
    run.stage.mark_done(&summary)?;
    Ok(Outcome::Finished(summary))
}

impl Pretrain<'_> {
    /// The mean loss over `accumulate` batches and its gradients: what one batch of all their rows would give, a batch
    /// counting as much as its targets weigh.
    fn gradients(&mut self, decoder: &Decoder) -> Result<(f64, ModuleGradients), TrainError> {
        let mut sum: Option<(f64, f64, ModuleGradients)> = None;
        for _ in 0..self.config.accumulate {
            let loss = self.objective.loss(decoder, &self.source.next_batch()?);
            // One batch alone needs no weighing.
            let weight = if self.config.accumulate == 1 { 1.0 } else { loss.tokens };
            let weighted = if self.config.accumulate == 1 { loss.mean } else { loss.mean * weight };
            let mut gradients = ModuleGradients::of(decoder, weighted.backward());
            if !self.config.train_biases {
                gradients = gradients.without_biases();
            }
            let value = f64::from(weighted.into_scalar::<f32>());
            sum = Some(match sum {
                None => (value, weight, gradients),
                Some((values, weights, mut all)) => {
                    all.add(gradients);
                    (values + value, weights + weight, all)
                }
            });
        }
        let (value, weight, gradients) = sum.expect("accumulate is 1 or more");
        let divisor = if weight > 0.0 { weight } else { 1.0 };
        Ok((value / divisor, gradients.scaled(1.0 / divisor)))
    }

    fn evaluate(&self, decoder: &Decoder) -> Result<Option<Evaluation>, TrainError> {
        if self.shards.tokens(Split::Validation) < 2 {
            return Ok(None);
        }
        let batches = fireclay_data::validation(self.shards, self.config.batch, self.config.context)?;
        let limit = if self.config.eval_batches == 0 { usize::MAX } else { self.config.eval_batches };
        let bytes_per_token = batches.bytes_per_token();
        Ok(Some(evaluate(&decoder.valid(), batches.take(limit), bytes_per_token)))
    }
}

/// Refuses settings that do not fit the model.
fn check(config: &TrainConfig, decoder: &Decoder, tokenizer: &Tokenizer) -> Result<(), TrainError> {
    config.validate()?;
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

fn summarise(state: &TrainerState, evaluation: Option<Evaluation>) -> Summary {
    Summary {
        step: state.step,
        tokens: state.tokens,
        seconds: state.seconds,
        val_loss: evaluation.map(|evaluation| evaluation.loss).or(state.val_loss),
        val_bits_per_byte: evaluation.and_then(|evaluation| evaluation.bits_per_byte),
        best: state.best,
        skipped: state.skipped,
        checkpoint: format!("checkpoints/step-{:06}", state.step).into(),
    }
}

/// Seconds over all runs of a stage.
struct Clock {
    started: Instant,
    before: f64,
}

impl Clock {
    fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }
}

/// Everywhere that a step is reported.
struct Log {
    metrics: JsonLines,
    samples: JsonLines,
    events: EventWriter,
    progress: Progress,
    flops_per_token: f64,
    /// Floating-point operations a second of a large matrix product.
    peak: f64,
}

impl Log {
    /// Opens the logs, cut off behind the step that the run resumes from.
    fn open(run: &Pretrain<'_>, from: Option<u64>, decoder: &Decoder) -> Result<Self, TrainError> {
        let folder = run.stage.path();
        Ok(Self {
            metrics: JsonLines::open(folder.join("metrics.jsonl"), from)?,
            samples: JsonLines::open(folder.join("samples.jsonl"), from)?,
            events: EventWriter::create(folder, from)?,
            progress: Progress::new(run.config.steps, from.unwrap_or(0), run.quiet),
            flops_per_token: decoder.config().flops_per_token(run.config.context),
            peak: matmul_peak(&decoder.device(), run.config.precision),
        })
    }

    fn evaluated_untrained(&mut self, evaluation: Option<Evaluation>) -> Result<(), TrainError> {
        let Some(evaluation) = evaluation else { return Ok(()) };
        let line = StepMetrics {
            val_loss: Some(evaluation.loss),
            val_bits_per_byte: evaluation.bits_per_byte,
            ..StepMetrics::default()
        };
        self.metrics.write(&line)?;
        self.events.step(&line)
    }

    fn step(&mut self, line: &StepMetrics) -> Result<(), TrainError> {
        self.progress.step(line);
        self.metrics.write(line)?;
        self.events.step(line)
    }

    fn samples(&mut self, samples: &[sample::Sample]) -> Result<(), TrainError> {
        for sample in samples {
            self.progress.sample(sample);
            self.samples.write(sample)?;
        }
        Ok(())
    }
}
