//! Preference pairs: whether a model prefers the chosen answer.

use fireclay_data::chat::{Encoded, EncodedPair, encode_preferences};
use fireclay_data::examples::Preference;
use fireclay_rlhf::{RewardModel, judge};
use fireclay_tokenizer::Tokenizer;

use crate::eval_model::{mean, sum};
use crate::{EvalError, EvalModel, Metric, TaskReport};

/// Chance level of a random choice.
const COIN: f64 = 0.5;

/// Counts the pairs whose chosen answer has the higher reward, in total and by kind of the rejected answer.
///
/// # Errors
/// When the tokenizer has no chat template, or no pair fits the model's context.
pub fn preferences_by_reward(
    model: &RewardModel,
    tokenizer: &Tokenizer,
    pairs: &[Preference],
    batch: usize,
) -> Result<TaskReport, EvalError> {
    let Encoded { items, skips, .. } = encode_preferences(pairs, tokenizer, model.model.config().context)?;
    let report = judge(&model.model, &items, batch);
    let n = items.len();
    // The report has shares; counts of pairs are whole.
    let share = |name: String, share: f64, n: usize| Metric::share(name, (share * n as f64).round(), n).by_chance(COIN);
    let mut metrics = vec![share("accuracy".into(), report.accuracy, n)];
    let kinds = report.by_kind.iter().map(|(kind, (accuracy, n))| share(format!("accuracy_{kind}"), *accuracy, *n));
    metrics.extend(kinds);
    for (name, (score, spread)) in [("chosen", report.chosen), ("rejected", report.rejected)] {
        metrics.push(Metric::number(format!("reward_{name}_mean"), model.scale.reward(score), n));
        metrics.push(Metric::number(format!("reward_{name}_std"), spread / model.scale.std, n));
    }
    Ok(TaskReport { kind: "preferences", n, metrics, left_out: skips.total(), ..TaskReport::default() })
}

/// Counts the pairs whose chosen answer is the more probable, as a whole and per token; with a reference also those
/// whose implicit reward is the higher: β·(log π − log π′) of the answer, with π′ the reference (Rafailov et al. 2023).
/// β does not affect the comparison.
///
/// # Errors
/// When the tokenizer has no chat template, no pair fits the contexts, or a model's logits are not numbers.
pub fn preferences_by_likelihood(
    model: &EvalModel,
    reference: Option<&EvalModel>,
    pairs: &[Preference],
) -> Result<TaskReport, EvalError> {
    let contexts = [Some(model), reference].into_iter().flatten().map(|model| model.decoder.config().context);
    let context = contexts.min().unwrap_or(0);
    let Encoded { items, skips, .. } = encode_preferences(pairs, model.tokenizer, context)?;
    let policy = likelihoods(model, &items)?;
    let higher = |values: &dyn Fn(&Likelihoods) -> [f64; 2]| {
        let judged = policy.iter().map(|pair| {
            let [chosen, rejected] = values(pair);
            chosen > rejected
        });
        judged.collect::<Vec<_>>()
    };
    let mut metrics = vec![
        Metric::share_of("accuracy_normalised", &higher(&|pair| pair.means)).by_chance(COIN),
        Metric::share_of("accuracy", &higher(&|pair| pair.sums)).by_chance(COIN),
    ];
    if let Some(reference) = reference {
        let reference = likelihoods(reference, &items)?;
        let margin = |(policy, reference): (&Likelihoods, &Likelihoods)| {
            (policy.sums[0] - reference.sums[0]) - (policy.sums[1] - reference.sums[1])
        };
        let margins: Vec<f64> = policy.iter().zip(&reference).map(margin).collect();
        let right: Vec<bool> = margins.iter().map(|&margin| margin > 0.0).collect();
        metrics.insert(0, Metric::share_of("implicit_accuracy", &right).by_chance(COIN));
        let mean = margins.iter().sum::<f64>() / margins.len() as f64;
        metrics.push(Metric::number("implicit_margin", mean, margins.len()));
    }
    Ok(TaskReport { kind: "preferences", n: items.len(), metrics, left_out: skips.total(), ..TaskReport::default() })
}

/// log π of the chosen and of the rejected answer.
struct Likelihoods {
    sums: [f64; 2],
    means: [f64; 2],
}

fn likelihoods(model: &EvalModel, pairs: &[EncodedPair]) -> Result<Vec<Likelihoods>, EvalError> {
    let both = |pair: &EncodedPair| [&pair.chosen, &pair.rejected].map(|ids| (ids.clone(), pair.prompt_tokens));
    let scored = model.score(pairs.iter().flat_map(both))?;
    let pair = |answers: &[Vec<_>]| Likelihoods {
        sums: [sum(&answers[0]), sum(&answers[1])],
        means: [mean(&answers[0]), mean(&answers[1])],
    };
    Ok(scored.answers.chunks_exact(2).map(pair).collect())
}
