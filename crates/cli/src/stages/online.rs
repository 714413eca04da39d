//! Shared parts of the stages whose policy answers prompts: `reinforce`, `rloo`, `grpo` and `ppo` each add an algorithm
//! in a separate file.

use anyhow::Result;
use fireclay_data::chat::{EncodedTask, Shuffled};
use fireclay_model::{Decoder, LoraConfig};
use fireclay_rlhf::rewards::RewardWeights;
use fireclay_rlhf::{Online, PolicyGradient, RolloutConfig, online};
use fireclay_train::metrics::names::{self, validation};
use fireclay_train::{Exam, Outcome, StageRun, StepLoad, Summary, TrainConfig, TrainError, Trainable};
use serde_json::{Value, json};

use super::battery::stage_battery;
use super::examples::tasks;
use super::rewards::reward;
use super::section::{fine_tuning, stage_section};
use super::training_stage::{percent, reached};
use super::{Context, LearnsFrom, TrainingStage};
use crate::error::user;
use crate::recipe::{Adapters, Part, PromptData};

stage_section!(
    /// The section of an online stage, generic over the configuration of its algorithm.
    OnlineSection<A: OnlineAlgorithm> {
        train: fine_tuning(1e-5, 100, A::PROMPTS),
        /// Configuration of the algorithm.
        algorithm: A,
        /// Configuration of rollouts.
        rollouts: RolloutConfig,
        /// Low-rank adapters.
        adapters: Adapters,
        /// Prompts, and weights of the rewards.
        data: PromptData,
    }
);

/// A policy-gradient algorithm, implemented by its configuration.
pub trait OnlineAlgorithm: Part {
    /// Default number of prompts of a step.
    const PROMPTS: usize;
    /// Whether it compares the answers to one prompt with each other.
    const COMPARES_ANSWERS: bool;
    /// Whether a critic of the policy's size learns too.
    const HAS_CRITIC: bool = false;

    /// Checks that every number is valid.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the first invalid key.
    fn validate(&self) -> Result<(), TrainError>;

    /// Number of passes over a step's answers.
    fn epochs(&self) -> u64 {
        1
    }

    /// Number of answers whose gradients are computed at once.
    fn minibatch(&self) -> usize;

    /// Trains by this algorithm; see [`OnlineSection::learn`].
    ///
    /// # Errors
    /// As [`TrainingStage::run`].
    fn run(section: &OnlineSection<Self>, context: &Context, run: StageRun<'_>) -> Result<Outcome>;
}

impl<A: OnlineAlgorithm> TrainingStage for OnlineSection<A> {
    fn train(&self) -> &TrainConfig {
        &self.train
    }

    fn learns_from(&self) -> LearnsFrom<'_> {
        LearnsFrom::Prompts(&self.data)
    }

    fn lora(&self) -> Option<&LoraConfig> {
        self.adapters.lora.as_ref()
    }

    fn settings(&self) -> Value {
        json!({ "rewards": self.data.rewards })
    }

    fn validate(&self, name: &str, runs: bool) -> Result<(), String> {
        let Self { train, algorithm, rollouts, .. } = self;
        let rewards = &self.data.rewards;
        let numbers = rollouts.validate().and_then(|()| algorithm.validate()).and_then(|()| rewards.validate());
        numbers.map_err(|error| format!("{name}.{error}"))?;
        if A::COMPARES_ANSWERS && rollouts.group_size == 1 && runs {
            return Err(format!("{name}.group_size = 1: {name} compares answers to one prompt; give 2 or more"));
        }
        if train.accumulate != 1 {
            return Err(format!("{name}.accumulate = {}: set {name}.minibatch instead", train.accumulate));
        }
        if !train.train_biases {
            return Err(format!("{name}.train_biases = false: {name} trains biases too; leave the key out"));
        }
        Ok(())
    }

    fn paths(&mut self) -> Vec<&mut String> {
        self.data.paths()
    }

    fn is_free(&self, key: &str) -> bool {
        TrainConfig::is_free(key) || RolloutConfig::is_free(key)
    }

    /// Sampling, judging and learning cost about one training pass more than the epochs, and a critic the same again.
    /// Reference and reward model are in memory too.
    fn load(&self) -> StepLoad {
        let (answers, critics) = (self.train.batch * self.rollouts.group_size, usize::from(A::HAS_CRITIC));
        StepLoad {
            consumed: answers,
            computed: answers * (1 + self.algorithm.epochs() as usize * (1 + critics)),
            at_once: self.algorithm.minibatch().min(answers),
            extra_models: 2 + critics as u64,
            extra_trained: critics as u64,
        }
    }

    fn rollouts(&self) -> Option<&RolloutConfig> {
        Some(&self.rollouts)
    }

