//! Our parameters' names and the tensors of a checkpoint that hold them.

use crate::config::Family;

/// Where a checkpoint keeps one of our parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The tensor's name.
    pub tensor: String,
    /// `PyTorch`'s linear layers keep `[outputs, inputs]`, ours and GPT-2's `[inputs, outputs]`.
    pub transposed: bool,
    /// Which third of the tensor's last axis it is, where queries, keys and values are one tensor.
    pub third: Option<usize>,
}

/// A module of ours and its name in a checkpoint; a third of GPT-2's fused attention map is written `#0`, `#1`, `#2`.
type Pair = (&'static str, &'static str);

const GPT2: &[Pair] = &[
    ("token_embedding", "transformer.wte"),
    ("position_embedding", "transformer.wpe"),
    ("norm", "transformer.ln_f"),
    ("head", "lm_head"),
    ("score", "score"),
];

const GPT2_BLOCK: &[Pair] = &[
    ("attention_norm", "ln_1"),
    ("attention.query", "attn.c_attn#0"),
    ("attention.key", "attn.c_attn#1"),
    ("attention.value", "attn.c_attn#2"),
    ("attention.output", "attn.c_proj"),
    ("feed_forward_norm", "ln_2"),
    ("feed_forward.up", "mlp.c_fc"),
    ("feed_forward.down", "mlp.c_proj"),
];

const LLAMA: &[Pair] =
    &[("token_embedding", "model.embed_tokens"), ("norm", "model.norm"), ("head", "lm_head"), ("score", "score")];

const LLAMA_BLOCK: &[Pair] = &[
    ("attention_norm", "input_layernorm"),
    ("attention.query", "self_attn.q_proj"),
    ("attention.key", "self_attn.k_proj"),
    ("attention.value", "self_attn.v_proj"),
    ("attention.output", "self_attn.o_proj"),
    ("attention.query_norm", "self_attn.q_norm"),
    ("attention.key_norm", "self_attn.k_norm"),
    ("feed_forward_norm", "post_attention_layernorm"),
    ("feed_forward.gate", "mlp.gate_proj"),
    ("feed_forward.up", "mlp.up_proj"),
    ("feed_forward.down", "mlp.down_proj"),
];

/// A linear map in the blocks of a family's decoders.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinearMap {
    /// `attention.query`
    pub ours: &'static str,
    /// `self_attn.q_proj`
    pub theirs: &'static str,
    /// Whether it is a third of a checkpoint's map.
    pub fused: bool,
}

impl LinearMap {
    /// Whether `name` means this map: as ours, or as the end of the checkpoint's, which is how PEFT compares.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let end = self.theirs.strip_suffix(name);
        name == self.ours || end.is_some_and(|rest| rest.is_empty() || (rest.ends_with('.') && !name.is_empty()))
    }
}

/// The linear maps in a block of `family`, in the order of the forward pass.
pub(crate) fn linear_maps(family: Family) -> impl Iterator<Item = LinearMap> {
    let block = match family {
        Family::Gpt2 => GPT2_BLOCK,
        _ => LLAMA_BLOCK,
    };
    block.iter().filter(|(ours, _)| !ours.ends_with("norm")).map(|&(ours, theirs)| match theirs.split_once('#') {
        Some((theirs, _)) => LinearMap { ours, theirs, fused: true },
        None => LinearMap { ours, theirs, fused: false },
    })
}

/// Whether a parameter belongs to an adapter.
pub(crate) fn is_adapter(name: &str) -> bool {
    name.contains(".lora.")
}

/// The place of parameter `name` in a checkpoint of `family`; an adapter's is in PEFT's file.
///
/// # Panics
/// When no decoder has such a parameter.
pub(crate) fn place(family: Family, name: &str) -> Place {
    let (outer, inner, blocks) = match family {
        Family::Gpt2 => (GPT2, GPT2_BLOCK, "transformer.h"),
        _ => (LLAMA, LLAMA_BLOCK, "model.layers"),
    };
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
    let theirs = match module.strip_prefix("blocks.").and_then(|rest| rest.split_once('.')) {
        Some((layer, module)) => format!("{blocks}.{layer}.{}", find(inner, module)),
        None => find(outer, module).to_owned(),
    };
    let (theirs, third) = match theirs.split_once('#') {
        Some((theirs, third)) => (theirs, Some(usize::from(third.as_bytes()[0] - b'0'))),
        None => (&theirs[..], None),
    };
    if is_adapter(name) {
        let tensor = format!("base_model.model.{theirs}.lora_{}.weight", kind.to_uppercase());
        return Place { tensor, transposed: true, third };
    }
    let is_linear_map = !module.ends_with("norm") && !module.ends_with("embedding") && kind == "weight";
    let transposed = is_linear_map && (family != Family::Gpt2 || module == "head" || module == "score");
    Place { tensor: format!("{theirs}.{kind}"), transposed, third }
}

/// The prefix that checkpoints of the bare model, without its head, leave out.
pub(crate) fn optional_prefix(family: Family) -> &'static str {
    match family {
        Family::Gpt2 => "transformer.",
        _ => "model.",
    }
}

/// Whether a tensor is one that old versions of transformers wrote beside the parameters: masks and frequencies.
pub(crate) fn is_buffer(tensor: &str) -> bool {
    [".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq"].iter().any(|end| tensor.ends_with(end))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
        ] {
            let names: Vec<String> = config.init(0, &device).named_parameters().into_iter().map(|p| p.name).collect();
            let places: BTreeSet<(String, Option<usize>)> =
                names.iter().map(|name| place(config.family, name)).map(|place| (place.tensor, place.third)).collect();
            assert_eq!(places.len(), names.len(), "{places:?}");
            // A fused tensor is there whole.
            for (tensor, third) in &places {
                let thirds = places.iter().filter(|other| other.0 == *tensor).count();
                assert_eq!(thirds, if third.is_some() { 3 } else { 1 }, "{tensor}");
            }
        }
    }

    #[test]
    fn names_are_those_of_transformers() {
        let check = |family, name: &str, tensor: &str, transposed, third| {
            assert_eq!(place(family, name), Place { tensor: tensor.into(), transposed, third });
        };
        let (query, value) = ("blocks.0.attention.query.weight", "blocks.11.attention.value.bias");
        check(Family::Gpt2, "token_embedding", "transformer.wte.weight", false, None);
        check(Family::Gpt2, query, "transformer.h.0.attn.c_attn.weight", false, Some(0));
        check(Family::Gpt2, value, "transformer.h.11.attn.c_attn.bias", false, Some(2));
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
