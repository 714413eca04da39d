//! Low-rank adapters: the numbers of PEFT, and which parameters learn.
use std::fs;
use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData, activation::log_softmax};
use fireclay_model::{
    Decoder, DecoderConfig, InferenceDecoder, LoraConfig, ModelError, ScoreModel, WeightStorage, load, load_adapter,
    save, save_adapter,
};
use safetensors::SafeTensors;

use crate::checkpoints::folder;
use crate::parity::{Collect, expected, fixture};
use crate::{configs, device, distance, tokens};

/// Fixtures of `make_lora_fixtures.py`: the bases are the models of the same name.
const FIXTURES: [&str; 3] = ["gpt2", "qwen2", "qwen3"];

fn lora() -> LoraConfig {
    LoraConfig { rank: 3, alpha: 5.0, ..LoraConfig::default() }
}

/// Adapters that do something: fresh ones compute nothing, B being 0.
pub fn adapted(decoder: Decoder) -> Decoder {
    struct Fill(Vec<String>);
    impl ModuleMapper for Fill {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.into());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
        fn map_float<const R: usize>(&mut self, param: Param<Tensor<R>>) -> Param<Tensor<R>> {
            if !self.0.join(".").ends_with("lora.b") {
                return param;
            }
            let filled = param.map(|b| {
                let numbers: Vec<f32> =
                    (0..b.shape().num_elements()).map(|i| 0.2 * (i as f32 * 1.7 + 1.0).sin()).collect();
                Tensor::from_data(TensorData::new(numbers, b.dims()), &b.device())
            });
            filled.set_require_grad(true)
        }
    }
    decoder.with_lora(&lora(), 1).unwrap_or_else(|error| panic!("{error}")).map(&mut Fill(vec![]))
}

/// Mean −log p of the next token of `ids` `[B, T]`.
pub fn loss(decoder: &Decoder, ids: Tensor<2, burn::tensor::Int>) -> Tensor<1> {
    let next = ids.dims()[1] - 1;
    let logits = decoder.forward(ids.clone().narrow(1, 0, next), None);
    -log_softmax(logits, 2).gather(2, ids.narrow(1, 1, next).unsqueeze_dim(2)).mean()
}

/// The parameters that have a gradient, by name.
pub struct Learning<'a> {
    gradients: &'a Gradients,
    path: Vec<String>,
    found: Vec<(String, Vec<f32>)>,
}

impl<'a> Learning<'a> {
    pub fn of(module: &impl Module, gradients: &'a Gradients) -> Vec<(String, Vec<f32>)> {
        let mut learning = Self { gradients, path: vec![], found: vec![] };
        module.visit(&mut learning);
        learning.found
    }
}

impl ModuleVisitor for Learning<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.into());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.found.push((self.path.join("."), gradient.into_data().try_into_vec().expect("f32")));
        }
    }
}

/// The names of the parameters that learn to predict the next token.
fn learning(decoder: &Decoder) -> Vec<String> {
    let gradients = loss(decoder, tokens(2, 9, &decoder.device())).backward();
    Learning::of(decoder, &gradients).into_iter().map(|(name, _)| name).collect()
}

fn names(decoder: &Decoder) -> Vec<String> {
    decoder.named_parameters().into_iter().map(|parameter| parameter.name).collect()
}

fn logits(decoder: &Decoder) -> Tensor<3> {
    decoder.forward(tokens(2, 12, &decoder.device()), None)
}

