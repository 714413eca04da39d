//! Adapters on weights that stay in blocks of few bits: they learn as on the same numbers in f32.

use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use fireclay_model::gguf::{GgufOptions, NumberType, save_gguf};
use fireclay_model::huggingface::TokenIds;
use fireclay_model::{
    ActivationCheckpoints, Decoder, DecoderConfig, InferenceDecoder, Targets, WeightStorage, load, load_adapter,
    load_frozen, save, save_adapter,
};

use crate::lora::{Learning, adapted, loss};
use crate::{device, distance, has_bf16, tokens};

/// Decoders with tied and untied heads, with biases, with fused maps and with permuted heads.
fn configs() -> Vec<DecoderConfig> {
    let llama = DecoderConfig { kv_heads: 2, ..DecoderConfig::llama(61, 64, 2, 4, 24) };
    vec![
        DecoderConfig { tied_head: true, ..llama.clone() },
        DecoderConfig { tied_head: false, ..llama },
        DecoderConfig::qwen2(61, 64, 2, 4, 24),
        DecoderConfig::gpt2(61, 64, 2, 4, 24),
    ]
    .into_iter()
    .map(|config| DecoderConfig { init_std: 0.1, ..config })
    .collect()
}

fn write_gguf(decoder: &Decoder, path: &Path, kind: NumberType) {
    let options = GgufOptions { kind, name: "test".into(), tokenizer: vec![], tokens: TokenIds::default() };
    save_gguf(decoder, path, &options).unwrap_or_else(|error| panic!("{error}"));
}

/// Each model in each form in which its weights are frozen.
fn frozen(check: impl Fn(&str, Decoder)) {
    let folder = tempfile::tempdir().expect("a folder");
    let device = device().autodiff();
    for (index, config) in configs().into_iter().enumerate() {
        let decoder = config.init(1, &crate::device());
        let dir = folder.path().join(format!("{index}"));
        save(&decoder, &dir).unwrap_or_else(|error| panic!("{error}"));
        let formats = [WeightStorage::Bf16, WeightStorage::Int8];
        for format in formats.into_iter().filter(|format| *format != WeightStorage::Bf16 || has_bf16(&device)) {
            let frozen = load_frozen(&dir, &device, Some(format)).unwrap_or_else(|error| panic!("{error}"));
            check(&format!("{:?} in {format:?}", config.family), frozen);
        }
        for kind in [NumberType::F16, NumberType::Q8_0, NumberType::Q4_0] {
            let file = folder.path().join(format!("{index}.gguf"));
            write_gguf(&decoder, &file, kind);
            let frozen = load_frozen(&file, &device, None).unwrap_or_else(|error| panic!("{error}"));
            // The same numbers as those that are widened at once.
            let widened = load(&file, &device).unwrap_or_else(|error| panic!("{error}"));
            let ids = || tokens(2, 9, &device);
            let difference = distance(frozen.forward(ids(), None), widened.forward(ids(), None));
            assert!(difference < 1e-5, "{:?}, {}: {difference}", config.family, kind.name());
            check(&format!("{:?} in {}", config.family, kind.name()), frozen);
        }
    }
}

/// Every parameter with a gradient of a loss that goes through the head.
fn gradients(decoder: &Decoder, checkpointing: bool) -> Vec<(String, Vec<f32>)> {
    let checkpoints = checkpointing.then(ActivationCheckpoints::default);
    let decoder = decoder.clone().with_activation_checkpoints(checkpoints.clone());
    let hidden = decoder.hidden(tokens(2, 9, &decoder.device()), None);
    let targets = Targets { ids: (0..18).map(|at| at * 5 % 61).collect(), weights: vec![0.1; 18] };
    let mut all = decoder.cross_entropy(hidden, targets).backward();
    let mut found = Learning::of(&decoder, &all);
    if let Some(checkpoints) = checkpoints {
        checkpoints.backward(&mut all, |gradients| found.extend(Learning::of(&decoder, &gradients)));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// The decoder with one number of a parameter changed.
fn changed(decoder: &Decoder, parameter: &str, at: usize, change: f32) -> Decoder {
    struct Change<'a>(Vec<String>, &'a str, usize, f32);
    impl ModuleMapper for Change<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.into());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
        fn map_float<const R: usize>(&mut self, param: Param<Tensor<R>>) -> Param<Tensor<R>> {
            if self.0.join(".") != self.1 {
                return param;
            }
            param.map(|tensor| {
                let mut numbers: Vec<f32> = tensor.to_data().try_into_vec().expect("f32");
                numbers[self.2] += self.3;
                Tensor::from_data(TensorData::new(numbers, tensor.dims()), &tensor.device())
            })
        }
    }
    decoder.clone().map(&mut Change(vec![], parameter, at, change))
}

