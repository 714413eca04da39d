//! Keys of `config.json` that do not change what the decoder computes, and that reading therefore ignores.

/// Keys without influence on the logits, by topic.
#[rustfmt::skip]
const INERT: &[&str] = &[
    // Where the file comes from and which program wrote it.
    "_name_or_path", "name_or_path", "_model_name_or_path", "_commit_hash", "transformers_version", "auto_map", "is_llama_config",
    "transformers.js_config", "unsloth_fixed", "unsloth_version", "model_name", "license", "finetuning_task",
    // The weights' number format, which their file states too; ours are f32 once read.
    "dtype", "torch_dtype",
    // Execution in transformers: cache, kernels, checkpointing, outputs.
    "use_cache", "cache_implementation", "_attn_implementation", "attn_implementation", "_attn_implementation_autoset",
    "_attn_implementation_internal", "gradient_checkpointing", "return_dict", "output_attentions", "output_hidden_states",
    "keys_to_ignore_at_inference", "chunk_size_feed_forward", "torchscript", "use_bfloat16", "_flash_attn_2_enabled",
    // Token ids and the tokenizer; `token_ids` reads them.
    "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "unk_token_id", "mask_token_id",
    "decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id", "bos_token", "eos_token", "pad_token",
    "tokenizer_class", "prefix", "suppress_tokens", "begin_suppress_tokens",
    // Defaults of generation.
    "do_sample", "temperature", "top_k", "top_p", "typical_p", "min_length", "max_length", "max_new_tokens", "num_beams",
    "num_beam_groups", "num_return_sequences", "diversity_penalty", "repetition_penalty", "length_penalty",
    "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "early_stopping", "exponential_decay_length_penalty",
    "remove_invalid_values", "output_scores", "return_dict_in_generate", "bad_words_ids", "task_specific_params",
    // Heads other than the language model's.
    "id2label", "label2id", "num_labels", "problem_type", "classifier_dropout",
    "summary_type", "is_decoder", "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout",
    // Dropout, which only training in transformers applies.
    "attention_dropout", "hidden_dropout", "resid_dropout", "embd_dropout", "resid_pdrop", "embd_pdrop", "attn_pdrop",
    "mlp_dropout", "residual_dropout", "hidden_dropout_prob", "attention_probs_dropout_prob", "embd_dropout_prob",
    // Further names of the context.
    "n_ctx", "seq_length", "max_sequence_length", "model_max_length",
];

/// Whether a key can be ignored.
pub(super) fn is_inert(key: &str) -> bool {
    INERT.contains(&key)
}
