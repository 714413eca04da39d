//! One sequence.

use std::ops::ControlFlow;

use std::sync::Arc;

use fireclay_infer::{
    Completion, EngineConfig, FinishReason, InferError, Request, SamplingConfig, Utf8Guard, generate, score,
};
use fireclay_model::{Decoder, DecoderConfig};

use crate::{
    CONTEXT, VOCABULARY, assert_close, complete, decoder, decoders, device, engine, inference, last_logits,
    log_softmax, prompt,
};

#[test]
fn greedy_is_the_argmax_of_full_forwards() {
    for (name, decoder) in decoders() {
        let completion = complete(&decoder, &prompt(5), &SamplingConfig::greedy(12)).unwrap();
        assert_eq!(completion.finish_reason, FinishReason::Length);
        assert_eq!(completion.prompt_tokens, 5);
        let mut sequence = prompt(5);
        for (&id, &logprob) in completion.ids.iter().zip(&completion.logprobs) {
            let expected = log_softmax(&last_logits(&decoder, &sequence));
            let best = (0..VOCABULARY).max_by(|&a, &b| expected[a].total_cmp(&expected[b])).unwrap();
            assert_eq!(id as usize, best, "{name}, after {} tokens", sequence.len());
            assert!((f64::from(logprob) - expected[best]).abs() < 1e-4, "{name}: {logprob}, not {}", expected[best]);
            sequence.push(id);
        }
        assert_eq!(sequence.len(), 17);
        assert!(completion.sampling_logprobs.iter().all(|&logprob| logprob == 0.0), "greedy is certain");
    }
}

#[test]
fn at_temperature_one_both_log_probabilities_agree_and_otherwise_not() {
    let decoder = decoder();
    let check = |config: &SamplingConfig, agree: bool| {
        let completion = complete(&decoder, &prompt(4), config).unwrap();
        let pairs = completion.logprobs.iter().zip(&completion.sampling_logprobs);
        let apart = pairs.map(|(model, sampling)| (model - sampling).abs()).fold(0.0, f32::max);
        assert_eq!(apart < 1e-4, agree, "{apart} apart with {config:?}");
    };
    let config = SamplingConfig { max_tokens: 10, ..SamplingConfig::default() };
    check(&config, true);
    check(&SamplingConfig { temperature: 0.5, ..config.clone() }, false);
    check(&SamplingConfig { top_k: Some(3), ..config }, false);
}

#[test]
fn the_same_seed_gives_the_same_text_and_another_does_not() {
    let decoder = decoder();
    let sample = |seed| {
        complete(&decoder, &prompt(4), &SamplingConfig { seed, max_tokens: 16, ..SamplingConfig::default() })
            .unwrap()
            .ids
    };
    assert_eq!(sample(3), sample(3));
    assert_ne!(sample(3), sample(4));
}

#[test]
fn a_stop_sequence_ends_the_completion_and_is_part_of_it() {
    let decoder = decoder();
    let free = complete(&decoder, &prompt(4), &SamplingConfig::greedy(10)).unwrap().ids;
    let stop = vec![vec![60, 60, 60, 60], free[2..4].to_vec()];
    let ends = (2..=10).find(|&end| free[..end].ends_with(&stop[1])).unwrap();
    let completion = complete(&decoder, &prompt(4), &SamplingConfig { stop, ..SamplingConfig::greedy(10) }).unwrap();
    assert_eq!(completion.finish_reason, FinishReason::Stop);
    assert_eq!(completion.ids, free[..ends]);
    assert_eq!(completion.logprobs.len(), ends);
    assert_eq!(completion.ids_before_stop(), &free[..ends - 2]);
}

#[test]
fn a_stop_sequence_is_not_looked_for_in_the_prompt() {
    let decoder = decoder();
    let free = complete(&decoder, &prompt(4), &SamplingConfig::greedy(1)).unwrap().ids;
    let stop = vec![vec![prompt(4)[3], free[0]]];
    let completion = complete(&decoder, &prompt(4), &SamplingConfig { stop, ..SamplingConfig::greedy(1) }).unwrap();
    assert_eq!(completion.finish_reason, FinishReason::Length);
}

