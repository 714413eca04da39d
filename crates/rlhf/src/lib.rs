//! From a language model to an assistant.
//!
//! | stage | learns from | file |
//! |---|---|---|
//! | supervised fine-tuning | conversations | [`mod@sft`] |
//! | reward model | pairs of answers, one preferred | [`reward`] |
//! | REINFORCE | its own answers, judged | [`reinforce`] |
//! | RLOO | groups of its own answers | [`rloo`] |
//! | PPO | its own answers, with a critic | [`ppo`] |
//! | GRPO | groups of its own answers | [`grpo`] |
//! | DPO | pairs of answers, without a reward model | [`mod@dpo`] |
//! | KTO | thumbs up and down | [`mod@kto`] |
//!
//! The first two and the last two run [`fit`](fireclay_train::fit()), the others the loop of [`mod@online`]: sample,
//! judge, learn. They share plain data: a [`Trajectory`] is one answer with its log-probabilities and reward, a
//! [`Group`] the answers to one prompt, and [`Sequences`] prepares either as tensors.
//!
//! The [`battery`] selects the best checkpoint of a policy: common first messages, each reply judged by an exact check.
//!
//! Reading order: [`completions`] → [`rollout`](mod@rollout) → [`rewards`] → [`mod@online`] → the
//! algorithm of interest.

pub mod completions;
pub mod rollout;
pub mod rewards;
pub mod battery;
pub mod battery_report;
pub mod advantages;
pub mod kl;
pub mod sft;
pub mod reward;
pub mod online;
pub mod reinforce;
pub mod rloo;
pub mod ppo;
pub mod grpo;
pub mod dpo;
pub mod kto;
pub mod actor_critic;
pub mod watch;
mod update;
mod numbers;

pub use actor_critic::ActorCritic;
pub use battery::{Battery, StageBattery};
pub use battery_report::{BatteryReply, BatteryReport, Tally};
pub use completions::Sequences;
pub use dpo::{DpoConfig, PreferenceTraining, dpo};
pub use grpo::{Grpo, GrpoConfig};
pub use kto::{KtoConfig, kto};
pub use online::{Online, PolicyGradient, StepContext, UpdateStats, online};
pub use ppo::{Ppo, PpoConfig};
pub use reinforce::{Reinforce, ReinforceConfig};
pub use reward::{RewardConfig, RewardModel, RewardReport, RewardTraining, judge, train_reward_model};
pub use rewards::{Answer, Reward, RewardWeights};
pub use rloo::{Rloo, RlooConfig};
pub use rollout::{Group, RolloutConfig, RolloutMemory, Trajectory, rollout};
pub use sft::{Sft, sft};

/// The example of README.md, compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
