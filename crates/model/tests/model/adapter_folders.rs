//! A folder of adapters alone, as PEFT leaves it, is a model where its base is there.
use std::fs;
use std::path::Path;

use fireclay_model::huggingface::{load_config, load_token_ids};
use fireclay_model::{load, load_adapter};

use crate::parity::{expected, fixture};
use crate::{device, distance};

/// The fixtures' adapters for `name`, whose base is called `base`.
fn folder(name: &str, base: Option<&str>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let source = fixture("lora").join(name);
    fs::copy(source.join("adapter_model.safetensors"), folder.path().join("adapter_model.safetensors"))
        .expect("a copy");
    let config = fs::read(source.join("adapter_config.json")).expect("the fixture");
    let mut config: serde_json::Value = serde_json::from_slice(&config).expect("JSON");
    config["base_model_name_or_path"] = base.into();
    fs::write(folder.path().join("adapter_config.json"), config.to_string()).expect("written");
    folder
}

#[test]
fn it_opens_with_its_base() {
    for name in ["gpt2", "qwen2", "qwen3"] {
        let base = fixture(name);
        let folder = folder(name, base.to_str());
        let ids = expected(name, &device()).ids;
        let merged = load(folder.path(), &device()).unwrap_or_else(|error| panic!("{error}"));
        assert!(!merged.has_lora());
        let beside = load_adapter(load(&base, &device()).expect("the base"), folder.path()).expect("the adapter");
        let difference = distance(merged.forward(ids.clone(), None), beside.forward(ids.clone(), None));
        assert!(difference < 1e-4, "{name}: {difference}");
        let plain = load(&base, &device()).expect("the base").forward(ids.clone(), None);
        assert!(distance(merged.forward(ids, None), plain) > 0.1, "{name}: the adapters change nothing");
        assert_eq!(load_config(folder.path()).expect("a configuration"), load_config(&base).expect("a configuration"));
        assert_eq!(load_token_ids(folder.path()).expect("ids"), load_token_ids(&base).expect("ids"));
    }
}

#[test]
fn its_base_may_stand_beside_it() {
    let around = tempfile::tempdir().expect("a folder");
    let copy = |from: &Path, to: &str| {
        let to = around.path().join(to);
        fs::create_dir_all(&to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder") {
            let path = entry.expect("an entry").path();
            fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("a copy");
        }
    };
    copy(&fixture("qwen2"), "base");
    copy(folder("qwen2", Some("base")).path(), "adapter");
    assert!(load(around.path().join("adapter"), &device()).is_ok());
}

#[test]
fn a_base_that_is_not_there_is_named() {
    let check = |base: Option<&str>, expect: &str| {
        let message = load(folder("qwen2", base).path(), &device()).expect_err("a refusal").to_string();
        assert!(message.contains("adapter_config.json") && message.contains(expect), "{message}");
        assert!(!message.contains('\n') && !message.contains('\u{1b}'), "{message}");
    };
    check(None, "it names no base model");
    check(Some(""), "it names no base model");
    check(Some("who/knows\n\u{1b}[31m"), "base model \"who/knows[31m\" is not on this machine");
}

#[test]
fn its_own_end_tokens_come_before_those_of_its_base() {
    let base = fixture("qwen2");
    let folder = folder("qwen2", base.to_str());
    let settings = serde_json::json!({"eos_token_id": [7, 9]}).to_string();
    fs::write(folder.path().join("generation_config.json"), settings).expect("written");
    let (own, of_base) = (load_token_ids(folder.path()).expect("ids"), load_token_ids(&base).expect("ids"));
    assert_eq!((own.eos, own.bos, own.pad), (vec![7, 9], of_base.bos, of_base.pad));
}

/// A pattern of PEFT may pick maps in some blocks only.
#[test]
fn adapters_in_some_blocks_only_are_named() {
    let config = |layers| fireclay_model::DecoderConfig::modern(61, 32, layers, 4, 24);
    let adapted = config(2).init(1, &device()).with_lora(&fireclay_model::LoraConfig::default(), 1).expect("adapters");
    let folder = tempfile::tempdir().expect("a folder");
    fireclay_model::save_adapter(&adapted, folder.path(), None).expect("saved");
    let path = folder.path().join("adapter_config.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
    json["target_modules"] = r".*\.[01]\..*_proj".into();
    fs::write(&path, json.to_string()).expect("written");
    let message = load_adapter(config(3).init(1, &device()), folder.path()).expect_err("a refusal").to_string();
    assert!(message.contains("in 2 of 3 blocks, as target_modules and exclude_modules pick them"), "{message}");
    load_adapter(config(2).init(1, &device()), folder.path()).expect("all blocks");
}
