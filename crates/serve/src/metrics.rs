//! Prometheus metrics: [`Metrics`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fireclay_infer::Timing;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::figures::Figures;
use crate::usage::Tokens;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ModelFigures {
    model: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Pages {
    model: String,
    state: &'static str,
}

type Counters = Family<ModelFigures, Counter>;
type Gauges = Family<ModelFigures, Gauge>;
type Histograms = Family<ModelFigures, Histogram, fn() -> Histogram>;

/// Bounds of times in seconds.
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0];

fn times() -> Histogram {
    Histogram::new(SECONDS)
}

/// The server's metrics.
pub struct Metrics {
    registry: Registry,
    answered: Family<Answered, Counter>,
    request_seconds: Histogram,
    prompt_tokens: Counters,
    cached_tokens: Counters,
    completion_tokens: Counters,
    first_token_seconds: Histograms,
    token_seconds: Histograms,
    engine_requests: Gauges,
    places: Gauges,
    pages: Family<Pages, Gauge>,
    preemptions: Gauges,
    dropped: Gauges,
    restarts: Gauges,
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("fireclay");
        let mut this = Self {
            answered: Family::default(),
            request_seconds: times(),
            prompt_tokens: Family::default(),
            cached_tokens: Family::default(),
            completion_tokens: Family::default(),
            first_token_seconds: Family::new_with_constructor(times),
            token_seconds: Family::new_with_constructor(times),
            engine_requests: Family::default(),
            places: Family::default(),
            pages: Family::default(),
            preemptions: Family::default(),
            dropped: Family::default(),
            restarts: Family::default(),
            registry: Registry::default(),
        };
        registry.register("http_requests", "Requests that were answered", this.answered.clone());
        registry.register("http_request_seconds", "Time to a response's head", this.request_seconds.clone());
        registry.register("prompt_tokens", "Prompt tokens", this.prompt_tokens.clone());
        registry.register("cached_prompt_tokens", "Prompt tokens in the prefix cache", this.cached_tokens.clone());
        registry.register("completion_tokens", "Generated tokens", this.completion_tokens.clone());
        let first = this.first_token_seconds.clone();
        registry.register("first_token_seconds", "Time from a request to its first token", first);
        registry.register("token_seconds", "Mean time between an answer's tokens", this.token_seconds.clone());
        registry.register("engine_requests", "Requests in the engine", this.engine_requests.clone());
        registry.register("free_places", "Requests accepted before the server answers 429", this.places.clone());
        registry.register("cache_pages", "Pages of keys and values", this.pages.clone());
        registry.register("preemptions", "Requests preempted because the KV cache was full", this.preemptions.clone());
        registry.register("dropped_readers", "Requests cancelled for slow readers", this.dropped.clone());
        registry.register("engine_restarts", "Engines rebuilt after a defect", this.restarts.clone());
        this.registry = registry;
        this
    }

    /// Counts a response. Methods and routes are of a fixed set, so that clients cannot make series.
    pub fn answered(&self, method: &'static str, route: &str, status: u16, time: Duration) {
        let labels = Answered { method, route: route.into(), status };
        self.answered.get_or_create(&labels).inc();
        self.request_seconds.observe(time.as_secs_f64());
    }

    /// The metrics of one model's requests.
    pub fn of_model(self: &Arc<Self>, model: &str) -> ModelMetrics {
        ModelMetrics { all: Arc::clone(self), labels: ModelFigures { model: model.into() } }
    }

    /// All metrics in Prometheus' text format. `models` are the id, the figures and the free places of each.
    pub fn text<'a>(&self, models: impl Iterator<Item = (&'a str, &'a Figures, usize)>) -> String {
        for (id, figures, places) in models {
            let of_model = ModelFigures { model: id.into() };
            let set = |gauges: &Gauges, number: u64| {
                gauges.get_or_create(&of_model).set(i64::try_from(number).unwrap_or(i64::MAX));
            };
            let load = |number: &std::sync::atomic::AtomicUsize| number.load(Ordering::Relaxed) as u64;
            set(&self.engine_requests, load(&figures.requests));
            set(&self.places, places as u64);
            set(&self.preemptions, figures.preemptions.load(Ordering::Relaxed));
            set(&self.dropped, figures.dropped.load(Ordering::Relaxed));
            set(&self.restarts, figures.restarts.load(Ordering::Relaxed));
            for (state, number) in [("all", &figures.pages), ("used", &figures.used), ("cached", &figures.cached)] {
                let labels = Pages { model: id.into(), state };
                self.pages.get_or_create(&labels).set(load(number) as i64);
            }
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes everything");
        text
    }
}

/// Metrics of one model's requests.
#[derive(Clone)]
pub struct ModelMetrics {
    all: Arc<Metrics>,
    labels: ModelFigures,
}

impl ModelMetrics {
    pub fn first_token(&self, time: Duration) {
        self.all.first_token_seconds.get_or_create(&self.labels).observe(time.as_secs_f64());
    }

    /// Counts the tokens of a request that ended, however it did.
    pub fn ended(&self, tokens: Tokens) {
        let add = |counters: &Counters, number: usize| {
            counters.get_or_create(&self.labels).inc_by(number as u64);
        };
        add(&self.all.prompt_tokens, tokens.prompt);
        add(&self.all.cached_tokens, tokens.cached);
        add(&self.all.completion_tokens, tokens.completion);
    }

    /// Records the mean time between a request's tokens.
    pub fn token_time(&self, timing: &Timing) {
        if timing.decode_outputs > 0 {
            let mean = timing.decode_seconds / timing.decode_outputs as f64;
            self.all.token_seconds.get_or_create(&self.labels).observe(mean);
        }
    }
}