#[test]
fn adapters_learn_on_blocks_as_on_the_same_numbers_in_f32() {
    frozen(|name, decoder| {
        let whole = adapted(decoder.merged());
        let decoder = adapted(decoder);
        let ids = || tokens(2, 9, &decoder.device());
        let difference = distance(decoder.forward(ids(), None), whole.forward(ids(), None));
        assert!(difference < 1e-4, "{name}: logits {difference}");
        let expected = gradients(&whole, false);
        assert!(expected.iter().all(|(name, _)| name.contains("lora")) && !expected.is_empty());
        for checkpointing in [false, true] {
            let ours = gradients(&decoder, checkpointing);
            assert_eq!(ours.len(), expected.len(), "{name}: the same parameters learn");
            for ((ours_name, ours), (theirs_name, theirs)) in ours.iter().zip(&expected) {
                assert_eq!(ours_name, theirs_name);
                let size = theirs.iter().fold(1e-6f32, |size, x| size.max(x.abs()));
                let worst = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst < 1e-3 * size, "{name}: {ours_name} {worst} of {size}");
            }
        }
    });
}

#[test]
fn a_gradient_is_what_a_small_step_changes() {
    frozen(|name, decoder| {
        let decoder = adapted(decoder);
        let ids = || tokens(2, 9, &decoder.device());
        let (chosen, at, step) = ("blocks.1.attention.output.lora.b", 4, 1e-2f32);
        let loss_with =
            |change: f32| f64::from(loss(&changed(&decoder, chosen, at, change), ids()).into_scalar::<f32>());
        let gradients = Learning::of(&decoder, &loss(&decoder, ids()).backward());
        let found = gradients.iter().find(|(name, _)| name == chosen).expect("the adapter learns").1[at];
        let measured = (loss_with(step) - loss_with(-step)) / f64::from(2.0 * step);
        assert!((f64::from(found) - measured).abs() < 2e-3 * (1.0 + measured.abs()), "{name}: {found}, {measured}");
    });
}

#[test]
fn what_is_saved_is_the_merged_model_and_adapters_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    frozen(|name, decoder| {
        let decoder = decoder.valid();
        let trained = adapted(decoder.clone());
        let ids = || tokens(2, 9, &crate::device());
        let logits = trained.forward(ids(), None);
        let dir = folder.path().join("merged");
        save(&trained, &dir).unwrap_or_else(|error| panic!("{error}"));
        let merged = load(&dir, &crate::device()).unwrap_or_else(|error| panic!("{error}"));
        let difference = distance(merged.forward(ids(), None), logits.clone());
        assert!(difference < 1e-4, "{name}: merged {difference}");
        let dir = folder.path().join("adapter");
        save_adapter(&trained, &dir, None).unwrap_or_else(|error| panic!("{error}"));
        let again = load_adapter(trained.clone().without_lora(), &dir);
        let again = again.unwrap_or_else(|error| panic!("{error}"));
        assert!(distance(again.forward(ids(), None), logits.clone()) < 1e-9, "{name}");
        // Samples and evaluations go through the decoder for inference.
        let inference = InferenceDecoder::from(&trained);
        let difference = distance(inference.forward(ids(), None), logits);
        assert!(difference < 1e-4, "{name}: inference {difference}");
    });
}

#[test]
fn a_frozen_weight_is_no_parameter() {
    frozen(|name, decoder| {
        let decoder = adapted(decoder);
        let mut matrices = decoder.named_parameters();
        matrices.retain(|parameter| parameter.data.shape().len() == 2 && parameter.name != "position_embedding");
        let adapters = |name: &str| name.ends_with(".lora.a") || name.ends_with(".lora.b");
        let others: Vec<_> = matrices.iter().map(|parameter| &parameter.name).filter(|name| !adapters(name)).collect();
        assert!(others.is_empty(), "{name}: {others:?} can be trained");
        assert!(matrices.iter().any(|parameter| parameter.name == "blocks.0.attention.output.lora.a"), "{name}");
    });
}
