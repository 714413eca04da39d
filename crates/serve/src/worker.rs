//! The thread that owns a model's engine: [`Worker`].
//!
//! Handlers send jobs and receive their events; nothing else accesses the engine. A job whose receiver is gone, or
//! whose reader is so slow that its events do not fit the channel, is cancelled at the next step. A panic fails the
//! open jobs; the engine is rebuilt. If that fails, the thread ends, jobs fail at once, and [`Figures::alive`] is
//! false.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc as blocking;
use std::thread;

use fireclay_infer::{Completion, Engine, Event, InferError, Memory, Request, RequestId, Token};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Largest number of events of a job that wait for its reader.
const EVENTS: usize = 1024;

/// Requests that are answered together, and where their events go.
struct Job {
    requests: Vec<Request>,
    events: mpsc::Sender<(usize, Update)>,
    cancelled: Arc<[AtomicBool]>,
}

/// Orders to the thread.
enum Order {
    Job(Job),
    /// A panic, for tests.
    #[cfg(test)]
    Panic,
}

/// Event of a request of a job.
#[derive(Clone, Debug)]
pub enum Update {
    /// One more token.
    Token(Token),
    /// Its end.
    Finished(Box<Completion>),
    /// It cannot go on.
    Failed(Failure),
}

/// Why a request cannot go on.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The engine refuses it.
    Infer(InferError),
    /// A panic, which was logged.
    Defect,
}

/// Updates of a job: the index of the request, and its event.
pub struct Updates {
    pub events: mpsc::Receiver<(usize, Update)>,
    cancelled: Arc<[AtomicBool]>,
}

impl Updates {
    /// Ends one request of the job where it is; its end still comes.
    pub fn cancel(&self, index: usize) {
        self.cancelled[index].store(true, Ordering::Relaxed);
    }
}

/// Numbers about the engine that others may read at any time.
#[derive(Debug, Default)]
pub struct Figures {
    pub pages: AtomicUsize,
    pub used: AtomicUsize,
    pub cached: AtomicUsize,
    /// Requests in the engine.
    pub requests: AtomicUsize,
    pub preemptions: AtomicU64,
    pub steps: AtomicU64,
    /// Readers that were too slow.
    pub dropped: AtomicU64,
    /// Number of times that the engine was rebuilt after a defect.
    pub restarts: AtomicU64,
    /// Whether there is an engine; false if it could not be rebuilt.
    pub alive: AtomicBool,
}

/// A handle of the thread. The thread ends when the last handle is gone.
#[derive(Clone)]
pub struct Worker {
    orders: blocking::Sender<Order>,
    pub figures: Arc<Figures>,
}

impl Worker {
    /// Starts the thread, and returns the engine's [context](Engine::context). `make` builds the engine, now and again
    /// after a panic. It computes on its own `threads` threads, including itself.
    ///
    /// # Errors
    /// When `make` fails, or the threads cannot be started.
    pub fn start(
        name: &str,
        threads: usize,
        make: impl Fn() -> Result<Engine, InferError> + Send + 'static,
    ) -> Result<(Self, usize), String> {
        let (orders, received) = blocking::channel();
        let (ready, is_ready) = blocking::sync_channel(1);
        let figures = Arc::new(Figures { alive: AtomicBool::new(true), ..Figures::default() });
        let shown = Arc::clone(&figures);
        let run = move || {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread().build();
            let made = pool.map_err(|error| error.to_string()).and_then(|pool| {
                let engine = make().map_err(|error| error.to_string())?;
                Ok((pool, engine))
            });
            match made {
                Err(error) => drop(ready.send(Err(error))),
                Ok((_pool, engine)) => {
                    drop(ready.send(Ok(engine.context())));
                    Loop { engine, make: &make, orders: received, open: vec![], figures: shown }.run();
                }
            }
        };
        let spawned = thread::Builder::new().name(format!("engine {name}")).spawn(run);
        spawned.map_err(|error| error.to_string())?;
        let context = is_ready.recv().map_err(|_| "the engine's thread ended at once".to_owned())??;
        Ok((Self { orders, figures }, context))
    }

    /// Sends requests to the engine. If there is none any more, their events end at once.
    pub fn submit(&self, requests: Vec<Request>) -> Updates {
        let (sender, events) = mpsc::channel(EVENTS);
        let cancelled: Arc<[AtomicBool]> = requests.iter().map(|_| AtomicBool::new(false)).collect();
        let job = Job { requests, events: sender, cancelled: Arc::clone(&cancelled) };
        // Without the thread the job is dropped here, and its events end at once.
        let _ = self.orders.send(Order::Job(job));
        Updates { events, cancelled }
    }

    /// Makes the thread panic.
    #[cfg(test)]
    pub fn break_down(&self) {
        let _ = self.orders.send(Order::Panic);
    }
}

/// A request in the engine.
struct Open {
    id: RequestId,
    index: usize,
    events: mpsc::Sender<(usize, Update)>,
    cancelled: Arc<[AtomicBool]>,
}

struct Loop<'a, F> {
    engine: Engine,
    make: &'a F,
    orders: blocking::Receiver<Order>,
    /// In the order of their ids.
    open: Vec<Open>,
    figures: Arc<Figures>,
}

