//! The engine's treatment of requests and memory.

use fireclay_infer::{
    Completion, Engine, EngineConfig, Event, FinishReason, InferError, Request, RequestId, SamplingConfig,
};
use fireclay_model::{DecoderConfig, PAGE, PagedCache, Precision};

use crate::{VOCABULARY, decoder, device, engine, prompt};

/// A decoder of a context of many pages.
fn long_decoder() -> fireclay_model::Decoder {
    DecoderConfig { init_std: 0.2, ..DecoderConfig::modern(VOCABULARY, 32, 2, 4, 16 * PAGE) }.init(1, &device())
}

fn memory(decoder: &fireclay_model::Decoder, pages: usize) -> usize {
    pages * PagedCache::page_bytes(decoder.config(), Precision::F32)
}

/// Steps until all requests are finished; returns their completions.
fn finish(engine: &mut Engine) -> Vec<(RequestId, Completion)> {
    let mut completions = vec![];
    while engine.is_busy() {
        for event in engine.step() {
            match event {
                Event::Token(..) => {}
                Event::Finished(id, completion) => completions.push((id, completion)),
                Event::Failed(_, error) => panic!("{error}"),
            }
        }
    }
    assert_eq!(engine.memory().used, 0, "a page leaked");
    completions
}

#[test]
fn requests_join_and_leave_between_steps() {
    let mut engine = engine(&decoder(), EngineConfig::default());
    let first = engine.add(Request::new(prompt(5), SamplingConfig::greedy(8))).unwrap();
    assert!(matches!(engine.step()[..], [Event::Token(id, _)] if id == first));
    let second = engine.add(Request::new(prompt(9), SamplingConfig::greedy(3))).unwrap();
    let both = engine.step();
    assert!(matches!(both[..], [Event::Token(a, _), Event::Token(b, _)] if (a, b) == (first, second)), "{both:?}");
    let cancelled = engine.cancel(first).unwrap();
    assert_eq!((cancelled.ids.len(), cancelled.finish_reason), (2, FinishReason::Cancelled));
    assert_eq!(engine.cancel(first), None);
    let rest = finish(&mut engine);
    assert_eq!(rest.len(), 1);
    assert_eq!((rest[0].0, rest[0].1.ids.len()), (second, 3));
}

#[test]
fn a_long_prompt_does_not_hold_up_those_that_are_answered() {
    let decoder = long_decoder();
    let mut engine = engine(&decoder, EngineConfig { chunk: 8, ..EngineConfig::default() });
    let short = engine.add(Request::new(prompt(4), SamplingConfig::greedy(30))).unwrap();
    engine.step();
    let long = engine.add(Request::new(prompt(100), SamplingConfig::greedy(2))).unwrap();
    let late = engine.add(Request::new(prompt(3), SamplingConfig::greedy(2))).unwrap();
    // 100 tokens at 8 a step; the last step has 4 to spare.
    let (mut steps, mut begun) = (0, vec![]);
    while !begun.contains(&long) {
        let events = engine.step();
        assert!(matches!(events[0], Event::Token(id, _) if id == short), "{events:?}");
        let of = |event: &Event| if let Event::Token(id, _) = event { Some(*id) } else { None };
        begun.extend(events.iter().filter_map(of).filter(|&id| id != short));
        steps += 1;
    }
    assert_eq!((steps, begun), (13, vec![long, late]), "prompts are read in the order in which they came");
}

#[test]
fn answers_to_one_prompt_share_its_pages() {
    let decoder = long_decoder();
    let mut engine = engine(&decoder, EngineConfig::default());
    let prompt = prompt(3 * PAGE + 1);
    for stream in 0..8 {
        let sampling = SamplingConfig { stream, max_tokens: 4, ..SamplingConfig::default() };
        engine.add(Request::new(prompt.clone(), sampling)).unwrap();
    }
    engine.step();
    // Three pages for all, and one for the last token and the answer of each.
    assert_eq!(engine.memory().used, 3 + 8);
    let completions = finish(&mut engine);
    assert!((1..8).any(|i| completions[i].1.ids != completions[0].1.ids), "their answers differ");
}

