//! Results of a finished stage on its battery.

use std::collections::BTreeMap;
use std::fmt;

use fireclay_rlhf::Tally;
use fireclay_train::metrics::names;
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
        Some(Self { greedy: *metrics.get(names::BATTERY)?, sampled: *metrics.get(names::BATTERY_SAMPLED)? })
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

/// Index of the stage whose model a run stands for, by the battery shares of its finished stages in their order: the
/// best score, of equal ones the later; the last stage if that has none. `None` without stages.
#[must_use]
pub fn best_stage(shares: &[Option<BatteryShares>]) -> Option<usize> {
    let last = shares.len().checked_sub(1)?;
    if shares[last].is_none() {
        return Some(last);
    }
    let scores = shares.iter().enumerate().filter_map(|(index, shares)| Some((index, shares.as_ref()?.score())));
    scores.reduce(|best, later| if later.1 < best.1 { best } else { later }).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_stands_for_its_best_stage_or_for_a_last_one_without_a_score() {
        let of = |greedy: f64| Some(BatteryShares { greedy, sampled: 0.5 });
        for (shares, expect) in [
            (vec![], None),
            (vec![None], Some(0)),
            (vec![of(0.9), of(0.8)], Some(0)),
            (vec![of(0.9), of(0.9)], Some(1)),
            (vec![None, of(0.5), of(0.4)], Some(1)),
            (vec![of(0.9), None], Some(1)),
        ] {
            assert_eq!(best_stage(&shares), expect, "{shares:?}");
        }
    }
}
