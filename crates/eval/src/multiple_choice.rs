//! Multiple-choice questions: whether the right answer is the most probable one after the question.

use fireclay_data::examples::MultipleChoice;

use crate::eval_model::{Scored, mean, sum};
use crate::spans::common_prefix;
use crate::{EvalError, EvalModel, Metric, TaskReport};

/// Scores every choice after its question, and counts how often the right one is the most probable, as a whole and per
/// token.
///
/// Question and choice are joined by a space and encoded together. Of these ids, a question's choices are judged from
/// the first one in which they differ, as in DataComp-LM's CORE and nanochat.
///
/// # Errors
/// When a text cannot be encoded, or the model's logits are not numbers.
pub fn multiple_choice(model: &EvalModel, questions: &[MultipleChoice]) -> Result<TaskReport, EvalError> {
    let mut rows = vec![];
    for question in questions {
        let encode = |choice: &String| model.encode(&format!("{} {choice}", question.query));
        let choices = question.choices.iter().map(encode).collect::<Result<Vec<_>, EvalError>>()?;
        // If a choice is a prefix of another one, its last token is judged.
        let shortest = choices.iter().map(Vec::len).min().unwrap_or(1);
        let start = common_prefix(&choices).min(shortest.saturating_sub(1));
        rows.extend(choices.into_iter().map(|ids| (ids, start)));
    }
    let Scored { answers, truncated } = model.score(rows)?;
    let mut answers = answers.iter();
    let (mut by_sum, mut by_mean, mut chance) = (vec![], vec![], 0.0);
    for question in questions {
        let choices: Vec<_> = answers.by_ref().take(question.choices.len()).collect();
        let right = |value: &dyn Fn(usize) -> f64| best((0..choices.len()).map(value)) == Some(question.gold);
        by_sum.push(right(&|choice| sum(choices[choice])));
        by_mean.push(right(&|choice| mean(choices[choice])));
        chance += 1.0 / choices.len() as f64;
    }
    let chance = chance / questions.len().max(1) as f64;
    Ok(TaskReport {
        kind: "multiple_choice",
        n: questions.len(),
        metrics: vec![
            Metric::share_of("accuracy", &by_sum).by_chance(chance),
            Metric::share_of("accuracy_normalised", &by_mean).by_chance(chance),
        ],
        truncated,
        ..TaskReport::default()
    })
}

/// The index of the largest number; of equal ones, the first.
pub(super) fn best(values: impl Iterator<Item = f64>) -> Option<usize> {
    let larger = |best: (usize, f64), next: (usize, f64)| if next.1 > best.1 { next } else { best };
    values.enumerate().reduce(larger).map(|(index, _)| index)
}
