//! The table of stages, from which everything else about stages is derived: the sections of a recipe, `--stages`, the
//! order of a run's folders, the report's titles, and the checkpoints that are language models.

use serde::{Deserialize, Serialize};

use self::Leaves::{Assistant, LanguageModel, ScoreModel};

/// Gives the training stages to a macro, in the order in which they usually follow each other: the
/// section of the recipe, which is the stage's name and folder too; the section's type, which
/// implements [`TrainingStage`](super::TrainingStage); the stage; its title; what it does; what it
/// leaves.
macro_rules! stage_table {
    ($with:ident) => {
        $with! {
            pretrain: PretrainSection, Pretrain, "Pretraining", "Next-token prediction on text.", LanguageModel;
            sft: SftSection, Sft, "Supervised fine-tuning", "Next-token prediction on conversations.", Assistant;
            reward: RewardSection, Reward, "Reward model", "A model of preferences.", ScoreModel;
            dpo: DpoSection, Dpo, "DPO", "Direct preference optimisation.", Assistant;
            kto: KtoSection, Kto, "KTO", "Kahneman–Tversky optimisation.", Assistant;
            reinforce: ReinforceSection, Reinforce, "REINFORCE", "Policy gradient with a baseline.", Assistant;
            rloo: RlooSection, Rloo, "RLOO", "Policy gradient with leave-one-out baselines.", Assistant;
            grpo: GrpoSection, Grpo, "GRPO", "Group-relative policy optimisation.", Assistant;
            ppo: PpoSection, Ppo, "PPO", "Proximal policy optimisation.", Assistant;
            #[cfg(test)]
            motto: MottoSection, Motto, "Motto", "Learns one sentence by heart.", LanguageModel;
        }
    };
}
pub(crate) use stage_table;

/// Result of a stage for those after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// A tokenizer.
    Tokenizer,
    /// A decoder that continues text.
    LanguageModel,
    /// A decoder that answers: it is tested on the battery.
    Assistant,
    /// A model that scores answers.
    ScoreModel,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
struct Row {
    name: &'static str,
    title: &'static str,
    #[cfg(test)]
    does: &'static str,
    leaves: Leaves,
}

macro_rules! stage_enum {
    ($($(#[$cfg:meta])? $name:ident: $section:ident, $stage:ident, $title:literal, $does:literal, $leaves:ident;)*) => {
        /// One stage from text to a chat model.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum Stage {
            /// Text to token ids.
            Tokenizer,
            $($(#[$cfg])? #[doc = $does] $stage,)*
        }

        impl Stage {
            /// Every stage, in the order in which they usually follow each other.
            pub const ALL: &[Self] = &[Self::Tokenizer, $($(#[$cfg])? Self::$stage),*];

            fn row(self) -> Row {
                match self {
                    Self::Tokenizer => {
                        let (name, title) = ("tokenizer", "Tokenizer");
                        Row { name, title, #[cfg(test)] does: "Text to token ids.", leaves: Leaves::Tokenizer }
                    }
                    $(
                        $(#[$cfg])?
                        Self::$stage => {
                            let name = stringify!($name);
                            Row { name, title: $title, #[cfg(test)] does: $does, leaves: $leaves }
                        }
                    )*
                }
            }
        }
    };
}
stage_table!(stage_enum);

impl Stage {
    /// The stage's section, folder and command-line name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The stage of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|stage| stage.name() == name)
    }

    /// Its name in words.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.row().title
    }

    /// One sentence about it.
    #[cfg(test)]
    fn does(self) -> &'static str {
        self.row().does
    }

    /// Its result for the stages after it.
    #[must_use]
    pub fn leaves(self) -> Leaves {
        self.row().leaves
    }

    /// Whether it trains a network: the tokenizer is trained by counting.
    #[must_use]
    pub fn trains(self) -> bool {
        self != Self::Tokenizer
    }

    /// Whether it leaves a language model: all but the tokenizer and the reward model do.
    #[must_use]
    pub fn leaves_policy(self) -> bool {
        matches!(self.leaves(), LanguageModel | Assistant)
    }

    /// Whether its model is tested on the battery: after pretraining a model cannot answer yet.
    #[must_use]
    pub fn has_battery(self) -> bool {
        self.leaves() == Assistant
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn a_stage_is_written_by_its_name() {
        for &stage in Stage::ALL {
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.name());
            assert_eq!(Stage::named(stage.name()), Some(stage));
        }
    }

    #[test]
    fn the_documents_know_every_stage() {
        let page = include_str!("../../../../docs/add-a-stage.md");
        for stage in Stage::ALL.iter().filter(|stage| **stage != Stage::Motto) {
            let leaves = match stage.leaves() {
                Leaves::Tokenizer => "a tokenizer",
                LanguageModel => "a language model",
                Assistant => "an assistant",
                ScoreModel => "a reward model",
            };
            let row = format!("| `{}` | {} | {} | {leaves} |", stage.name(), stage.title(), stage.does());
            assert!(page.contains(&row), "docs/add-a-stage.md lacks the row\n{row}");
            let name = format!("`{}`", stage.name());
            for readme in [include_str!("../../../../README.md"), include_str!("../../../../README.zh-CN.md")] {
                assert!(readme.contains(&name), "a README does not mention {name}");
            }
        }
    }

    #[test]
    fn lists_outside_the_crate_name_every_stage() {
        let known = || Stage::ALL.iter().filter(|stage| **stage != Stage::Motto).map(|stage| stage.name());
        let all = format!("const ALL: &str = \"{}\";", known().collect::<Vec<_>>().join(","));
        assert!(include_str!("../../../../tests/e2e/alignment.rs").contains(&all), "alignment.rs lacks {all}");
        let script = include_str!("../../../../scripts/compare_binaries.py");
        let together = script.lines().find(|line| line.starts_with("TOGETHER = ")).expect("the stages that it runs");
        for stage in known() {
            let named = together.split(['"', ',', ' ']).any(|word| word == stage);
            assert!(named, "compare_binaries.py does not run {stage}");
        }
    }

    #[test]
    fn every_training_stage_has_a_test_of_exact_resume() {
        let tests = [
            include_str!("../../../../tests/e2e/alignment.rs"),
            include_str!("../../../../tests/e2e/resume.rs"),
            include_str!("toy.rs"),
        ]
        .concat();
        for stage in Stage::ALL.iter().filter(|stage| stage.trains() && **stage != Stage::Pretrain) {
            let call = format!("check_resumes(\"{}\"", stage.name());
            assert!(tests.contains(&call), "no end-to-end test calls {call}, …)");
        }
        assert!(tests.contains("fn twenty_kills_change_nothing"), "pretraining's");
    }

    /// Every file below a folder.
    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }

    /// Three stages named within six lines of code are a list, and lists are derived from the table.
    #[test]
    fn no_other_file_lists_stages() {
        let is_named = |stage: Stage, code: &str| {
            let name = stage.name();
            [format!("\"{name}\""), format!("Stage::{stage:?}"), format!("recipe.{name}")]
                .iter()
                .any(|form| code.contains(form))
        };
        let tests = ["table.rs", "toy.rs", "tests.rs"];
        for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
            if tests.iter().any(|name| file.ends_with(name)) || file.extension().is_none_or(|kind| kind != "rs") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let lines: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            for some in lines.windows(6).map(|lines| lines.join("\n")) {
                let named = Stage::ALL.iter().filter(|stage| is_named(**stage, &some)).count();
                assert!(named < 3, "{}: a list of stages:\n{some}", file.display());
            }
        }
    }
}
