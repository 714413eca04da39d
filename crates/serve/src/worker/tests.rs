use fireclay_infer::{EngineConfig, SamplingConfig};
use fireclay_model::{DecoderConfig, InferenceDecoder, WeightStorage};

use super::*;
use crate::metrics::Metrics;

fn metrics() -> ModelMetrics {
    Arc::new(Metrics::new()).of_model("tiny")
}

fn engine() -> Result<Engine, InferError> {
    engine_of(64)
}

fn engine_of(context: usize) -> Result<Engine, InferError> {
    let device = fireclay_model::device::parse("cpu").unwrap();
    let decoder = DecoderConfig::modern(32, 16, 1, 2, context).init(7, &device);
    let config = EngineConfig { memory: 1 << 20, streams: 2, ..EngineConfig::default() };
    Engine::new(InferenceDecoder::new(decoder, WeightStorage::F32), config)
}

fn request(tokens: usize) -> Request {
    Request::new(vec![1, 2, 3], SamplingConfig::greedy(tokens))
}

/// The last event of a request of one job.
fn end(mut updates: Updates) -> Option<Update> {
    let mut last = None;
    while let Some((_, update)) = updates.events.blocking_recv() {
        last = Some(update);
    }
    last
}

#[test]
fn after_a_panic_open_requests_fail_and_the_next_are_answered() {
    let (worker, _) = Worker::start("tiny", 1, engine).unwrap();
    let expect = end(worker.submit(vec![request(8)], metrics()));
    let Some(Update::Finished(expect)) = expect else { panic!("{expect:?}") };
    for round in 1..=2 {
        let mut open = worker.submit(vec![request(60)], metrics());
        assert!(matches!(open.events.blocking_recv(), Some((0, Update::Token(_)))));
        worker.break_down();
        // The thread may already have ended.
        let told = end(open);
        assert!(matches!(told, Some(Update::Failed(Failure::Defect) | Update::Finished(_))), "{told:?}");
        let again = end(worker.submit(vec![request(8)], metrics()));
        let Some(Update::Finished(again)) = again else { panic!("{again:?}") };
        assert_eq!(again.ids, expect.ids);
        assert_eq!(worker.figures.restarts.load(Ordering::Relaxed), round);
    }
    assert!(worker.figures.alive.load(Ordering::Relaxed));
}

#[test]
fn without_another_engine_requests_fail_at_once() {
    let made = AtomicBool::new(false);
    let once = move || match made.swap(true, Ordering::Relaxed) {
        false => engine(),
        true => Err(InferError::EmptyPrompt { row: 0 }),
    };
    let (worker, _) = Worker::start("tiny", 1, once).unwrap();
    worker.break_down();
    assert!(end(worker.submit(vec![request(8)], metrics())).is_none());
    assert!(!worker.figures.alive.load(Ordering::Relaxed));
}

/// Waits until the engine has no request of these.
fn settled(worker: &Worker, updates: &Updates) {
    let begun = std::time::Instant::now();
    while updates.events.is_empty() || worker.figures.requests.load(Ordering::Relaxed) > 0 {
        assert!(begun.elapsed().as_secs() < 60, "the requests do not end");
        thread::yield_now();
    }
}

#[test]
fn events_wait_for_a_reader_and_one_that_is_too_slow_is_told_so() {
    let (worker, _) = Worker::start("tiny", 1, || engine_of(2 * EVENTS)).unwrap();
    // All tokens of each request, and its end.
    let mut patient = worker.submit((0..3).map(|_| request(EVENTS - 1)).collect(), metrics());
    settled(&worker, &patient);
    let mut ends = 0;
    while let Some((_, update)) = patient.events.blocking_recv() {
        ends += usize::from(matches!(update, Update::Finished(_)));
    }
    assert_eq!((ends, worker.figures.dropped.load(Ordering::Relaxed)), (3, 0));
    let mut slow = worker.submit(vec![request(EVENTS + 100)], metrics());
    settled(&worker, &slow);
    while let Some((_, update)) = slow.events.blocking_recv() {
        assert!(matches!(update, Update::Token(_)), "{update:?}");
    }
    assert!(matches!(slow.failure(), Failure::SlowReader));
    assert!(matches!(patient.failure(), Failure::Defect));
    assert_eq!(worker.figures.dropped.load(Ordering::Relaxed), 1);
}
