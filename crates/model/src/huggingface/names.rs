//! Mapping of our parameters' names to the tensors of a checkpoint.

mod tables;

use std::ops::Range;

use tables::{Names, Pair};

use crate::config::{DecoderConfig, Family};

/// Place of one of our parameters in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The tensor's name.
    pub tensor: String,
    /// `PyTorch`'s linear layers keep `[outputs, inputs]`, ours and GPT-2's `[inputs, outputs]`.
    pub transposed: bool,
    /// Outputs of the tensor that belong to the parameter, if several maps are fused in one tensor.
    pub part: Option<Part>,
}

/// Some of a tensor's outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Outputs of the whole tensor.
    pub total: usize,
    /// The outputs of this part, in its order.
    pub runs: Vec<Range<usize>>,
}

impl Names {
    /// Outputs of the fused map that belong to the part with the name `theirs`.
    fn part(&self, config: &DecoderConfig, theirs: &str) -> Part {
        let (map, index) = theirs.split_once('#').expect("a part of a map");
        let index = usize::from(index.as_bytes()[0] - b'0');
        let sizes: Vec<usize> = self
            .block
            .iter()
            .filter(|(_, other)| other.split_once('#').is_some_and(|(other, _)| other == map))
            .map(|(ours, _)| match *ours {
                "attention.query" => config.query_width(),
                "attention.key" | "attention.value" => config.kv_width(),
                _ => config.ffn_width,
            })
            .collect();
        let total = sizes.iter().sum();
        let runs = if self.by_head {
            let (head, group) = (config.head_dim, sizes.len() * config.head_dim);
            (0..config.heads).map(|h| h * group + index * head..h * group + (index + 1) * head).collect()
        } else {
            let start = sizes[..index].iter().sum();
            std::iter::once(start..start + sizes[index]).collect()
        };
        Part { total, runs }
    }
}

/// Outputs of heads with interleaved planes, in the order in which a plane's two numbers are half a head apart.
fn interleaved(heads: usize, head_dim: usize) -> Part {
    let half = head_dim / 2;
    let output = move |ours: usize| {
        let (head, at) = (ours / head_dim, ours % head_dim);
        head * head_dim + 2 * (at % half) + at / half
    };
    let runs = (0..heads * head_dim).map(|ours| output(ours)..output(ours) + 1).collect();
    Part { total: heads * head_dim, runs }
}

/// A linear map in the blocks of a family's decoders.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinearMap {
    /// `attention.query`
    pub ours: &'static str,
    /// `self_attn.q_proj`
    pub theirs: &'static str,
    /// Whether it is a part of a fused map of the checkpoint.
    pub fused: bool,
}

impl LinearMap {
    /// Whether `name` is our name of this map, or the end of the checkpoint's name, as PEFT compares.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let end = self.theirs.strip_suffix(name);
        name == self.ours || end.is_some_and(|rest| rest.is_empty() || (rest.ends_with('.') && !name.is_empty()))
    }
}

/// The linear maps in a block of `family`, in the order of the forward pass.
pub(crate) fn linear_maps(family: Family) -> impl Iterator<Item = LinearMap> {
    Names::of(family).block.iter().filter(|(ours, _)| !ours.ends_with("norm")).map(|&(ours, theirs)| {
        match theirs.split_once('#') {
            Some((theirs, _)) => LinearMap { ours, theirs, fused: true },
            None => LinearMap { ours, theirs, fused: false },
        }
    })
}

/// Whether a parameter belongs to an adapter.
pub(crate) fn is_adapter(name: &str) -> bool {
    name.contains(".lora.")
}

/// The place of parameter `name` in a checkpoint of such a decoder; an adapter's is in PEFT's file.
///
/// # Panics
/// When no decoder has such a parameter.
pub(crate) fn place(config: &DecoderConfig, name: &str) -> Place {
    place_in(Names::of(config.family), config, name)
}

/// The place of parameter `name` in a GGUF file of such a decoder.
///
/// # Panics
/// When no decoder has such a parameter.
pub(crate) fn place_in_gguf(config: &DecoderConfig, name: &str) -> Place {
    place_in(Names::in_gguf(config.family), config, name)
}

fn place_in(names: &Names, config: &DecoderConfig, name: &str) -> Place {
    let family = config.family;
    let unknown = || -> ! { panic!("a decoder of family {family:?} has no parameter {name:?}") };
    // Embeddings are parameters themselves; everything else is a module's weight or bias.
    let (module, kind) = match name.rsplit_once('.') {
        Some((module, kind)) => (module, kind),
        None => (name, "weight"),
    };
    let module = module.strip_suffix(".lora").unwrap_or(module);
    let find = |pairs: &[Pair], module: &str| match pairs.iter().find(|pair| pair.0 == module) {
        Some(pair) => pair.1,
        None => unknown(),
    };
    let (at, theirs) = match module.strip_prefix("blocks.").and_then(|rest| rest.split_once('.')) {
        Some((layer, module)) => (format!("{}.{layer}.", names.blocks), find(names.block, module)),
        None => (String::new(), find(names.outer, module)),
    };
    if is_adapter(name) {
        let tensor = format!("base_model.model.{at}{theirs}.lora_{}.weight", kind.to_uppercase());
        return Place { tensor, transposed: true, part: None };
    }
    let map = theirs.split_once('#').map(|(map, _)| map);
    let part = match module.rsplit_once("attention.") {
        Some((_, "query")) if names.interleaved => Some(interleaved(config.heads, config.head_dim)),
        Some((_, "key")) if names.interleaved => Some(interleaved(config.kv_heads, config.head_dim)),
        _ => map.map(|_| names.part(config, theirs)),
    };
    let theirs = map.unwrap_or(theirs);
    let is_linear_map = !module.ends_with("norm") && !module.ends_with("embedding") && kind == "weight";
    let transposed = is_linear_map && (names.transposed || module == "head" || module == "score");
    Place { tensor: format!("{at}{theirs}.{kind}"), transposed, part }
}

