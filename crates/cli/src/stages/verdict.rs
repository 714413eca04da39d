//! Verdict on a finished stage: the checkpoint it leaves, and whether it answers better than its starting model.

use std::path::Path;

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
    /// The verdict on the stage in this folder of a run, compared with its starting model. `None` if there was no
    /// battery.
    #[must_use]
    pub fn new(stage: &Path, remedy: &str, summary: &Summary, before: Option<(&str, BatteryShares)>) -> Option<Self> {
        let own = BatteryShares::of(&summary.metrics)?;
        let name = stage.file_name().unwrap_or_default().display();
        let than = before.map(|(stage, figures)| format!(" ({stage} {figures})")).unwrap_or_default();
        let mut warnings = vec![];
        let line = if keeps_start(summary) {
            warnings.push(format!(
                "{name}: NO CHECKPOINT answers the battery as well as the model that the stage began with, so its \
                 model is that one, unchanged; what it learned last answers with `chat --model {}`; {remedy}, or \
                 switch the battery off (battery.per_topic=0), and the validation loss decides",
                stage.join(&summary.checkpoint).display()
            ));
            format!("kept the model it began with (step 0 of {}), battery {own}{than}", summary.step)
        } else {
            let step = summary.best.map_or(summary.step, |best| best.step);
            format!("best checkpoint step {step} of {}, battery {own}{than}", summary.step)
        };
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

/// Whether a finished stage leaves the model that it began with, because no checkpoint was better.
#[must_use]
pub fn keeps_start(summary: &Summary) -> bool {
    summary.step > 0 && summary.best.is_some_and(|best| best.step == 0)
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
            best: Some(Best { step: best, value: 0.9, by: Measure::Exam }),
            skipped: 0,
            checkpoint: "checkpoints/step-000060".into(),
        };
        let before = before.map(|[greedy, sampled]| ("sft", BatteryShares { greedy, sampled }));
        let remedy = PpoSection::default().remedy("ppo");
        StageVerdict::new(Path::new("run/ppo"), &remedy, &summary, before).expect("a battery")
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
        assert_eq!(
            verdict.line,
            "kept the model it began with (step 0 of 60), battery 87.5 % right, 80.0 % sampled (sft 87.5 % right, \
             80.0 % sampled)"
        );
        for part in ["unchanged", "`chat --model run/ppo/checkpoints/step-000060`"] {
            assert!(verdict.warnings[0].contains(part), "{part:?} is not in {:?}", verdict.warnings);
        }
        assert!(self::verdict(60, [0.1, 0.1], None).warnings.is_empty(), "nothing is known of what it began with");
    }
}
