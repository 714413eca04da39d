//! Metadata of GGUF files that changes what a model computes: honoured, or refused by name.
use std::path::Path;

use burn::tensor::{Int, Tensor};
use fireclay_gguf::{Entry, GgufFile, NewTensor, Value, write};
use fireclay_model::gguf::{GgufOptions, NumberType, save_gguf};
use fireclay_model::huggingface::{TokenIds, load_token_ids};
use fireclay_model::{Decoder, ModelError, load};

use crate::parity::fixture;
use crate::{device, distance, tokens};

/// A file of the fixture `name`, and a copy of it with other entries; `None` drops one.
struct Files {
    folder: tempfile::TempDir,
    file: GgufFile,
}

impl Files {
    fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.gguf");
        let tokens = TokenIds { bos: Some(1), eos: vec![2], pad: Some(0) };
        let options = GgufOptions { kind: NumberType::F32, name: "test".into(), tokenizer: vec![], tokens };
        save_gguf(&load(fixture(name), &device()).expect(name), &path, &options).expect(name);
        Self { file: GgufFile::open(&path).expect(name), folder }
    }

    fn changed(&self, entries: &[(&str, Option<Entry>)]) -> std::path::PathBuf {
        let kept = self.file.keys().filter(|key| entries.iter().all(|(other, _)| other != key));
        let kept = kept.map(|key| (key.to_owned(), entry(self.file.value(key).expect("there"))));
        let new = entries.iter().filter_map(|(key, entry)| Some(((*key).to_owned(), entry.clone()?)));
        let metadata: Vec<(String, Entry)> = kept.chain(new).collect();
        let infos: Vec<_> = self.file.tensors().collect();
        let tensors: Vec<NewTensor> = infos
            .iter()
            .map(|(name, info)| NewTensor { name: (*name).to_owned(), shape: info.shape.clone(), kind: info.kind })
            .collect();
        let path = self.folder.path().join("changed.gguf");
        let mut out = std::fs::File::create(&path).expect("a file");
        write(&mut out, &metadata, &tensors, |index| Ok(self.file.widened(infos[index].1))).expect("written");
        path
    }

    fn load(&self, entries: &[(&str, Option<Entry>)]) -> Result<Decoder, ModelError> {
        load(self.changed(entries), &device())
    }

    fn refused(&self, key: &str, value: Entry, words: &str) {
        let shown = format!("{key} {value:?}");
        let Err(error) = self.load(&[(key, Some(value))]) else { panic!("{shown} was taken") };
        let message = error.to_string();
        assert!(message.contains(key) && message.contains(words) && !message.contains('\n'), "{shown}: {message}");
    }
}

fn entry(value: &Value) -> Entry {
    match value {
        Value::Unsigned(number) => Entry::U32(u32::try_from(*number).expect("small")),
        Value::Float(number) => Entry::F32(*number as f32),
        Value::Bool(flag) => Entry::Bool(*flag),
        Value::Text(text) => Entry::Text(text.clone()),
        other => panic!("{other:?}"),
    }
}

fn logits(decoder: &Decoder) -> Tensor<3> {
    let ids: Tensor<2, Int> = tokens(1, 12, &device()).remainder_scalar(29);
    decoder.forward(ids, None)
}

#[test]
fn a_factor_of_rotary_positions_without_a_type_is_linear() {
    let files = Files::of("qwen3");
    let plain = logits(&files.load(&[]).expect("a model"));
    let factor = || Some(Entry::F32(4.0));
    let kind = |kind: &str| ("qwen3.rope.scaling.type", Some(Entry::Text(kind.into())));
    let typed = files.load(&[kind("linear"), ("qwen3.rope.scaling.factor", factor())]).expect("a model");
    let typed = logits(&typed);
    assert!(distance(plain.clone(), typed.clone()) > 1e-4, "it is scaled");
    for key in ["qwen3.rope.scaling.factor", "qwen3.rope.scale_linear"] {
        let scaled = logits(&files.load(&[(key, factor())]).expect(key));
        assert!(distance(scaled, typed.clone()) < 1e-6, "{key}");
    }
    let off = logits(&files.load(&[kind("none"), ("qwen3.rope.scaling.factor", factor())]).expect("a model"));
    assert!(distance(off, plain) < 1e-6, "none");
    // The divisors of the planes are a scaling too.
    Files::of("llama").refused("llama.rope.scaling.factor", Entry::F32(4.0), "both");
}

#[test]
fn a_number_that_is_none_or_not_positive_is_refused() {
    let files = Files::of("llama");
    for key in ["llama.rope.freq_base", "llama.attention.layer_norm_rms_epsilon"] {
        for number in [f32::NAN, f32::INFINITY, 0.0, -1.0] {
            files.refused(key, Entry::F32(number), "must be a positive number");
        }
        files.refused(key, Entry::Text("10000".into()), "must be a positive number");
    }
    for key in ["llama.rope.scaling.factor", "llama.rope.scale_linear", "llama.attention.key_length"] {
        files.refused(key, Entry::F32(f32::NAN), "must be a number from 0");
        files.refused(key, Entry::F32(-4.0), "must be a number from 0");
    }
    files.refused("llama.rope.dimension_count", Entry::U32(2), "the width of a head");
    files.refused("llama.rope.dimension_count", Entry::U32(1 << 20), "the width of a head");
    files.refused("llama.rope.scaling.type", Entry::U32(1), "must be a name");
    let plain = Files::of("qwen3");
    plain.refused("qwen3.rope.scaling.type", Entry::Text("longrope".into()), "no tensors rope_factors_long.weight");
    files.refused("llama.rope.scaling.attn_factor", Entry::F32(2.0), "only with yarn or longrope");
}

