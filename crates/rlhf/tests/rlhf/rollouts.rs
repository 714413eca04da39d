//! Rollouts, and their log-probabilities in the training forward pass.

use fireclay_data::chat::EncodedTask;
use fireclay_data::examples::{AnswerCheck, Task};
use fireclay_infer::ScoreLimits;
use fireclay_rlhf::rollout::{add_reference_logprobs, greedy, largest_ratio_error};
use fireclay_rlhf::{RolloutConfig, rollout};
use fireclay_tokenizer::{Message, Tokenizer};

use crate::{decoder, tokenizer};

pub(crate) fn tasks(tokenizer: &Tokenizer) -> Vec<EncodedTask> {
    let questions = ["What is 2 + 3?", "Where does Anna live, and what does she do there all day long?", "Hi"];
    questions
        .map(|question| {
            let messages = vec![Message::new("user", question)];
            let prompt = tokenizer.encode_with_specials(&tokenizer.render_chat(&messages, true).unwrap());
            let check = AnswerCheck::OPEN;
            EncodedTask {
                prompt,
                task: Task { messages, topic: None, check, reference: None, origin: "a test".into() },
            }
        })
        .to_vec()
}

/// Prompts of different lengths are padded on the left to be answered and on the right to be learned from; both must
/// give the same numbers.
#[test]
fn the_first_ratio_is_one() {
    let tokenizer = tokenizer();
    let policy = decoder(&tokenizer);
    for temperature in [1.0, 0.7] {
        let config = RolloutConfig { group_size: 8, max_tokens: 24, temperature, ..RolloutConfig::default() };
        let groups = rollout(&policy, &tasks(&tokenizer), &tokenizer, &config, 3, 0).unwrap();
        let error = largest_ratio_error(&policy, &groups, temperature).unwrap();
        assert!(error < 1e-3, "at temperature {temperature} the largest |ratio - 1| is {error}");
    }
}

#[test]
fn a_reference_that_is_the_policy_is_no_way_off() {
    let tokenizer = tokenizer();
    let policy = decoder(&tokenizer);
    let config = RolloutConfig { group_size: 2, max_tokens: 12, ..RolloutConfig::default() };
    let mut groups = rollout(&policy, &tasks(&tokenizer), &tokenizer, &config, 3, 0).unwrap();
    // Two at a time, so that neighbours of other lengths are in the batch.
    let limits = ScoreLimits { rows: 2, ..ScoreLimits::default() };
    add_reference_logprobs(&mut groups, &policy, 1.0, limits).unwrap();
    for trajectory in groups.iter().flat_map(|group| &group.trajectories) {
        assert_eq!(trajectory.reference_logprobs.len(), trajectory.completion.len());
        assert!(trajectory.kl().abs() < 1e-3, "KL {}", trajectory.kl());
    }
}

#[test]
fn what_is_drawn_depends_on_seed_and_stream_and_not_on_how_many_are_drawn_at_once() {
    let tokenizer = tokenizer();
    let policy = decoder(&tokenizer);
    let draw = |rollout_batch, seed, stream| {
        let config = RolloutConfig { group_size: 3, max_tokens: 12, rollout_batch, ..RolloutConfig::default() };
        let groups = rollout(&policy, &tasks(&tokenizer), &tokenizer, &config, seed, stream).unwrap();
        groups.into_iter().flat_map(|group| group.trajectories).map(|t| t.completion).collect::<Vec<_>>()
    };
    assert_eq!(draw(256, 1, 0), draw(2, 1, 0));
    assert_ne!(draw(256, 1, 0), draw(256, 1, 1));
    assert_ne!(draw(256, 1, 0), draw(256, 2, 0));
    let all = draw(256, 1, 0);
    assert_ne!(all[0], all[1], "answers to one prompt differ");
}

#[test]
fn greedy_answers_are_certain() {
    let tokenizer = tokenizer();
    let policy = decoder(&tokenizer);
    let config = RolloutConfig { max_tokens: 12, ..RolloutConfig::default() };
    let answers = || greedy(&policy, &tasks(&tokenizer), &tokenizer, &config).unwrap();
    assert_eq!(answers(), answers());
}
