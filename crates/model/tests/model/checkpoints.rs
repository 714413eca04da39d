//! Model directories: round trips, and errors that name the problem.
use std::borrow::Cow;
use std::fs;
use std::path::Path;

use burn::tensor::Tensor;
use fireclay_model::huggingface::{
    SamplingDefaults, SaveOptions, TokenIds, WeightFormat, load_config, load_sampling, load_token_ids, save_with,
};
use fireclay_model::{Decoder, DecoderConfig, ModelError, NormKind, PositionEncoding, load, save};
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use tempfile::TempDir;

use crate::{configs, device, distance, tokens};

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A small decoder, saved.
fn saved(config: &DecoderConfig) -> (TempDir, Decoder) {
    let (dir, decoder) = (folder(), config.init(1, &device()));
    save(&decoder, dir.path()).unwrap_or_else(|error| panic!("{error}"));
    (dir, decoder)
}

fn logits(decoder: &Decoder) -> Tensor<3> {
    decoder.forward(tokens(2, 12, &device()), None)
}

/// Rewrites `model.safetensors` with every tensor as `change` gives it back; `None` leaves it out.
fn rewrite(
    dir: &Path,
    mut change: impl FnMut(&str, Dtype, Vec<usize>, &[u8]) -> Option<(String, Dtype, Vec<usize>, Vec<u8>)>,
) {
    let path = dir.join("model.safetensors");
    let bytes = fs::read(&path).expect("weights");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let tensors: Vec<_> =
        file.iter().filter_map(|(name, view)| change(name, view.dtype(), view.shape().to_vec(), view.data())).collect();
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, data)| (name, TensorView::new(*dtype, shape.clone(), data).expect("a tensor")));
    fs::write(&path, serialize(views, None).expect("safetensors")).expect("written");
}

/// Changes one key of `config.json`.
pub(crate) fn set(dir: &Path, key: &str, value: serde_json::Value) {
    let path = dir.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("config.json")).expect("JSON");
    config[key] = value;
    fs::write(path, config.to_string()).expect("written");
}

