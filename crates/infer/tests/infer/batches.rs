//! A row of a batch gets what it gets alone.

use std::ops::ControlFlow;

use fireclay_infer::{FinishReason, InferError, SamplingConfig, generate_batch, generate_batch_with};
use fireclay_model::Decoder;

use crate::{CONTEXT, assert_close, complete, decoder, decoders, prompt};

/// Prompts of unlike lengths and contents.
fn prompts() -> Vec<Vec<u32>> {
    [7, 1, 15, 4].into_iter().enumerate().map(|(row, length)| prompt(length + row)[row..].to_vec()).collect()
}

/// Completes the prompts together and one by one, and compares.
fn check(name: &str, decoder: &Decoder, prompts: &[Vec<u32>], config: &SamplingConfig) {
    let together = generate_batch(decoder, prompts, config).unwrap();
    assert_eq!(together.len(), prompts.len());
    for (row, (prompt, batched)) in prompts.iter().zip(&together).enumerate() {
        let stream = config.stream + row as u64;
        let alone = complete(decoder, prompt, &SamplingConfig { stream, ..config.clone() }).unwrap();
        assert_eq!(batched.ids, alone.ids, "{name}, row {row}");
        assert_eq!(batched.finish_reason, alone.finish_reason, "{name}, row {row}");
        assert_close(name, &batched.logprobs, &alone.logprobs);
        assert_close(name, &batched.sampling_logprobs, &alone.sampling_logprobs);
    }
}

#[test]
fn greedy_rows_are_independent() {
    for (name, decoder) in decoders() {
        check(name, &decoder, &prompts(), &SamplingConfig::greedy(8));
    }
}

#[test]
fn sampled_rows_are_independent() {
    for (name, decoder) in decoders() {
        let config =
            SamplingConfig { seed: 11, stream: 5, temperature: 0.9, max_tokens: 8, ..SamplingConfig::default() };
        check(name, &decoder, &prompts(), &config);
        let filtered = SamplingConfig { top_k: Some(20), top_p: Some(0.9), repetition_penalty: 1.2, ..config };
        check(name, &decoder, &prompts(), &filtered);
    }
}

#[test]
fn padding_takes_no_room_from_a_row() {
    for (name, decoder) in decoders() {
        // The second row may grow to 24 tokens although 20 columns before it are padding.
        let prompts = [prompt(21), prompt(1)];
        let config = SamplingConfig::greedy(100);
        let lengths: Vec<usize> =
            generate_batch(&decoder, &prompts, &config).unwrap().iter().map(|row| row.ids.len()).collect();
        assert_eq!(lengths, [CONTEXT - 21, CONTEXT - 1], "{name}");
        check(name, &decoder, &prompts, &config);
        check(name, &decoder, &prompts, &SamplingConfig { slide: true, ..SamplingConfig::greedy(50) });
    }
}

#[test]
fn rows_that_stop_early_wait_for_the_rest() {
    for (name, decoder) in decoders() {
        let free = generate_batch(&decoder, &prompts(), &SamplingConfig::greedy(8)).unwrap();
        let stop = vec![vec![free[2].ids[1]]];
        let config = SamplingConfig { stop, ..SamplingConfig::greedy(8) };
        let stopped = generate_batch(&decoder, &prompts(), &config).unwrap();
        assert_eq!(stopped[2].finish_reason, FinishReason::Stop, "{name}");
        assert!(stopped[2].ids.len() <= 2, "{name}");
        check(name, &decoder, &prompts(), &config);
    }
}

#[test]
fn breaking_off_ends_one_row() {
    let config = SamplingConfig::greedy(6);
    let completions = generate_batch_with(&decoder(), &prompts(), &config, &mut |row, _, _| match row {
        1 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .unwrap();
    let lengths: Vec<usize> = completions.iter().map(|completion| completion.ids.len()).collect();
    assert_eq!(lengths, [6, 1, 6, 6]);
    assert_eq!(completions[1].finish_reason, FinishReason::Cancelled);
}

#[test]
fn the_row_at_fault_is_named() {
    let error = generate_batch(&decoder(), &[vec![1], vec![]], &SamplingConfig::greedy(1)).unwrap_err();
    assert_eq!(error, InferError::EmptyPrompt { row: 1 });
}

#[test]
fn no_prompts_give_no_completions() {
    assert_eq!(generate_batch(&decoder(), &[], &SamplingConfig::greedy(1)).unwrap(), []);
}
