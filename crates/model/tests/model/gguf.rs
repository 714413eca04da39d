//! Decoders as GGUF files: round trips of every family that a file can express.
use std::path::Path;

use fireclay_model::gguf::{GgufOptions, NumberType, save_gguf};
use fireclay_model::huggingface::{TokenIds, load_config, load_token_ids};
use fireclay_model::parameters::NamedParameter;
use fireclay_model::{Decoder, Family, load};

use crate::parity::{FAMILIES, fixture};
use crate::{device, distance, tokens};

fn options(kind: NumberType) -> GgufOptions {
    let tokens = TokenIds { bos: Some(1), eos: vec![2, 3], pad: Some(0) };
    GgufOptions { kind, name: "test".into(), tokenizer: vec![], tokens }
}

fn model(name: &str) -> Decoder {
    load(fixture(name), &device()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn ids() -> burn::tensor::Tensor<2, burn::tensor::Int> {
    tokens(1, 12, &device()).remainder_scalar(29)
}

/// The decoder that comes back from a file.
fn through(decoder: &Decoder, kind: NumberType, path: &Path) -> Decoder {
    save_gguf(decoder, path, &options(kind)).unwrap_or_else(|error| panic!("{error}"));
    load(path, &device()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_is_written_in_f32_gives_the_same_logits() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.gguf");
    let all = FAMILIES.into_iter().chain(["gpt2", "llama", "qwen3"]);
    // Options that a file of these architectures cannot express, as a Mistral whose window is shorter than its context.
    let not_expressed = [
        ("families/mistral", "sliding_window"),
        ("families/qwen2_mixed", "sliding_window"),
        ("families/qwen3_mixed", "sliding_window"),
        ("families/llama_yarn", "attention_factor"),
        ("families/llama_dynamic", "dynamic rope scaling"),
        ("families/gemma2", "attention_multiplier"),
        ("families/gemma3", ""),
        ("families/smollm3", "attention_bias"),
        ("families/gpt_neox_sequential", "with a tied head"),
        ("families/phi3", "ignores the sliding_window of 6 tokens"),
    ];
    for name in all {
        let decoder = model(name);
        if let Some((_, why)) = not_expressed.iter().find(|(other, _)| *other == name) {
            match save_gguf(&decoder, &path, &options(NumberType::F32)) {
                Err(error) => {
                    let message = error.to_string();
                    assert!(message.contains(why) && !message.contains('\n'), "{name}: {message}");
                    assert!(!path.exists(), "{name}: a file that says something else was left");
                    continue;
                }
                Ok(()) => assert!(why.is_empty(), "{name} was written"),
            }
        }
        let again = through(&decoder, NumberType::F32, &path);
        let difference = distance(decoder.forward(ids(), None), again.forward(ids(), None));
        assert!(difference < 1e-5, "{name}: {difference}");
        let mut expected = decoder.config().family;
        if expected == Family::Mistral {
            expected = Family::Llama;
        }
        assert_eq!(load_config(&path).expect("a configuration").family, expected);
        let read = load_token_ids(&path).expect("ids");
        assert_eq!((read.bos, read.eos, read.pad), (Some(1), vec![2, 3], Some(0)), "{name}");
        std::fs::remove_file(&path).expect("there");
    }
}

/// Files that nothing of ours wrote: `make_gguf_fixtures.py` holds llama.cpp to the same logits.
#[test]
fn a_phi3_as_llama_cpp_converts_it_gives_the_logits_of_its_folder() {
    for name in ["phi3", "phi3_long"] {
        let (folder, file) = (format!("families/{name}"), fixture(&format!("gguf/{name}.gguf")));
        let decoder = load(&file, &device()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let from_folder = model(&folder);
        assert_eq!(decoder.config().family, Family::Phi3);
        assert_eq!(decoder.config().sliding_window, from_folder.config().sliding_window, "{name}");
        // Longer than the original context of phi3_long; `parity.rs` holds the folders to transformers.
        let difference = distance(decoder.forward(ids(), None), from_folder.forward(ids(), None));
        assert!(difference < 1e-5, "{name}: {difference}");
        // Of a text that is not longer than the original context, with the short factors.
        let short = ids().narrow(1, 0, 7);
        let difference = distance(decoder.forward(short.clone(), None), from_folder.forward(short, None));
        assert!(difference < 1e-5, "{name}: {difference}");
    }
}

#[test]
fn other_types_are_rounded_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.gguf");
    // Rows of whole blocks, so that matrices are quantised.
    let config = fireclay_model::DecoderConfig {
        kv_heads: 2,
        init_std: 0.2,
        ..fireclay_model::DecoderConfig::llama(61, 64, 2, 4, 24)
    };
    let decoder = config.init(1, &device());
    let mut sizes = vec![];
    for kind in [NumberType::F32, NumberType::F16, NumberType::Bf16, NumberType::Q8_0, NumberType::Q4_0] {
        let again = through(&decoder, kind, &path);
        for (ours, theirs) in decoder.named_parameters().into_iter().zip(again.named_parameters()) {
            let rounding = match (kind, ours.data.shape().len()) {
                (_, 1) => NumberType::F32,
                (NumberType::Q4_0, _) if ours.name == "token_embedding" || ours.name == "head.weight" => {
                    NumberType::Q8_0
                }
                (kind, _) => kind,
            };
            check_rounding(&ours, &theirs, rounding);
        }
        sizes.push(std::fs::metadata(&path).expect("there").len());
    }
    assert!(sizes[1] < sizes[0] && sizes[3] < sizes[1] && sizes[4] < sizes[3], "{sizes:?}");
}

/// Holds every weight to the rounding of its block, which is 32 inputs of an output.
fn check_rounding(ours: &NamedParameter, theirs: &NamedParameter, kind: NumberType) {
    let numbers = |parameter: &NamedParameter| parameter.data.as_slice::<f32>().expect("f32").to_vec();
    let (a, b) = (numbers(ours), numbers(theirs));
    let shape = &ours.data.shape();
    let (a, b) = match shape.len() == 2 && ours.name != "token_embedding" {
        true => [a, b].map(|numbers| by_output(&numbers, shape[0], shape[1])).into(),
        false => (a, b),
    };
    let size = if shape.len() == 2 { 32 } else { 1 };
    assert!(a.len() % size == 0 && a.len() == b.len(), "{}: whole blocks", ours.name);
    for (block, again) in a.chunks(size).zip(b.chunks(size)) {
        let largest = block.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
        for (x, y) in block.iter().zip(again) {
            let most = largest_error(kind, *x, largest);
            assert!((x - y).abs() <= most, "{} in {}: {x} became {y}, {most} allowed", ours.name, kind.name());
        }
    }
}

fn by_output(numbers: &[f32], inputs: usize, outputs: usize) -> Vec<f32> {
    (0..outputs).flat_map(|o| (0..inputs).map(move |i| numbers[i * outputs + o])).collect()
}

/// Largest error of a format's rounding of x, in a block whose largest magnitude is `largest`. A 16-bit scale is off by
/// 2^−11 of itself, or by 2^−25 where it is subnormal; f32 arithmetic by far less, for which 2^−20 of the block's size
/// is left.
fn largest_error(kind: NumberType, x: f32, largest: f32) -> f32 {
    let half = |x: f32| (x.abs() * 2f32.powi(-11)).max(2f32.powi(-25));
    let arithmetic = largest * 2f32.powi(-20);
    match kind {
        NumberType::F32 => 0.0,
        NumberType::F16 => half(x),
        NumberType::Bf16 => x.abs() * 2f32.powi(-8),
        // Half a step, and at most 127 times the scale's error.
        NumberType::Q8_0 => 0.5 * largest / 127.0 + 127.0 * half(largest / 127.0) + arithmetic,
        // The steps go from −8 to 7: a number as large as the largest, of the other sign, is a whole step off.
        NumberType::Q4_0 => {
            let step = largest / 8.0;
            if x.abs() <= 7.5 * step { 0.5 * step + 8.0 * half(step) + arithmetic } else { step + 8.0 * half(step) }
        }
        other => panic!("{} is not written", other.name()),
    }
}