#[test]
fn the_callback_gets_every_token_and_can_break_off() {
    let decoder = decoder();
    let mut seen = vec![];
    let completion = generate(&decoder, &prompt(4), &SamplingConfig::greedy(10), &mut |id, logprob| {
        seen.push((id, logprob));
        if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert_eq!(completion.finish_reason, FinishReason::Cancelled);
    assert_eq!(seen, completion.ids.iter().copied().zip(completion.logprobs.iter().copied()).collect::<Vec<_>>());
    assert_eq!(seen.len(), 3);
}

#[test]
fn the_context_ends_a_completion() {
    for (name, decoder) in decoders() {
        let completion = complete(&decoder, &prompt(20), &SamplingConfig::greedy(100)).unwrap();
        assert_eq!(completion.ids.len(), CONTEXT - 20, "{name}");
        assert_eq!(completion.finish_reason, FinishReason::Length);
        let full = complete(&decoder, &prompt(CONTEXT), &SamplingConfig::greedy(100)).unwrap();
        assert!(full.ids.is_empty() && full.finish_reason == FinishReason::Length, "{name}");
    }
}

#[test]
fn a_sliding_context_goes_on_from_its_newest_half() {
    for (name, decoder) in decoders() {
        let config = SamplingConfig { slide: true, ..SamplingConfig::greedy(40) };
        let completion = complete(&decoder, &prompt(20), &config).unwrap();
        assert_eq!(completion.ids.len(), 40, "{name}");
        let sequence = [prompt(20), completion.ids].concat();
        // What each token was predicted from: everything until 24 tokens were seen, then the newest 12 growing to 24
        // again.
        let mut start = 0;
        for length in 20..sequence.len() {
            if length - start > CONTEXT {
                start = length - CONTEXT / 2;
            }
            let logits = last_logits(&decoder, &sequence[start..length]);
            let best = (0..VOCABULARY).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
            assert_eq!(sequence[length] as usize, best, "{name}, token {length} from {start}");
        }
        // A prompt longer than the context is read from its newest half.
        let long = complete(&decoder, &prompt(70), &config).unwrap();
        let newest = complete(&decoder, &prompt(70)[70 - CONTEXT / 2..], &config).unwrap();
        assert_eq!(long.ids, newest.ids, "{name}");
    }
}

#[test]
fn a_full_context_goes_on_from_the_first_shorter_prompt_that_leaves_room() {
    for (name, decoder) in decoders() {
        // 20 of 24 tokens; the first of 16 leaves less than an eighth of the context when 4 are generated, and the last
        // is the only one left when 14 are.
        let shorter: Vec<Vec<u32>> = [18, 10, 2].map(|tokens| prompt(30)[30 - tokens..].to_vec()).into();
        let request = |max_tokens| Request {
            shorter_prompts: shorter.clone(),
            ..Request::new(prompt(20), SamplingConfig::greedy(max_tokens))
        };
        let complete = |request| {
            engine(&decoder, EngineConfig::default()).complete(request, &mut |_, _| ControlFlow::Continue(())).unwrap()
        };
        let completion = complete(request(100));
        // The context ends it at last, with 2 tokens of prompt.
        assert_eq!((completion.ids.len(), completion.finish_reason), (CONTEXT - 2, FinishReason::Length), "{name}");
        assert_eq!((completion.prompt_tokens, completion.shortened), (20, 3), "{name}");
        for (index, &id) in completion.ids.iter().enumerate() {
            let prompt = match index {
                0..4 => prompt(20),
                4..14 => shorter[1].clone(),
                _ => shorter[2].clone(),
            };
            let logits = last_logits(&decoder, &[&prompt, &completion.ids[..index]].concat());
            let best = (0..VOCABULARY).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
            assert_eq!(id as usize, best, "{name}, token {index}");
        }
        let short = complete(request(4));
        assert_eq!((short.ids.len(), short.shortened), (4, 0), "{name}");
        assert_eq!(complete(Request { prompt_logprobs: true, ..request(100) }).ids.len(), CONTEXT - 20, "{name}");
    }
}

#[test]
fn wrong_prompts_are_named() {
    let decoder = decoder();
    let check = |prompt: &[u32], expect: &[&str]| {
        let message = complete(&decoder, prompt, &SamplingConfig::greedy(4)).unwrap_err().to_string();
        assert!(expect.iter().all(|part| message.contains(part)) && !message.contains('\n'), "{message}");
    };
    check(&[], &["prompt 0 is empty"]);
    check(&prompt(30), &["30 tokens", "context is 24"]);
    check(&[1, 2, 61], &["token id 61", "number 2", "vocabulary size 61"]);
    let config = SamplingConfig { temperature: -1.0, ..SamplingConfig::default() };
    assert!(matches!(complete(&decoder, &[1], &config), Err(InferError::Setting { setting: "temperature", .. })));
}

#[test]
#[should_panic(expected = "decoder.valid()")]
fn a_decoder_with_gradients_is_refused() {
    let decoder = DecoderConfig::modern(VOCABULARY, 32, 1, 4, CONTEXT).init(1, &device().autodiff());
    let _ = complete(&decoder, &[1], &SamplingConfig::greedy(1));
}

#[test]
fn a_decoder_stripped_of_gradients_generates() {
    use burn::module::Module;
    let decoder = DecoderConfig::modern(VOCABULARY, 32, 1, 4, CONTEXT).init(1, &device().autodiff());
    assert_eq!(complete(&decoder.valid(), &[1], &SamplingConfig::greedy(3)).unwrap().ids.len(), 3);
}

fn complete_utf8(decoder: &Decoder, prompt: &[u32], config: &SamplingConfig, guard: &Arc<Utf8Guard>) -> Completion {
    let request = Request { guard: Some(guard.clone()), ..Request::new(prompt.to_vec(), config.clone()) };
    engine(decoder, EngineConfig::default()).complete(request, &mut |_, _| ControlFlow::Continue(())).unwrap()
}

/// The vocabulary as bytes: letters, the first bytes of characters of two and three, continuation bytes, and a special
/// token.
fn bytes_of(id: usize) -> Option<&'static [u8]> {
    match id {
        0..=25 => Some(&b"abcdefghijklmnopqrstuvwxyz"[id..=id]),
        26..=35 => Some(b"\xC3"),
        36..=45 => Some(b"\xE2"),
        46..=59 => Some(b"\x82"),
        _ => None,
    }
}

#[test]
fn guarded_text_is_valid_utf8_however_short_and_has_the_models_log_probabilities() {
    let guard = Arc::new(Utf8Guard::new((0..VOCABULARY).map(bytes_of)));
    let mut unguarded = 0;
    for (name, decoder) in decoders() {
        for max_tokens in 1..30 {
            let config = SamplingConfig { seed: 5, max_tokens, ..SamplingConfig::default() };
            let text = |ids: &[u32]| ids.iter().filter_map(|&id| bytes_of(id as usize)).flatten().copied().collect();
            let valid = |ids: &[u32]| String::from_utf8(text(ids)).is_ok();
            let prompt = [0, 1, 2];
            let completion = complete_utf8(&decoder, &prompt, &config, &guard);
            assert!(valid(&completion.ids), "{name}, {max_tokens}: {:?}", completion.ids);
            let sequence = [&prompt[..], &completion.ids].concat();
            assert_close(name, &score(&inference(&decoder), &sequence).unwrap()[2..], &completion.logprobs);
            unguarded += usize::from(!valid(&complete(&decoder, &prompt, &config).unwrap().ids));
        }
    }
    assert!(unguarded > 60, "these decoders break most texts, if left alone: {unguarded}");
}

#[test]
fn a_character_that_too_few_tokens_are_left_for_is_not_ended_by_wrong_bytes() {
    let guard = Arc::new(Utf8Guard::new((0..VOCABULARY).map(bytes_of)));
    let config = SamplingConfig { stop: vec![vec![60]], ..SamplingConfig::greedy(1) };
    // Two more bytes are needed.
    let completion = complete_utf8(&decoder(), &[0, 36], &config, &guard);
    assert_eq!((completion.ids, completion.finish_reason), (vec![60], FinishReason::Stop));
}
