//! Families beside the presets: those that `fixtures/make_family_fixtures.py` made. Their logits and gradients are
//! compared in `parity.rs`.
use std::collections::BTreeMap;
use std::fs;

use burn::tensor::{Int, Tensor, TensorData};
use fireclay_model::huggingface::check_representable;
use fireclay_model::{Decoder, DecoderConfig, InferenceDecoder, PAGE, PagedCache, Precision, Text, load, save};
use safetensors::SafeTensors;

use crate::parity::{FAMILIES, fixture};
use crate::{device, distance};

/// The tensor of that name in `expected.safetensors`, with its shape.
fn expected(name: &str, tensor: &str) -> (Vec<u8>, Vec<usize>) {
    let bytes = fs::read(fixture(name).join("expected.safetensors")).expect("the fixture");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let tensor = file.tensor(tensor).expect("the tensor");
    (tensor.data().to_vec(), tensor.shape().to_vec())
}

fn ids(name: &str, tensor: &str) -> (Vec<u32>, [usize; 2]) {
    let (bytes, shape) = expected(name, tensor);
    let ids = bytes.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b)).collect();
    (ids, [shape[shape.len() - 2], shape[shape.len() - 1]])
}

fn tensor(ids: &[u32], shape: [usize; 2]) -> Tensor<2, Int> {
    let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(ids, shape), &device())
}

fn decoder(name: &str) -> Decoder {
    load(fixture(name), &device()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn short_texts_have_the_logits_of_transformers() {
    for name in FAMILIES {
        let (all, [rows, time]) = ids(name, "batches");
        let (numbers, shape) = expected(name, "short_logits");
        let numbers: Vec<f32> = numbers.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let short = tensor(&all, [rows, time]).narrow(1, 0, shape[1]);
        let theirs = Tensor::<3>::from_data(TensorData::new(numbers, shape), &device());
        let difference = distance(decoder(name).forward(short, None), theirs);
        assert!(difference < 1e-4, "{name}: {difference}");
    }
}

#[test]
fn greedy_tokens_are_those_of_transformers() {
    for name in FAMILIES {
        let (theirs, [rows, length]) = ids(name, "greedy");
        let (_, short) = expected(name, "short_logits");
        let decoder = InferenceDecoder::from(&decoder(name));
        for row in theirs.chunks(length).take(rows) {
            let mut ours = row[..short[1]].to_vec();
            while ours.len() < length {
                let logits = decoder.forward(tensor(&ours, [1, ours.len()]), None);
                let last = logits.narrow(1, ours.len() - 1, 1);
                ours.push(last.argmax(2).into_scalar::<i32>() as u32);
            }
            assert_eq!(ours, row, "{name}");
        }
    }
}

#[test]
fn steps_over_pages_equal_one_full_forward() {
    for name in FAMILIES {
        // These choose their angles by the length of a text, which is another in every step.
        if ["families/phi3_long", "families/llama_dynamic"].contains(&name) {
            continue;
        }
        let (all, [_, time]) = ids(name, "batches");
        let decoder = decoder(name);
        let full = decoder.forward(tensor(&all[..time], [1, time]), None);
        let inference = InferenceDecoder::from(&decoder);
        let mut cache = PagedCache::new(decoder.config(), Precision::F32, time.div_ceil(PAGE), &device());
        let mut parts = vec![];
        for range in [0..3, 3..4, 4..17, 17..18, 18..time] {
            let pages = (0..range.end.div_ceil(PAGE) as u32).collect();
            let text = Text { start: range.start, tokens: range.len(), pages };
            parts.push(inference.logits(inference.step(&all[range], &[text], &mut cache)));
        }
        let difference = distance(full, Tensor::cat(parts, 0).unsqueeze_dim(0));
        assert!(difference < 1e-4, "{name}: {difference}");
    }
}

#[test]
fn what_is_saved_is_what_was_read() {
    let tensors = |dir: &std::path::Path| -> BTreeMap<String, Vec<u8>> {
        let bytes = fs::read(dir.join("model.safetensors")).expect("weights");
        let file = SafeTensors::deserialize(&bytes).expect("safetensors");
        file.tensors().into_iter().map(|(name, tensor)| (name, tensor.data().to_vec())).collect()
    };
    for name in FAMILIES {
        let decoder = decoder(name);
        let dir = tempfile::tempdir().expect("a folder");
        save(&decoder, dir.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(tensors(dir.path()) == tensors(&fixture(name)), "{name}: other tensors");
        let again = load(dir.path(), &device()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(again.config(), decoder.config(), "{name}");
    }
}

#[test]
fn what_a_family_cannot_say_is_refused_before_it_is_saved() {
    let check = |name: &str, change: fn(&mut DecoderConfig), expect: &str| {
        let mut config = decoder(name).config().clone();
        change(&mut config);
        let message = check_representable(&config).expect_err("a refusal").to_string();
        assert!(message.contains(expect) && !message.contains('\n'), "{message}");
    };
    check("families/gemma2", |c| c.variant.residual_multiplier = 0.5, "residual_multiplier must be 1.0");
    check("families/olmo2", |c| c.qk_norm = false, "qk_norm must be true in a model of family olmo2");
    check("families/mistral", |c| c.qkv_bias = true, "qkv_bias must be false");
    check("families/gpt_neox", |c| c.head_dim = 6, "head_dim must be 8");
    check("families/granite", |c| c.variant.logit_softcap = Some(5.0), "logit_softcap must be null");
    check("families/smollm3", |c| c.variant.unrotated_layers = vec![9], "unrotated_layers names layer 9");
    check("families/phi3", |c| c.variant.rotary_dims = Some(3), "rotary_dims = 3 is not an even number");
    check("families/gemma3", |c| c.variant.window_layers = Some(vec![true]), "window_layers must have one entry");
}

#[test]
fn fresh_decoders_have_the_announced_size() {
    for name in FAMILIES {
        use burn::module::Module;
        let config = decoder(name).config().clone();
        assert_eq!(config.init(0, &device()).num_params(), config.num_params(), "{name}");
    }
}
