//! The thread that owns a model's engine: [`Worker`].
//!
//! Handlers send jobs and receive what becomes of them; the engine itself is seen by nobody else. A job whose receiver is gone, or whose reader is
//! so slow that its events do not fit the channel, is cancelled at the next step.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc as blocking;
use std::thread;

use fireclay_infer::{Completion, Engine, Event, InferError, Memory, Request, RequestId, Token};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Events of a job that may wait for its reader.
const EVENTS: usize = 1024;

/// Requests that are answered together, and where their events go.
struct Job {
    requests: Vec<Request>,
    events: mpsc::Sender<(usize, Update)>,
    cancelled: Arc<[AtomicBool]>,
}

/// What became of a request of a job.
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
    /// A defect of ours, which was logged.
    Defect,
}

/// What a job sends: the index of the request, and what became of it.
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
    /// How often the engine was made anew after a defect.
    pub restarts: AtomicU64,
}

/// A handle of the thread. The thread ends when the last handle is gone.
#[derive(Clone)]
pub struct Worker {
    jobs: blocking::Sender<Job>,
    pub figures: Arc<Figures>,
}

impl Worker {
    /// Starts the thread, and tells the engine's [context](Engine::context); `make` makes the engine, once now and again after a defect. It computes
    /// on `threads` threads of its own, itself one of them.
    ///
    /// # Errors
    /// When `make` fails, or the threads cannot be started.
    pub fn start(
        name: &str,
        threads: usize,
        make: impl Fn() -> Result<Engine, InferError> + Send + 'static,
    ) -> Result<(Self, usize), String> {
        let (jobs, received) = blocking::channel();
        let (ready, is_ready) = blocking::sync_channel(1);
        let figures = Arc::new(Figures::default());
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
                    Loop { engine, make: &make, jobs: received, open: vec![], figures: shown }.run();
                }
            }
        };
        let spawned = thread::Builder::new().name(format!("engine {name}")).spawn(run);
        spawned.map_err(|error| error.to_string())?;
        let context = is_ready.recv().map_err(|_| "the engine's thread ended at once".to_owned())??;
        Ok((Self { jobs, figures }, context))
    }

    /// Hands requests to the engine.
    ///
    /// # Panics
    /// When the thread is gone, which nothing but a defect can bring about.
    pub fn submit(&self, requests: Vec<Request>) -> Updates {
        let (sender, events) = mpsc::channel(EVENTS);
        let cancelled: Arc<[AtomicBool]> = requests.iter().map(|_| AtomicBool::new(false)).collect();
        let job = Job { requests, events: sender, cancelled: Arc::clone(&cancelled) };
        self.jobs.send(job).expect("the engine's thread lives as long as its handles");
        Updates { events, cancelled }
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
    jobs: blocking::Receiver<Job>,
    /// In the order of their ids.
    open: Vec<Open>,
    figures: Arc<Figures>,
}

impl<F: Fn() -> Result<Engine, InferError>> Loop<'_, F> {
    fn run(mut self) {
        loop {
            self.publish();
            if !self.engine.is_busy() {
                let Ok(job) = self.jobs.recv() else { return };
                self.take(job);
            }
            while let Ok(job) = self.jobs.try_recv() {
                self.take(job);
            }
            self.cancel();
            match catch_unwind(AssertUnwindSafe(|| self.engine.step())) {
                Ok(events) => self.deliver(events),
                Err(_) => self.restart(),
            }
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

    /// Takes out what nobody waits for any more, or what was cancelled.
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

    /// After a defect nothing in the engine is trusted.
    fn restart(&mut self) {
        tracing::error!("the engine panicked; {} requests fail, and it is made anew", self.open.len());
        for open in self.open.drain(..) {
            drop(open.events.try_send((open.index, Update::Failed(Failure::Defect))));
        }
        self.figures.restarts.fetch_add(1, Ordering::Relaxed);
        // It was made from the same numbers before.
        self.engine = (self.make)().expect("an engine that could be made once can be made again");
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
