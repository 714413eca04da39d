//! Properties of every decoder on every backend. The backend is the one compiled in, or `FIRECLAY_TEST_DEVICE`.

mod cache;
mod inference;
mod segments;
mod score_model;
mod lora;
mod lora_patterns;
mod frozen;
mod training;
mod parity;
mod checkpoints;
mod adapter_folders;
mod families;
mod gguf;
mod gguf_metadata;
mod mutated;
mod stories260k;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use fireclay_model::{DecoderConfig, PositionEncoding, RotaryScaling};

/// The device under test.
fn device() -> Device {
    let name = std::env::var("FIRECLAY_TEST_DEVICE").unwrap_or_else(|_| "cpu".into());
    fireclay_model::device::parse(&name).unwrap_or_else(|error| panic!("{error}"))
}

/// Whether the device under test has bfloat16; the default one has. One that has not is said, since the caller checks
/// less on it.
fn has_bf16(device: &Device) -> bool {
    let has = device.supports_dtype(DType::BF16);
    assert!(has || std::env::var_os("FIRECLAY_TEST_DEVICE").is_some(), "the default device has bfloat16");
    if !has {
        eprintln!("not checked: bfloat16, which {device:?} does not have");
    }
    has
}

/// Every preset, and the options that no preset switches on, at a size of some hundred numbers a layer.
fn configs() -> Vec<(&'static str, DecoderConfig)> {
    let sized = |preset: fn(usize, usize, usize, usize, usize) -> DecoderConfig| {
        // Weights of a size at which every path matters: fresh ones of 0.02 would hide mistakes.
        DecoderConfig { init_std: 0.2, ..preset(61, 32, 2, 4, 24) }
    };
    let llama3 =
        RotaryScaling::Llama3 { factor: 4.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_context: 16 };
    vec![
        ("classic", sized(DecoderConfig::classic)),
        ("gpt2", sized(DecoderConfig::gpt2)),
        ("llama", sized(DecoderConfig::llama)),
        ("qwen2", sized(DecoderConfig::qwen2)),
        ("qwen3", DecoderConfig { kv_heads: 1, head_dim: 6, ..sized(DecoderConfig::qwen3) }),
        ("modern", sized(DecoderConfig::modern)),
        ("window", DecoderConfig { sliding_window: Some(3), full_layers: 1, ..sized(DecoderConfig::modern) }),
        (
            "llama3 scaling",
            DecoderConfig {
                position: PositionEncoding::Rotary { theta: 500.0, scaling: llama3 },
                ..sized(DecoderConfig::llama)
            },
        ),
    ]
}

/// `batch` rows of `time` tokens that repeat nothing obvious.
fn tokens(batch: usize, time: usize, device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i32> = (0..batch * time).map(|i| ((i * 7919 + 13) % 61) as i32).collect();
    Tensor::from_data(TensorData::new(ids, [batch, time]), device)
}

/// The largest difference of two tensors' numbers.
fn distance<const R: usize>(a: Tensor<R>, b: Tensor<R>) -> f32 {
    (a - b).abs().max().into_scalar::<f32>()
}
