//! Writes one small model of every preset with the logits it gives, a score model of the same body with its scores
//! (`score-NAME`), and adapters for it with the logits they lead to (`lora-NAME`), for
//! `tests/transformers_opens_ours.py` to compare.
//!
//! ```text
//! cargo run --release -p fireclay-model --example write_models -- DIR
//! crates/model/tests/transformers_opens_ours.py DIR
//! cargo run --release -p fireclay-model --example write_models -- DIR --read-back
//! ```
//!
//! The last line loads what transformers saved again, and compares its logits too.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_model::huggingface::{SaveOptions, TokenIds, load_config, save_with};
use fireclay_model::{
    Activation, Decoder, DecoderConfig, LoraConfig, PositionEncoding, RewardScale, RotaryScaling, ScoreModel, load,
    save_adapter, save_score_model,
};

/// Every preset, and options that presets leave off, with weights large enough that a mistake shows.
fn models() -> Vec<(String, DecoderConfig)> {
    let sized = |preset: fn(usize, usize, usize, usize, usize) -> DecoderConfig| DecoderConfig {
        init_std: 0.2,
        ..preset(61, 32, 2, 4, 24)
    };
    let llama3 =
        RotaryScaling::Llama3 { factor: 4.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_context: 16 };
    let llama = sized(DecoderConfig::llama);
    let presets = vec![
        ("classic", sized(DecoderConfig::classic)),
        ("gpt2", sized(DecoderConfig::gpt2)),
        (
            "gpt2-untied-gelu",
            DecoderConfig { tied_head: false, activation: Activation::Gelu, ..sized(DecoderConfig::gpt2) },
        ),
        ("llama", llama.clone()),
        (
            "llama-scaled",
            DecoderConfig {
                position: PositionEncoding::Rotary { theta: 500.0, scaling: llama3 },
                kv_heads: 2,
                ..llama.clone()
            },
        ),
        (
            "llama-linear-biased",
            DecoderConfig {
                position: PositionEncoding::Rotary { theta: 1e4, scaling: RotaryScaling::Linear { factor: 2.0 } },
                activation: Activation::GeluTanh,
                head_dim: 6,
                qkv_bias: true,
                output_bias: true,
                ffn_bias: true,
                tied_head: true,
                ..llama
            },
        ),
        ("qwen2", sized(DecoderConfig::qwen2)),
        ("qwen2-window", DecoderConfig { sliding_window: Some(5), full_layers: 1, ..sized(DecoderConfig::qwen2) }),
        ("qwen3", DecoderConfig { kv_heads: 1, head_dim: 6, ..sized(DecoderConfig::qwen3) }),
        (
            "qwen3-relu2",
            DecoderConfig { activation: Activation::ReluSquared, tied_head: false, ..sized(DecoderConfig::qwen3) },
        ),
        ("modern", sized(DecoderConfig::modern)),
    ];
    let mut models: Vec<_> = presets.into_iter().map(|(name, config)| (name.to_owned(), config)).collect();
    models.extend(families());
    models
}

/// The shapes of the other families' fixtures.
fn families() -> Vec<(String, DecoderConfig)> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families");
    let mut names: Vec<PathBuf> = std::fs::read_dir(fixtures)
        .expect("the fixtures")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|path| {
            let config = load_config(&path).unwrap_or_else(|error| panic!("{error}"));
            let name = path.file_name().expect("a name").to_string_lossy().replace('_', ".");
            (name, DecoderConfig { vocab_size: 61, init_std: 0.2, ..config })
        })
        .collect()
}

/// Fresh biases and adapters' B are 0 and gains 1: as they are, one lost on the way would not be noticed.
fn shaken(decoder: Decoder) -> Decoder {
    use burn::module::{Module, ModuleMapper, Param};
    struct Shake;
    impl ModuleMapper for Shake {
        fn map_float<const R: usize>(&mut self, param: Param<Tensor<R>>) -> Param<Tensor<R>> {
            param.map(|weight| {
                let (shape, count) = (weight.dims(), weight.shape().num_elements());
                let noise: Vec<f32> = (0..count).map(|i| 0.3 * (i as f32 * 1.7 + count as f32).sin()).collect();
                let is_zero = weight.clone().abs().max().into_scalar::<f32>() == 0.0;
                if R == 1 || is_zero {
                    weight.clone() + Tensor::from_data(TensorData::new(noise, shape), &weight.device())
                } else {
                    weight
                }
            })
        }
    }
    decoder.map(&mut Shake)
}

/// Two rows of twenty tokens below 60.
fn tokens() -> Vec<i32> {
    (0..2 * 20).map(|i| (i * 7919 + 13) % 60).collect()
}

fn input(device: &Device) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::new(tokens(), [2, 20]), device)
}

fn logits(decoder: &Decoder) -> Vec<f32> {
    decoder.forward(input(&decoder.device()), None).into_data().iter().collect()
}

fn record(dir: &Path, key: &str, numbers: &[f32]) -> std::io::Result<()> {
    let tokens = tokens();
    let record = serde_json::json!({"ids": tokens.chunks(20).collect::<Vec<_>>(), key: numbers});
    std::fs::write(dir.join("expected.json"), record.to_string())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (root, read_back) = match &arguments[..] {
        [root] => (PathBuf::from(root), false),
        [root, flag] if flag == "--read-back" => (PathBuf::from(root), true),
        _ => return Err("usage: write_models DIR [--read-back]".into()),
    };
    let device = fireclay_model::device::parse("cpu")?;
    for (name, config) in models() {
        let decoder = shaken(config.init(1, &device));
        let ours = logits(&decoder);
        if read_back {
            let again = load(root.join(format!("again-{name}")), &device)?;
            let difference = logits(&again).iter().zip(&ours).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
            let same = difference == 0.0 && *again.config() == config;
            println!("{:7}{name:22}largest difference {difference:.1e}", if same { "ok" } else { "FAILED" });
            continue;
        }
        let tokens = TokenIds { bos: Some(0), eos: vec![0, 2], pad: None };
        let options = SaveOptions { tokens, ..SaveOptions::default() };
        save_with(&decoder, root.join(&name), &options)?;
        record(&root.join(&name), "logits", &ours)?;

        let model = ScoreModel::new(decoder.clone(), 2);
        let dir = root.join(format!("score-{name}"));
        let padded = SaveOptions { tokens: TokenIds { pad: Some(60), ..options.tokens }, ..options };
        save_score_model(&model, &dir, &padded, &RewardScale { mean: 0.5, std: 2.0 })?;
        record(&dir, "scores", &model.forward(input(&device)).into_data().iter().collect::<Vec<f32>>())?;

        // transformers has no such class of Granite's.
        if name == "granite" {
            std::fs::remove_dir_all(&dir)?;
        }

        let lora = LoraConfig { rank: 3, alpha: 4.5, ..LoraConfig::default() };
        let adapted = shaken(decoder.with_lora(&lora, 3)?);
        let dir = root.join(format!("lora-{name}"));
        save_adapter(&adapted, &dir, Some(&name))?;
        record(&dir, "logits", &logits(&adapted))?;
        save_with(&adapted.without_lora(), dir.join("base"), &SaveOptions::default())?;
    }
    Ok(())
}
