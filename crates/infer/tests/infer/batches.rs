//! A row of a batch gets the same tokens as alone.

use std::ops::ControlFlow;

use fireclay_infer::{EngineConfig, FinishReason, InferError, Request, SamplingConfig, generate_batch};
use fireclay_model::Decoder;

use crate::{CONTEXT, assert_same, complete, decoder, decoders, engine, prompt};

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
        assert_same(&format!("{name}, row {row}"), &batched.logprobs, &alone.logprobs);
        assert_same(&format!("{name}, row {row}, drawn"), &batched.sampling_logprobs, &alone.sampling_logprobs);
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
fn neighbours_take_no_room_from_a_row() {
    for (name, decoder) in decoders() {
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
fn rows_that_stop_early_leave_the_rest_alone() {
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
    let requests = prompts().into_iter().map(|prompt| Request::new(prompt, SamplingConfig::greedy(6))).collect();
    let mut engine = engine(&decoder(), EngineConfig::default());
    let completions = engine
        .complete_requests(requests, &mut |row, _, _| match row {
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
