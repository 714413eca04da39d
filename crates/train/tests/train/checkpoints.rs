//! Checkpoints that are whole, or refused.

use std::fs;
use std::path::{Path, PathBuf};

use fireclay_data::{Batch, DataError, Position, Source};
use fireclay_model::huggingface::SamplingDefaults;
use fireclay_train::{Interrupt, NextToken, Outcome, StageDir, StageFiles};

use crate::Small;

fn steps(folder: &Path) -> Vec<u64> {
    StageFiles::new(folder).checkpoints().unwrap().into_iter().map(|(step, _)| step).collect()
}

fn newest(folder: &Path) -> PathBuf {
    StageFiles::new(folder).checkpoints().unwrap().pop().unwrap().1
}

fn trained(small: &Small) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    small.run(folder.path()).unwrap();
    folder
}

#[test]
fn a_checkpoint_is_a_model_directory_with_the_trainers_state_beside_it() {
    let small = Small::new();
    let folder = trained(&small);
    let dir = newest(folder.path());
    for file in
        ["config.json", "model.safetensors", "tokenizer.json", "trainer/state.json", "trainer/optimizer.safetensors"]
    {
        assert!(dir.join(file).is_file(), "{file}");
    }
    assert_eq!(fireclay_model::load(&dir, &crate::device()).unwrap().config(), small.decoder().config());
    let text = "7 times 7 is 49. ";
    assert_eq!(fireclay_tokenizer::Tokenizer::load(&dir).unwrap().encode(text), small.tokenizer.encode(text));
}

#[test]
fn a_checkpoint_keeps_what_the_model_it_began_with_says_of_generation() {
    let small = Small::new();
    let base = tempfile::tempdir().unwrap();
    let generation = r#"{"temperature": 0.3, "do_sample": true, "bos_token_id": 3, "own_key": [1]}"#;
    fs::write(base.path().join("generation_config.json"), generation).unwrap();
    let said = r#"{"bos_token_id": 3, "eos_token_id": 2, "hidden_size": 7, "torch_dtype": "bfloat16"}"#;
    fs::write(base.path().join("config.json"), said).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut stage = StageDir::open(folder.path()).unwrap().inheriting(base.path());
    small.run_in(&mut stage).unwrap();
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(newest(folder.path()).join(name)).unwrap()).unwrap()
    };
    let generation = read("generation_config.json");
    assert_eq!(generation["temperature"], 0.3);
    assert_eq!((&generation["bos_token_id"], &generation["own_key"][0]), (&3.into(), &1.into()));
    let config = read("config.json");
    assert_eq!((&config["bos_token_id"], &config["eos_token_id"]), (&3.into(), &2.into()));
    assert_ne!(config["hidden_size"], 7);
    // config.json says bf16; the file keeps f32, from which training resumes.
    assert_eq!((&config["dtype"], &config["torch_dtype"]), (&"bfloat16".into(), &"bfloat16".into()));
    let weights = fs::read(newest(folder.path()).join("model.safetensors")).unwrap();
    assert!(String::from_utf8_lossy(&weights[8..2000]).contains("\"F32\""));
}

