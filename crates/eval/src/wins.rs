//! Win rate: two models answer the same prompts, and a reward model judges.

use fireclay_data::chat::EncodedTask;
use fireclay_data::examples::Task;
use fireclay_infer::SamplingConfig;
use fireclay_rlhf::rewards::LearnedReward;
use fireclay_rlhf::{Answer, Reward, RewardModel};

use crate::answers::{ModelAnswer, answers, prompts};
use crate::{EvalError, EvalModel, Metric, TaskReport};

/// The share of prompts on which `policy`'s answer has the higher reward than `reference`'s; equal rewards count half
/// to each. All three must have one tokenizer.
///
/// # Errors
/// When the tokenizer has no chat template, every prompt is too long, or a model's logits are not finite.
pub fn win_rate(
    policy: &EvalModel,
    reference: &EvalModel,
    reward: RewardModel,
    tasks: &[Task],
    sampling: &SamplingConfig,
) -> Result<TaskReport, EvalError> {
    let contexts = [policy.decoder.config(), reference.decoder.config(), reward.model.config()];
    let context = contexts.map(|config| config.context).into_iter().min().unwrap_or(0);
    let encoded = prompts(tasks, policy.tokenizer, context, sampling.max_tokens)?;
    let tasks = &encoded.items;
    // The judge reads prompt and answer.
    let longest = tasks.iter().map(|task| task.prompt.len()).max().unwrap_or(0);
    let sampling = SamplingConfig { max_tokens: sampling.max_tokens.min(context - longest), ..sampling.clone() };
    let judge = LearnedReward { model: reward, batch: policy.batch };
    let ours = judged(&judge, tasks, &answers(policy, tasks, &sampling)?)?;
    let theirs = judged(&judge, tasks, &answers(reference, tasks, &sampling)?)?;
    let wins: f64 = ours.iter().zip(&theirs).map(|(ours, theirs)| points(*ours, *theirs)).sum();
    let mean = |rewards: &[f64]| rewards.iter().sum::<f64>() / rewards.len() as f64;
    let n = tasks.len();
    Ok(TaskReport {
        kind: "win_rate",
        n,
        metrics: vec![
            Metric::share("win_rate", wins, n).by_chance(0.5),
            Metric::number("reward", mean(&ours), n),
            Metric::number("reward_of_reference", mean(&theirs), n),
        ],
        left_out: encoded.skips.total(),
        ..TaskReport::default()
    })
}

fn judged(judge: &LearnedReward, tasks: &[EncodedTask], answers: &[ModelAnswer]) -> Result<Vec<f64>, EvalError> {
    let judged: Vec<Answer> = tasks
        .iter()
        .zip(answers)
        .map(|(task, answer)| Answer {
            task: &task.task,
            prompt: &task.prompt,
            completion: &answer.ids,
            text: &answer.text,
            finished: answer.finished,
        })
        .collect();
    Ok(judge.score(&judged)?)
}

/// A win is a point, a draw half of one.
fn points(ours: f64, theirs: f64) -> f64 {
    match ours.partial_cmp(&theirs) {
        Some(std::cmp::Ordering::Greater) => 1.0,
        Some(std::cmp::Ordering::Equal) => 0.5,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::points;

    #[test]
    fn a_draw_is_half_a_win() {
        let halves = [(2.0, 1.0), (1.0, 1.0), (0.0, 1.0)].map(|(ours, theirs)| (2.0 * points(ours, theirs)) as u32);
        assert_eq!(halves, [2, 1, 0]);
    }
}
