//! Arguments of every stage, and its starting model.

use std::path::{Path, PathBuf};

use anyhow::Result;
use burn::tensor::Device;
use fireclay_model::{Decoder, LoraConfig, load_frozen};
use fireclay_tokenizer::Tokenizer;
use fireclay_train::{Interrupt, TrainConfig, check_fit};

use super::Stage;
use crate::error::user;
use crate::model_dir;
use crate::recipe::{PromptData, SharedSections};
use crate::run_dir::RunDir;

/// Arguments of a training stage.
pub struct Context<'a> {
    /// The stage.
    pub stage: Stage,
    /// The sections of the resolved recipe that belong to no stage.
    pub recipe: SharedSections<'a>,
    /// The stages that may leave the language model with which the stage begins, the likeliest first.
    pub before: Vec<Stage>,
    /// The run directory.
    pub run: &'a RunDir,
    /// The run's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The folder of the model that `--model` names.
    pub model: Option<&'a Path>,
    /// Device.
    pub device: &'a Device,
    /// Says when to save and exit early.
    pub interrupt: &'a Interrupt,
    /// Whether to show no progress line.
    pub quiet: bool,
}

impl Context<'_> {
    /// The folder of the language model that the stage begins with: that of the nearest stage
    /// before it in the recipe that left one, or else of one in this run that learned from given
    /// text, or else of `--model`.
    ///
    /// # Errors
    /// One line that names the stage to run first, when there is none, or the stage that should have left it is not
    /// finished.
    pub fn base(&self) -> Result<PathBuf> {
        let this = self.stage;
        for stage in &self.before {
            let files = self.run.stage(*stage);
            if files.is_done() {
                return model_dir::resolve(files.folder());
            }
            if files.checkpoints_dir().exists() {
                return Err(user(format!(
                    "{}: the stage `{}` is not finished, and `{}` begins with its model; run it to its end first",
                    files.folder().display(),
                    stage.name(),
                    this.name()
                )));
            }
        }
        self.model.map(Path::to_path_buf).ok_or_else(|| {
            user(format!(
                "{}: the stage `{}` has no model to begin with; run the stages before it (--stages \
                 tokenizer,pretrain,{}), or give a model with --model DIR",
                self.run.path().display(),
                this.name(),
                this.name()
            ))
        })
    }

    /// The stage of this run whose model the stage begins with; `None` if it is from elsewhere.
    #[must_use]
    pub fn begins_with(&self) -> Option<Stage> {
        let base = self.base().ok()?;
        let folder = base.strip_prefix(self.run.path()).ok()?.components().next()?;
        Stage::named(folder.as_os_str().to_str()?)
    }

    /// The language model that the stage begins with, with fresh adapters if requested.
    ///
    /// # Errors
    /// As [`base`](Self::base), when its files are damaged, when the stage's context or the
    /// tokenizer does not fit it, or when the adapters do not.
    pub fn decoder(&self, lora: Option<&LoraConfig>, config: &TrainConfig) -> Result<Decoder> {
        let base = self.base()?;
        let decoder = match lora {
            Some(lora) => load_frozen(base, self.device, lora.weights)?,
            None => fireclay_model::load(base, self.device)?,
        };
        check_fit(config, &decoder, self.tokenizer).map_err(|error| user(format!("{}.{error}", self.stage.name())))?;
        let seed = config.seed;
        Ok(match lora {
            Some(lora) => decoder.with_lora(lora, seed)?,
            None => decoder,
        })
    }

    /// The folder of the reward model: the recipe's, or that of this run's stage `reward`.
    ///
    /// # Errors
    /// When there is none, or the stage is not finished.
    pub fn reward_model_dir(&self, data: &PromptData) -> Result<PathBuf> {
        if let Some(path) = &data.rewards.model {
            return model_dir::resolve_reward(Path::new(path));
        }
        let reward = self.run.stage(Stage::Reward);
        let folder = reward.folder();
        if !reward.is_done() {
            return Err(user(format!("{}: the stage `reward` is not finished; run it first", folder.display())));
        }
        model_dir::resolve(folder)
    }

    /// Refuses a tokenizer without a chat template, and warns of a template whose answers have no end token.
    ///
    /// # Errors
    /// When it has none.
    pub fn check_chat_template(&self) -> Result<()> {
        match self.tokenizer.chat_template() {
            Some(_) => {
                for complaint in self.tokenizer.chat_complaints() {
                    tracing::warn!("{}: {complaint}", self.stage.name());
                }
                Ok(())
            }
            None => Err(user(format!(
                "the tokenizer has no chat template, without which `{}` cannot tell who says what; put a \
                 chat_template.jinja beside {}",
                self.stage.name(),
                self.run.stage(Stage::Tokenizer).folder().join("tokenizer.json").display()
            ))),
        }
    }
}
