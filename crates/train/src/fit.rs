//! The training loop of every stage that learns from given examples: pretraining, fine-tuning,
//! reward models, direct preference optimisation.

use std::time::Instant;

use fireclay_data::Source;
use fireclay_model::ActivationCheckpoints;

use crate::{
    Evaluation, Exam, Measured, ModuleGradients, Objective, Optimizer, Outcome, Sample, Session, StageRun, StepMetrics,
    StepTaken, TrainConfig, TrainError, Trainable, matmul_peak,
};

/// Evaluates a model, without gradients; `None` if there is no data for it.
pub type Evaluate<'a, M> = &'a dyn Fn(&M) -> Result<Option<Evaluation>, TrainError>;

/// Returns samples of a model, without gradients, after a step.
pub type ShowSamples<'a, M> = &'a dyn Fn(&M, u64) -> Result<Vec<Sample>, TrainError>;

/// Arguments of [`fit()`] beside the model.
pub struct Fit<'a, M, B> {
    /// Settings, folder, interrupt.
    pub run: StageRun<'a>,
    /// The loss to minimise.
    pub objective: &'a dyn Objective<M, B>,
    /// Batches to train on.
    pub source: &'a mut dyn Source<B>,
    /// Evaluates the model, without gradients, on examples that it is not trained on; `None` if there are none.
    pub evaluate: Evaluate<'a, M>,
    /// Selects the best checkpoint; `None`: the validation loss does.
    pub exam: Option<&'a dyn Exam<M>>,
    /// Returns samples of the model, without gradients, after a step.
    pub sample: ShowSamples<'a, M>,
    /// Last change to the model, without gradients, before it is saved.
    pub finish: &'a dyn Fn(M) -> Result<M, TrainError>,
    /// Metrics of the objective that the progress line shows beside the loss.
    pub shows: &'a [&'static str],
}

/// Trains `model` for `config.steps` steps, or resumes from the newest checkpoint of the stage, whose weights then
/// replace those of `model`.
///
/// Resuming is exact: on a deterministic backend (`flex`) an interrupted and resumed run gives the same losses and
/// weights, to the last bit, as an uninterrupted one.
///
/// # Errors
/// [`TrainError`] when the settings do not fit the checkpoint, data or disk fail, or losses stay non-finite.
pub fn fit<M: Trainable<Optimizers = Optimizer>, B>(model: M, fit: Fit<'_, M, B>) -> Result<Outcome, TrainError> {
    let Fit { run, objective, source, evaluate, exam, sample, finish, shows } = fit;
    let config = run.config;
    let (mut session, mut model) = Session::begin(run, model, source, shows)?;
    let flops_per_token = model.flops_per_token(config.context);
    let peak = matmul_peak(&model.device(), config.precision);
    let measure = |model: &M, step| -> Result<Measured, TrainError> {
        let measured = Measured::evaluation(evaluate(model)?);
        Ok(measured.with_exam(exam.map(|exam| exam.examine(model, step)).transpose()?))
    };

    if session.is_new() {
        let valid = model.valid();
        let measured = measure(&valid, 0)?;
        if !measured.is_empty() {
            session.log(StepMetrics::default(), Some(measured))?;
        }
        // The starting model may be the best of the stage.
        if session.save_due() {
            session.save(&finish(valid)?)?;
        }
    }

    while let Some(step) = session.next_step() {
        // Step: gradients of `accumulate` batches, one update, unless something is not finite.
        let started = Instant::now();
        let Accumulated { loss, tokens, metrics, mut gradients } =
            accumulate(&model, objective, source, config, session.activation_checkpoints())?;
        let norm = gradients.norm();
        let finite = loss.is_finite() && norm.is_finite();
        if finite {
            model = session.optimizers.step(model, gradients, norm, config.learning_rate_at(step));
        }
        let seconds = started.elapsed().as_secs_f64();
        let (skipped, position) = (u64::from(!finite), source.position());
        let line = session.advance(StepTaken { tokens, seconds, skipped, position });

        // Evaluate and log.
        let measured = session.due(config.eval_every).then(|| measure(&model.valid(), step)).transpose()?;
        let mfu = line.tokens_per_s.map(|speed| speed * flops_per_token / peak);
        let extra = metrics.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        session.log(StepMetrics { loss: Some(loss), grad_norm: Some(norm), mfu, extra, ..line }, measured)?;

        // Sample.
        if session.due(config.sample_every) && config.sample_tokens > 0 {
            match sample(&model.valid(), step) {
                Ok(samples) => session.log_samples(&samples)?,
                // Samples are only for display: an error must not end training before it is saved.
                Err(error) => tracing::warn!("step {step}: no sample: {error}"),
            }
        }

        // Save.
        if session.save_due() {
            session.save(&finish(model.valid())?)?;
        }
    }

    let evaluate_last = |_| Ok(Measured::evaluation(evaluate(&model.valid())?));
    session.end(exam, evaluate_last, || finish(model.valid()))
}

/// Combined loss and gradients of several batches.
struct Accumulated {
    loss: f64,
    tokens: u64,
    metrics: Vec<(&'static str, f64)>,
    gradients: ModuleGradients,
}

/// The mean loss over `config.accumulate` batches and its gradients: the same as for one batch of all their rows. Each
/// batch counts by its weight.
fn accumulate<M: Trainable, B>(
    model: &M,
    objective: &dyn Objective<M, B>,
    source: &mut dyn Source<B>,
    config: &TrainConfig,
    checkpoints: Option<&ActivationCheckpoints>,
) -> Result<Accumulated, TrainError> {
    let mut sum: Option<(f64, Accumulated)> = None;
    for _ in 0..config.accumulate {
        let loss = objective.loss(model, &source.next_batch()?);
        // A single batch needs no weighting.
        let alone = config.accumulate == 1;
        let (weight, weighted) = if alone { (1.0, loss.mean) } else { (loss.weight, loss.mean * loss.weight) };
        let mut gradients = ModuleGradients::of_loss(model, &weighted, checkpoints);
        if !config.train_biases {
            gradients = gradients.without_biases();
        }
        let value = f64::from(weighted.into_scalar::<f32>());
        let metrics: Vec<_> = loss.metrics.into_iter().map(|(name, value)| (name, value * weight)).collect();
        sum = Some(match sum {
            None => (weight, Accumulated { loss: value, tokens: loss.tokens, metrics, gradients }),
            Some((weights, mut all)) => {
                all.loss += value;
                all.tokens += loss.tokens;
                assert_eq!(all.metrics.len(), metrics.len(), "an objective names the same metrics for every batch");
                for (sum, (name, value)) in all.metrics.iter_mut().zip(metrics) {
                    assert_eq!(sum.0, name, "an objective names the same metrics for every batch");
                    sum.1 += value;
                }
                all.gradients.add(gradients);
                (weights + weight, all)
            }
        });
    }
    let (weight, sum) = sum.expect("accumulate is 1 or more");
    let divisor = if weight > 0.0 { weight } else { 1.0 };
    Ok(Accumulated {
        loss: sum.loss / divisor,
        tokens: sum.tokens,
        metrics: sum.metrics.into_iter().map(|(name, value)| (name, value / divisor)).collect(),
        gradients: sum.gradients.scaled(1.0 / divisor),
    })
}
