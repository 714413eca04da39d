//! The learning rate, step by step.

use crate::{Schedule, TrainConfig};

impl Schedule {
    /// The learning rate of step `step`, counted from 1 to `config.steps`.
    #[must_use]
    pub fn learning_rate(self, config: &TrainConfig, step: u64) -> f64 {
        let peak = config.learning_rate;
        if step < config.warmup_steps {
            return peak * step as f64 / config.warmup_steps as f64;
        }
        let minimum = peak * config.min_learning_rate;
        match self {
            Self::Constant => peak,
            Self::Cosine => {
                let done = passed(step, config.warmup_steps, config.steps);
                minimum + (peak - minimum) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
            Self::Wsd => peak - (peak - minimum) * passed(step, decay_start(config), config.steps),
        }
    }

    /// Whether two runs have the same learning rates up to `step`, although their numbers of steps differ.
    #[must_use]
    pub(crate) fn agrees_until(self, step: u64, one: &TrainConfig, other: &TrainConfig) -> bool {
        match self {
            Self::Cosine => one.steps == other.steps,
            Self::Wsd => one.steps == other.steps || step <= decay_start(one).min(decay_start(other)),
            Self::Constant => true,
        }
    }
}

/// The last step at the peak.
fn decay_start(config: &TrainConfig) -> u64 {
    let decay = (config.steps as f64 * config.decay_fraction).round() as u64;
    config.steps.saturating_sub(decay).max(config.warmup_steps)
}

/// Progress of step `step` from `start` to `end`, between 0 and 1.
fn passed(step: u64, start: u64, end: u64) -> f64 {
    if end <= start {
        return 0.0;
    }
    (step.saturating_sub(start) as f64 / (end - start) as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schedule: Schedule, expect: &[(u64, f64)]) {
        let config = TrainConfig {
            schedule,
            steps: 100,
            warmup_steps: 10,
            learning_rate: 2.0,
            min_learning_rate: 0.1,
            decay_fraction: 0.2,
            ..TrainConfig::default()
        };
        for &(step, rate) in expect {
            let got = config.learning_rate_at(step);
            assert!((got - rate).abs() < 1e-12, "{schedule:?} at step {step}: {got}, expected {rate}");
        }
    }

    #[test]
    fn warm_up_is_a_straight_line() {
        for schedule in [Schedule::Cosine, Schedule::Wsd, Schedule::Constant] {
            check(schedule, &[(1, 0.2), (5, 1.0), (10, 2.0)]);
        }
    }

    #[test]
    fn cosine_passes_the_middle_halfway_and_ends_at_the_minimum() {
        check(Schedule::Cosine, &[(55, 1.1), (100, 0.2)]);
        check(Schedule::Cosine, &[(40, 0.2 + 0.9 * (1.0 + 0.5))]);
    }

    #[test]
    fn wsd_is_stable_then_falls_in_a_straight_line() {
        check(Schedule::Wsd, &[(11, 2.0), (80, 2.0), (90, 1.1), (100, 0.2)]);
    }

    #[test]
    fn constant_stays_at_the_peak() {
        check(Schedule::Constant, &[(11, 2.0), (100, 2.0)]);
    }

    #[test]
    fn a_run_without_warm_up_starts_at_the_peak() {
        let config = TrainConfig { warmup_steps: 0, schedule: Schedule::Constant, ..TrainConfig::default() };
        assert!((config.learning_rate_at(1) - config.learning_rate).abs() < 1e-15);
    }
}
