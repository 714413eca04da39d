//! Decoders as GGUF files: what is written is what is read, for every family that a file can express.
use std::path::Path;

use fireclay_model::gguf::{GgufOptions, NumberType, save_gguf};
use fireclay_model::huggingface::{TokenIds, load_config, load_token_ids};
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
    // What a file of these architectures has no word for; a Mistral whose window is shorter than its context is one.
    let not_expressed = [
        ("families/mistral", "sliding_window"),
        ("families/qwen2_mixed", "sliding_window"),
        ("families/qwen3_mixed", "sliding_window"),
        ("families/llama_yarn", "attention_factor"),
        ("families/llama_dynamic", "dynamic rope scaling"),
        ("families/gemma2", "attention_multiplier"),
        ("families/gemma3", ""),
        ("families/smollm3", ""),
        ("families/gpt_neox_sequential", ""),
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
    let logits = decoder.forward(tokens(1, 12, &device()), None);
    let size = logits.clone().abs().max().into_scalar::<f32>();
    let mut sizes = vec![];
    for (kind, most) in [
        (NumberType::F32, 1e-6),
        (NumberType::F16, 5e-3),
        (NumberType::Bf16, 5e-2),
        (NumberType::Q8_0, 1e-1),
        (NumberType::Q4_0, 0.7),
    ] {
        let again = through(&decoder, kind, &path);
        let difference = distance(logits.clone(), again.forward(tokens(1, 12, &device()), None)) / size;
        assert!(difference < most, "{}: {difference}", kind.name());
        sizes.push(std::fs::metadata(&path).expect("there").len());
    }
    assert!(sizes[1] < sizes[0] && sizes[3] < sizes[1] && sizes[4] < sizes[3], "{sizes:?}");
}
