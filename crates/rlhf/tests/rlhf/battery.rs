//! The battery, and the checkpoint that it chooses.

use std::cell::RefCell;
use std::path::Path;

use fireclay_data::chat::EncodedTask;
use fireclay_data::examples::{AnswerCheck, Pattern};
use fireclay_data::{DataError, Position, Source};
use fireclay_infer::SamplingConfig;
use fireclay_model::Decoder;
use fireclay_rlhf::{Battery, BatteryReport, Online, Reinforce, ReinforceConfig, RolloutConfig, StageBattery, online};
use fireclay_train::{
    Best, Exam, Examined, Interrupt, Measure, Outcome, StageDir, StageFiles, StageRun, Summary, TrainConfig,
    TrainError, read_metrics,
};

use crate::bandit::{Arm, Same, task};
use crate::rollouts::tasks;
use crate::{decoder, device, tokenizer};

/// Replies of at most `max_tokens` as a chat draws them.
fn chat(max_tokens: usize) -> SamplingConfig {
    SamplingConfig { temperature: 0.7, max_tokens, ..SamplingConfig::default() }
}

/// An exam with given scores for each step, which records the checkpoint of the final examination.
struct Scripted {
    scores: Vec<f64>,
    concluded: RefCell<Option<String>>,
}

impl Scripted {
    fn new(scores: &[f64]) -> Self {
        Self { scores: scores.to_vec(), concluded: RefCell::default() }
    }
}

impl Exam<Decoder> for Scripted {
    fn examine(&self, _: &Decoder, step: u64) -> Result<Examined, TrainError> {
        let score = self.scores[step as usize];
        Ok(Examined { score, numbers: vec![("battery".into(), score)] })
    }

    fn examine_final(&self, checkpoint: &Path) -> Result<Vec<(String, f64)>, TrainError> {
        let name = checkpoint.file_name().unwrap().to_string_lossy().into_owned();
        *self.concluded.borrow_mut() = Some(name);
        Ok(vec![("battery".into(), 0.75)])
    }
}

/// Ends as a crash would when a batch too many is asked for.
struct Fragile(Same, u64);

impl Source<Vec<EncodedTask>> for Fragile {
    fn next_batch(&mut self) -> Result<Vec<EncodedTask>, DataError> {
        if self.0.position().index == self.1 { Err(DataError::NoPaths) } else { self.0.next_batch() }
    }
    fn position(&self) -> Position {
        self.0.position()
    }
    fn seek(&mut self, position: &Position) -> Result<(), DataError> {
        self.0.seek(position)
    }
}

/// REINFORCE for four steps with an evaluation after each, which breaks off before batch `until`.
fn train(folder: &Path, exam: &dyn Exam<Decoder>, until: u64) -> Result<Summary, TrainError> {
    let tokenizer = tokenizer();
    let policy = decoder(&tokenizer);
    let config = TrainConfig {
        steps: 4,
        batch: 2,
        context: 64,
        warmup_steps: 0,
        eval_every: 1,
        checkpoint_every: 3,
        keep_checkpoints: 1,
        ..TrainConfig::default()
    };
    let outcome = online(
        policy.clone(),
        &mut Reinforce::new(ReinforceConfig::default()),
        Online {
            run: StageRun {
                config: &config,
                settings: serde_json::Value::Null,
                tokenizer: &tokenizer,
                stage: &mut StageDir::open(folder)?,
                interrupt: &Interrupt::never(),
                quiet: true,
            },
            rollouts: &RolloutConfig { max_tokens: 2, ..RolloutConfig::default() },
            reference: &policy,
            reward: &Arm(7),
            source: &mut Fragile(Same(task(&tokenizer), config.batch, 0), until),
            held_out: &[],
            battery: Some(exam),
        },
    )?;
    match outcome {
        Outcome::Finished(summary) => Ok(summary),
        Outcome::Interrupted(summary) => panic!("nobody interrupted it at step {}", summary.step),
    }
}

