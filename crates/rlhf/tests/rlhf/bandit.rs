//! The policy gradient on a two-armed bandit, whose solution is known.
//!
//! One prompt, answers of one token, of which the "arm" token is paid 1 and every other 0: with any
//! algorithm, the policy must learn to pull the arm that pays.

use std::path::Path;

use burn::module::Module;
use fireclay_data::chat::EncodedTask;
use fireclay_data::examples::{AnswerCheck, Task};
use fireclay_data::{DataError, Position, Source};
use fireclay_model::{Decoder, ScoreModel};
use fireclay_rlhf::{
    ActorCritic, Answer, Grpo, GrpoConfig, Online, PolicyGradient, Ppo, PpoConfig, Reinforce, ReinforceConfig, Reward,
    Rloo, RlooConfig, RolloutConfig, online, rollout,
};
use fireclay_tokenizer::{Message, Tokenizer};
use fireclay_train::{Interrupt, Schedule, StageDir, StageRun, TrainConfig, TrainError, Trainable};

use crate::{decoder, tokenizer};

/// Pays 1 for a token, and 0 for any other.
pub(crate) struct Arm(pub(crate) u32);

impl Reward for Arm {
    fn score(&self, answers: &[Answer<'_>]) -> Result<Vec<f64>, TrainError> {
        Ok(answers.iter().map(|answer| f64::from(u8::from(answer.completion[0] == self.0))).collect())
    }
}

/// The same prompt again and again.
pub(crate) struct Same(pub(crate) EncodedTask, pub(crate) usize, pub(crate) u64);

impl Source<Vec<EncodedTask>> for Same {
    fn next_batch(&mut self) -> Result<Vec<EncodedTask>, DataError> {
        self.2 += 1;
        Ok(vec![self.0.clone(); self.1])
    }
    fn position(&self) -> Position {
        Position { index: self.2, ..Position::default() }
    }
    fn seek(&mut self, position: &Position) -> Result<(), DataError> {
        self.2 = position.index;
        Ok(())
    }
}

pub(crate) fn task(tokenizer: &Tokenizer) -> EncodedTask {
    let messages = vec![Message::new("user", "Which arm?")];
    let prompt = tokenizer.encode_with_specials(&tokenizer.render_chat(&messages, true).unwrap());
    EncodedTask {
        prompt,
        task: Task { messages, topic: None, check: AnswerCheck::OPEN, reference: None, origin: "a test".into() },
    }
}

/// Share of pulls of the arm before and after training.
fn pulls<M: Trainable>(
    algorithm: &mut dyn PolicyGradient<M>,
    model: impl Fn(Decoder) -> M,
    group_size: usize,
    checkpointing: bool,
) -> (f64, f64) {
    let arm = arm();
    let tokenizer = tokenizer();
    let policy = decoder(&tokenizer);
    let config = TrainConfig {
        steps: 40,
        batch: 32 / group_size,
        context: 64,
        learning_rate: 5e-3,
        warmup_steps: 0,
        schedule: Schedule::Constant,
        weight_decay: 0.0,
        eval_every: 0,
        checkpoint_every: 0,
        checkpointing,
        ..TrainConfig::default()
    };
    let rollouts = RolloutConfig { group_size, max_tokens: 1, ..RolloutConfig::default() };
    let folder = tempfile::tempdir().unwrap();
    let share = |policy: &Decoder| {
        let asking = RolloutConfig { group_size: 256, ..rollouts.clone() };
        let groups = rollout(policy, &[task(&tokenizer)], &tokenizer, &asking, 77, 0).unwrap();
        let hits = groups[0].trajectories.iter().filter(|t| t.completion[0] == arm).count();
        hits as f64 / 256.0
    };
    let before = share(&policy);
    online(
        model(policy.clone()),
        algorithm,
        Online {
            run: StageRun {
                config: &config,
                settings: serde_json::Value::Null,
                tokenizer: &tokenizer,
                stage: &mut StageDir::open(folder.path()).unwrap(),
                interrupt: &Interrupt::never(),
                quiet: true,
            },
            rollouts: &rollouts,
            reference: &policy,
            reward: &Arm(arm),
            source: &mut Same(task(&tokenizer), config.batch, 0),
            held_out: &[],
            battery: None,
        },
    )
    .unwrap();
    let errors = ratio_errors(&folder.path().join("metrics.jsonl"));
    assert_eq!(errors.len(), 40, "every step says how far its first ratios are from 1");
    assert!(errors.iter().all(|error| (0.0..1e-3).contains(error)), "{errors:?}");
    let trained = fireclay_model::load(folder.path().join("checkpoints/step-000040"), &policy.device()).unwrap();
    (before, share(&trained.valid()))
}

/// The `ratio_error` of every step that has one.
fn ratio_errors(metrics: &Path) -> Vec<f64> {
    let lines = std::fs::read_to_string(metrics).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter_map(|line| line.get("ratio_error")?.as_f64()).collect()
}

/// The arm that an untrained policy pulls now and then, so that there is something to reinforce.
fn arm() -> u32 {
    let tokenizer = tokenizer();
    let asking = RolloutConfig { group_size: 64, max_tokens: 1, ..RolloutConfig::default() };
    let groups = rollout(&decoder(&tokenizer), &[task(&tokenizer)], &tokenizer, &asking, 5, 0).unwrap();
    let drawn = groups[0].trajectories.iter().map(|t| t.completion[0]);
    let counts = drawn.fold(std::collections::BTreeMap::<u32, usize>::new(), |mut counts, id| {
        *counts.entry(id).or_default() += 1;
        counts
    });
    counts.into_iter().max_by_key(|(_, count)| *count).unwrap().0
}

fn check((before, after): (f64, f64)) {
    assert!(before < 0.3, "the untrained policy pulls the arm in {before} of all cases");
    assert!(after > 0.95, "the arm is pulled in {after} of all cases, before {before}");
}

#[test]
fn reinforce_finds_the_better_arm() {
    let config = ReinforceConfig { kl_coefficient: 0.0, ..ReinforceConfig::default() };
    check(pulls(&mut Reinforce::new(config), |policy| policy, 1, false));
}

#[test]
fn rloo_finds_the_better_arm() {
    let config = RlooConfig { kl_coefficient: 0.0, ..RlooConfig::default() };
    check(pulls(&mut Rloo { config }, |policy| policy, 8, false));
}

#[test]
fn grpo_finds_the_better_arm() {
    let config = GrpoConfig { kl_coefficient: 0.0, ..GrpoConfig::default() };
    check(pulls(&mut Grpo { config, max_tokens: 1 }, |policy| policy, 8, false));
}

#[test]
fn ppo_finds_the_better_arm() {
    let config = PpoConfig { kl_coefficient: 0.0, critic_learning_rate: 5e-3, ..PpoConfig::default() };
    let model = |policy: Decoder| ActorCritic::new(policy.clone(), ScoreModel::new(policy, 3), false);
    for checkpointing in [false, true] {
        check(pulls(&mut Ppo::new(config.clone(), None), model, 1, checkpointing));
    }
}
