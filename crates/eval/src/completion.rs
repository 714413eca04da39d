//! Texts with one right continuation, as in LAMBADA: whether the model gives it, and its log-probability.

use fireclay_data::examples::Continuation;

use crate::eval_model::{Scored, sum};
use crate::spans::common_prefix;
use crate::{EvalError, EvalModel, Metric, TaskReport};

/// Counts how often every token of the continuation is the most probable one, given the context and the tokens before
/// it: then greedy decoding generates exactly the continuation.
///
/// Context and continuation are joined by a space and encoded together; the continuation begins where the ids differ
/// from those of the context alone.
///
/// # Errors
/// When a text cannot be encoded, or the model's logits are not numbers.
pub fn completion(model: &EvalModel, texts: &[Continuation]) -> Result<TaskReport, EvalError> {
    let mut rows = vec![];
    for Continuation { context, continuation } in texts {
        // White space at the end would be one token with the space that joins.
        let context = context.trim();
        let whole = model.encode(&format!("{context} {continuation}"))?;
        let both = [model.encode(context)?, whole];
        let start = common_prefix(&both).min(both[1].len().saturating_sub(1));
        let [_, whole] = both;
        rows.push((whole, start));
    }
    let Scored { answers, truncated } = model.score(rows)?;
    let right: Vec<bool> = answers.iter().map(|scores| scores.iter().all(|score| score.greedy)).collect();
    let n = texts.len();
    let tokens: usize = answers.iter().map(Vec::len).sum();
    let nats: f64 = answers.iter().map(|scores| sum(scores)).sum();
    Ok(TaskReport {
        kind: "completion",
        n,
        metrics: vec![
            Metric::share_of("accuracy", &right),
            Metric::number("logprob", nats / n.max(1) as f64, n),
            Metric::number("perplexity_per_token", (-nats / tokens.max(1) as f64).exp(), tokens),
        ],
        truncated,
        ..TaskReport::default()
    })
}