impl<F: Fn() -> Result<Engine, InferError>> Loop<'_, F> {
    fn run(mut self) {
        loop {
            self.publish();
            let mut first = None;
            if !self.engine.is_busy() {
                let Ok(order) = self.orders.recv() else { return };
                first = Some(order);
            }
            let turn = catch_unwind(AssertUnwindSafe(|| self.turn(first)));
            if turn.is_err() && !self.restart() {
                return;
            }
        }
    }

    /// Processes orders, and makes a step.
    fn turn(&mut self, first: Option<Order>) {
        if let Some(order) = first {
            self.obey(order);
        }
        while let Ok(order) = self.orders.try_recv() {
            self.obey(order);
        }
        self.cancel();
        let events = self.engine.step();
        self.deliver(events);
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Job(job) => self.take(job),
            #[cfg(test)]
            Order::Panic => panic!("a test asked for it"),
        }
    }

    fn take(&mut self, job: Job) {
        for (index, request) in job.requests.into_iter().enumerate() {
            match self.engine.add(request) {
                Ok(id) => {
                    let (events, cancelled) = (job.events.clone(), Arc::clone(&job.cancelled));
                    self.open.push(Open { id, index, events, cancelled });
                }
                // A reader that is gone needs no answer.
                Err(error) => drop(job.events.try_send((index, Update::Failed(Failure::Infer(error))))),
            }
        }
    }

    /// Removes cancelled requests and those whose receiver is gone.
    fn cancel(&mut self) {
        let engine = &mut self.engine;
        self.open.retain(|open| {
            let gone = open.events.is_closed();
            if !gone && !open.cancelled[open.index].load(Ordering::Relaxed) {
                return true;
            }
            match engine.cancel(open.id) {
                Some(completion) => {
                    drop(open.events.try_send((open.index, Update::Finished(Box::new(completion)))));
                    false
                }
                // Its end is among the events to come.
                None => !gone,
            }
        });
    }

    fn deliver(&mut self, events: Vec<Event>) {
        self.figures.steps.fetch_add(1, Ordering::Relaxed);
        for event in events {
            let (id, update, is_last) = match event {
                Event::Token(id, token) => (id, Update::Token(token), false),
                Event::Finished(id, completion) => (id, Update::Finished(Box::new(completion)), true),
                Event::Failed(id, error) => (id, Update::Failed(Failure::Infer(error)), true),
            };
            let Ok(place) = self.open.binary_search_by_key(&id, |open| open.id) else { continue };
            let open = &self.open[place];
            let sent = open.events.try_send((open.index, update));
            if matches!(sent, Err(TrySendError::Full(_))) {
                self.figures.dropped.fetch_add(1, Ordering::Relaxed);
                tracing::warn!("a reader fell {EVENTS} events behind; its request is cancelled");
            }
            if sent.is_err() && !is_last {
                self.engine.cancel(id);
            }
            if sent.is_err() || is_last {
                self.open.remove(place);
            }
        }
    }

    /// Rebuilds the engine after a panic, since its state is not trusted. Returns whether that worked.
    fn restart(&mut self) -> bool {
        tracing::error!("the engine panicked; {} requests fail, and it is rebuilt", self.open.len());
        for open in self.open.drain(..) {
            drop(open.events.try_send((open.index, Update::Failed(Failure::Defect))));
        }
        match catch_unwind(AssertUnwindSafe(self.make)) {
            Ok(Ok(engine)) => {
                self.engine = engine;
                self.figures.restarts.fetch_add(1, Ordering::Relaxed);
                return true;
            }
            Ok(Err(error)) => tracing::error!("the engine could not be rebuilt: {error}"),
            Err(_) => tracing::error!("the engine could not be rebuilt: it panicked again"),
        }
        self.figures.alive.store(false, Ordering::Relaxed);
        false
    }

    fn publish(&self) {
        let Memory { pages, used, cached } = self.engine.memory();
        for (figure, number) in [
            (&self.figures.pages, pages),
            (&self.figures.used, used),
            (&self.figures.cached, cached),
            (&self.figures.requests, self.open.len()),
        ] {
            figure.store(number, Ordering::Relaxed);
        }
        self.figures.preemptions.store(self.engine.preemptions(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use fireclay_infer::{EngineConfig, SamplingConfig};
    use fireclay_model::{DecoderConfig, InferenceDecoder, WeightStorage};

    use super::*;

    fn engine() -> Result<Engine, InferError> {
        let device = fireclay_model::device::parse("cpu").unwrap();
        let decoder = DecoderConfig::modern(32, 16, 1, 2, 64).init(7, &device);
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
        let expect = end(worker.submit(vec![request(8)]));
        let Some(Update::Finished(expect)) = expect else { panic!("{expect:?}") };
        for round in 1..=2 {
            let mut open = worker.submit(vec![request(60)]);
            assert!(matches!(open.events.blocking_recv(), Some((0, Update::Token(_)))));
            worker.break_down();
            // The thread may already have ended.
            let told = end(open);
            assert!(matches!(told, Some(Update::Failed(Failure::Defect) | Update::Finished(_))), "{told:?}");
            let again = end(worker.submit(vec![request(8)]));
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
        assert!(end(worker.submit(vec![request(8)])).is_none());
        assert!(!worker.figures.alive.load(Ordering::Relaxed));
    }
}