fn check(scores: &[f64], best: u64, kept: &[u64]) {
    let folder = tempfile::tempdir().unwrap();
    let exam = Scripted::new(scores);
    let summary = train(folder.path(), &exam, u64::MAX).unwrap();
    assert_eq!(summary.best, Some(Best { step: best, value: scores[best as usize], by: Measure::Exam }));
    let steps: Vec<u64> =
        StageFiles::new(folder.path()).checkpoints().unwrap().into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps, kept);
    assert_eq!(
        exam.concluded.into_inner(),
        Some(format!("step-{best:06}")),
        "the last word is on what the stage leaves"
    );
    assert_eq!(StageFiles::new(folder.path()).summary::<Summary>().unwrap().unwrap().metrics["battery"], 0.75);
    let logged = read_metrics(&folder.path().join("metrics.jsonl")).unwrap();
    assert_eq!(logged.iter().map(|line| line.extra["battery"]).collect::<Vec<_>>(), scores);
}

#[test]
fn the_checkpoint_that_answers_best_is_kept_although_none_was_due() {
    check(&[0.5, 0.7, 0.9, 0.6, 0.4], 2, &[2, 4]);
}

#[test]
fn what_the_stage_began_with_is_kept_where_nothing_answers_better() {
    check(&[0.9, 0.7, 0.8, 0.6, 0.4], 0, &[0, 4]);
}

#[test]
fn of_equal_checkpoints_the_last_is_kept() {
    check(&[0.9, 0.7, 0.9, 0.6, 0.9], 4, &[4]);
}

#[test]
fn a_run_that_is_cut_anywhere_keeps_the_same_checkpoint() {
    let scores = [0.5, 0.7, 0.6, 0.9, 0.8];
    let whole = tempfile::tempdir().unwrap();
    let expected = train(whole.path(), &Scripted::new(&scores), u64::MAX).unwrap();
    let weights = |folder: &Path| std::fs::read(folder.join("checkpoints/step-000003/model.safetensors")).unwrap();
    for until in 0..4 {
        let cut = tempfile::tempdir().unwrap();
        train(cut.path(), &Scripted::new(&scores), until).unwrap_err();
        let summary = train(cut.path(), &Scripted::new(&scores), u64::MAX).unwrap();
        assert_eq!((summary.best, &summary.metrics), (expected.best, &expected.metrics), "cut at {until}");
        assert!(weights(cut.path()) == weights(whole.path()), "the weights, to the last bit, cut at {until}");
    }
}

/// Prompts whose every answer is right, if it ends.
fn lenient(tasks: Vec<EncodedTask>) -> Vec<EncodedTask> {
    let check = AnswerCheck::Regex { pattern: Pattern::new("").unwrap() };
    tasks
        .into_iter()
        .map(|mut task| {
            task.task.check = check.clone();
            task
        })
        .collect()
}

#[test]
fn only_what_can_be_judged_is_asked_and_alike_each_time() {
    let tokenizer = tokenizer();
    let policy = decoder(&tokenizer);
    let open = tasks(&tokenizer);
    assert!(Battery::new(open.clone(), chat(8)).tasks.is_empty());
    let battery = Battery::new([lenient(open.clone()), open].concat(), chat(8));
    let report = battery.run(&policy, &tokenizer).unwrap();
    assert_eq!(report.replies.len(), 3);
    assert_eq!(battery.run(&policy, &tokenizer).unwrap(), report);
    let one_at_once = Battery { batch: 1, ..battery };
    assert_eq!(one_at_once.run(&policy, &tokenizer).unwrap(), report, "whatever is asked beside it");
}

#[test]
fn a_stage_leaves_the_replies_and_figures_of_its_last_battery() {
    let (folder, tokenizer, device) = (tempfile::tempdir().unwrap(), tokenizer(), device());
    let file = folder.path().join("battery.jsonl");
    let few = Battery::new(lenient(tasks(&tokenizer))[..1].to_vec(), chat(4));
    let many = Battery::new(lenient(tasks(&tokenizer)), chat(4));
    let summary = train(folder.path(), &StageBattery::new(few, many, &tokenizer, &device, &file), u64::MAX).unwrap();
    let report = BatteryReport::read(&file).unwrap();
    assert_eq!(report.replies.len(), 3);
    for (name, value) in report.named() {
        assert_eq!(summary.metrics[&name], value, "{name}");
    }
}