#[test]
fn sampling_of_a_stage_wins_over_that_of_its_base() {
    let small = Small::new();
    let base = tempfile::tempdir().unwrap();
    fs::write(base.path().join("generation_config.json"), r#"{"temperature": 0.3, "top_k": 7}"#).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sampling = SamplingDefaults { temperature: Some(0.5), ..SamplingDefaults::default() };
    let mut stage = StageDir::open(folder.path()).unwrap().with_sampling(&sampling).inheriting(base.path());
    small.run_in(&mut stage).unwrap();
    let (read, complaints) = fireclay_model::huggingface::load_sampling(newest(folder.path()));
    assert_eq!((read.do_sample, read.temperature, read.top_k), (Some(true), Some(0.5), Some(7)), "{complaints:?}");
}

/// Numbers whose last digit a parser that is not exact gets wrong.
#[test]
fn the_trainers_state_is_read_back_to_the_last_bit() {
    let state = fireclay_train::TrainerState::new(&fireclay_train::TrainConfig::default(), Position::default());
    for bits in (0..20_000_u64).map(|n| 0x3FF0_0000_0000_0000 + n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % (1 << 52)) {
        let value = f64::from_bits(bits);
        let state =
            fireclay_train::TrainerState { val_loss: Some(value), algorithm_state: value.into(), ..state.clone() };
        let text = serde_json::to_string(&state).unwrap();
        let back: fireclay_train::TrainerState = serde_json::from_str(&text).unwrap();
        assert_eq!((back.val_loss, back.algorithm_state.as_f64()), (Some(value), Some(value)), "{value:?}");
    }
}

#[test]
fn the_last_checkpoints_stay_and_the_best() {
    let mut small = Small::new();
    small.config.keep_checkpoints = 1;
    // So high a rate that the first checkpoint is the best.
    small.config.learning_rate = 0.05;
    small.config.warmup_steps = 30;
    let folder = trained(&small);
    let Outcome::Finished(summary) = small.run(folder.path()).unwrap() else { panic!("finished") };
    let best = summary.best.unwrap().step;
    let mut expected = vec![best, 30];
    expected.dedup();
    assert_eq!(steps(folder.path()), expected);
    assert_eq!(folder.path().join(summary.checkpoint), newest(folder.path()));
}

/// Damages the newest checkpoint and returns the error of resuming from it.
fn message_after(damage: impl Fn(&Path)) -> String {
    let small = Small::new();
    let folder = trained(&small);
    damage(&newest(folder.path()));
    let error = small.run(folder.path()).unwrap_err();
    assert!(error.is_user_error());
    // The remedy helps.
    fs::remove_dir_all(newest(folder.path())).unwrap();
    assert!(matches!(small.run(folder.path()).unwrap(), Outcome::Finished(_)));
    error.to_string()
}

#[test]
fn a_flipped_byte_is_found_in_every_file() {
    let small = Small::new();
    let folder = trained(&small);
    let files = [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "trainer/state.json",
        "trainer/optimizer.safetensors",
        "trainer/checksums.txt",
    ];
    for file in files {
        let path = newest(folder.path()).join(file);
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        let message = small.run(folder.path()).unwrap_err().to_string();
        assert!(message.contains(file) && message.contains("step-000020"), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        fs::write(&path, whole).unwrap();
    }
    small.run(folder.path()).unwrap();
}

#[test]
fn a_truncated_file_names_itself_and_the_remedy() {
    let message = message_after(|dir| {
        let file = fs::File::options().write(true).open(dir.join("trainer/optimizer.safetensors")).unwrap();
        file.set_len(100).unwrap();
    });
    assert!(message.contains("optimizer.safetensors") && message.contains("delete the folder"), "{message}");
    assert!(message.contains("to resume from") && message.contains("step-000020"), "{message}");
}

#[test]
fn a_missing_file_names_itself() {
    let message = message_after(|dir| fs::remove_file(dir.join("model.safetensors")).unwrap());
    assert!(message.contains("model.safetensors: cannot be read"), "{message}");
}

#[test]
fn a_save_that_was_cut_off_is_not_seen() {
    let small = Small::new();
    let folder = trained(&small);
    let expected = crate::checkpoint_weights(folder.path(), 30);
    // As a crash in the middle of the last save leaves it.
    let unfinished = folder.path().join("checkpoints/.step-000030.unfinished");
    fs::rename(newest(folder.path()), &unfinished).unwrap();
    fs::remove_file(unfinished.join("trainer/state.json")).unwrap();
    assert_eq!(steps(folder.path()), [10, 20]);
    small.run(folder.path()).unwrap();
    assert!(!unfinished.exists());
    assert_eq!(crate::checkpoint_weights(folder.path(), 30), expected);
}

/// Puts a file where the checkpoint of step 30 is to be written.
struct Obstructed<S> {
    source: S,
    obstacle: PathBuf,
}

impl<S: Source> Source for Obstructed<S> {
    fn next_batch(&mut self) -> Result<Batch, DataError> {
        fs::write(&self.obstacle, "").unwrap();
        self.source.next_batch()
    }
    fn position(&self) -> Position {
        self.source.position()
    }
    fn seek(&mut self, position: &Position) -> Result<(), DataError> {
        self.source.seek(position)
    }
}

#[test]
fn a_save_that_fails_leaves_what_was_saved() {
    let small = Small::new();
    let folder = tempfile::tempdir().unwrap();
    let obstacle = folder.path().join("checkpoints/.step-000030.unfinished");
    let mut source = Obstructed { source: small.source(), obstacle };
    let error = small.run_with(folder.path(), &NextToken, &mut source, &Interrupt::never()).unwrap_err();
    assert!(!error.is_user_error(), "{error}");
    assert!(error.to_string().contains("step-000030: the checkpoint could not be written"), "{error}");
    assert_eq!(steps(folder.path()), [10, 20]);
    assert!(matches!(small.run(folder.path()).unwrap(), Outcome::Finished(_)));
}

#[test]
fn another_model_is_refused_by_name() {
    let small = Small::new();
    let folder = trained(&small);
    let decoder =
        fireclay_model::DecoderConfig::modern(small.tokenizer.vocab_size(), 32, 2, 2, 16).init(0, &crate::device());
    let error = fireclay_train::pretrain(
        decoder,
        fireclay_train::Pretrain {
            run: fireclay_train::StageRun {
                config: &small.config,
                settings: serde_json::Value::Null,
                tokenizer: &small.tokenizer,
                stage: &mut fireclay_train::StageDir::open(folder.path()).unwrap(),
                interrupt: &fireclay_train::Interrupt::never(),
                quiet: true,
            },
            objective: &fireclay_train::NextToken,
            source: &mut small.source(),
            shards: &small.shards,
            prompts: &[],
        },
    );
    let message = error.unwrap_err().to_string();
    assert!(message.contains("model.") && message.contains("when this stage began"), "{message}");
}
