//! The sections of a recipe.

use fireclay_corpus::{CorpusConfig, WorldConfig};
use serde::{Deserialize, Serialize};

use super::shared::{DataSection, ModelSection, SamplesSection, SharedSections, TokenizerSection};
use super::{BatterySection, ChatSection};
use crate::stages::table::stage_table;
use crate::stages::{Stage, TrainingStage};

macro_rules! recipe {
    ($($(#[$cfg:meta])? $name:ident: $section:ident, $stage:ident, $title:literal, $does:literal, $leaves:ident;)*) => {
        /// A whole recipe. Section names are those of the stages, and of settings that they share.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Recipe {
            /// Name of the run, and of its folder under `runs/`.
            pub name: String,
            /// One sentence for people.
            pub description: String,
            /// The recipe that this one extends: an embedded name, or a file beside this one. A resolved recipe has
            /// none.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub extends: Option<String>,
            /// The stages to run, in order.
            pub stages: Vec<Stage>,
            /// Source of the text.
            pub data: DataSection,
            /// The embedded corpus, where `data.paths` is empty.
            pub corpus: CorpusConfig,
            /// Text to token ids.
            pub tokenizer: TokenizerSection,
            /// The decoder.
            pub model: ModelSection,
            $($(#[$cfg])? #[doc = $does] pub $name: crate::stages::$section,)*
            /// Battery of common first messages, from fine-tuning on.
            pub battery: BatterySection,
            /// Default sampling settings of the finished model.
            pub chat: ChatSection,
            /// Samples during training.
            pub samples: SamplesSection,
        }

        impl Recipe {
            /// Every stage that trains a network, with its section, in the order in which they
            /// usually follow each other.
            #[must_use]
            pub fn training(&self) -> Vec<(Stage, &dyn TrainingStage)> {
                Vec::from([$($(#[$cfg])? (Stage::$stage, &self.$name as &dyn TrainingStage)),*])
            }

            /// As [`training`](Self::training).
            pub fn training_mut(&mut self) -> Vec<(Stage, &mut dyn TrainingStage)> {
                Vec::from([$($(#[$cfg])? (Stage::$stage, &mut self.$name as &mut dyn TrainingStage)),*])
            }
        }
    };
}
stage_table!(recipe);

impl Recipe {
    /// The section of a stage; `None` for the tokenizer, which trains no network.
    #[must_use]
    pub fn training_stage(&self, stage: Stage) -> Option<&dyn TrainingStage> {
        self.training().into_iter().find(|(one, _)| *one == stage).map(|(_, section)| section)
    }

    /// The sections that belong to no stage.
    #[must_use]
    pub fn shared(&self) -> SharedSections<'_> {
        let Self { data, corpus, tokenizer, model, battery, chat, samples, .. } = self;
        SharedSections { data, corpus, world: self.world(), tokenizer, model, battery, chat, samples }
    }

    /// The stages that may leave the language model with which `stage` begins, the likeliest first: those before it in
    /// the recipe, the nearest first, then any that learns from given text.
    #[must_use]
    pub fn stages_before(&self, stage: Stage) -> Vec<Stage> {
        let place = self.stages.iter().position(|one| *one == stage).unwrap_or(self.stages.len());
        let before = self.stages[..place].iter().rev().copied();
        let given_text = self.training().into_iter().rev().filter(|(_, section)| section.learns_from().is_given_text());
        let usual = given_text.map(|(one, _)| one).filter(|one| *one != stage);
        before.chain(usual).filter(|one| one.leaves_policy()).collect()
    }

    /// The people of the embedded corpus that the model was trained on: those of pretraining or, if that read files, of
    /// fine-tuning.
    #[must_use]
    pub fn world(&self) -> WorldConfig {
        if self.data.has_corpus() { self.corpus.world } else { self.sft.data.corpus.world }
    }
}
