//! Biases that are not trained stay at the 0 of fresh weights, through a resume as well.

use fireclay_model::DecoderConfig;

use crate::{Small, checkpoint_weights};

/// Whether any bias of a GPT-2 is other than 0 after a run that was cut off once and resumed.
fn biases_moved(train_biases: bool) -> bool {
    let mut small = Small { preset: DecoderConfig::gpt2, ..Small::new() };
    small.config.train_biases = train_biases;
    let folder = tempfile::tempdir().unwrap();
    small.run(folder.path()).unwrap();
    std::fs::remove_file(folder.path().join("DONE")).unwrap();
    std::fs::remove_dir_all(folder.path().join("checkpoints/step-000030")).unwrap();
    small.run(folder.path()).unwrap();
    let weights = checkpoint_weights(folder.path(), 30);
    let mut biases = weights.iter().filter(|(name, _)| name.rsplit('.').next() == Some("bias")).peekable();
    assert!(biases.peek().is_some(), "a GPT-2 has biases");
    biases.any(|(_, bytes)| bytes.iter().any(|&byte| byte != 0))
}

#[test]
fn biases_move_only_when_trained() {
    assert!(biases_moved(true));
    assert!(!biases_moved(false));
}