#[test]
fn logits_and_gradients_are_those_of_peft() {
    let device = device();
    for name in FIXTURES {
        let dir = fixture("lora").join(name);
        let training = device.clone().autodiff();
        let attach = |dir: &Path, base: Decoder| load_adapter(base, dir).unwrap_or_else(|error| panic!("{error}"));
        let base = load(fixture(name), &training).unwrap_or_else(|error| panic!("{error}"));
        let decoder = attach(&dir, base.clone());
        let ids = expected(name, &training).ids;

        let bytes = fs::read(dir.join("expected.safetensors")).expect("the fixture");
        let file = SafeTensors::deserialize(&bytes).expect("safetensors");
        let theirs = file.tensor("logits").expect("logits");
        let numbers: Vec<f32> = theirs.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let theirs = Tensor::<3>::from_data(TensorData::new(numbers, theirs.shape().to_vec()), &training);
        let difference = distance(decoder.forward(ids.clone(), None), theirs.clone());
        assert!(difference < 1e-4, "{name}: {difference}");
        let effect = distance(base.forward(ids.clone(), None), theirs);
        assert!(effect > 0.1, "{name}: the adapters change the logits by {effect} only");

        // Their gradients have the names of adapters, so they are read as such.
        let gradients = folder();
        fs::copy(dir.join("adapter_config.json"), gradients.path().join("adapter_config.json")).expect("a copy");
        fs::copy(dir.join("gradients.safetensors"), gradients.path().join("adapter_model.safetensors"))
            .expect("a copy");
        let theirs = Collect::of(&attach(gradients.path(), base.valid()), None);
        let theirs: Vec<_> = theirs.into_iter().filter(|(parameter, _)| parameter.contains(".lora.")).collect();
        let gradients = loss(&decoder, ids).backward();
        let adapters = Learning::of(&decoder, &gradients);
        assert_eq!(adapters.len(), theirs.len(), "{name}");
        for ((parameter, ours), (other, theirs)) in adapters.iter().zip(&theirs) {
            assert_eq!(parameter, other);
            let norm = |numbers: &mut dyn Iterator<Item = f32>| numbers.map(|x| x * x).sum::<f32>().sqrt();
            let difference = norm(&mut ours.iter().zip(theirs).map(|(a, b)| a - b)) / norm(&mut theirs.iter().copied());
            assert!(difference < 1e-3, "{name}, {parameter}: {difference} relative");
        }
    }
}

#[test]
fn fresh_adapters_change_nothing() {
    for (name, config) in configs() {
        let decoder = config.init(1, &device());
        let fresh = decoder.clone().with_lora(&lora(), 1).unwrap_or_else(|error| panic!("{error}"));
        assert!(fresh.has_lora() && !decoder.has_lora());
        assert_eq!(logits(&fresh).into_data(), logits(&decoder).into_data(), "{name}");
    }
}

#[test]
fn fresh_adapters_are_uniform_as_pefts() {
    let config = LoraConfig { targets: vec!["attention.query".into()], ..LoraConfig::default() };
    let parameters = |seed| {
        let decoder = DecoderConfig::modern(9, 64, 1, 4, 8).init(1, &device()).with_lora(&config, seed);
        Collect::of(&decoder.unwrap_or_else(|error| panic!("{error}")), None)
    };
    let find = |seed, name: &str| parameters(seed).into_iter().find(|p| p.0.ends_with(name)).expect("a parameter").1;
    let a = find(1, "attention.query.lora.a");
    // 1/√64
    let largest = a.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    assert!(largest <= 0.125 && largest > 0.123, "{largest}");
    let variance = a.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / a.len() as f64;
    assert!((variance / (0.125 * 0.125 / 3.0) - 1.0).abs() < 0.15, "{variance}");
    assert_eq!(a, find(1, "attention.query.lora.a"));
    assert_ne!(a, find(2, "attention.query.lora.a"));
    assert!(find(1, "attention.query.lora.b").iter().all(|&b| b == 0.0));
}

#[test]
fn merged_weights_give_what_adapters_give() {
    for (name, config) in configs() {
        let base = config.init(1, &device());
        let decoder = adapted(base.clone());
        let merged = decoder.merged();
        let (effect, difference) =
            (distance(logits(&base), logits(&decoder)), distance(logits(&merged), logits(&decoder)));
        assert!(effect > 0.01 && difference < 1e-5, "{name}: {difference} of {effect}");
        assert!(!merged.has_lora() && names(&merged) == names(&base), "{name}");
        assert_eq!(logits(&decoder.without_lora()).into_data(), logits(&base).into_data(), "{name}");
    }
}

