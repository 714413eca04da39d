//! The stage `motto`: a language model learns one sentence by heart.

use anyhow::Result;
use fireclay_data::{PackedSource, ShardSet, Split};
use fireclay_train::{NextToken, Outcome, Pretrain, StageRun, TrainConfig, pretrain};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::section::{fine_tuning, stage_section};
use super::{Context, LearnsFrom, TrainingStage};

/// The stage's own keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Motto {
    /// The text to learn.
    pub sentence: String,
}

impl Default for Motto {
    fn default() -> Self {
        Self { sentence: "Practice makes perfect. ".into() }
    }
}

stage_section!(
    /// `[motto]`
    MottoSection {
        train: fine_tuning(1e-3, 20, 2),
        /// The sentence.
        motto: Motto,
    }
);

impl TrainingStage for MottoSection {
    fn train(&self) -> &TrainConfig {
        &self.train
    }

    fn learns_from(&self) -> LearnsFrom<'_> {
        LearnsFrom::Text
    }

    fn settings(&self) -> Value {
        json!(self.motto)
    }

    fn validate(&self, name: &str, _runs: bool) -> Result<(), String> {
        match self.motto.sentence.is_empty() {
            true => Err(format!("{name}.sentence is empty; write the sentence to learn")),
            false => Ok(()),
        }
    }

    fn run(&self, context: &Context, run: StageRun<'_>) -> Result<Outcome> {
        let TrainConfig { batch, context: length, seed, .. } = self.train;
        let decoder = context.decoder(None, &self.train)?;
        let sentence = context.tokenizer.try_encode(&self.motto.sentence)?;
        let ids = sentence.into_iter().cycle().take(4 * batch * length + 1).collect();
        let shards = ShardSet::from_ids(ids, vec![]);
        let mut source = PackedSource::new(&shards, Split::Train, batch, length, seed)?;
        let (source, prompts) = (&mut source, &[String::new()][..]);
        Ok(pretrain(decoder, Pretrain { run, objective: &NextToken, source, shards: &shards, prompts })?)
    }
}
