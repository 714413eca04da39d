//! Questions whose answers can be checked.

use std::collections::BTreeMap;

use fireclay_corpus::{Check, Question, World};
use fireclay_data::examples::{AnswerCheck, Task};
use fireclay_infer::SamplingConfig;

use crate::answers::{answers, prompts};
use crate::{EvalError, EvalModel, Metric, TaskReport};

/// Answers every question by the chat template, and counts answers that pass the task's own check (`correct`) and those
/// that equal the reference answer word by word (`exact`). Problems of one and of two digits are reported separately;
/// for questions about the embedded world, the chance level is that of guessing the most frequent value.
///
/// # Errors
/// When no answer could be checked, the tokenizer has no chat template, every prompt is too long, or the model's logits
/// are not finite.
pub fn exact_match(model: &EvalModel, tasks: &[Task], sampling: &SamplingConfig) -> Result<TaskReport, EvalError> {
    let can_be_judged = |task: &Task| task.reference.is_some() || task.check != AnswerCheck::OPEN;
    if !tasks.iter().any(can_be_judged) {
        return Err(EvalError::NothingChecked);
    }
    let encoded = prompts(tasks, model.tokenizer, model.decoder.config().context, sampling.max_tokens)?;
    let tasks = &encoded.items;
    let answers = answers(model, tasks, sampling)?;
    let (mut correct, mut exact, mut finished) = (vec![], vec![], vec![]);
    let mut by_group: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
    for (task, answer) in tasks.iter().map(|task| &task.task).zip(&answers) {
        if let Some(right) = task.check.is_right(&answer.text) {
            correct.push(right);
            if let Some(group) = group(&task.check) {
                by_group.entry(group).or_default().push(right);
            }
        }
        exact.extend(task.reference.as_ref().map(|reference| reference.trim() == answer.text.trim()));
        finished.push(answer.finished);
    }
    let guessing = guessing_baseline(tasks.iter().map(|task| &task.task.check));
    let with_chance = |metric: Metric| match guessing {
        Some(chance) => metric.by_chance(chance),
        None => metric,
    };
    let mut metrics = vec![];
    if !correct.is_empty() {
        metrics.push(with_chance(Metric::share_of("correct", &correct)));
    }
    if by_group.len() > 1 {
        metrics.extend(by_group.iter().map(|(group, right)| Metric::share_of(format!("correct_{group}"), right)));
    }
    if !exact.is_empty() {
        metrics.push(Metric::share_of("exact", &exact));
    }
    metrics.push(Metric::share_of("finished", &finished));
    Ok(TaskReport {
        kind: "exact_match",
        n: tasks.len(),
        metrics,
        left_out: encoded.skips.total(),
        ..TaskReport::default()
    })
}

/// Problems are reported by their digits.
fn group(check: &AnswerCheck) -> Option<&'static str> {
    let AnswerCheck::Corpus(Check::Arithmetic { problem }) = check else { return None };
    Some(if problem.left.max(problem.right) < 10 { "one_digit" } else { "two_digit" })
}

/// Accuracy of guessing, if every question is about the embedded world.
fn guessing_baseline<'a>(checks: impl Iterator<Item = &'a AnswerCheck>) -> Option<f64> {
    let question = |check: &AnswerCheck| match check {
        AnswerCheck::Corpus(Check::World { question }) => Some(question.clone()),
        _ => None,
    };
    let questions: Option<Vec<Question>> = checks.map(question).collect();
    questions.filter(|questions| !questions.is_empty()).map(|questions| World::guessing_baseline(&questions))
}
