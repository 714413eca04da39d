//! Guesses from a request's own tokens change when its tokens come, and nothing else.

use std::ops::ControlFlow;

use fireclay_infer::{Completion, Engine, EngineConfig, Event, FinishReason, Request, SamplingConfig, Speculation};
use fireclay_model::{Decoder, DecoderConfig};

use crate::{VOCABULARY, device, engine};

fn decoder(init_std: f64) -> Decoder {
    DecoderConfig { init_std, ..DecoderConfig::modern(VOCABULARY, 32, 2, 4, 512) }.init(1, &device())
}

/// A prompt that says the same again and again.
fn repeated() -> Vec<u32> {
    [3, 14, 15, 9, 26, 5, 35, 8].repeat(5)
}

/// Completion of a request, its steps, and its counts of guesses.
fn run(decoder: &Decoder, drafts: usize, sampling: &SamplingConfig) -> (Completion, usize, Speculation) {
    let mut engine = engine(decoder, EngineConfig { drafts, ..EngineConfig::default() });
    engine.add(Request { top_logprobs: 2, ..Request::new(repeated(), sampling.clone()) }).unwrap();
    let (mut steps, mut told) = (0, vec![]);
    while engine.is_busy() {
        steps += 1;
        for event in engine.step() {
            match event {
                Event::Token(_, token) => told.push(token.id),
                Event::Finished(_, completion) => {
                    assert_eq!(told, completion.ids);
                    assert_eq!(engine.memory().used, 0);
                    return (completion, steps, engine.speculation());
                }
                Event::Failed(_, error) => panic!("{error}"),
            }
        }
    }
    panic!("it never finished")
}

/// Completions with and without guesses are the same; the steps that each took.
fn check(decoder: &Decoder, sampling: &SamplingConfig) -> (usize, usize) {
    let (plain, plain_steps, none) = run(decoder, 0, sampling);
    let (guessed, steps, speculation) = run(decoder, 8, sampling);
    assert_eq!(none, Speculation::default());
    assert_eq!(guessed.ids, plain.ids);
    let bits = |numbers: &[f32]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&guessed.logprobs), bits(&plain.logprobs));
    assert_eq!(bits(&guessed.sampling_logprobs), bits(&plain.sampling_logprobs));
    assert_eq!((&guessed.top_logprobs, guessed.finish_reason), (&plain.top_logprobs, plain.finish_reason));
    assert_eq!(plain_steps - steps, speculation.accepted as usize, "{speculation:?}");
    (plain_steps, steps)
}

#[test]
fn what_repeats_takes_fewer_steps() {
    // Greedy text of a small model soon goes in circles.
    let (plain, guessed) = check(&decoder(0.3), &SamplingConfig::greedy(200));
    assert!(plain == 200 && guessed < 100, "{guessed} steps instead of {plain}");
}

#[test]
fn drawn_tokens_are_those_without_guesses() {
    let decoder = decoder(0.3);
    let mut saved = 0;
    for seed in 0..12 {
        let sampling = SamplingConfig {
            temperature: 0.4,
            top_p: Some(0.95),
            frequency_penalty: 0.1,
            max_tokens: 150,
            eos: vec![seed as u32],
            min_tokens: 20,
            seed,
            ..SamplingConfig::default()
        };
        let (plain, guessed) = check(&decoder, &sampling);
        saved += plain - guessed;
    }
    assert!(saved > 0, "no draft was accepted");
}

#[test]
fn guesses_that_never_come_true_are_given_up() {
    // Without opinions, at temperature 1, the tokens after a pair are random.
    let sampling = SamplingConfig { max_tokens: 400, seed: 3, ..SamplingConfig::default() };
    let (_, _, speculation) = run(&decoder(0.001), 8, &sampling);
    assert!(speculation.drafted < 60, "{speculation:?}");
}

#[test]
fn a_completion_ends_at_its_limit_and_where_it_is_broken_off() {
    let decoder = decoder(0.3);
    for count in [97, 98, 99, 100] {
        let (completion, ..) = run(&decoder, 8, &SamplingConfig::greedy(count));
        assert_eq!((completion.ids.len(), completion.finish_reason), (count, FinishReason::Length));
        let mut engine = engine(&decoder, EngineConfig::default());
        let mut seen = vec![];
        let broken = complete_until(&mut engine, count, &mut seen);
        assert_eq!((&broken.ids, broken.finish_reason), (&seen, FinishReason::Cancelled));
        assert_eq!((broken.ids.len(), broken.logprobs.len()), (count, count));
        assert_eq!(broken.ids, completion.ids);
    }
}

fn complete_until(engine: &mut Engine, count: usize, seen: &mut Vec<u32>) -> Completion {
    let request = Request::new(repeated(), SamplingConfig::greedy(300));
    let on_token = &mut |id, _| {
        seen.push(id);
        if seen.len() == count { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    engine.complete(request, on_token).unwrap()
}
