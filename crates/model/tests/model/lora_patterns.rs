//! PEFT's adapters with a rank or a scale of each map.
use std::collections::BTreeMap;
use std::fs;

use fireclay_model::{Decoder, DecoderConfig, LoraConfig, load_adapter, save_adapter};

use crate::checkpoints::folder;
use crate::device;
use crate::parity::Collect;

fn weights(decoder: &Decoder) -> BTreeMap<String, Vec<f32>> {
    Collect::of(decoder, None).into_iter().collect()
}

/// Adapters as our configuration cannot hold them: a rank and an alpha of each map, a scale by the root of the rank.
#[test]
fn ranks_and_scales_of_single_maps_are_read_as_peft_computes_them() {
    let config = DecoderConfig::modern(61, 32, 2, 4, 24);
    let all = LoraConfig { rank: 2, alpha: 4.0, targets: vec!["q_proj".into(), "up_proj".into()], weights: None };
    let adapted = config.init(1, &device()).with_lora(&all, 1).unwrap_or_else(|error| panic!("{error}"));
    let dir = folder();
    save_adapter(&adapted, dir.path(), None).unwrap_or_else(|error| panic!("{error}"));
    // Each map's own numbers; the second block's up_proj has rank 3.
    let mut tensors = BTreeMap::new();
    let mut delta = BTreeMap::new();
    for (layer, map, outputs, rank) in [
        (0, "self_attn.q_proj", 32, 2),
        (1, "self_attn.q_proj", 32, 2),
        (0, "mlp.up_proj", 0, 2),
        (1, "mlp.up_proj", 0, 3),
    ] {
        let outputs = if outputs == 0 { config.ffn_width } else { outputs };
        let module = format!("model.layers.{layer}.{map}");
        let numbers = |count: usize, step: f32| -> Vec<f32> { (0..count).map(|i| (i as f32 * step).sin()).collect() };
        let (a, b) = (numbers(rank * 32, 1.3), numbers(outputs * rank, 0.7));
        // The weight's row for an output, by PEFT's shapes.
        let row: Vec<f32> =
            (0..32).map(|input| (0..rank).map(|r| b[5 * rank + r] * a[r * 32 + input]).sum::<f32>()).collect();
        delta.insert(module.clone(), row);
        for (factor, numbers, shape) in [("A", a, vec![rank, 32]), ("B", b, vec![outputs, rank])] {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            tensors.insert(format!("base_model.model.{module}.lora_{factor}.weight"), (shape, bytes));
        }
    }
    let views = tensors.iter().map(|(name, (shape, bytes))| {
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).expect("a view");
        (name.clone(), view)
    });
    let bytes = safetensors::serialize(views, None).expect("bytes");
    fs::write(dir.path().join("adapter_model.safetensors"), bytes).expect("written");
    let path = dir.path().join("adapter_config.json");
    let original: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
    for by_root in [false, true] {
        let mut json = original.clone();
        json["use_rslora"] = by_root.into();
        json["rank_pattern"] = serde_json::json!({"layers\\.1\\.mlp\\.up_proj": 3});
        json["alpha_pattern"] = serde_json::json!({"^model.layers.0.self_attn.q_proj": 6, "q_proj": 5});
        json["exclude_modules"] = serde_json::json!(["down_proj"]);
        json["target_modules"] = serde_json::json!(["q_proj", "up_proj", "down_proj"]);
        fs::write(&path, json.to_string()).expect("written");
        let read = load_adapter(config.init(1, &device()), dir.path()).unwrap_or_else(|error| panic!("{error}"));
        let (base, merged) = (weights(&config.init(1, &device())), weights(&read.merged()));
        for (layer, map, theirs, alpha, rank) in [
            (0, "attention.query", "self_attn.q_proj", 6.0, 2.0),
            (1, "attention.query", "self_attn.q_proj", 5.0, 2.0),
            (0, "feed_forward.up", "mlp.up_proj", 4.0, 2.0),
            (1, "feed_forward.up", "mlp.up_proj", 4.0, 3.0_f32),
        ] {
            let scale = alpha / if by_root { rank.sqrt() } else { rank };
            let name = format!("blocks.{layer}.{map}.weight");
            let outputs = base[&name].len() / 32;
            for (input, expected) in delta[&format!("model.layers.{layer}.{theirs}")].iter().enumerate() {
                let added = merged[&name][input * outputs + 5] - base[&name][input * outputs + 5];
                assert!((added - scale * expected).abs() < 1e-4, "{name} {by_root}: {added} and {}", scale * expected);
            }
        }
    }
}
