//! Adapters: trained on weights of few bits, and merged into a plain model directory.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{fail, fireclay, last_checkpoint_of, succeed, train};

/// A small model, and conversations of a few words.
fn base(folder: &Path) -> std::path::PathBuf {
    let run = folder.join("base");
    succeed(&mut train(&run, &["--steps=4", "--set=pretrain.context=128", "--set=tokenizer.vocab_size=400"]));
    run
}

/// Fine-tunes adapters for some steps.
fn tune(model: &Path, out: &Path, lora: &str) -> String {
    let mut command = fireclay();
    command.args(["train", "--stages=sft", "--steps=6", "--quiet", "--model"]).arg(model).arg("--out").arg(out);
    let set =
        ["conversations=40", "validation_conversations=8", "context=128", "batch=2", "sample_every=0", "eval_every=0"];
    command.args(set.map(|set| format!("--set=sft.{set}")));
    command.args(["--set=sft.learning_rate=1e-2", "--set=battery.per_topic=0", "--set=sft.warmup_steps=0"]);
    command.arg(format!("--set=sft.lora={lora}"));
    succeed(&mut command)
}

fn score(model: &Path, text: &Path) -> f64 {
    let out = succeed(fireclay().args(["score", "--json", "--model"]).arg(model).arg("--text").arg(text));
    serde_json::from_str::<Value>(&out).unwrap()["loss"].as_f64().expect("a loss")
}

#[test]
fn merged_adapters_predict_what_the_adapters_predict() {
    let folder = tempfile::tempdir().unwrap();
    let (base, text) = (base(folder.path()), folder.path().join("text.txt"));
    fs::write(&text, "Once upon a time there was 1 cat, and 12 dogs.\n").unwrap();
    let file = folder.path().join("base.gguf");
    succeed(fireclay().args(["export", "--gguf", "q8_0", "--model"]).arg(&base).arg("--out").arg(&file));
    for (name, model, lora) in [
        ("f32", &base, "{rank = 4, alpha = 8.0}"),
        ("int8", &base, "{rank = 4, alpha = 8.0, weights = \"int8\"}"),
        ("blocks", &file, "{rank = 4, alpha = 8.0}"),
    ] {
        let (run, merged) = (folder.path().join(name), folder.path().join(format!("{name}-merged")));
        tune(model, &run, lora);
        let said = succeed(fireclay().args(["merge", "--model"]).arg(&run).arg("--out").arg(&merged));
        assert!(said.contains("merged into it, in float32"), "{said}");
        let adapter = last_checkpoint_of(&run, "sft").join("adapter");
        let [plain, adapted, whole] = [model.as_path(), &adapter, &merged].map(|model| score(model, &text));
        assert!((adapted - whole).abs() < 1e-5, "{name}: {adapted} with adapters, {whole} merged");
        assert!((plain - adapted).abs() > 1e-3, "{name}: the adapters do something: {plain}, {adapted}");
        for file in ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json"] {
            assert!(merged.join(file).is_file(), "{name}: {file}");
        }
        assert!(!merged.join("trainer").exists(), "a plain model directory");
    }
}

#[test]
fn a_template_and_end_tokens_beside_the_adapters_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (base, run) = (base(folder.path()), folder.path().join("run"));
    tune(&base, &run, "{rank = 4, alpha = 8.0}");
    let (adapter, merged) = (folder.path().join("adapter"), folder.path().join("merged"));
    fs::create_dir(&adapter).unwrap();
    for entry in fs::read_dir(last_checkpoint_of(&run, "sft").join("adapter")).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), adapter.join(entry.file_name())).unwrap();
    }
    fs::write(adapter.join("chat_template.jinja"), "OWN {{ messages[0].content }}").unwrap();
    fs::write(adapter.join("generation_config.json"), r#"{"eos_token_id": [7]}"#).unwrap();
    succeed(fireclay().args(["merge", "--model"]).arg(&adapter).arg("--out").arg(&merged));
    let template = fs::read_to_string(merged.join("chat_template.jinja")).unwrap();
    assert_eq!(template, "OWN {{ messages[0].content }}");
    let generation: Value = serde_json::from_slice(&fs::read(merged.join("generation_config.json")).unwrap()).unwrap();
    assert_eq!(generation["eos_token_id"][0], 7, "{generation}");
}

#[test]
fn the_number_format_is_the_bases_own() {
    let folder = tempfile::tempdir().unwrap();
    let base = base(folder.path());
    let model = folder.path().join("model");
    // What a model from elsewhere says.
    fs::create_dir(&model).unwrap();
    let checkpoint = crate::last_checkpoint(&base);
    for file in ["model.safetensors", "generation_config.json"] {
        fs::copy(checkpoint.join(file), model.join(file)).unwrap();
    }
    for entry in fs::read_dir(base.join("tokenizer")).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), model.join(entry.file_name())).unwrap();
    }
    let mut config: Value = serde_json::from_slice(&fs::read(checkpoint.join("config.json")).unwrap()).unwrap();
    config.as_object_mut().unwrap().remove("torch_dtype");
    config["dtype"] = "bfloat16".into();
    fs::write(model.join("config.json"), config.to_string()).unwrap();
    let run = folder.path().join("run");
    tune(&model, &run, "{rank = 4, alpha = 8.0}");
    let adapter = last_checkpoint_of(&run, "sft").join("adapter");
    for (source, flag, expected) in [
        (&run, None, "bfloat16"),
        (&adapter, None, "bfloat16"),
        (&adapter, Some("f16"), "float16"),
        (&adapter, Some("f32"), "float32"),
    ] {
        let out = folder.path().join("merged");
        let mut command = fireclay();
        command.args(["merge", "--model"]).arg(source).arg("--out").arg(&out);
        command.args(flag.iter().flat_map(|flag| ["--dtype", flag]));
        succeed(&mut command);
        let config: Value = serde_json::from_slice(&fs::read(out.join("config.json")).unwrap()).unwrap();
        assert_eq!((&config["dtype"], &config["torch_dtype"]), (&expected.into(), &expected.into()));
        let weights = fs::metadata(out.join("model.safetensors")).unwrap().len();
        let whole = fs::metadata(checkpoint.join("model.safetensors")).unwrap().len();
        assert_eq!(weights < whole * 3 / 5, expected != "float32", "{weights} of {whole} bytes in {expected}");
        fail(fireclay().args(["merge", "--model"]).arg(source).arg("--out").arg(&out), 2, &["give an empty folder"]);
        fs::remove_dir_all(&out).unwrap();
    }
    fail(fireclay().args(["merge", "--model"]).arg(&model).arg("--out=x"), 2, &["no adapters here"]);
}
