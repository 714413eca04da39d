//! Real and made-up `config.json` files: parsed configurations, and options that are refused by name.

use std::path::Path;

use serde_json::{Value, json};

use super::{TokenIds, parse, to_json};
use crate::huggingface::WeightFormat;
use crate::{Activation, DecoderConfig, ModelError, PositionEncoding, RotaryScaling};

fn read(config: &Value) -> Result<DecoderConfig, ModelError> {
    parse(Path::new("config.json"), config.to_string().as_bytes())
}

/// `config` with some keys set; `null` takes a key away.
fn with(mut config: Value, changes: &Value) -> Value {
    for (key, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => drop(config.as_object_mut().expect("an object").remove(key)),
            value => config[key] = value.clone(),
        }
    }
    config
}

/// SmolLM2-135M-Instruct, as transformers 4.42 wrote it.
fn smollm2() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2,
        "hidden_act": "silu", "hidden_size": 576, "initializer_range": 0.041_666, "intermediate_size": 1536, "is_llama_config": true,
        "max_position_embeddings": 8192, "mlp_bias": false, "model_type": "llama", "num_attention_heads": 9, "num_hidden_layers": 30,
        "num_key_value_heads": 3, "pad_token_id": 2, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_interleaved": false,
        "rope_scaling": null, "rope_theta": 100_000, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
        "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}}, "transformers_version": "4.42.3", "use_cache": true,
        "vocab_size": 49152
    })
}

/// GPT-2 small, as transformers 2 wrote it.
fn gpt2() -> Value {
    json!({
        "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 50256,
        "embd_pdrop": 0.1, "eos_token_id": 50256, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2",
        "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024, "resid_pdrop": 0.1,
        "summary_activation": null, "summary_first_dropout": 0.1, "summary_proj_to_labels": true, "summary_type": "cls_index",
        "summary_use_proj": true, "task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}},
        "vocab_size": 50257
    })
}

/// Qwen2.5-0.5B, as transformers 4.43 wrote it.
fn qwen2() -> Value {
    json!({
        "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151_643, "eos_token_id": 151_643,
        "hidden_act": "silu", "hidden_size": 896, "initializer_range": 0.02, "intermediate_size": 4864,
        "max_position_embeddings": 32768, "max_window_layers": 24, "model_type": "qwen2", "num_attention_heads": 14,
        "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1_000_000.0, "sliding_window": 32768,
        "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.43.1", "use_cache": true,
        "use_mrope": false, "use_sliding_window": false, "vocab_size": 151_936
    })
}

/// Qwen3-0.6B, as transformers 4.51 wrote it.
fn qwen3() -> Value {
    json!({
        "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 151_643,
        "eos_token_id": 151_645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024, "initializer_range": 0.02,
        "intermediate_size": 3072, "max_position_embeddings": 40960, "max_window_layers": 28, "model_type": "qwen3",
        "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": null,
        "rope_theta": 1_000_000, "sliding_window": null, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
        "transformers_version": "4.51.0", "use_cache": true, "use_sliding_window": false, "vocab_size": 151_936
    })
}

#[test]
fn published_models_have_their_published_sizes() {
    let parameters = |config: Value| read(&config).unwrap_or_else(|error| panic!("{error}")).num_params();
    assert_eq!(parameters(gpt2()), 124_439_808);
    assert_eq!(parameters(smollm2()), 134_515_008);
    assert_eq!(parameters(qwen2()), 494_032_768);
    assert_eq!(parameters(qwen3()), 596_049_920);
}