#[test]
fn a_key_that_this_decoder_does_not_do_is_refused() {
    let files = Files::of("llama");
    let unsupported = "is not supported by this decoder";
    for key in ["logit_scale", "embedding_scale", "residual_scale", "attention.scale", "attention.clamp_kqv"] {
        files.refused(&format!("llama.{key}"), Entry::F32(0.3), unsupported);
    }
    for key in ["attn_logit_softcapping", "final_logit_softcapping", "attention.max_alibi_bias"] {
        files.refused(&format!("llama.{key}"), Entry::F32(8.0), unsupported);
    }
    files.refused("llama.logit_scale", Entry::F32(f32::NAN), unsupported);
    files.refused("llama.expert_count", Entry::U32(4), unsupported);
    files.refused("llama.expert_count", Entry::Text("4".into()), unsupported);
    files.refused("llama.attention.causal", Entry::Bool(false), unsupported);
    files.refused("llama.use_parallel_residual", Entry::Bool(true), unsupported);
    files.refused("general.type", Entry::Text("adapter".into()), "not a whole model");
    files.refused("general.type", Entry::Text("mmproj".into()), "not a whole model");
    files.refused("split.count", Entry::U32(2), "one part of a model");
    let head_dim = files.file.number("llama.attention.key_length").expect("a width") as f32;
    let harmless = [
        ("general.type", Entry::Text("model".into())),
        ("llama.logit_scale", Entry::F32(1.0)),
        ("llama.embedding_scale", Entry::F32(0.0)),
        ("llama.attention.scale", Entry::F32(1.0 / head_dim.sqrt())),
        ("llama.attention.causal", Entry::Bool(true)),
        ("llama.use_parallel_residual", Entry::Bool(false)),
        ("llama.expert_count", Entry::U32(0)),
        ("split.count", Entry::U32(1)),
    ];
    files.load(&harmless.map(|(key, value)| (key, Some(value)))).expect("nothing changes");
}

#[test]
fn an_id_of_the_tokenizer_that_is_none_is_refused() {
    let files = Files::of("llama");
    let ids = |value: Entry| load_token_ids(files.changed(&[("tokenizer.ggml.eos_token_id", Some(value))]));
    assert!(ids(Entry::U32(u32::MAX)).expect("no id").eos.is_empty());
    for value in [Entry::Text("2".into()), Entry::F32(2.0)] {
        let message = ids(value).expect_err("no id").to_string();
        assert!(message.contains("tokenizer.ggml.eos_token_id is ") && !message.contains('\n'), "{message}");
    }
    let missing = load_token_ids(Path::new("no such file"));
    assert!(missing.is_err());
}

#[test]
fn what_llama_cpp_needs_is_not_guessed() {
    for (name, key) in [
        ("llama", "llama.attention.layer_norm_rms_epsilon"),
        ("gpt2", "gpt2.attention.layer_norm_epsilon"),
        ("families/gpt_neox", "gptneox.attention.layer_norm_epsilon"),
    ] {
        let Err(error) = Files::of(name).load(&[(key, None)]) else { panic!("{name} was taken without {key}") };
        let message = error.to_string();
        assert!(message.contains(key) && message.contains("is missing"), "{message}");
    }
}

#[test]
fn without_a_number_of_rotated_dimensions_the_whole_head_is_rotated() {
    for (name, key) in
        [("families/gpt_neox", "gptneox.rope.dimension_count"), ("families/stablelm", "stablelm.rope.dimension_count")]
    {
        let decoder = Files::of(name).load(&[(key, None)]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let config = decoder.config();
        assert_eq!(config.variant.rotary_dims.unwrap_or(config.head_dim), config.head_dim, "{name}");
    }
}

#[test]
fn a_cap_on_the_scores_of_a_gemma_3_changes_nothing() {
    // The fixture's scores have a divisor that the file has no key for.
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(fixture("families/gemma3")).expect("the fixture") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, folder.path().join(path.file_name().expect("a name"))).expect("a copy");
    }
    let config = folder.path().join("config.json");
    let text = std::fs::read(&config).expect("the configuration");
    let mut json: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    json["query_pre_attn_scalar"] = json["head_dim"].clone();
    std::fs::write(&config, json.to_string()).expect("written");
    let files = Files::of(folder.path().to_str().expect("a path"));
    let windows = ("gemma3.attention.sliding_window_pattern", Some(Entry::Bools(vec![true, true, false])));
    let plain = logits(&files.load(std::slice::from_ref(&windows)).expect("a model"));
    let cap = ("gemma3.attn_logit_softcapping", Some(Entry::F32(0.01)));
    let capped = files.load(&[windows, cap]).expect("a model");
    assert!(distance(plain, logits(&capped)) < 1e-6);
}
