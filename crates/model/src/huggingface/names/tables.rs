//! Module names of each family, in a model directory and in a GGUF file.

use crate::config::Family;

/// Our name of a module and its name in a checkpoint. Parts of a fused map have the suffix `#0`, `#1`, `#2`.
pub(super) type Pair = (&'static str, &'static str);

/// Module names of a family.
pub(super) struct Names {
    pub(super) outer: &'static [Pair],
    pub(super) block: &'static [Pair],
    pub(super) blocks: &'static str,
    /// Whether the fused map is ordered by head first and by part second.
    pub(super) by_head: bool,
    /// Whether maps are stored as `[outputs, inputs]`.
    pub(super) transposed: bool,
    /// Whether the two numbers of a rotated plane are adjacent in the outputs of queries and keys, not half a head
    /// apart.
    pub(super) interleaved: bool,
}

const GPT2: Names = Names {
    outer: &[
        ("token_embedding", "transformer.wte"),
        ("position_embedding", "transformer.wpe"),
        ("norm", "transformer.ln_f"),
        ("head", "lm_head"),
        ("score", "score"),
    ],
    block: &[
        ("attention_norm", "ln_1"),
        ("attention.query", "attn.c_attn#0"),
        ("attention.key", "attn.c_attn#1"),
        ("attention.value", "attn.c_attn#2"),
        ("attention.output", "attn.c_proj"),
        ("feed_forward_norm", "ln_2"),
        ("feed_forward.up", "mlp.c_fc"),
        ("feed_forward.down", "mlp.c_proj"),
    ],
    blocks: "transformer.h",
    by_head: false,
    transposed: false,
    interleaved: false,
};

const LLAMA_OUTER: &[Pair] =
    &[("token_embedding", "model.embed_tokens"), ("norm", "model.norm"), ("head", "lm_head"), ("score", "score")];

const LLAMA: Names = Names {
    outer: LLAMA_OUTER,
    block: &[
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
    ],
    blocks: "model.layers",
    by_head: false,
    transposed: true,
    interleaved: false,
};

/// Gemma 2 and 3, with norms before and after each half; `OLMo 2` with those after.
const NORMED_BEHIND: Names = Names {
    block: &[
        ("attention_norm", "input_layernorm"),
        ("attention.query", "self_attn.q_proj"),
        ("attention.key", "self_attn.k_proj"),
        ("attention.value", "self_attn.v_proj"),
        ("attention.output", "self_attn.o_proj"),
        ("attention.query_norm", "self_attn.q_norm"),
        ("attention.key_norm", "self_attn.k_norm"),
        ("attention_post_norm", "post_attention_layernorm"),
        ("feed_forward_norm", "pre_feedforward_layernorm"),
        ("feed_forward.gate", "mlp.gate_proj"),
        ("feed_forward.up", "mlp.up_proj"),
        ("feed_forward.down", "mlp.down_proj"),
        ("feed_forward_post_norm", "post_feedforward_layernorm"),
    ],
    ..LLAMA
};

const PHI3: Names = Names {
    block: &[
        ("attention_norm", "input_layernorm"),
        ("attention.query", "self_attn.qkv_proj#0"),
        ("attention.key", "self_attn.qkv_proj#1"),
        ("attention.value", "self_attn.qkv_proj#2"),
        ("attention.output", "self_attn.o_proj"),
        ("feed_forward_norm", "post_attention_layernorm"),
        ("feed_forward.gate", "mlp.gate_up_proj#0"),
        ("feed_forward.up", "mlp.gate_up_proj#1"),
        ("feed_forward.down", "mlp.down_proj"),
    ],
    ..LLAMA
};

const GPT_NEOX: Names = Names {
    outer: &[
        ("token_embedding", "gpt_neox.embed_in"),
        ("norm", "gpt_neox.final_layer_norm"),
        ("head", "embed_out"),
        ("score", "score"),
    ],
    block: &[
        ("attention_norm", "input_layernorm"),
        ("attention.query", "attention.query_key_value#0"),
        ("attention.key", "attention.query_key_value#1"),
        ("attention.value", "attention.query_key_value#2"),
        ("attention.output", "attention.dense"),
        ("feed_forward_norm", "post_attention_layernorm"),
        ("feed_forward.up", "mlp.dense_h_to_4h"),
        ("feed_forward.down", "mlp.dense_4h_to_h"),
    ],
    blocks: "gpt_neox.layers",
    by_head: true,
    transposed: true,
    interleaved: false,
};

const GGUF: Names = Names {
    outer: &[
        ("token_embedding", "token_embd"),
        ("position_embedding", "position_embd"),
        ("norm", "output_norm"),
        ("head", "output"),
    ],
    block: &[
        ("attention_norm", "attn_norm"),
        ("attention.query", "attn_q"),
        ("attention.key", "attn_k"),
        ("attention.value", "attn_v"),
        ("attention.output", "attn_output"),
        ("attention.query_norm", "attn_q_norm"),
        ("attention.key_norm", "attn_k_norm"),
        ("attention_post_norm", "post_attention_norm"),
        ("feed_forward_norm", "ffn_norm"),
        ("feed_forward.gate", "ffn_gate"),
        ("feed_forward.up", "ffn_up"),
        ("feed_forward.down", "ffn_down"),
        ("feed_forward_post_norm", "post_ffw_norm"),
    ],
    blocks: "blk",
    by_head: false,
    transposed: true,
    interleaved: false,
};

const GGUF_INTERLEAVED: Names = Names { interleaved: true, ..GGUF };

/// GPT-2 and `GPT-NeoX`.
const GGUF_FUSED: Names = Names {
    block: &[
        ("attention_norm", "attn_norm"),
        ("attention.query", "attn_qkv#0"),
        ("attention.key", "attn_qkv#1"),
        ("attention.value", "attn_qkv#2"),
        ("attention.output", "attn_output"),
        ("feed_forward_norm", "ffn_norm"),
        ("feed_forward.up", "ffn_up"),
        ("feed_forward.down", "ffn_down"),
    ],
    ..GGUF
};

const GGUF_PHI3: Names = Names {
    block: &[
        ("attention_norm", "attn_norm"),
        ("attention.query", "attn_qkv#0"),
        ("attention.key", "attn_qkv#1"),
        ("attention.value", "attn_qkv#2"),
        ("attention.output", "attn_output"),
        ("feed_forward_norm", "ffn_norm"),
        ("feed_forward.gate", "ffn_up#0"),
        ("feed_forward.up", "ffn_up#1"),
        ("feed_forward.down", "ffn_down"),
    ],
    ..GGUF
};

impl Names {
    /// The names of a family in a GGUF file.
    pub(super) fn in_gguf(family: Family) -> &'static Self {
        match family {
            Family::Gpt2 | Family::GptNeoX => &GGUF_FUSED,
            Family::Phi3 => &GGUF_PHI3,
            Family::Llama | Family::Mistral | Family::SmolLm3 | Family::Granite => &GGUF_INTERLEAVED,
            _ => &GGUF,
        }
    }

    pub(super) fn of(family: Family) -> &'static Self {
        match family {
            Family::Gpt2 => &GPT2,
            Family::Gemma2 | Family::Gemma3 | Family::Olmo2 => &NORMED_BEHIND,
            Family::Phi3 => &PHI3,
            Family::GptNeoX => &GPT_NEOX,
            Family::Llama
            | Family::Qwen2
            | Family::Qwen3
            | Family::Mistral
            | Family::Gemma
            | Family::SmolLm3
            | Family::Granite
            | Family::StableLm => &LLAMA,
        }
    }
}
