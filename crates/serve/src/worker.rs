//! The thread that owns a model's engine: [`Worker`].
//!
//! Handlers send jobs and receive their events; nothing else accesses the engine. A job whose receiver is gone, or
//! whose reader is so slow that its events do not fit the channel, is cancelled at the next step. A panic fails the
//! open jobs; the engine is rebuilt. If that fails, the thread ends, jobs fail at once, and [`Figures::alive`] is
//! false. Tokens are counted here, where every request ends, however it does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as blocking;
use std::thread;

use fireclay_infer::{Completion, Engine, Event, InferError, Memory, Request, RequestId, Token};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::figures::Figures;
use crate::metrics::ModelMetrics;
use crate::usage::Tokens;

/// Largest number of events that wait for a job's reader, for each of its requests.
const EVENTS: usize = 1024;

/// Requests that are answered together, and where their events go.
struct Job {
    requests: Vec<Request>,
    events: mpsc::Sender<(usize, Update)>,
    shared: Arc<Shared>,
    metrics: ModelMetrics,
}

/// What a job and its reader tell each other beside the events.
struct Shared {
    /// Requests to end where they are.
    cancelled: Box<[AtomicBool]>,
    /// Whether there was no room for an event.
    is_slow: AtomicBool,
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
    /// Its events were read more slowly than they came.
    SlowReader,
}

/// Updates of a job: the index of the request, and its event.
pub struct Updates {
    pub events: mpsc::Receiver<(usize, Update)>,
    shared: Arc<Shared>,
}

impl Updates {
    /// Ends one request of the job where it is; its end still comes.
    pub fn cancel(&self, index: usize) {
        self.shared.cancelled[index].store(true, Ordering::Relaxed);
    }

    /// Why the events ended before all requests did.
    pub fn failure(&self) -> Failure {
        if self.shared.is_slow.load(Ordering::Relaxed) { Failure::SlowReader } else { Failure::Defect }
    }
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

    /// Sends requests to the engine, whose tokens these metrics count. If there is no engine any more, their events end
    /// at once.
    pub fn submit(&self, requests: Vec<Request>, metrics: ModelMetrics) -> Updates {
        let (sender, events) = mpsc::channel(EVENTS * requests.len().max(1));
        let cancelled = requests.iter().map(|_| AtomicBool::new(false)).collect();
        let shared = Arc::new(Shared { cancelled, is_slow: AtomicBool::new(false) });
        let job = Job { requests, events: sender, shared: Arc::clone(&shared), metrics };
        // Without the thread the job is dropped here, and its events end at once.
        let _ = self.orders.send(Order::Job(job));
        Updates { events, shared }
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
    shared: Arc<Shared>,
    metrics: ModelMetrics,
    /// Prompt tokens to count: none where the request before it has the same prompt.
    prompt: usize,
    /// Tokens so far.
    generated: usize,
}

impl Open {
    fn is_cancelled(&self) -> bool {
        self.shared.cancelled[self.index].load(Ordering::Relaxed)
    }

    /// Sends an update. False if the reader is gone, or there is no room because it is slow, of which it learns once it
    /// has read the others.
    fn send(&self, update: Update, figures: &Figures) -> bool {
        let sent = self.events.try_send((self.index, update));
        if matches!(sent, Err(TrySendError::Full(_))) && !self.shared.is_slow.swap(true, Ordering::Relaxed) {
            figures.dropped.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("a reader fell {EVENTS} events of each request behind; its requests are cancelled");
        }
        sent.is_ok()
    }

    /// Counts the tokens of the request, which has ended: with a completion, or by an error.
    fn count(&self, completion: Option<&Completion>) {
        let cached = completion.filter(|_| self.prompt > 0).map_or(0, |completion| completion.cached_tokens);
        let completion_tokens = completion.map_or(self.generated, |completion| completion.ids.len());
        self.metrics.ended(Tokens { prompt: self.prompt, cached, completion: completion_tokens });
        if let Some(completion) = completion {
            self.metrics.token_time(&completion.timing);
        }
    }
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
        let is_repeated = |index: usize| index > 0 && job.requests[index - 1].prompt == job.requests[index].prompt;
        let counted = |(index, request): (usize, &Request)| if is_repeated(index) { 0 } else { request.prompt.len() };
        let prompts: Vec<usize> = job.requests.iter().enumerate().map(counted).collect();
        for ((index, request), prompt) in job.requests.into_iter().enumerate().zip(prompts) {
            match self.engine.add(request) {
                Ok(id) => {
                    let (events, shared, metrics) = (job.events.clone(), Arc::clone(&job.shared), job.metrics.clone());
                    self.open.push(Open { id, index, events, shared, metrics, prompt, generated: 0 });
                }
                // A reader that is gone needs no answer.
                Err(error) => drop(job.events.try_send((index, Update::Failed(Failure::Infer(error))))),
            }
        }
    }

    /// Removes cancelled requests and those whose receiver is gone.
    fn cancel(&mut self) {
        let (engine, figures) = (&mut self.engine, &self.figures);
        self.open.retain(|open| {
            if !open.events.is_closed() && !open.is_cancelled() {
                return true;
            }
            // Otherwise its end is among the events to come.
            let Some(completion) = engine.cancel(open.id) else { return true };
            open.count(Some(&completion));
            open.send(Update::Finished(Box::new(completion)), figures);
            false
        });
    }

    fn deliver(&mut self, events: Vec<Event>) {
        self.figures.steps.fetch_add(1, Ordering::Relaxed);
        for event in events {
            let (Event::Token(id, _) | Event::Finished(id, _) | Event::Failed(id, _)) = event;
            let Ok(place) = self.open.binary_search_by_key(&id, |open| open.id) else { continue };
            let open = &mut self.open[place];
            let (update, mut is_last) = match event {
                Event::Token(_, token) => {
                    open.generated += 1;
                    (Update::Token(token), false)
                }
                Event::Finished(_, completion) => {
                    open.count(Some(&completion));
                    (Update::Finished(Box::new(completion)), true)
                }
                Event::Failed(_, error) => {
                    open.count(None);
                    (Update::Failed(Failure::Infer(error)), true)
                }
            };
            // One that the engine no longer has is kept for its end, which is among the events that follow.
            if !open.send(update, &self.figures)
                && !is_last
                && let Some(completion) = self.engine.cancel(id)
            {
                open.count(Some(&completion));
                is_last = true;
            }
            if is_last {
                self.open.remove(place);
            }
        }
    }

    /// Rebuilds the engine after a panic, since its state is not trusted. Returns whether that worked.
    fn restart(&mut self) -> bool {
        tracing::error!("the engine panicked; {} requests fail, and it is rebuilt", self.open.len());
        for open in self.open.drain(..) {
            open.count(None);
            open.send(Update::Failed(Failure::Defect), &self.figures);
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
mod tests;