    fn reached(&self, summary: &Summary) -> Vec<String> {
        let number = |name: &str| summary.metrics.get(&validation(name)).copied();
        let mut all = reached(summary);
        all.extend(number(names::REWARD_MEAN).map(|reward| format!("held-out reward {reward:.3}")));
        all.extend(percent(summary, &validation(names::CORRECT)).map(|share| format!("{share} right")));
        all.extend(percent(summary, &validation(names::EXACT)).map(|share| format!("{share} word by word")));
        all.extend(number(names::KL).map(|kl| format!("KL {kl:.2}")));
        all
    }

    fn remedy(&self, name: &str) -> String {
        format!("lower {name}.learning_rate, raise {name}.kl_coefficient, or make fewer steps")
    }

    fn run(&self, context: &Context, run: StageRun<'_>) -> Result<Outcome> {
        A::run(self, context, run)
    }
}

/// Checks that right answers can be told where they are rewarded.
fn check_tasks(tasks: &[EncodedTask], rewards: &RewardWeights, name: &str) -> Result<()> {
    if rewards.correct == 0.0 || !tasks.iter().all(|task| task.task.check.is_open()) {
        return Ok(());
    }
    let found = format!("none of the {} prompts has a check of its answers", tasks.len());
    if rewards.only_correct() {
        return Err(user(format!(
            "{name}.rewards.correct is the only reward, and {found}, so every reward would be 0; give the prompts \
             `answer`, `regex` or `json`, or {name}.rewards.learned a weight"
        )));
    }
    tracing::warn!("{name}: {found}, so {name}.rewards.correct has no effect");
    Ok(())
}

impl<A: OnlineAlgorithm> OnlineSection<A> {
    /// The starting policy of the stage, which is also its reference.
    ///
    /// # Errors
    /// As [`Context::decoder`].
    pub fn policy(&self, context: &Context) -> Result<Decoder> {
        context.decoder(self.adapters.lora.as_ref(), &self.train)
    }

    /// Runs the loop: sample, judge, learn.
    ///
    /// # Errors
    /// When a reward model is missing, prompts are wrong or leave no room for an answer, or training fails.
    pub fn learn<M: Trainable>(
        &self,
        context: &Context,
        run: StageRun<'_>,
        model: M,
        reference: &Decoder,
        algorithm: &mut dyn PolicyGradient<M>,
    ) -> Result<Outcome> {
        let Self { train: config, rollouts, data, .. } = self;
        let longest =
            config.context.checked_sub(rollouts.max_tokens).filter(|&longest| longest > 0).ok_or_else(|| {
                user(format!(
                    "{name}.max_tokens = {} leaves no room for a prompt in {name}.context = {}; make one of them fit",
                    rollouts.max_tokens,
                    config.context,
                    name = context.stage.name()
                ))
            })?;
        let reward = reward(context, data, config)?;
        let (tasks, held_out) = tasks(data, context.tokenizer, longest, context.stage)?;
        check_tasks(&tasks, &data.rewards, context.stage.name())?;
        let mut source = Shuffled::new("prompts", tasks, config.batch, config.seed)?;
        let battery = stage_battery(context, config)?;
        let battery = battery.as_ref().map(|battery| battery as &dyn Exam<_>);
        let (reward, source, held_out) = (&reward, &mut source, &held_out[..]);
        let stage = Online { run, rollouts, reference, reward, source, held_out, battery };
        Ok(online(model, algorithm, stage)?)
    }
}

#[cfg(test)]
mod tests {
    use fireclay_data::examples::{AnswerCheck, Task};

    use super::*;

    #[test]
    fn right_answers_alone_are_rewarded_only_where_they_can_be_told() {
        let task = |check| EncodedTask {
            prompt: vec![1],
            task: Task { messages: vec![], check, topic: None, reference: None, origin: "a.jsonl:1".into() },
        };
        let rewards =
            |correct, unfinished| RewardWeights { learned: 0.0, correct, unfinished, ..RewardWeights::default() };
        let open = [task(AnswerCheck::OPEN), task(AnswerCheck::OPEN)];
        let message = check_tasks(&open, &rewards(1.0, 0.0), "grpo").unwrap_err().to_string();
        assert!(message.contains("grpo.rewards.correct is the only reward, and none of the 2 prompts"), "{message}");
        // Something else is rewarded, or something can be told.
        check_tasks(&open, &rewards(1.0, 0.5), "grpo").unwrap();
        check_tasks(&open, &rewards(0.0, 0.5), "grpo").unwrap();
        check_tasks(&[task(AnswerCheck::OPEN), task(AnswerCheck::Json)], &rewards(1.0, 0.0), "grpo").unwrap();
    }
}
