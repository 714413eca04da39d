//! One of those that run in turn.

use std::process::Command;

use serde_json::{Value, json};

use super::figure::Figure;
use super::program::Measurement;

/// One of those that run in turn.
#[derive(Debug)]
pub struct Side {
    /// As it is shown.
    pub name: &'static str,
    /// What is run.
    pub command: Command,
    /// Whether it falls away where it does not work.
    pub optional: bool,
    /// Why it fell away.
    pub failure: Option<String>,
    /// A run each round.
    pub runs: Vec<Measurement>,
}

impl Side {
    /// One that must work and has not run yet.
    pub fn new(name: &'static str, command: Command) -> Self {
        Self { name, command, optional: false, failure: None, runs: vec![] }
    }

    /// Whether every run has the figure.
    pub fn has(&self, figure: &Figure) -> bool {
        self.runs.iter().all(|run| run.figures.contains_key(figure.key))
    }

    /// What each run found.
    fn values(&self, figure: &Figure) -> impl Iterator<Item = f64> {
        self.runs.iter().filter_map(|run| run.figures.get(figure.key).copied())
    }

    /// The median over the runs.
    pub fn median(&self, figure: &Figure) -> f64 {
        median(self.values(figure).collect())
    }

    /// How many times as fast as another it is, round by round.
    pub fn ratios(&self, other: &Self, figure: &Figure) -> Vec<f64> {
        self.values(figure).zip(other.values(figure)).map(|(ours, other)| figure.ratio(ours, other)).collect()
    }

    /// The most memory that any run took; `None` where the system does not say.
    pub fn peak_bytes(&self) -> Option<u64> {
        self.runs.iter().map(|run| run.peak_bytes).max().filter(|&bytes| bytes > 0)
    }

    /// The instruction set that it used, if it says so.
    pub fn instruction_set(&self) -> Option<&str> {
        self.runs.last()?.instruction_set.as_deref()
    }

    /// The loss after the last step, where there is training.
    pub fn last_loss(&self) -> Option<f64> {
        self.runs.last()?.losses.last().copied()
    }

    /// For programs. `ours` is what it is compared with.
    pub fn json(&self, ours: &Self, figures: &[Figure]) -> Value {
        if let Some(failure) = &self.failure {
            return json!({ "name": self.name, "failure": failure });
        }
        let ratio = |figure: &Figure| (figure.key.to_owned(), json!(median(ours.ratios(self, figure))));
        let mut json = json!({
            "name": self.name,
            "instruction_set": self.instruction_set(),
            "peak_bytes": self.peak_bytes().unwrap_or(0),
            "ratios": figures.iter().map(ratio).collect::<Value>(),
            "runs": self.runs.iter().map(Measurement::json).collect::<Vec<_>>(),
        });
        for figure in figures {
            json[figure.key] = self.median(figure).into();
        }
        json
    }
}

/// The middle one, or the mean of the two in the middle.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 { numbers[middle] } else { 0.5 * (numbers[middle - 1] + numbers[middle]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!([median(vec![3.0, 1.0, 2.0]), median(vec![4.0, 1.0])].map(|m| m as u32), [2, 2]);
    }
}
