//! A trained model as a GGUF file: written with proof, and a model as any other.

use std::fs;

use serde_json::Value;

use crate::{fail, fireclay, succeed, train};

#[test]
fn a_model_goes_out_as_gguf_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let (run, file) = (folder.path().join("run"), folder.path().join("m.gguf"));
    succeed(&mut train(&run, &["--steps=4"]));
    let said = succeed(fireclay().args(["export", "--gguf", "f32", "--model"]).arg(&run).arg("--out").arg(&file));
    assert!(said.contains("ids of 12 texts"), "{said}");
    let receipt = fs::read_to_string(folder.path().join("m.gguf.receipt.json")).unwrap();
    let receipt: Value = serde_json::from_str(&receipt).unwrap();
    assert_eq!((&receipt["number_type"], &receipt["same_ids"]), (&"F32".into(), &vec![12, 12].into()));
    assert!(receipt["mean_kl"].as_f64().unwrap() < 1e-8, "{receipt}");
    // In every command that takes a model.
    let text = folder.path().join("text.txt");
    fs::write(&text, "Once upon a time there was 1 cat, and 12 dogs.\n").unwrap();
    let score = |model: &std::path::Path| -> Value {
        let out = succeed(fireclay().args(["score", "--json", "--model"]).arg(model).arg("--text").arg(&text));
        serde_json::from_str(&out).unwrap()
    };
    let (ours, theirs) = (score(&run), score(&file));
    assert_eq!(ours["ids"], theirs["ids"]);
    assert!((ours["loss"].as_f64().unwrap() - theirs["loss"].as_f64().unwrap()).abs() < 1e-5);
    let generated = |model: &std::path::Path| {
        let more = ["--prompt", "Once", "--max-tokens", "8", "--temperature", "0"];
        succeed(fireclay().args(["generate", "--model"]).arg(model).args(more))
    };
    assert_eq!(generated(&run), generated(&file));
    let small = folder.path().join("small.gguf");
    succeed(fireclay().args(["export", "--gguf", "q8_0", "--model"]).arg(&file).arg("--out").arg(&small));
    assert!(fs::metadata(&small).unwrap().len() < fs::metadata(&file).unwrap().len() / 2);
    // It can be trained on, as a model from elsewhere.
    let tuned = folder.path().join("tuned");
    let flags = ["train", "--stages=tokenizer,pretrain", "--steps=2", "--model"];
    let more = ["--set=corpus.documents=200", "--set=corpus.validation_documents=10", "--set=pretrain.batch=2"];
    let context = ["--set=pretrain.context=32", "--set=pretrain.eval_batches=2", "--set=pretrain.sample_every=0"];
    succeed(fireclay().args(flags).arg(&small).args(more).args(context).arg("--out").arg(&tuned));
    succeed(fireclay().args(["score", "--model"]).arg(&tuned).arg("--text").arg(&text));
}

#[test]
fn what_cannot_be_exported_or_opened_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.gguf");
    fs::write(&file, b"GGUF\x03\0\0\0").unwrap();
    fail(fireclay().args(["score", "--ids", "1 2", "--model"]).arg(&file), 2, &["x.gguf", "its header ends"]);
    fail(fireclay().args(["export", "--gguf", "q3_k", "--model", "."]), 2, &["q3_k", "q8_0"]);
    fail(fireclay().args(["export", "--gguf", "f16", "--model", "nowhere"]), 2, &["nowhere", "nothing there"]);
    let adapter = folder.path().join("adapter");
    fs::create_dir(&adapter).unwrap();
    fs::write(adapter.join("adapter_config.json"), r#"{"base_model_name_or_path": "who/knows"}"#).unwrap();
    fail(fireclay().args(["score", "--ids", "1 2", "--model"]).arg(&adapter), 2, &["who/knows", "not on this machine"]);
}