/// The error of loading `dir`: one line, with every one of `parts`.
fn refused(dir: &Path, parts: &[&str]) {
    let message = load(dir, &device()).expect_err("a refusal").to_string();
    assert!(!message.contains('\n'), "{message}");
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn what_is_saved_comes_back_to_the_last_bit() {
    for (name, config) in configs() {
        let config = DecoderConfig { embedding_std: Some(0.3), ..config };
        let (dir, decoder) = saved(&config);
        let loaded = load(dir.path(), &device()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(loaded.config(), &config, "{name}");
        assert_eq!(logits(&loaded).into_data(), logits(&decoder).into_data(), "{name}");
        // Nothing but the three files is left, and saving over them works.
        save(&loaded, dir.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut files: Vec<_> =
            fs::read_dir(dir.path()).expect("a folder").map(|f| f.expect("a file").file_name()).collect();
        files.sort();
        assert_eq!(files, ["config.json", "generation_config.json", "model.safetensors"], "{name}");
    }
}

#[test]
fn bf16_files_round_and_come_back() {
    for (name, config) in configs().into_iter().take(6) {
        let (dir, decoder) = (folder(), config.init(1, &device()));
        let options = SaveOptions { format: WeightFormat::Bf16, ..SaveOptions::default() };
        save_with(&decoder, dir.path(), &options).unwrap_or_else(|error| panic!("{error}"));
        let loaded = load(dir.path(), &device()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.config().position, config.position, "{name}");
        let pairs = decoder.named_parameters().into_iter().zip(loaded.named_parameters());
        for (ours, theirs) in pairs {
            let rounded: Vec<f32> = ours.data.iter::<f32>().map(|x| half::bf16::from_f32(x).to_f32()).collect();
            assert_eq!(theirs.data.iter::<f32>().collect::<Vec<_>>(), rounded, "{name}, {}", ours.name);
        }
    }
}

#[test]
fn f16_weights_and_names_of_the_bare_model_are_read() {
    let (dir, decoder) = saved(&DecoderConfig::gpt2(61, 32, 2, 4, 24));
    rewrite(dir.path(), |name, _, shape, data| {
        let numbers = data.as_chunks().0.iter().map(|b| half::f16::from_f32(f32::from_le_bytes(*b)));
        let bytes = numbers.flat_map(half::f16::to_le_bytes).collect();
        Some((name.trim_start_matches("transformer.").into(), Dtype::F16, shape, bytes))
    });
    let difference = distance(logits(&load(dir.path(), &device()).expect("a model")), logits(&decoder));
    assert!(difference > 0.0 && difference < 1e-2, "{difference}");
}

#[test]
fn classic_comes_back_as_classic_unless_its_table_was_trained() {
    let (dir, _) = saved(&DecoderConfig::classic(61, 32, 2, 4, 24));
    assert_eq!(load(dir.path(), &device()).expect("a model").config().position, PositionEncoding::Sinusoidal);
    rewrite(dir.path(), |name, dtype, shape, data| {
        let mut data = data.to_vec();
        if name == "transformer.wpe.weight" {
            data[4..8].copy_from_slice(&0.5f32.to_le_bytes());
        }
        Some((name.into(), dtype, shape, data))
    });
    let trained = load(dir.path(), &device()).expect("a model");
    assert_eq!(trained.config().position, PositionEncoding::Learned);
    let table = trained.named_parameters().into_iter().find(|p| p.name == "position_embedding").expect("a table");
    assert_eq!(table.data.iter::<f32>().nth(1), Some(0.5));
}

#[test]
fn token_ids_are_kept() {
    let (dir, decoder) = (folder(), DecoderConfig::modern(61, 32, 2, 4, 24).init(1, &device()));
    for (bos, eos, pad) in [(Some(1), vec![2, 0], Some(3)), (None, vec![7], None), (None, vec![], None)] {
        let tokens = TokenIds { bos, eos, pad };
        save_with(&decoder, dir.path(), &SaveOptions { tokens: tokens.clone(), ..SaveOptions::default() })
            .expect("saved");
        assert_eq!(load_token_ids(dir.path()).expect("ids"), tokens);
        fs::remove_file(dir.path().join("generation_config.json")).expect("removed");
        assert_eq!(load_token_ids(dir.path()).expect("ids"), tokens, "config.json alone");
    }
}

#[test]
fn sampling_settings_are_kept_beside_the_token_ids() {
    let (dir, decoder) = (folder(), DecoderConfig::modern(61, 32, 2, 4, 24).init(1, &device()));
    let sampling = SamplingDefaults { temperature: Some(0.7), top_p: Some(0.9), ..SamplingDefaults::default() };
    let options = SaveOptions {
        tokens: TokenIds { eos: vec![2, 0], ..TokenIds::default() },
        sampling: sampling.clone(),
        ..SaveOptions::default()
    };
    save_with(&decoder, dir.path(), &options).expect("saved");
    assert_eq!(load_token_ids(dir.path()).expect("ids"), options.tokens);
    let loaded = SamplingDefaults { do_sample: Some(true), ..sampling };
    assert_eq!(load_sampling(dir.path()), (loaded.clone(), vec![]));
    // Loaded and saved again, and again.
    save_with(&decoder, dir.path(), &SaveOptions { sampling: loaded.clone(), ..options }).expect("saved");
    assert_eq!(load_sampling(dir.path()), (loaded, vec![]));
    save(&decoder, dir.path()).expect("saved");
    assert_eq!(load_sampling(dir.path()), (SamplingDefaults::default(), vec![]));
}

#[test]
fn a_damaged_generation_config_is_told_in_one_line_and_an_absent_one_is_none() {
    let dir = folder();
    assert_eq!(load_sampling(dir.path()), (SamplingDefaults::default(), vec![]));
    for (text, expected) in [("{", "not valid JSON"), ("[]", "not a JSON object")] {
        fs::write(dir.path().join("generation_config.json"), text).expect("written");
        let (defaults, complaints) = load_sampling(dir.path());
        assert_eq!(defaults, SamplingDefaults::default());
        let [line] = &complaints[..] else { panic!("{complaints:?}") };
        assert!(line.contains("generation_config.json: ") && line.contains(expected), "{line}");
    }
}

#[test]
fn options_that_a_family_cannot_say_are_refused_before_anything_is_written() {
    let check = |option: &str, config: DecoderConfig| {
        let dir = folder();
        let error = save(&config.init(1, &device()), dir.path().join("model")).expect_err("a refusal");
        let message = error.to_string();
        assert!(matches!(error, ModelError::Invalid(_)) && message.contains(option), "{message}");
        assert!(!dir.path().join("model").exists(), "{option}");
    };
    let gpt2 = || DecoderConfig::gpt2(61, 32, 2, 4, 24);
    let llama = || DecoderConfig::llama(61, 32, 2, 4, 24);
    check("gated", DecoderConfig { gated: true, ..gpt2() });
    check("kv_heads", DecoderConfig { kv_heads: 2, ..gpt2() });
    check("sliding_window", DecoderConfig { sliding_window: Some(4), ..gpt2() });
    check("ffn_bias", DecoderConfig { ffn_bias: false, ..gpt2() });
    check("sliding_window", DecoderConfig { sliding_window: Some(4), ..llama() });
    check("qk_norm", DecoderConfig { qk_norm: true, ..llama() });
    check("output_bias", DecoderConfig { output_bias: true, ..llama() });
    check("norm", DecoderConfig { norm: NormKind::Layer, ..llama() });
    check("position", DecoderConfig { position: PositionEncoding::Learned, ..llama() });
    check("qkv_bias", DecoderConfig { qkv_bias: false, ..DecoderConfig::qwen2(61, 32, 2, 4, 24) });
    check("qk_norm", DecoderConfig { qk_norm: false, ..DecoderConfig::qwen3(61, 32, 2, 4, 24) });
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = folder();
    fs::write(dir.path().join("file"), "").expect("written");
    let error = save(&DecoderConfig::modern(5, 4, 1, 1, 4).init(1, &device()), dir.path().join("file/model"));
    let message = error.expect_err("a refusal").to_string();
    assert!(message.contains("file/model") && message.contains("choose a folder that can be written"), "{message}");
}

#[test]
fn files_that_are_not_there_are_named() {
    let dir = folder();
    refused(&dir.path().join("nowhere"), &["nowhere", "config.json", "a model is a folder with"]);
    let (dir, _) = saved(&DecoderConfig::modern(61, 32, 1, 4, 24));
    fs::remove_file(dir.path().join("model.safetensors")).expect("removed");
    refused(dir.path(), &["model.safetensors", "needs model.safetensors"]);
    let index = dir.path().join("model.safetensors.index.json");
    fs::write(&index, r#"{"weight_map": {"model.norm.weight": "model-1.safetensors"}}"#).expect("written");
    refused(dir.path(), &["model-1.safetensors", "all its shards"]);
    fs::write(&index, r#"{"weight_map": {"model.norm.weight": "../model.safetensors"}}"#).expect("written");
    refused(dir.path(), &["index.json", "not a file name"]);
    fs::write(&index, "[]").expect("written");
    refused(dir.path(), &["index.json", "not an index of shards"]);
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let check = |change: fn(&str) -> Option<(&str, usize)>, parts: &[&str]| {
        let (dir, _) = saved(&DecoderConfig::llama(61, 32, 1, 4, 24));
        rewrite(dir.path(), |name, dtype, shape, data| {
            let (name, cut) = change(name)?;
            let shape = shape.iter().map(|&n| n - cut).collect::<Vec<_>>();
            let bytes = shape.iter().product::<usize>() * 4;
            Some((name.into(), dtype, shape, data[..bytes].to_vec()))
        });
        refused(dir.path(), parts);
    };
    let up = "model.layers.0.mlp.up_proj.weight";
    check(|name| (!name.contains("up_proj")).then_some((name, 0)), &[up, "is missing", "copy both again"]);
    check(|name| (name != "lm_head.weight").then_some((name, 0)), &["lm_head.weight", "tie_word_embeddings"]);
    check(|name| Some((name, usize::from(name.contains("up_proj")))), &[up, "shape [95, 31]", "makes it [96, 32]"]);
    check(
        |name| Some((if name.contains("up_proj") { "model.layers.0.mlp.router.weight" } else { name }, 0)),
        &["is missing"],
    );

    let (dir, _) = saved(&DecoderConfig::llama(61, 32, 2, 4, 24));
    set(dir.path(), "num_hidden_layers", 1.into());
    refused(dir.path(), &["model.safetensors", "model.layers.1.", "is not part of the model"]);
    let (dir, _) = saved(&DecoderConfig::llama(61, 32, 1, 4, 24));
    set(dir.path(), "tie_word_embeddings", true.into());
    refused(dir.path(), &["lm_head.weight", "differs from the token embedding"]);
    rewrite(dir.path(), |name, _, shape, data| Some((name.into(), Dtype::I32, shape, data.to_vec())));
    refused(dir.path(), &["is I32", "save the weights as F32, F16 or BF16"]);
}

#[test]
fn buffers_of_old_files_are_ignored() {
    let (dir, decoder) = saved(&DecoderConfig::gpt2(61, 32, 1, 4, 24));
    let path = dir.path().join("model.safetensors");
    let bytes = fs::read(&path).expect("weights");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let mut tensors: Vec<(String, TensorView)> = file.iter().map(|(name, view)| (name.to_owned(), view)).collect();
    let mask = Cow::from(vec![1u8; 24 * 24]);
    let mask = TensorView::new(Dtype::U8, vec![1, 1, 24, 24], &mask).expect("a tensor");
    tensors.push(("transformer.h.0.attn.bias".into(), mask));
    tensors.push(("lm_head.weight".into(), file.tensor("transformer.wte.weight").expect("the embedding")));
    fs::write(&path, serialize(tensors, None).expect("safetensors")).expect("written");
    let loaded = load(dir.path(), &device()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(logits(&loaded).into_data(), logits(&decoder).into_data());
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let (dir, _) = saved(&DecoderConfig::modern(61, 16, 1, 2, 24));
    let path = dir.path().join("model.safetensors");
    let whole = fs::read(&path).expect("weights");
    for length in (0..whole.len()).step_by(97).chain([1, 7, 8, 9, whole.len() - 1]) {
        fs::write(&path, &whole[..length]).expect("written");
        refused(dir.path(), &["model.safetensors", "copy it again"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_weight_files_never_panic(header in ".{0,200}", tail in prop::collection::vec(any::<u8>(), 0..64), length in any::<u64>(), honest: bool) {
        let (dir, _) = saved(&DecoderConfig::modern(5, 4, 1, 1, 4));
        let length = if honest { header.len() as u64 } else { length };
        let bytes = [&length.to_le_bytes()[..], header.as_bytes(), &tail].concat();
        fs::write(dir.path().join("model.safetensors"), bytes).expect("written");
        prop_assert!(load(dir.path(), &device()).is_err());
    }

    #[test]
    fn a_flipped_byte_in_the_header_never_panics(at in 0usize..400, bits in 1u8..) {
        let (dir, _) = saved(&DecoderConfig::modern(5, 4, 1, 1, 4));
        let path = dir.path().join("model.safetensors");
        let mut bytes = fs::read(&path).expect("weights");
        bytes[at] ^= bits;
        fs::write(&path, bytes).expect("written");
        let _ = load(dir.path(), &device());
    }

    #[test]
    fn arbitrary_configs_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        key in prop::sample::select(vec![
            "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "vocab_size", "layer_types",
            "max_position_embeddings", "intermediate_size", "rope_theta", "rope_scaling", "rope_parameters", "sliding_window",
            "use_sliding_window", "model_type", "architectures", "eos_token_id", "initializer_range", "rms_norm_eps",
        ]),
        value in prop_oneof![
            any::<f64>().prop_map(|x| serde_json::json!(x)),
            any::<i64>().prop_map(|x| serde_json::json!(x)),
            any::<u64>().prop_map(|x| serde_json::json!(x)),
            (0u32..9).prop_map(|x| serde_json::json!(x)),
            ".{0,9}".prop_map(|x| serde_json::json!(x)),
            ".{0,9}".prop_map(|x| serde_json::json!({"rope_type": x, "type": x})),
            Just(serde_json::json!({"rope_type": "llama3", "factor": 1e300, "low_freq_factor": 1e-300, "high_freq_factor": 1})),
            Just(serde_json::json!([null, {}, []])),
        ],
    ) {
        let (dir, _) = saved(&DecoderConfig::modern(5, 4, 1, 1, 4));
        set(dir.path(), key, value);
        let _ = load(dir.path(), &device());
        let _ = load_token_ids(dir.path());
        fs::write(dir.path().join("config.json"), bytes).expect("written");
        prop_assert!(load_config(dir.path()).is_err() && load_token_ids(dir.path()).is_err());
    }
}
