//! Verdict on a finished stage: the checkpoint it leaves, and whether it answers better than its starting model.

use fireclay_eval::battery::BatteryShares;
use fireclay_train::Summary;

/// Messages about a finished stage that had a battery.
#[derive(Clone, Debug, PartialEq)]
pub struct StageVerdict {
    /// Message about its final checkpoint and the battery shares of that.
    pub line: String,
    /// Problems, each on one line.
    pub warnings: Vec<String>,
}

impl StageVerdict {
    /// The verdict on the stage of this name, compared with its starting model. `None` if there was no battery.
    #[must_use]
    pub fn new(name: &str, remedy: &str, summary: &Summary, before: Option<(&str, BatteryShares)>) -> Option<Self> {
        let own = BatteryShares::of(&summary.metrics)?;
        let step = summary.best.map_or(summary.step, |best| best.step);
        let than = before.map(|(stage, figures)| format!(" ({stage} {figures})")).unwrap_or_default();
        let line = format!("best checkpoint step {step} of {}, battery {own}{than}", summary.step);
        let mut warnings = vec![];
        if step == 0 && summary.step > 0 {
            warnings.push(format!(
                "{name}: NO CHECKPOINT answers the battery as well as the model that the stage began with, so the \
                 stage leaves \
                 that model (step 0); {remedy}"
            ));
        }
        if let Some((other, figures)) = before.filter(|(_, figures)| own.score() < figures.score()) {
            warnings.push(format!(
                "{name}: WORSE THAN BEFORE: battery {own}, while {other}, which it began with, has {figures}; `chat \
                 --model RUN` \
                 takes the better of the two; {remedy}"
            ));
        }
        Some(Self { line, warnings })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use fireclay_train::{Best, Measure};

    use super::*;
    use crate::stages::{PpoSection, TrainingStage};

    fn verdict(best: u64, own: [f64; 2], before: Option<[f64; 2]>) -> StageVerdict {
        let metrics = [("battery".to_owned(), own[0]), ("battery_sampled".to_owned(), own[1])];
        let summary = Summary {
            step: 60,
            tokens: 1,
            seconds: 1.0,
            val_loss: None,
            val_bits_per_byte: None,
            metrics: BTreeMap::from(metrics),
            best: Some(Best { step: best, value: 0.9, by: Measure::Battery }),
            skipped: 0,
            checkpoint: "checkpoints/step-000060".into(),
        };
        let before = before.map(|[greedy, sampled]| ("sft", BatteryShares { greedy, sampled }));
        let remedy = PpoSection::default().remedy("ppo");
        StageVerdict::new("ppo", &remedy, &summary, before).expect("a battery")
    }

    #[test]
    fn a_better_stage_is_told_in_one_line() {
        let verdict = verdict(40, [0.912, 0.88], Some([0.875, 0.8]));
        assert_eq!(
            verdict.line,
            "best checkpoint step 40 of 60, battery 91.2 % right, 88.0 % sampled (sft 87.5 % right, 80.0 % sampled)"
        );
        assert!(verdict.warnings.is_empty());
    }

    #[test]
    fn a_worse_stage_is_warned_of_with_figures_and_remedy() {
        let verdict = verdict(40, [0.8, 0.8], Some([0.875, 0.8]));
        assert_eq!(verdict.warnings.len(), 1);
        for part in
            ["80.0 %", "87.5 %", "sft", "chat --model RUN", "ppo.kl_coefficient", "ppo.learning_rate", "fewer steps"]
        {
            assert!(verdict.warnings[0].contains(part), "{part:?} is not in {:?}", verdict.warnings);
        }
    }

    #[test]
    fn a_stage_that_leaves_what_it_began_with_is_warned_of() {
        let verdict = verdict(0, [0.875, 0.8], Some([0.875, 0.8]));
        assert_eq!(verdict.warnings.len(), 1);
        assert!(verdict.warnings[0].contains("step 0"), "{:?}", verdict.warnings);
        assert!(self::verdict(60, [0.1, 0.1], None).warnings.is_empty(), "nothing is known of what it began with");
    }
}
