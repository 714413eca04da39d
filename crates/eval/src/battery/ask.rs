//! Runs a battery on a model: the shares of right replies, greedy and sampled.

use fireclay_data::examples::Task;
use fireclay_infer::SamplingConfig;
use fireclay_rlhf::{Battery, Tally};
use fireclay_train::metrics::names;

use super::encode;
use crate::{EvalError, EvalModel, Metric, TaskReport};

/// Answers every task twice: greedily, and with the settings `sampling`. A reply that has not ended after its
/// `max_tokens` is wrong, as in training.
///
/// # Errors
/// When the tokenizer has no chat template, every prompt is too long, no answer can be judged, or the model's logits
/// are not finite.
pub fn battery(model: &EvalModel, tasks: &[Task], sampling: &SamplingConfig) -> Result<TaskReport, EvalError> {
    let context = model.decoder.config().context;
    let (battery, skips) = encode(tasks, model.tokenizer, context, sampling)?;
    let report = Battery { batch: model.batch, ..battery }.run(model.decoder, model.tokenizer)?;
    let both = |name: &str, tally: Tally| {
        let share = |name: String, right: usize| Metric::share(name, right as f64, tally.prompts);
        let [greedy, sampled] = [names::BATTERY, names::BATTERY_SAMPLED].map(|whole| format!("{whole}{name}"));
        [share(greedy, tally.greedy), share(sampled, tally.sampled)]
    };
    let mut metrics = both("", report.all()).to_vec();
    metrics.extend(report.by_topic().into_iter().flat_map(|(topic, tally)| both(&format!("_{topic}"), tally)));
    let n = report.replies.len();
    let most_frequent = report.most_frequent().map_or(0.0, |(_, share)| share);
    metrics.push(Metric::number(names::BATTERY_MOST_FREQUENT, most_frequent, n));
    Ok(TaskReport { kind: "battery", n, metrics, left_out: skips.total(), ..TaskReport::default() })
}