#[test]
fn the_next_turn_reads_its_own_tokens_alone() {
    let decoder = long_decoder();
    let mut engine = engine(&decoder, EngineConfig { chunk: 2 * PAGE, ..EngineConfig::default() });
    let mut conversation = prompt(PAGE);
    for _ in 0..7 {
        engine.add(Request::new(conversation.clone(), SamplingConfig::greedy(PAGE / 2))).unwrap();
        // At most a page and a half was not seen by the turn before: one chunk, independent of the tokens before it.
        assert!(matches!(engine.step()[..], [Event::Token(..)]), "a turn after {} tokens", conversation.len());
        let (_, completion) = finish(&mut engine).pop().unwrap();
        conversation.extend(completion.ids);
        conversation.extend(prompt(PAGE / 2 - 1));
    }
    assert!(conversation.len() > 6 * PAGE);
}

#[test]
fn unused_pages_make_room_and_memory_is_never_exceeded() {
    let decoder = long_decoder();
    let mut engine = engine(&decoder, EngineConfig { memory: memory(&decoder, 5), ..EngineConfig::default() });
    assert_eq!(engine.memory().pages, 5);
    for first in 0..20 {
        let prompt: Vec<u32> = prompt(40 + first)[first..].to_vec();
        engine.add(Request::new(prompt, SamplingConfig::greedy(20))).unwrap();
        let completions = finish(&mut engine);
        assert_eq!(completions[0].1.ids.len(), 20);
    }
    assert!(engine.memory().cached > 2);
}

#[test]
fn those_that_came_last_give_way_and_lose_nothing() {
    let decoder = long_decoder();
    let alone: Vec<Vec<u32>> = (0..4)
        .map(|row| crate::complete(&decoder, &prompt(20 + row)[row..], &SamplingConfig::greedy(60)).unwrap().ids)
        .collect();
    // Room for two at their end.
    let mut engine = engine(&decoder, EngineConfig { memory: memory(&decoder, 10), ..EngineConfig::default() });
    for row in 0..4 {
        engine.add(Request::new(prompt(20 + row)[row..].to_vec(), SamplingConfig::greedy(60))).unwrap();
    }
    let completions = finish(&mut engine);
    assert!(engine.preemptions() > 0, "memory was short");
    let mut ids: Vec<RequestId> = completions.iter().map(|(id, _)| *id).collect();
    assert!(ids.is_sorted(), "equal requests end in the order in which they came: {ids:?}");
    ids.sort();
    let found: Vec<Vec<u32>> = completions.into_iter().map(|(_, completion)| completion.ids).collect();
    assert_eq!(found, alone);
}

#[test]
fn a_sliding_window_gives_back_what_lies_behind_it() {
    let config = DecoderConfig { sliding_window: Some(PAGE), ..long_decoder().config().clone() };
    // Guesses may lie in one page more.
    let mut engine = engine(&config.init(1, &device()), EngineConfig { drafts: 0, ..EngineConfig::default() });
    engine.add(Request::new(prompt(20), SamplingConfig::greedy(120))).unwrap();
    let mut most = 0;
    while engine.is_busy() {
        engine.step();
        most = most.max(engine.memory().used);
    }
    assert_eq!(most, 2, "a window of a page lies in two pages at most");
}

#[test]
fn what_can_never_fit_is_refused() {
    let decoder = long_decoder();
    let mut engine = engine(&decoder, EngineConfig { memory: memory(&decoder, 3), ..EngineConfig::default() });
    assert_eq!(engine.context(), 3 * PAGE);
    let error = engine.add(Request::new(prompt(40), SamplingConfig::greedy(9))).unwrap_err();
    assert!(matches!(error, InferError::TooLittleMemory { tokens: 49, .. }), "{error}");
    assert!(engine.add(Request::new(prompt(40), SamplingConfig::greedy(8))).is_ok());
    let none = EngineConfig { streams: 0, ..EngineConfig::default() };
    assert!(matches!(
        Engine::new(crate::inference(&decoder), none),
        Err(InferError::Setting { setting: "streams", .. })
    ));
}
