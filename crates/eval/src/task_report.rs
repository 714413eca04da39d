//! Results of an evaluation.

use serde_json::{Map, Value, json};

use crate::interval::wilson;

/// One number, with its interval and chance level.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Name of the metric.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// 95 % confidence interval, for shares.
    pub interval: Option<(f64, f64)>,
    /// Number of questions, pairs or tokens.
    pub n: usize,
    /// Chance level.
    pub chance: Option<f64>,
}

impl Metric {
    /// The share of `n` questions that were right; a draw may count half.
    pub fn share(name: impl Into<String>, right: f64, n: usize) -> Self {
        let value = if n == 0 { 0.0 } else { right / n as f64 };
        Self { name: name.into(), value, interval: Some(wilson(right, n)), n, chance: None }
    }

    /// The share of `true`.
    pub fn share_of(name: impl Into<String>, judged: &[bool]) -> Self {
        Self::share(name, judged.iter().filter(|&&right| right).count() as f64, judged.len())
    }

    /// A number that is not a share.
    pub fn number(name: impl Into<String>, value: f64, n: usize) -> Self {
        Self { name: name.into(), value, interval: None, n, chance: None }
    }

    /// The same, with a chance level.
    #[must_use]
    pub fn by_chance(self, chance: f64) -> Self {
        Self { chance: Some(chance), ..self }
    }
}

/// Results of a model on one task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskReport {
    /// The task as it was asked for.
    pub task: String,
    /// Kind of evaluation: `multiple_choice`, `exact_match` and so on.
    pub kind: &'static str,
    /// Questions, pairs, prompts or documents.
    pub n: usize,
    /// Metrics, the main one first.
    pub metrics: Vec<Metric>,
    /// Texts that were longer than the model's context and lost their beginning.
    pub truncated: usize,
    /// Number of skipped questions.
    pub left_out: u64,
}

impl TaskReport {
    /// Chance level of the main figure.
    #[must_use]
    pub fn baseline(&self) -> Option<f64> {
        self.metrics.iter().find_map(|metric| metric.chance)
    }

    /// The value of a metric.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }

    /// One object of `tasks`: `task`, `kind`, `n`, `metrics`, `intervals`, `counts` (where a metric has another n),
    /// `baseline`, `chances` (of every metric that has one), `truncated`, `left_out`.
    #[must_use]
    pub fn json(&self) -> Value {
        let of = |value: &dyn Fn(&Metric) -> Option<Value>| {
            let entries = self.metrics.iter().filter_map(|metric| Some((metric.name.clone(), value(metric)?)));
            Value::Object(entries.collect::<Map<_, _>>())
        };
        json!({
            "task": self.task,
            "kind": self.kind,
            "n": self.n,
            "metrics": of(&|metric| Some(json!(metric.value))),
            "intervals": of(&|metric| metric.interval.map(|(low, high)| json!([low, high]))),
            "counts": of(&|metric| (metric.n != self.n).then(|| json!(metric.n))),
            "baseline": self.baseline(),
            "chances": of(&|metric| metric.chance.map(|chance| json!(chance))),
            "truncated": self.truncated,
            "left_out": self.left_out,
        })
    }
}
