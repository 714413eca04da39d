//! Under any schedule of other requests, a request gets the same tokens as alone, bit for bit.

use std::collections::BTreeMap;

use fireclay_infer::{Completion, Engine, EngineConfig, Event, Request, RequestId, SamplingConfig};
use fireclay_model::{Decoder, DecoderConfig, InferenceDecoder, PAGE, PagedCache, WeightStorage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{VOCABULARY, device};

const CONTEXT: usize = 5 * PAGE;

/// Decoders with learned and rotary positions, with grouped heads of an odd width, and with a window.
fn decoders() -> Vec<Decoder> {
    let modern = DecoderConfig { init_std: 0.3, ..DecoderConfig::modern(VOCABULARY, 24, 2, 4, CONTEXT) };
    let window = DecoderConfig { sliding_window: Some(21), ..modern.clone() };
    let grouped = DecoderConfig { kv_heads: 1, head_dim: 10, ..modern.clone() };
    let gpt2 = DecoderConfig { init_std: 0.3, ..DecoderConfig::gpt2(VOCABULARY, 24, 1, 2, CONTEXT) };
    [modern, window, grouped, gpt2].into_iter().zip(1..).map(|(config, seed)| config.init(seed, &device())).collect()
}

/// A request, which may begin like others.
fn request(rng: &mut ChaCha8Rng) -> Request {
    let shared: Vec<u32> = (0..3 * PAGE as u32).map(|i| (i * 31 + 7) % VOCABULARY as u32).collect();
    let mut prompt = shared[..rng.random_range(0..=shared.len())].to_vec();
    prompt.extend((0..rng.random_range(1..20)).map(|_| rng.random_range(0..VOCABULARY as u32)));
    let greedy = rng.random_range(0..3) == 0;
    let sampling = SamplingConfig {
        temperature: if greedy { 0.0 } else { 0.9 },
        top_p: (rng.random_range(0..3) == 0).then_some(0.8),
        frequency_penalty: if rng.random_range(0..3) == 0 { 0.5 } else { 0.0 },
        max_tokens: rng.random_range(1..24),
        eos: vec![rng.random_range(0..VOCABULARY as u32)],
        slide: rng.random_range(0..8) == 0,
        seed: rng.random_range(0..1000),
        ..SamplingConfig::default()
    };
    let mut request = Request { prompt_logprobs: rng.random_range(0..6) == 0, ..Request::new(prompt, sampling) };
    if rng.random_range(0..4) == 0 {
        // Long enough that the context fills.
        request.sampling.max_tokens = rng.random_range(1..2 * CONTEXT);
        request.shorter_prompts =
            [2, 4, 9].map(|part| request.prompt[request.prompt.len() * (part - 1) / part..].to_vec()).into();
    }
    request
}

/// Completion of a request alone, on an engine that reads the prompt at once and guesses nothing.
fn alone(engine: &mut Engine, request: Request) -> Completion {
    engine.complete(request, &mut |_, _| std::ops::ControlFlow::Continue(())).unwrap()
}

/// One schedule: requests are added and cancelled at random between steps of an engine with little memory. Whether one
/// gave way to another, and whether a draft was accepted.
fn run(decoder: &InferenceDecoder, alone_engine: &mut Engine, seed: u64) -> (bool, bool) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let config = EngineConfig {
        memory: rng.random_range(5..14) * PagedCache::page_bytes(decoder.config(), decoder.cache_precision()),
        streams: rng.random_range(1..7),
        chunk: rng.random_range(1..40),
        drafts: rng.random_range(0..8),
    };
    let mut engine = Engine::new(decoder.clone(), config).unwrap();
    let mut left = rng.random_range(2..9);
    let mut requests: BTreeMap<RequestId, Request> = BTreeMap::new();
    let mut completions: Vec<(RequestId, Completion)> = vec![];
    while left > 0 || engine.is_busy() {
        while left > 0 && rng.random_range(0..3) == 0 {
            let request = request(&mut rng);
            requests.insert(engine.add(request.clone()).unwrap(), request);
            left -= 1;
        }
        if rng.random_range(0..25) == 0 && !requests.is_empty() {
            let nth = rng.random_range(0..requests.len());
            let id = *requests.keys().nth(nth).expect("there are so many");
            completions.extend(engine.cancel(id).map(|completion| (id, completion)));
        }
        for event in engine.step() {
            match event {
                Event::Token(..) => {}
                Event::Finished(id, completion) => completions.push((id, completion)),
                Event::Failed(_, error) => panic!("{error}"),
            }
        }
        let memory = engine.memory();
        assert!(memory.used + memory.cached <= memory.pages, "{memory:?}");
    }
    assert_eq!(engine.memory().used, 0, "schedule {seed} leaks a page");
    assert_eq!(completions.len(), requests.len(), "schedule {seed}: every request ends once");
    for (id, found) in completions {
        let expected = alone(alone_engine, requests[&id].clone());
        let count = found.ids.len();
        let what = format!("schedule {seed}, {id:?}");
        if found.finish_reason == fireclay_infer::FinishReason::Cancelled {
            assert_eq!(found.ids, expected.ids[..count], "{what}");
        } else {
            assert_eq!((&found.ids, found.finish_reason), (&expected.ids, expected.finish_reason), "{what}");
            assert_eq!(
                bits(found.prompt_scores.iter().map(|s| s.logprob)),
                bits(expected.prompt_scores.iter().map(|s| s.logprob)),
                "{what}"
            );
        }
        assert_eq!(bits(found.logprobs), bits(expected.logprobs[..count].to_vec()), "{what}");
    }
    (engine.preemptions() > 0, engine.speculation().accepted > 0)
}

fn bits(numbers: impl IntoIterator<Item = f32>) -> Vec<u32> {
    numbers.into_iter().map(f32::to_bits).collect()
}

/// Weights and cache in every format on the CPU; elsewhere results are those of a request alone within rounding only.
fn formats() -> Vec<WeightStorage> {
    let on_cpu = device() == fireclay_model::device::parse("cpu").unwrap();
    WeightStorage::NAMED
        .into_iter()
        .map(|(_, format)| format)
        .filter(|&format| on_cpu || format == WeightStorage::F32)
        .collect()
}

fn check(schedules: u64) {
    let (mut preempted, mut speculated) = (0, 0);
    let decoders = decoders()
        .into_iter()
        .flat_map(|decoder| formats().into_iter().map(move |format| InferenceDecoder::new(decoder.clone(), format)));
    let decoders: Vec<InferenceDecoder> = decoders.collect();
    let kinds = decoders.len() as u64;
    for (kind, decoder) in decoders.iter().enumerate() {
        // It has no memory to spare, so its prefix cache is empty after each request.
        let memory = CONTEXT / PAGE * PagedCache::page_bytes(decoder.config(), decoder.cache_precision());
        let limits = EngineConfig { memory, drafts: 0, ..EngineConfig::default() };
        let mut alone = Engine::new(decoder.clone(), limits).unwrap();
        for seed in 0..schedules / kinds {
            let (gave_way, guessed) = run(decoder, &mut alone, seed * kinds + kind as u64);
            preempted += u64::from(gave_way);
            speculated += u64::from(guessed);
        }
    }
    assert!(preempted > schedules / 50, "memory ran short in {preempted} of {schedules} schedules");
    assert!(speculated > schedules / 50, "guesses came true in {speculated} of {schedules} schedules");
}

#[test]
fn random_schedules_change_no_bit() {
    check(240);
}

#[test]
#[ignore = "some minutes: ten thousand schedules"]
fn ten_thousand_random_schedules_change_no_bit() {
    check(10_000);
}
