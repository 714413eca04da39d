//! Score models: the numbers of transformers, and directories that come back.
use std::fs;

use burn::tensor::{Int, Tensor, TensorData};
use fireclay_model::huggingface::{SaveOptions, TokenIds, WeightFormat, load_token_ids};
use fireclay_model::{
    DecoderConfig, ModelError, Precision, RewardScale, ScoreModel, load, load_score_model, save, save_score_model,
};
use safetensors::SafeTensors;
use tempfile::TempDir;

use crate::checkpoints::{folder, set};
use crate::parity::{Collect, fixture};
use crate::{configs, device, distance, has_bf16, tokens};

const FAMILIES: [&str; 4] = ["score/gpt2", "score/llama", "score/qwen2", "score/qwen3"];

fn modern() -> DecoderConfig {
    DecoderConfig::modern(61, 32, 2, 4, 24)
}

/// A small score model, saved with a scale.
fn saved(config: &DecoderConfig, scale: RewardScale) -> (TempDir, ScoreModel) {
    let (dir, model) = (folder(), ScoreModel::new(config.init(1, &device()), 2));
    let tokens = TokenIds { bos: None, eos: vec![2], pad: Some(3) };
    let options = SaveOptions { tokens, format: WeightFormat::F32, ..SaveOptions::default() };
    save_score_model(&model, dir.path(), &options, &scale).unwrap_or_else(|error| panic!("{error}"));
    (dir, model)
}

#[test]
fn scores_are_those_of_transformers() {
    let device = device();
    for name in FAMILIES {
        let (model, scale) = load_score_model(fixture(name), &device).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(scale, RewardScale::default());
        let bytes = fs::read(fixture(name).join("expected.safetensors")).expect("the fixture");
        let file = SafeTensors::deserialize(&bytes).expect("safetensors");
        let (ids, scores) = (file.tensor("ids").expect("ids"), file.tensor("scores").expect("scores"));
        let numbers: Vec<i32> = ids.data().as_chunks().0.iter().map(|b| i32::from_le_bytes(*b)).collect();
        let ids = Tensor::<2, Int>::from_data(TensorData::new(numbers, ids.shape().to_vec()), &device);
        let numbers: Vec<f32> = scores.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let scores = Tensor::<2>::from_data(TensorData::new(numbers, scores.shape().to_vec()), &device);
        let difference = distance(model.forward(ids), scores);
        eprintln!("{name}: largest difference of a score {difference:.1e}");
        assert!(difference < 1e-4, "{name}: {difference}");
    }
}

#[test]
fn every_parameter_gets_a_gradient() {
    let device = device().autodiff();
    for (name, config) in configs() {
        let model = ScoreModel::new(config.init(1, &device), 2);
        let gradients = model.forward(tokens(2, 9, &device)).sin().sum().backward();
        let parameters: Vec<String> =
            Collect::of(&model, Some(&gradients)).into_iter().map(|(parameter, _)| parameter).collect();
        assert!(parameters.contains(&"score.weight".to_owned()), "{name}");
        assert!(!parameters.iter().any(|parameter| parameter.contains("head")), "{name}: {parameters:?}");
        assert_eq!(parameters.len(), decoder_parameters(&config) + 1, "{name}");
    }
}

/// Number of parameters of a decoder of this shape without a head.
fn decoder_parameters(config: &DecoderConfig) -> usize {
    DecoderConfig { tied_head: true, ..config.clone() }.init(0, &device()).named_parameters().len()
}

#[test]
fn a_fresh_map_depends_on_its_seed_and_has_the_published_deviation() {
    let decoder = DecoderConfig::modern(5, 1024, 1, 4, 8).init(1, &device());
    let weight = |seed| -> Vec<f32> {
        let model = ScoreModel::new(decoder.clone(), seed);
        Collect::of(&model, None).into_iter().find(|(name, _)| name == "score.weight").expect("a weight").1
    };
    let weights = weight(3);
    let mean_square = weights.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 1024.0;
    assert!((mean_square * 1025.0 - 1.0).abs() < 0.15, "{mean_square}");
    assert_eq!(weights, weight(3));
    assert_ne!(weights, weight(4));
}

#[test]
fn half_precision_moves_the_scores_a_little() {
    let (device, config) = (device(), modern());
    if !has_bf16(&device) {
        return;
    }
    let model = ScoreModel::new(config.init(1, &device), 2);
    let ids = tokens(2, 9, &device);
    let exact = model.forward(ids.clone());
    let difference = distance(model.with_precision(Precision::Bf16).forward(ids), exact);
    assert!(difference > 0.0 && difference < 0.05, "{difference}");
}