#[test]
fn both_spellings_of_rotary_parameters_mean_the_same() {
    let llama3 = json!({"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192});
    let old = json!({"rope_theta": 500_000.0, "rope_scaling": with(llama3.clone(), &json!({"rope_type": "llama3"}))});
    let new = json!({"rope_theta": null, "rope_parameters": with(llama3, &json!({"rope_type": "llama3", "rope_theta": 500_000.0}))});
    let expected = PositionEncoding::Rotary {
        theta: 500_000.0,
        scaling: RotaryScaling::Llama3 {
            factor: 32.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_context: 8192,
        },
    };
    for spelling in [old, new] {
        assert_eq!(read(&with(smollm2(), &spelling)).unwrap_or_else(|error| panic!("{error}")).position, expected);
    }
    let linear = with(smollm2(), &json!({"rope_scaling": {"type": "linear", "factor": 2.0}}));
    let expected = PositionEncoding::Rotary { theta: 100_000.0, scaling: RotaryScaling::Linear { factor: 2.0 } };
    assert_eq!(read(&linear).unwrap_or_else(|error| panic!("{error}")).position, expected);
}

#[test]
fn options_that_are_read() {
    let check = |config: Value, changes: Value, holds: fn(&DecoderConfig) -> bool| {
        let config = read(&with(config, &changes)).unwrap_or_else(|error| panic!("{error}"));
        assert!(holds(&config), "{changes}: {config:?}");
    };
    check(smollm2(), json!({"head_dim": 32}), |c| c.head_dim == 32);
    check(smollm2(), json!({"num_key_value_heads": null}), |c| c.kv_heads == 9);
    check(smollm2(), json!({"attention_bias": true}), |c| c.qkv_bias && c.output_bias && !c.ffn_bias);
    check(smollm2(), json!({"mlp_bias": true, "tie_word_embeddings": null}), |c| c.ffn_bias && !c.tied_head);
    check(gpt2(), json!({"activation_function": "relu", "n_inner": 100}), |c| {
        c.activation == Activation::Relu && c.ffn_width == 100
    });
    check(gpt2(), json!({"tie_word_embeddings": false}), |c| !c.tied_head);
    check(qwen2(), json!({"use_sliding_window": true, "max_window_layers": 20}), |c| {
        c.sliding_window == Some(32768) && c.full_layers == 20
    });
    check(qwen3(), json!({"head_dim": null}), |c| c.head_dim == 128);
    // A body saved alone, whose head is its embedding.
    check(smollm2(), json!({"architectures": ["LlamaModel"]}), |c| c.tied_head);
    check(smollm2(), json!({"layer_types": vec!["full_attention"; 30]}), |c| c.sliding_window.is_none());
    check(smollm2(), json!({"max_position_embeddings": null}), |c| c.context == 2048);
    let original = json!({"rope_scaling": {"type": "linear", "factor": 2.0, "original_max_position_embeddings": 64}});
    check(smollm2(), original, |c| {
        matches!(c.position, PositionEncoding::Rotary { scaling: RotaryScaling::Linear { .. }, .. })
    });
    let others = json!({"n_embd": null, "hidden_size": 768, "n_head": null, "num_attention_heads": 12,
                        "n_layer": null, "num_hidden_layers": 12, "n_positions": null, "max_position_embeddings": 1024});
    check(gpt2(), others, |c| *c == DecoderConfig::gpt2(50_257, 768, 12, 12, 1024));
    let mixed: Vec<&str> =
        (0..24).map(|layer| if layer % 2 == 0 { "sliding_attention" } else { "full_attention" }).collect();
    check(qwen2(), json!({"use_sliding_window": true, "layer_types": mixed}), |c| {
        (0..24).all(|layer| c.is_windowed(layer) == (layer % 2 == 0)) && c.window_of_all_layers().is_none()
    });
}

#[test]
fn what_this_decoder_lacks_is_refused_by_name() {
    let check = |config: Value, changes: Value, expected: &str| {
        let message = read(&with(config, &changes)).expect_err("a refusal").to_string();
        assert!(message.starts_with("config.json: ") && !message.contains('\n'), "{message}");
        assert!(message.contains(expected), "{expected:?} is not in: {message}");
    };
    check(gpt2(), json!({"scale_attn_by_inverse_layer_idx": true}), "scale_attn_by_inverse_layer_idx is on");
    check(gpt2(), json!({"reorder_and_upcast_attn": true}), "reorder_and_upcast_attn is on");
    check(gpt2(), json!({"add_cross_attention": true}), "add_cross_attention is on");
    check(gpt2(), json!({"scale_attn_weights": false}), "scale_attn_weights is false");
    check(gpt2(), json!({"activation_function": "mish"}), "activation_function \"mish\" is not supported");
    check(gpt2(), json!({"n_head": 7}), "n_embd = 768 is not a multiple of n_head = 7");
    check(qwen3(), json!({"rope_scaling": {"rope_type": "mrope", "factor": 4.0}}), "rope type \"mrope\"");
    check(qwen3(), json!({"rope_scaling": {"rope_type": "longrope"}}), "rope_scaling.short_factor is missing");
    let short = json!({"rope_type": "longrope", "short_factor": [1.0], "long_factor": [1.0]});
    check(qwen3(), json!({"rope_scaling": short}), "short_factor has 1 numbers, but 64 planes are rotated");
    check(qwen3(), json!({"rope_scaling": {"rope_type": "dynamic"}}), "rope_scaling.factor is missing");
    check(smollm2(), json!({"num_hidden_layers": 2_147_483_647}), "num_hidden_layers is 2147483647; at most");
    check(
        smollm2(),
        json!({"use_bidirectional_attention": true}),
        "use_bidirectional_attention = true is not supported",
    );
    check(
        qwen2(),
        json!({"use_sliding_window": true, "layer_types": vec!["chunked_attention"; 24]}),
        "full_attention or sliding_attention",
    );
    check(smollm2(), json!({"layer_types": vec!["sliding_attention"; 30]}), "layer_types has sliding_attention but");
    check(qwen3(), json!({"rope_parameters": {"rope_type": "default", "rope_theta": 10.0}}), "contradict");
    check(qwen3(), json!({"rope_scaling": {"type": "linear", "factor": 2.0, "short": 1}}), "rope_scaling.short = 1");
    check(smollm2(), json!({"partial_rotary_factor": 0.5}), "partial_rotary_factor is 0.5");
    check(smollm2(), json!({"quantization_config": {"bits": 4}}), "quantization_config is on");
    check(smollm2(), json!({"rope_interleaved": true}), "rope_interleaved is on");
    check(smollm2(), json!({"pretraining_tp": 2}), "pretraining_tp is not 1");
    check(smollm2(), json!({"num_local_experts": 8}), "num_local_experts is on");
    check(smollm2(), json!({"some_new_scale": 0.5}), "some_new_scale = 0.5 is not supported");
    check(smollm2(), json!({"sliding_window": 4096}), "sliding_window = 4096 is not supported");
    check(qwen2(), json!({"layer_types": ["sliding_attention", "full_attention"]}), "layer_types");
    check(
        json!({"model_type": "mixtral"}),
        json!({}),
        "model_type \"mixtral\" is not supported; use one of: gpt2 (GPT2LMHeadModel), llama",
    );
    check(
        json!({"architectures": ["MixtralForCausalLM"]}),
        json!({}),
        "architecture \"MixtralForCausalLM\" is not supported",
    );
    check(smollm2(), json!({"model_type": "qwen2"}), "contradict");
    check(json!({}), json!({}), "model_type and architectures are missing");
    check(smollm2(), json!({"hidden_size": null}), "hidden_size is missing");
    check(smollm2(), json!({"hidden_size": -1}), "hidden_size is -1; it must be");
    check(smollm2(), json!({"num_hidden_layers": 1e30}), "num_hidden_layers is 1e+30; it must be");
    check(smollm2(), json!({"num_key_value_heads": 4}), "kv_heads = 4 does not divide heads = 9");
    check(json!([]), json!({}), "not a JSON object");
}

#[test]
fn what_is_written_is_read_back() {
    let llama3 =
        RotaryScaling::Llama3 { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_context: 64 };
    let scaled = PositionEncoding::Rotary { theta: 5e5, scaling: llama3 };
    let modern = DecoderConfig::modern(61, 32, 3, 4, 24);
    for config in [
        DecoderConfig::classic(61, 32, 2, 4, 24),
        DecoderConfig {
            activation: Activation::Gelu,
            tied_head: false,
            ffn_width: 50,
            ..DecoderConfig::gpt2(61, 32, 2, 4, 24)
        },
        DecoderConfig {
            position: scaled,
            activation: Activation::GeluTanh,
            ffn_bias: true,
            ..DecoderConfig::llama(61, 32, 2, 4, 24)
        },
        DecoderConfig { qkv_bias: true, output_bias: true, head_dim: 10, ..DecoderConfig::llama(61, 32, 2, 4, 24) },
        DecoderConfig { sliding_window: Some(7), full_layers: 2, ..modern.clone() },
        DecoderConfig { sliding_window: Some(7), ..DecoderConfig::qwen2(61, 32, 2, 4, 24) },
        DecoderConfig { qkv_bias: true, output_bias: true, ..modern },
    ] {
        let json = to_json(&config, &TokenIds::default(), WeightFormat::F32);
        assert_eq!(read(&json).unwrap_or_else(|error| panic!("{error}")), config, "{json}");
    }
}

#[test]
fn a_decoder_that_sees_later_tokens_is_refused() {
    let message = read(&with(smollm2(), &json!({"is_causal": false}))).unwrap_err().to_string();
    assert!(message.contains("is_causal is false; it must be true"), "{message}");
    assert_eq!(read(&with(smollm2(), &json!({"is_causal": true}))).unwrap(), read(&smollm2()).unwrap());
}

/// As in transformers 5.24 and llama.cpp.
#[test]
fn a_cap_on_the_scores_of_a_gemma_3_changes_nothing() {
    let gemma = |family: &str, cap: f64| {
        let config = json!({
            "model_type": family, "vocab_size": 61, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 48, "max_position_embeddings": 64,
            "rms_norm_eps": 1e-6, "attn_logit_softcapping": cap, "final_logit_softcapping": 30.0
        });
        read(&config).unwrap_or_else(|error| panic!("{error}")).variant
    };
    let (three, two) = (gemma("gemma3_text", 50.0), gemma("gemma2", 50.0));
    assert_eq!((three.attention_softcap, three.logit_softcap), (None, Some(30.0)));
    assert_eq!((two.attention_softcap, two.logit_softcap), (Some(50.0), Some(30.0)));
}

/// transformers 5.24 makes the mask of windows for each model of these families, and fails without a width.
#[test]
fn a_gemma_without_windows_is_written_with_one_that_no_layer_uses() {
    for family in ["gemma2", "gemma3_text"] {
        let config = json!({
            "model_type": family, "vocab_size": 61, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 48, "max_position_embeddings": 64,
            "rms_norm_eps": 1e-6, "sliding_window": 16, "layer_types": ["full_attention", "full_attention"]
        });
        let config = read(&config).unwrap_or_else(|error| panic!("{error}"));
        let json = to_json(&config, &TokenIds::default(), WeightFormat::F32);
        assert_eq!((&json["sliding_window"], &json["layer_types"][0]), (&json!(64), &json!("full_attention")));
        assert_eq!(read(&json).unwrap(), config);
    }
}

/// As in transformers, which has no such key for this family.
#[test]
fn a_gpt_neox_ignores_a_number_of_key_heads() {
    let config = json!({
        "model_type": "gpt_neox", "vocab_size": 61, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 48, "max_position_embeddings": 64, "num_key_value_heads": 2
    });
    assert_eq!(read(&config).unwrap_or_else(|error| panic!("{error}")).kv_heads, 4);
}