/// The prefix that checkpoints of the body alone leave out.
pub(crate) fn optional_prefix(family: Family) -> &'static str {
    match family {
        Family::Gpt2 => "transformer.",
        Family::GptNeoX => "gpt_neox.",
        _ => "model.",
    }
}

/// Whether a tensor is one that old versions of transformers wrote beside the parameters: masks, frequencies, and
/// tables of cosines and sines.
pub(crate) fn is_buffer(tensor: &str) -> bool {
    let masks = [".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias"];
    let rotary = [".inv_freq", ".original_inv_freq", ".cos_cached", ".sin_cached"];
    masks.iter().any(|end| tensor.ends_with(end))
        || rotary.iter().any(|end| tensor.strip_suffix(end).is_some_and(|module| module.ends_with("rotary_emb")))
}

/// A map's name within its block, which follows the block's number. PEFT may list every layer's, as
/// `model.layers.0.self_attn.q_proj` or `0.self_attn.q_proj`. If it does not list a layer, the layer's tensors are
/// found to be missing later.
pub(crate) fn in_block(target: &str) -> &str {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut rest = target;
    while let Some((part, behind)) = rest.split_once('.') {
        if is_number(part) {
            return behind;
        }
        rest = behind;
    }
    target
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::DecoderConfig;

    #[test]
    fn every_parameter_has_a_place_of_its_own() {
        let device = crate::device::parse("cpu").unwrap();
        let biased =
            DecoderConfig { qkv_bias: true, output_bias: true, ffn_bias: true, ..DecoderConfig::llama(9, 8, 2, 2, 4) };
        for config in [
            DecoderConfig::gpt2(9, 8, 2, 2, 4),
            DecoderConfig { tied_head: false, ..DecoderConfig::gpt2(9, 8, 2, 2, 4) },
            biased,
            DecoderConfig::qwen2(9, 8, 2, 2, 4),
            DecoderConfig::qwen3(9, 8, 2, 2, 4),
            DecoderConfig { family: Family::Phi3, kv_heads: 1, ..DecoderConfig::llama(9, 8, 2, 2, 4) },
            DecoderConfig {
                family: Family::GptNeoX,
                position: DecoderConfig::llama(9, 8, 2, 2, 4).position,
                tied_head: false,
                ..DecoderConfig::gpt2(9, 8, 2, 2, 4)
            },
        ] {
            let names: Vec<String> = config.init(0, &device).named_parameters().into_iter().map(|p| p.name).collect();
            // Each output of each tensor belongs to exactly one parameter.
            let mut outputs: BTreeMap<String, (usize, Vec<usize>)> = BTreeMap::new();
            for name in &names {
                let Place { tensor, part, .. } = place(&config, name);
                let (total, runs) = part.map_or((1, vec![]), |part| (part.total, part.runs));
                let found = runs.is_empty().then_some(0).into_iter().chain(runs.into_iter().flatten());
                let entry = outputs.entry(tensor).or_insert((total, vec![]));
                entry.1.extend(found);
            }
            for (tensor, (total, mut found)) in outputs {
                found.sort_unstable();
                assert_eq!(found, (0..total).collect::<Vec<_>>(), "{tensor}");
            }
        }
    }

    #[test]
    fn names_are_those_of_transformers() {
        let check = |family, name: &str, tensor: &str, transposed, first_output: Option<usize>| {
            let config = DecoderConfig { family, ..DecoderConfig::gpt2(9, 8, 12, 2, 4) };
            let place = place(&config, name);
            assert_eq!((place.tensor.as_str(), place.transposed), (tensor, transposed));
            assert_eq!(place.part.map(|part| part.runs[0].start), first_output, "{tensor}");
        };
        let (query, value) = ("blocks.0.attention.query.weight", "blocks.11.attention.value.bias");
        check(Family::Gpt2, "token_embedding", "transformer.wte.weight", false, None);
        check(Family::Gpt2, query, "transformer.h.0.attn.c_attn.weight", false, Some(0));
        check(Family::Gpt2, value, "transformer.h.11.attn.c_attn.bias", false, Some(16));
        check(Family::Gpt2, "head.weight", "lm_head.weight", true, None);
        check(Family::Gpt2, "score.weight", "score.weight", true, None);
        check(
            Family::Gpt2,
            "blocks.1.feed_forward.up.lora.b",
            "base_model.model.transformer.h.1.mlp.c_fc.lora_B.weight",
            true,
            None,
        );
        check(
            Family::Qwen3,
            "blocks.0.attention.query.lora.a",
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
            true,
            None,
        );
        let fused = "gpt_neox.layers.0.attention.query_key_value.weight";
        check(Family::GptNeoX, "blocks.0.attention.key.weight", fused, true, Some(4));
        check(
            Family::Phi3,
            "blocks.0.feed_forward.up.weight",
            "model.layers.0.mlp.gate_up_proj.weight",
            true,
            Some(32),
        );
        let behind = "model.layers.0.post_feedforward_layernorm.weight";
        check(Family::Olmo2, "blocks.0.feed_forward_post_norm.weight", behind, false, None);
        check(Family::Llama, "norm.weight", "model.norm.weight", false, None);
        check(Family::Qwen2, query, "model.layers.0.self_attn.q_proj.weight", true, None);
        check(Family::Qwen2, value, "model.layers.11.self_attn.v_proj.bias", false, None);
        check(
            Family::Qwen3,
            "blocks.3.attention.key_norm.weight",
            "model.layers.3.self_attn.k_norm.weight",
            false,
            None,
        );
    }
}