#[test]
fn what_is_saved_comes_back_to_the_last_bit() {
    for (name, config) in configs() {
        let scale = RewardScale { mean: -0.125, std: 3.1 };
        let (dir, model) = saved(&config, scale);
        let (loaded, loaded_scale) =
            load_score_model(dir.path(), &device()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let ids = tokens(2, 12, &device());
        assert_eq!(loaded.forward(ids.clone()).into_data(), model.forward(ids).into_data(), "{name}");
        assert_eq!(loaded.config(), model.config(), "{name}");
        assert_eq!(loaded_scale, scale, "{name}");
        assert_eq!(load_token_ids(dir.path()).expect("ids").pad, Some(3), "{name}");
    }
}

#[test]
fn rewards_have_the_mean_and_deviation_taken_out() {
    let check = |scale: RewardScale, score: f64, reward: f64| {
        let difference = (scale.reward(score) - reward).abs();
        assert!(difference < 1e-12, "{scale:?}, {score}: {difference}");
    };
    check(RewardScale { mean: 2.0, std: 0.5 }, 2.0, 0.0);
    check(RewardScale { mean: 2.0, std: 0.5 }, 3.0, 2.0);
    check(RewardScale::default(), 1.5, 1.5);
}

#[test]
fn a_scale_that_is_none_is_refused() {
    let check = |mean: f64, std: f64, expect: &str| {
        let (dir, model) = (folder(), ScoreModel::new(modern().init(1, &device()), 2));
        let scale = RewardScale { mean, std };
        let error = save_score_model(&model, dir.path().join("model"), &SaveOptions::default(), &scale);
        let error = error.expect_err("a refusal");
        assert!(matches!(error, ModelError::Invalid(_)) && error.to_string().contains(expect), "{error}");
        assert!(!dir.path().join("model").exists());
    };
    check(0.0, 0.0, "std of the reward is 0; give a positive number");
    check(0.0, f64::INFINITY, "std of the reward is inf");
    check(f64::NAN, 1.0, "mean of the reward is NaN; give a finite number");
}

#[test]
fn config_json_that_is_no_score_models_is_refused() {
    let check = |key: &str, value: serde_json::Value, parts: &[&str]| {
        let (dir, _) = saved(&modern(), RewardScale::default());
        set(dir.path(), key, value);
        let message = load_score_model(dir.path(), &device()).expect_err("a refusal").to_string();
        assert!(!message.contains('\n'), "{message}");
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
    };
    check("num_labels", 3.into(), &["config.json", "has 3 labels", "num_labels = 1"]);
    let reward = |mean: f64, std: f64| serde_json::json!({"mean": mean, "std": std});
    check("fireclay_reward", reward(0.0, -1.0), &["fireclay_reward", "std of the reward is -1"]);
    check("fireclay_reward", 1.into(), &["fireclay_reward is wrong", "mean and std"]);
    check("architectures", serde_json::json!(["BertModel"]), &["\"BertModel\" is not supported", "Qwen3ForSeq"]);
    check("hidden_size", 16.into(), &["has shape [61, 32]", "config.json makes it [61, 16]"]);

    let (dir, _) = saved(&modern(), RewardScale::default());
    let path = dir.path().join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("config.json")).expect("JSON");
    for key in ["num_labels", "id2label"] {
        config.as_object_mut().expect("an object").remove(key);
    }
    fs::write(&path, config.to_string()).expect("written");
    let message = load_score_model(dir.path(), &device()).expect_err("a refusal").to_string();
    assert!(message.contains("has 2 labels"), "{message}");
}

#[test]
fn a_language_model_and_a_score_model_are_not_taken_for_each_other() {
    for name in FAMILIES {
        let message = load(fixture(name), &device()).expect_err("a refusal").to_string();
        let expect = "is a score model, which gives no tokens; use it as a reward model or critic";
        assert!(message.contains("ForSequenceClassification") && message.contains(expect), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
    for config in [DecoderConfig::gpt2(61, 32, 2, 4, 24), modern()] {
        let dir = folder();
        save(&config.init(1, &device()), dir.path()).unwrap_or_else(|error| panic!("{error}"));
        let message = load_score_model(dir.path(), &device()).expect_err("a refusal").to_string();
        assert!(message.contains("is a language model, which gives no scores; train a reward model"), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
}
