//! Winograd schemas: whether the given ending is the most probable after the right context.

use fireclay_data::examples::Schema;

use crate::eval_model::{Scored, sum};
use crate::multiple_choice::best;
use crate::spans::common_suffix;
use crate::{EvalError, EvalModel, Metric, TaskReport};

/// Scores the ending after each context, and counts how often it is the most probable after the right one.
///
/// Context and ending are joined by a space and encoded together. The longest common suffix of the ids of a question's
/// texts is scored, so that each context has the same number of tokens.
///
/// # Errors
/// When a text cannot be encoded, or the model's logits are not numbers.
pub fn schema(model: &EvalModel, questions: &[Schema]) -> Result<TaskReport, EvalError> {
    let mut rows = vec![];
    for question in questions {
        let encode = |context: &String| model.encode(&format!("{context} {}", question.continuation));
        let texts = question.context_options.iter().map(encode).collect::<Result<Vec<_>, EvalError>>()?;
        let ending = common_suffix(&texts).max(1);
        rows.extend(texts.into_iter().map(|ids| {
            let start = ids.len().saturating_sub(ending);
            (ids, start)
        }));
    }
    let Scored { answers, truncated } = model.score(rows)?;
    let mut answers = answers.iter();
    let (mut right, mut chance) = (vec![], 0.0);
    for question in questions {
        let options = question.context_options.len();
        right.push(best(answers.by_ref().take(options).map(|scores| sum(scores))) == Some(question.gold));
        chance += 1.0 / options as f64;
    }
    let chance = chance / questions.len().max(1) as f64;
    Ok(TaskReport {
        kind: "schema",
        n: questions.len(),
        metrics: vec![Metric::share_of("accuracy", &right).by_chance(chance)],
        truncated,
        ..TaskReport::default()
    })
}
