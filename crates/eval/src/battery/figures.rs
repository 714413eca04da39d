//! Results of a finished stage on its battery.

use std::collections::BTreeMap;
use std::fmt;

use fireclay_rlhf::Tally;
use fireclay_train::{StageFiles, Summary};

/// The shares of right replies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatteryShares {
    /// Of greedy replies.
    pub greedy: f64,
    /// Of sampled replies.
    pub sampled: f64,
}

impl From<Tally> for BatteryShares {
    fn from(tally: Tally) -> Self {
        Self { greedy: tally.greedy_share(), sampled: tally.sampled_share() }
    }
}

impl BatteryShares {
    /// From numbers by their names; `None` where there was no battery.
    #[must_use]
    pub fn of(metrics: &BTreeMap<String, f64>) -> Option<Self> {
        Some(Self { greedy: *metrics.get("battery")?, sampled: *metrics.get("battery_sampled")? })
    }

    /// Of a stage; `None` where the stage is not finished, or had no battery.
    #[must_use]
    pub fn of_stage(stage: &StageFiles) -> Option<Self> {
        let summary: Summary = stage.summary().ok()??;
        Self::of(&summary.metrics)
    }

    /// Score by which models are compared, as checkpoints are.
    #[must_use]
    pub fn score(&self) -> f64 {
        f64::midpoint(self.greedy, self.sampled)
    }
}

impl fmt::Display for BatteryShares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} % right, {:.1} % sampled", 100.0 * self.greedy, 100.0 * self.sampled)
    }
}