/// Beside weights that are not rounded, and in weights that are.
#[test]
fn inference_has_the_adapters() {
    for (name, config) in configs() {
        let decoder = adapted(config.init(1, &device()));
        for (format, allowed) in [(WeightStorage::F32, 1e-4), (WeightStorage::Int8, 0.1)] {
            let inference = InferenceDecoder::new(decoder.clone(), format);
            let found = inference.forward(tokens(2, 12, &device()), None);
            let size = logits(&decoder).abs().max().into_scalar::<f32>();
            let difference = distance(found, logits(&decoder)) / size;
            assert!(difference < allowed, "{name}, {format:?}: {difference}");
        }
    }
}

#[test]
fn a_decoder_is_saved_with_its_adapters_merged() {
    for config in [DecoderConfig::gpt2(61, 32, 2, 4, 24), DecoderConfig::modern(61, 32, 2, 4, 24)] {
        let (dir, decoder) = (folder(), adapted(config.init(1, &device())));
        save(&decoder, dir.path()).unwrap_or_else(|error| panic!("{error}"));
        let loaded = load(dir.path(), &device()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(logits(&loaded).into_data(), logits(&decoder.merged()).into_data());
    }
}

#[test]
fn saved_adapters_come_back_to_the_last_bit() {
    for (name, config) in configs() {
        let base = config.init(1, &device());
        let (dir, decoder) = (folder(), adapted(base.clone()));
        save_adapter(&decoder, dir.path(), Some("base")).unwrap_or_else(|error| panic!("{error}"));
        let loaded = load_adapter(base, dir.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(logits(&loaded).into_data(), logits(&decoder).into_data(), "{name}");
        assert_eq!(names(&loaded), names(&decoder), "{name}");
    }
}

#[test]
fn only_adapters_learn_whatever_the_decoder_goes_through() {
    let (plain, training) = (device(), device().autodiff());
    for (name, config) in configs() {
        let check = |how: &str, decoder: Decoder| {
            let adapters: Vec<String> = names(&decoder).into_iter().filter(|name| name.contains(".lora.")).collect();
            let maps = lora().maps(&config).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(adapters.len(), 2 * config.layers * maps.len(), "{name}");
            assert_eq!(learning(&decoder), adapters, "{name}, {how}");
        };
        let decoder = adapted(config.init(1, &training));
        check("as made", decoder.clone());
        check("valid and back", decoder.valid().train());
        check("trained again", decoder.clone().train());
        check("forked", decoder.clone().fork(&training));
        check("made where nothing learns", adapted(config.init(1, &plain)).train());
        check("moved, then trained", adapted(config.init(1, &plain)).to_device(&training).train());
        for (how, whole) in [("merged", decoder.merged()), ("without", decoder.clone().without_lora())] {
            let all = names(&config.init(1, &plain));
            assert_eq!(learning(&whole), all, "{name}, {how}");
            assert_eq!(learning(&whole.valid().train()), all, "{name}, {how}, valid and back");
        }
    }
}

#[test]
fn a_score_model_over_adapters_trains_them_and_its_map() {
    let decoder = adapted(DecoderConfig::modern(61, 32, 2, 4, 24).init(1, &device().autodiff()));
    let model = ScoreModel::new(decoder, 2);
    let gradients = model.forward(tokens(2, 9, &model.device())).sum().backward();
    let learning: Vec<String> = Learning::of(&model, &gradients).into_iter().map(|(name, _)| name).collect();
    assert_eq!(learning.len(), 2 * 2 * 7 + 1);
    assert!(learning.iter().all(|name| name.contains(".lora.") || name == "score.weight"), "{learning:?}");
}

#[test]
fn configurations_that_no_adapter_can_have_are_refused() {
    let check = |config: &DecoderConfig, lora: LoraConfig, parts: &[&str]| {
        let error = config.init(1, &device()).with_lora(&lora, 1).expect_err("a refusal");
        let message = error.to_string();
        assert!(matches!(error, ModelError::Invalid(_)) && !message.contains('\n'), "{message}");
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
    };
    let targets = |target: &str| LoraConfig { targets: vec!["attention.output".into(), target.into()], ..lora() };
    let (gpt2, modern) = (DecoderConfig::gpt2(61, 32, 2, 4, 24), DecoderConfig::modern(61, 32, 2, 4, 24));
    check(&modern, LoraConfig { rank: 0, ..lora() }, &["rank = 0", "between 1 and the model's width of 32"]);
    check(&modern, LoraConfig { rank: 33, ..lora() }, &["rank = 33"]);
    check(&modern, LoraConfig { alpha: 0.0, ..lora() }, &["alpha = 0", "positive"]);
    check(&modern, LoraConfig { alpha: f64::NAN, ..lora() }, &["alpha = NaN"]);
    check(&modern, LoraConfig { alpha: 1e300, ..lora() }, &["alpha = 1e300", "of 32 bits"]);
    check(&modern, targets("attention.querry"), &["\"attention.querry\"", "choose among attention.query, "]);
    check(&modern, targets("proj"), &["no linear map \"proj\""]);
    check(&modern, targets(""), &["no linear map \"\""]);
    check(&modern, targets("attention_norm"), &["no linear map \"attention_norm\""]);
    let fused = "in a model whose checkpoints keep several maps as one; choose among attention.output, \
                 feed_forward.up, \
                 feed_forward.down";
    check(&gpt2, targets("attention.query"), &["\"attention.query\" cannot have", fused]);
    check(&gpt2, targets("c_attn"), &["\"c_attn\" cannot have", fused]);
    check(&gpt2, targets("feed_forward.gate"), &["no linear map \"feed_forward.gate\""]);

    let twice = adapted(modern.init(1, &device())).with_lora(&lora(), 1).expect_err("a refusal").to_string();
    assert!(twice.contains("has lora adapters already; merge them or take them off"), "{twice}");
    let none = save_adapter(&modern.init(1, &device()), folder().path(), None).expect_err("a refusal").to_string();
    assert!(none.contains("has no lora adapters to save"), "{none}");
}

#[test]
fn targets_go_by_our_names_and_by_pefts() {
    let check = |config: &DecoderConfig, targets: &[&str], expect: &[&str]| {
        let lora = LoraConfig { targets: targets.iter().map(|&t| t.into()).collect(), ..lora() };
        assert_eq!(lora.maps(config).unwrap_or_else(|error| panic!("{error}")), expect);
    };
    let (gpt2, modern) = (DecoderConfig::gpt2(61, 32, 2, 4, 24), DecoderConfig::modern(61, 32, 2, 4, 24));
    check(&modern, &["v_proj", "attention.query"], &["attention.query", "attention.value"]);
    check(&modern, &["q_proj", "attention.query", "self_attn.q_proj"], &["attention.query"]);
    check(
        &modern,
        &["gate_proj", "up_proj", "mlp.down_proj"],
        &["feed_forward.gate", "feed_forward.up", "feed_forward.down"],
    );
    check(&gpt2, &["c_proj"], &["attention.output", "feed_forward.down"]);
    check(&gpt2, &["mlp.c_proj"], &["feed_forward.down"]);
    check(&gpt2, &[], &["attention.output", "feed_forward.up", "feed_forward.down"]);
    check(
        &DecoderConfig { gated: false, ..modern.clone() },
        &[],
        &lora().maps(&modern).expect("maps")[..4]
            .iter()
            .copied()
            .chain(["feed_forward.up", "feed_forward.down"])
            .collect::<Vec<_>>(),
    );
}

/// PEFT keeps a pattern of maps as it was given; the tensors are those of the maps that it matched.
#[test]
fn maps_named_by_a_pattern_are_those_with_tensors() {
    let config = DecoderConfig::modern(61, 32, 2, 4, 24);
    let some = LoraConfig { targets: vec!["q_proj".into(), "up_proj".into()], ..lora() };
    let decoder = config.init(1, &device());
    let adapted = decoder.with_lora(&some, 1).unwrap_or_else(|error| panic!("{error}"));
    let dir = folder();
    save_adapter(&adapted, dir.path(), None).unwrap_or_else(|error| panic!("{error}"));
    let path = dir.path().join("adapter_config.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
    let listed = ["model.layers.0.self_attn.q_proj", "1.self_attn.q_proj", "layers.0.mlp.up_proj", "up_proj"];
    for targets in [r".*\.(q_proj|up_proj)".into(), "all-linear".into(), serde_json::json!(listed)] {
        json["target_modules"] = targets;
        fs::write(&path, json.to_string()).expect("written");
        let read = load_adapter(config.init(1, &device()), dir.path()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(names(&read), names(&adapted), "{}", json["target_modules"]);
    }
}

#[test]
fn adapter_files_that_do_not_fit_are_named() {
    let config = DecoderConfig::modern(61, 32, 2, 4, 24);
    let refused = |base: DecoderConfig, dir: &Path, parts: &[&str]| {
        let message = load_adapter(base.init(1, &device()), dir).expect_err("a refusal").to_string();
        assert!(!message.contains('\n'), "{message}");
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
    };
    let saved = || {
        let dir = folder();
        save_adapter(&adapted(config.init(1, &device())), dir.path(), None).unwrap_or_else(|error| panic!("{error}"));
        dir
    };
    let check = |key: &str, value: serde_json::Value, parts: &[&str]| {
        let dir = saved();
        let path = dir.path().join("adapter_config.json");
        let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
        json[key] = value;
        fs::write(&path, json.to_string()).expect("written");
        refused(config.clone(), dir.path(), parts);
    };
    check("peft_type", "IA3".into(), &["adapter_config.json", "peft_type is \"IA3\"", "\"LORA\""]);
    check("task_type", "SEQ_CLS".into(), &["task_type is \"SEQ_CLS\""]);
    check("bias", "all".into(), &["bias is \"all\""]);
    check("use_dora", true.into(), &["use_dora = true", "is not supported"]);
    check("use_dora", true.into(), &["merge the adapter into its base model with PEFT"]);
    check("use_rslora", 1.into(), &["use_rslora is 1", "true or false"]);
    check("modules_to_save", serde_json::json!(["lm_head"]), &["modules_to_save"]);
    check("rank_pattern", serde_json::json!({"q_proj": 4}), &["lora_A.weight", "shape"]);
    check("rank_pattern", serde_json::json!({"q_proj": 0}), &["rank_pattern is 0", "positive whole numbers"]);
    check("alpha_pattern", serde_json::json!({".*": 4}), &["alpha_pattern has the regular expression \".*\"", "PEFT"]);
    check("init_lora_weights", "pissa".into(), &["init_lora_weights is \"pissa\""]);
    check("target_modules", 3.into(), &["target_modules", "a pattern or a list of strings"]);
    check("target_modules", "".into(), &["target_modules", "a pattern or a list of strings"]);
    check("target_modules", serde_json::json!([]), &["target_modules is empty"]);
    check(
        "target_modules",
        serde_json::json!(["q_proj"]),
        &["lora_A.weight", "is not part of the model that adapter_config.json"],
    );
    check("r", 4.into(), &["has shape [3, 32] but adapter_config.json makes it [4, 32]"]);
    check("r", 0.into(), &["r is 0"]);

    refused(DecoderConfig::modern(61, 64, 2, 4, 24), saved().path(), &["has shape [3, 32]"]);
    refused(DecoderConfig::modern(61, 32, 3, 4, 24), saved().path(), &["layers.2.", "is missing"]);
    refused(DecoderConfig::gpt2(61, 32, 2, 4, 24), saved().path(), &["no linear map"]);
    let dir = saved();
    fs::remove_file(dir.path().join("adapter_model.safetensors")).expect("removed");
    refused(config.clone(), dir.path(), &["adapter_model.safetensors", "an adapter's folder needs"]);
    refused(config.clone(), folder().path(), &["adapter_config.json", "an adapter is a folder with"]);
}
