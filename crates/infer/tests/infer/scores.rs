//! Scores against full forwards.

use fireclay_infer::{InferError, SamplingConfig, score};

use crate::{CONTEXT, VOCABULARY, assert_close, complete, decoder, decoders, last_logits, log_softmax, prompt};

/// log p of every token after the first, each from a forward over the tokens from `start(i)` to it.
fn expected(decoder: &fireclay_model::Decoder, ids: &[u32], start: impl Fn(usize) -> usize) -> Vec<f32> {
    (1..ids.len()).map(|i| log_softmax(&last_logits(decoder, &ids[start(i)..i]))[ids[i] as usize] as f32).collect()
}

#[test]
fn scores_are_the_log_softmax_at_each_token() {
    for (name, decoder) in decoders() {
        let ids = prompt(CONTEXT + 1);
        assert_close(name, &score(&decoder, &ids).unwrap(), &expected(&decoder, &ids, |_| 0));
        assert_close(name, &score(&decoder, &ids[..2]).unwrap(), &expected(&decoder, &ids[..2], |_| 0));
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
        assert_close(name, &score(&decoder, &ids).unwrap(), &expected(&decoder, &ids, start));
    }
}

#[test]
fn what_was_generated_scores_as_it_was_sampled() {
    for (name, decoder) in decoders() {
        let config = SamplingConfig { temperature: 0.7, top_k: Some(10), max_tokens: 12, ..SamplingConfig::default() };
        let completion = complete(&decoder, &prompt(6), &config).unwrap();
        let scores = score(&decoder, &[prompt(6), completion.ids].concat()).unwrap();
        assert_close(name, &scores[5..], &completion.logprobs);
    }
}

#[test]
fn what_cannot_be_scored_is_refused() {
    let decoder = decoder();
    assert_eq!(score(&decoder, &[1]), Err(InferError::NothingToScore { tokens: 1 }));
    let error = score(&decoder, &[1, 2, 99]).unwrap_err();
    assert_eq!(error, InferError::UnknownId { id: 99, position: 2, row: 0, vocab_size: VOCABULARY });
}
