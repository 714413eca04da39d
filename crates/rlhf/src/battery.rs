//! The battery: common first messages to a chat model. Each is answered greedily and with the chat's sampling settings,
//! and each reply is judged by the task's own check.
//!
//! A reward measures a policy on the prompts that it learns from; the battery measures typical use. It selects the best
//! checkpoint of a stage ([`StageBattery`]).

use std::cell::RefCell;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use fireclay_data::chat::EncodedTask;
use fireclay_data::examples::AnswerCheck;
use fireclay_files::write_atomically;
use fireclay_infer::SamplingConfig;
use fireclay_model::{Decoder, InferenceDecoder};
use fireclay_tokenizer::Tokenizer;
use fireclay_train::{Exam, Examined, TrainError};

use crate::battery_report::{BatteryReply, BatteryReport};
use crate::rollout::{Group, RolloutConfig, answers, greedy};
use crate::watch::Watch;

/// Prompts with checks, and their sampling settings.
#[derive(Clone, Debug)]
pub struct Battery {
    /// The prompts.
    pub tasks: Vec<EncodedTask>,
    /// Settings of the sampled replies, with the same random numbers each time. A reply longer than its `max_tokens`
    /// counts as wrong, also a greedy one.
    pub sampling: SamplingConfig,
    /// Number of replies generated at once: more takes more memory and less time.
    pub batch: usize,
}

impl Battery {
    /// A battery of those tasks whose answers can be judged, with one stream of random numbers per task.
    #[must_use]
    pub fn new(mut tasks: Vec<EncodedTask>, sampling: SamplingConfig) -> Self {
        tasks.retain(|task| task.task.check != AnswerCheck::OPEN);
        Self { tasks, sampling, batch: 64 }
    }

    /// Generates the replies of a policy, without gradients, and judges them.
    ///
    /// # Errors
    /// [`TrainError::Config`] when a setting is impossible, [`TrainError::Infer`] when a prompt does not fit the
    /// context or logits are not finite.
    ///
    /// # Panics
    /// When the policy tracks gradients.
    pub fn run(&self, policy: impl Into<InferenceDecoder>, tokenizer: &Tokenizer) -> Result<BatteryReport, TrainError> {
        let asking = RolloutConfig {
            group_size: 1,
            max_tokens: self.sampling.max_tokens,
            rollout_batch: self.batch,
            ..RolloutConfig::default()
        };
        asking.validate()?;
        let policy = &policy.into();
        let best = greedy(policy, &self.tasks, tokenizer, &asking)?;
        let drawn = answers(policy, &self.tasks, tokenizer, self.sampling.clone(), &asking)?;
        Ok(BatteryReport { replies: best.iter().zip(&drawn).map(|(best, drawn)| reply(best, drawn)).collect() })
    }
}

fn reply(greedy: &Group, sampled: &Group) -> BatteryReply {
    let task = &greedy.task;
    let said = |group: &Group| {
        let answer = group.trajectories.first().expect("one completion a prompt");
        (answer.text.clone(), is_right(&task.check, &answer.text, answer.finished()))
    };
    let ((greedy, greedy_right), (sampled, sampled_right)) = (said(greedy), said(sampled));
    BatteryReply {
        topic: task.topic.clone(),
        messages: task.messages.clone(),
        greedy,
        greedy_right,
        sampled,
        sampled_right,
    }
}

/// Whether a reply passes: it ends by itself, is valid text, and passes the check.
fn is_right(check: &AnswerCheck, text: &str, finished: bool) -> bool {
    finished && !text.contains('\u{fffd}') && check.is_right(text) == Some(true)
}

/// The battery of a stage: a small one during training, another for the final checkpoint.
pub struct StageBattery<'a> {
    during: Battery,
    last: Battery,
    tokenizer: &'a Tokenizer,
    device: &'a Device,
    replies: PathBuf,
    watch: RefCell<Watch>,
}

impl<'a> StageBattery<'a> {
    /// `during` is asked at every evaluation, `last` at the end; the replies to `last` are written to the file
    /// `replies`. Checkpoints are loaded onto `device`.
    #[must_use]
    pub fn new(
        during: Battery,
        last: Battery,
        tokenizer: &'a Tokenizer,
        device: &'a Device,
        replies: impl Into<PathBuf>,
    ) -> Self {
        Self { during, last, tokenizer, device, replies: replies.into(), watch: RefCell::default() }
    }
}

impl Exam<Decoder> for StageBattery<'_> {
    fn examine(&self, policy: &Decoder, step: u64) -> Result<Examined, TrainError> {
        let report = self.during.run(policy, self.tokenizer)?;
        let numbers = report.named();
        self.watch.borrow_mut().look(step, &numbers, self.during.sampling.max_tokens);
        Ok(Examined { score: report.score(), numbers })
    }

    fn examine_final(&self, checkpoint: &Path) -> Result<Vec<(String, f64)>, TrainError> {
        let report = self.last.run(&fireclay_model::load(checkpoint, self.device)?, self.tokenizer)?;
        write(&self.replies, &report)?;
        Ok(report.named())
    }
}

/// Writes one JSON object per prompt.
fn write(file: &Path, report: &BatteryReport) -> Result<(), TrainError> {
    let written = write_atomically(file, |out| {
        report.replies.iter().try_for_each(|reply| {
            serde_json::to_writer(&mut *out, reply)?;
            out.write_all(b"\n")
        })
    });
    written.map_err(|source| TrainError::Io { path: file.into(), action: "written", source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_reply_ends_by_itself_and_is_whole_text() {
        let check = AnswerCheck::Regex { pattern: fireclay_data::examples::Pattern::new("^Hello").unwrap() };
        assert!(is_right(&check, "Hello there.", true));
        assert!(!is_right(&check, "Hello there.", false));
        assert!(!is_right(&check, "Hello \u{fffd}", true));
        assert!(!is_right(&check, "Good day.", true));
    }
}
