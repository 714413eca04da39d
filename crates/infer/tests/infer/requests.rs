//! Options of a request.

use std::ops::ControlFlow;
use std::sync::Arc;

use fireclay_infer::{Completion, EngineConfig, FinishReason, Request, SamplingConfig, StopStrings, TokenBytes, score};

use crate::{
    CONTEXT, VOCABULARY, assert_close, complete, decoder, decoders, engine, inference, last_logits, log_softmax, prompt,
};

fn answer(request: Request) -> Completion {
    engine(&decoder(), EngineConfig::default()).complete(request, &mut |_, _| ControlFlow::Continue(())).unwrap()
}

#[test]
fn the_prompt_is_scored_in_pieces_as_a_whole() {
    for (name, decoder) in decoders() {
        for chunk in [4, 512] {
            let mut engine = engine(&decoder, EngineConfig { chunk, ..EngineConfig::default() });
            // Tokens in the prefix cache must be scored too.
            for _ in 0..2 {
                let request = Request::new(prompt(20), SamplingConfig::greedy(2));
                let request = Request { prompt_logprobs: true, top_logprobs: 3, ..request };
                let completion = engine.complete(request, &mut |_, _| ControlFlow::Continue(())).unwrap();
                let found: Vec<f32> = completion.prompt_scores.iter().map(|score| score.logprob).collect();
                assert_close(name, &found, &score(&inference(&decoder), &prompt(20)).unwrap());
                for (i, score) in completion.prompt_scores.iter().enumerate() {
                    let expected = log_softmax(&last_logits(&decoder, &prompt(20)[..=i]));
                    let best = (0..VOCABULARY).max_by(|&a, &b| expected[a].total_cmp(&expected[b])).unwrap();
                    assert_eq!((score.top.len(), score.top[0].0 as usize), (3, best), "{name}, token {i}");
                }
            }
        }
    }
}

#[test]
fn the_most_probable_tokens_are_told() {
    let request = Request::new(prompt(4), SamplingConfig::greedy(5));
    let completion = answer(Request { top_logprobs: 4, ..request });
    assert_eq!(completion.top_logprobs.len(), 5);
    for ((top, &id), &logprob) in completion.top_logprobs.iter().zip(&completion.ids).zip(&completion.logprobs) {
        assert_eq!(top[0], (id, logprob));
        assert!(top.len() == 4 && top.is_sorted_by(|a, b| a.1 >= b.1), "{top:?}");
    }
}

/// Tokens as two letters each.
fn letters(id: u32) -> [u8; 2] {
    [b'a' + (id / 8) as u8, b'a' + (id % 8) as u8]
}

#[test]
fn a_stop_string_ends_the_completion_across_tokens() {
    let free = complete(&decoder(), &prompt(4), &SamplingConfig::greedy(10)).unwrap().ids;
    let text: Vec<u8> = free.iter().flat_map(|&id| letters(id)).collect();
    // From the middle of the third token to the middle of the fifth.
    let string = String::from_utf8(text[5..9].to_vec()).unwrap();
    let begin = (0..text.len()).find(|&i| text[i..].starts_with(string.as_bytes())).unwrap();
    let bytes: Vec<[u8; 2]> = (0..VOCABULARY as u32).map(letters).collect();
    let tokens = TokenBytes::new(bytes.iter().map(|bytes| Some(&bytes[..])));
    let strings = StopStrings::new([&string[..], "no such text"], Arc::new(tokens)).unwrap();
    let request = Request::new(prompt(4), SamplingConfig::greedy(10));
    let completion = answer(Request { stop_strings: Some(Arc::new(strings)), ..request });
    let end = (begin + 4).div_ceil(2);
    assert_eq!((&completion.ids[..], completion.finish_reason), (&free[..end], FinishReason::Stop));
    assert_eq!((completion.stop_tokens, completion.kept_bytes), (end - begin / 2, begin % 2));
}

#[test]
fn nothing_stops_before_the_fewest_tokens() {
    let free = complete(&decoder(), &prompt(4), &SamplingConfig::greedy(10)).unwrap().ids;
    let config = SamplingConfig { eos: vec![free[0]], ..SamplingConfig::greedy(10) };
    let stopped = complete(&decoder(), &prompt(4), &config).unwrap();
    assert_eq!((stopped.ids.len(), stopped.finish_reason, stopped.stop_tokens), (1, FinishReason::Stop, 1));
    let later = complete(&decoder(), &prompt(4), &SamplingConfig { min_tokens: 4, ..config.clone() }).unwrap();
    assert!(later.ids.len() >= 4 && !later.ids[..3].contains(&free[0]), "{:?}", later.ids);
    let ignored = complete(&decoder(), &prompt(4), &SamplingConfig { ignore_eos: true, ..config }).unwrap();
    assert_eq!((ignored.ids, ignored.finish_reason), (free, FinishReason::Length));
}

#[test]
fn a_biased_token_is_drawn_or_never_drawn() {
    let free = complete(&decoder(), &prompt(4), &SamplingConfig::greedy(6)).unwrap().ids;
    let biased = |bias| SamplingConfig { logit_bias: [(free[0], bias)].into(), ..SamplingConfig::greedy(6) };
    assert_eq!(complete(&decoder(), &prompt(4), &biased(1e4)).unwrap().ids, [free[0]; 6]);
    assert!(!complete(&decoder(), &prompt(4), &biased(-1e4)).unwrap().ids.contains(&free[0]));
}

#[test]
fn a_prompt_alone_is_scored_even_where_it_fills_the_context() {
    for (length, max_tokens) in [(20, 0), (CONTEXT, 0), (CONTEXT, 4)] {
        let request = Request::new(prompt(length), SamplingConfig { max_tokens, ..SamplingConfig::greedy(1) });
        let completion = answer(Request { prompt_logprobs: true, ..request });
        let found: Vec<f32> = completion.prompt_scores.iter().map(|score| score.logprob).collect();
        assert_close("scores", &found, &score(&inference(&decoder()), &prompt(length)).unwrap());
        assert_eq!((completion.ids.len(), completion.finish_reason), (0, FinishReason::Length));
    }
    let nothing = Request::new(prompt(4), SamplingConfig { max_tokens: 0, ..SamplingConfig::greedy(1) });
    assert!(
        engine(&decoder(), EngineConfig::default()).add(nothing).is_err(),
        "neither tokens nor scores are asked for"
    );
}

#[test]
fn a_request_tells_how_much_of_its_prompt_was_known() {
    let mut engine = engine(&decoder(), EngineConfig::default());
    let mut known = || {
        let request = Request::new(prompt(20), SamplingConfig::greedy(2));
        engine.complete(request, &mut |_, _| ControlFlow::Continue(())).unwrap().cached_tokens
    };
    assert_eq!((known(), known()), (0, 16));
}
