//! Scores against full forwards.

use fireclay_infer::{
    InferError, SamplingConfig, ScoreLimits, ScoredSequence, completion_logprobs, score, score_completions,
};

use crate::{
    CONTEXT, VOCABULARY, assert_close, complete, decoder, decoders, inference, last_logits, log_softmax, prompt,
};

/// log p of every token after the first, each from a forward over the tokens from `start(i)` to it.
fn expected(decoder: &fireclay_model::Decoder, ids: &[u32], start: impl Fn(usize) -> usize) -> Vec<f32> {
    (1..ids.len()).map(|i| log_softmax(&last_logits(decoder, &ids[start(i)..i]))[ids[i] as usize] as f32).collect()
}

#[test]
fn scores_are_the_log_softmax_at_each_token() {
    for (name, decoder) in decoders() {
        let ids = prompt(CONTEXT + 1);
        assert_close(name, &score(&inference(&decoder), &ids).unwrap(), &expected(&decoder, &ids, |_| 0));
        assert_close(name, &score(&inference(&decoder), &ids[..2]).unwrap(), &expected(&decoder, &ids[..2], |_| 0));
    }
}

#[test]
fn long_sequences_are_scored_in_windows_half_a_context_apart() {
    for (name, decoder) in decoders() {
        let ids = prompt(70);
        // Targets 1 to 24 in the first window; then 12 at a time, the window ending before the last of them.
        let start = |i: usize| {
            let end = if i <= 24 { 24 } else { (24 + (i - 24).div_ceil(12) * 12).min(69) };
            end - CONTEXT
        };
        assert_close(name, &score(&inference(&decoder), &ids).unwrap(), &expected(&decoder, &ids, start));
    }
}

#[test]
fn what_was_generated_scores_as_it_was_sampled() {
    for (name, decoder) in decoders() {
        let config = SamplingConfig { temperature: 0.7, top_k: Some(10), max_tokens: 12, ..SamplingConfig::default() };
        let completion = complete(&decoder, &prompt(6), &config).unwrap();
        let scores = score(&inference(&decoder), &[prompt(6), completion.ids].concat()).unwrap();
        assert_close(name, &scores[5..], &completion.logprobs);
    }
}

#[test]
fn what_cannot_be_scored_is_refused() {
    let decoder = decoder();
    assert_eq!(score(&inference(&decoder), &[1]), Err(InferError::NothingToScore { tokens: 1 }));
    let error = score(&inference(&decoder), &[1, 2, 99]).unwrap_err();
    assert_eq!(error, InferError::UnknownId { id: 99, position: 2, row: 0, vocab_size: VOCABULARY });
}

fn rows(rows: usize) -> ScoreLimits {
    ScoreLimits { rows, ..ScoreLimits::default() }
}

#[test]
fn memory_bounds_the_sequences_of_a_forward_pass() {
    let decoder = decoder();
    let all = ScoreLimits { rows: 8, memory: usize::MAX }.bytes(decoder.config(), 8, 12);
    let row = ScoreLimits { rows: 1, memory: 0 }.bytes(decoder.config(), 8, 12);
    assert_eq!(all, 8 * row);
    let limits = ScoreLimits { rows: 8, memory: 3 * row };
    assert_eq!([limits.rows_of(decoder.config(), 12), limits.rows_of(decoder.config(), 6)], [3, 6]);
    assert_eq!(limits.bytes(decoder.config(), 2, 12), 2 * row);
}

#[test]
fn completions_of_different_lengths_score_as_alone() {
    for (name, decoder) in decoders() {
        let sequence = |length: usize, start: usize| ScoredSequence { ids: prompt(length), start };
        let sequences = [sequence(5, 1), sequence(CONTEXT + 1, 20), sequence(2, 1), sequence(12, 11), sequence(9, 3)];
        for limits in [rows(1), rows(2), rows(5), ScoreLimits { rows: 5, memory: 1 }] {
            let scores = score_completions(&inference(&decoder), &sequences, limits).unwrap();
            // In training the same is said, and at temperature 1 by the head that losses use.
            let of_training = completion_logprobs(&decoder, &sequences, 1.0, limits).unwrap();
            for (scores, of_training) in scores.iter().zip(&of_training) {
                assert_close(name, &scores.iter().map(|score| score.logprob).collect::<Vec<_>>(), of_training);
            }
            for (ScoredSequence { ids, start }, scores) in sequences.iter().zip(&scores) {
                let logprobs: Vec<f32> = scores.iter().map(|score| score.logprob).collect();
                assert_close(name, &logprobs, &expected(&decoder, ids, |_| 0)[start - 1..]);
            }
        }
    }
}

#[test]
fn what_greedy_decoding_says_is_greedy_and_nothing_else_is() {
    for (name, decoder) in decoders() {
        let ids = [prompt(6), complete(&decoder, &prompt(6), &SamplingConfig::greedy(8)).unwrap().ids].concat();
        let all = |ids: &[u32]| {
            let scores =
                score_completions(&inference(&decoder), &[ScoredSequence { ids: ids.to_vec(), start: 6 }], rows(1))
                    .unwrap();
            scores[0].iter().map(|score| score.greedy).collect::<Vec<_>>()
        };
        assert_eq!(all(&ids), [true; 8], "{name}");
        let mut other = ids.clone();
        other[8] = (other[8] + 1) % VOCABULARY as u32;
        assert_eq!(all(&other)[..3], [true, true, false], "{name}");
    }
}

#[test]
fn a_completion_that_has_no_room_is_refused() {
    let long = ScoredSequence { ids: prompt(CONTEXT + 2), start: 3 };
    let error = score_completions(&inference(&decoder()), &[long], rows(1)).unwrap_err();
    assert_eq!(error, InferError::PromptTooLong { row: 0, tokens: CONTEXT + 2, context: CONTEXT });
}
