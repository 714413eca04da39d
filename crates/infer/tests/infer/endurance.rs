//! A day's worth of requests leaves no trace.

use std::fs;

use fireclay_infer::{Engine, EngineConfig, Event, Request, SamplingConfig};
use fireclay_model::{DecoderConfig, PAGE, PagedCache, Precision};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{VOCABULARY, device, engine};

/// Bytes of this process in memory. None where the system does not say.
fn resident() -> Option<usize> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split(' ').nth(1)?.parse::<usize>().ok()? * 4096)
}

/// Short requests, some alike and some cancelled, as they come to a server.
fn answer(engine: &mut Engine, count: usize, rng: &mut ChaCha8Rng) {
    let (mut left, mut newest) = (count, None);
    while left > 0 || engine.is_busy() {
        while left > 0 && rng.random_range(0..3) > 0 {
            let shared = (0..rng.random_range(0..2 * PAGE as u32)).map(|i| i % VOCABULARY as u32);
            let mut prompt: Vec<u32> = shared.collect();
            prompt.extend((0..rng.random_range(1..12)).map(|_| rng.random_range(0..VOCABULARY as u32)));
            let sampling = SamplingConfig { max_tokens: rng.random_range(1..12), ..SamplingConfig::default() };
            newest = Some(engine.add(Request::new(prompt, sampling)).unwrap());
            left -= 1;
        }
        if rng.random_range(0..50) == 0
            && let Some(id) = newest.take()
        {
            engine.cancel(id);
        }
        for event in engine.step() {
            if let Event::Failed(_, error) = event {
                panic!("{error}");
            }
        }
    }
}

/// Answers a tenth of the requests, and then the rest: memory must not grow with them.
fn check(requests: usize) {
    let config = DecoderConfig { init_std: 0.2, ..DecoderConfig::modern(VOCABULARY, 16, 1, 2, 4 * PAGE) };
    let decoder = config.init(3, &device());
    let memory = 64 * PagedCache::page_bytes(decoder.config(), Precision::F32);
    let mut engine = engine(&decoder, EngineConfig { memory, streams: 16, ..EngineConfig::default() });
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    answer(&mut engine, requests / 10, &mut rng);
    let before = resident();
    answer(&mut engine, requests - requests / 10, &mut rng);
    let found = engine.memory();
    assert!(found.used == 0 && found.cached <= found.pages && found.pages == 64, "{found:?}");
    // Other tests that run in this process take memory too.
    let alone = requests >= 100_000;
    if let (true, Some(before), Some(after)) = (alone, before, resident()) {
        let grown = after.saturating_sub(before);
        assert!(grown < 8 << 20, "{grown} bytes more after {requests} requests, {before} before");
    }
}

#[test]
fn every_page_comes_back() {
    check(4_000);
}

#[test]
#[ignore = "half a minute, and alone in its process: a day's worth of requests"]
fn memory_stays_flat_for_a_hundred_thousand_requests() {
    check(100_000);
}
