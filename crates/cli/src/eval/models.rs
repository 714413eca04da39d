//! The models that tasks are evaluated with.

use std::path::Path;

use anyhow::Result;
use fireclay_eval::EvalModel;
use fireclay_infer::SamplingConfig;
use fireclay_text::TextModel;

use crate::error::user;
use crate::judge::Judge;

/// The evaluated model.
pub enum Subject {
    /// Language model: generates, and scores texts.
    Language(Box<TextModel>),
    /// Reward model: scores answers.
    Reward(Box<Judge>),
}

/// Every model that the tasks need.
pub struct Models {
    /// The evaluated model.
    pub subject: Subject,
    /// The language model to compare with.
    pub reference: Option<TextModel>,
    /// The reward model that judges answers.
    pub reward: Option<Judge>,
    /// Number of sequences computed at once.
    pub batch: usize,
    /// Most bytes of keys and values.
    pub memory: usize,
    /// Sampling settings of answers; each model adds the tokens that end its answers.
    pub sampling: SamplingConfig,
}

impl Models {
    /// The evaluated language model, for a task that asks it as in a chat.
    ///
    /// # Errors
    /// When it is a reward model, or has no chat template.
    pub fn chat(&self) -> Result<&TextModel> {
        let model = self.language()?;
        model.chat_tokenizer()?;
        Ok(model)
    }

    /// The evaluated language model, for an evaluator.
    ///
    /// # Errors
    /// When it is a reward model, or has no tokenizer.
    pub fn policy(&self) -> Result<EvalModel<'_>> {
        self.eval_model(self.language()?)
    }

    /// The model to compare with, if there is one.
    ///
    /// # Errors
    /// When it has no tokenizer.
    pub fn reference(&self) -> Result<Option<EvalModel<'_>>> {
        self.reference.as_ref().map(|model| self.eval_model(model)).transpose()
    }

    /// The model to compare with, and the reward model that judges.
    ///
    /// # Errors
    /// When one of them is missing.
    pub fn compared(&self) -> Result<(EvalModel<'_>, &Judge)> {
        let reference = self.reference()?.ok_or_else(|| missing("--reference"))?;
        Ok((reference, self.reward.as_ref().ok_or_else(|| missing("--reward"))?))
    }

    /// Sampling settings of the evaluated model's answers.
    ///
    /// # Errors
    /// When it is a reward model.
    pub fn sampling(&self) -> Result<SamplingConfig> {
        let stop = self.language()?.stop_ids().iter().map(|&id| vec![id]).collect();
        Ok(SamplingConfig { stop, ..self.sampling.clone() })
    }

    fn language(&self) -> Result<&TextModel> {
        match &self.subject {
            Subject::Language(model) => Ok(model),
            Subject::Reward(judge) => Err(only_scores(&judge.dir, "other tasks")),
        }
    }

    fn eval_model<'m>(&self, model: &'m TextModel) -> Result<EvalModel<'m>> {
        Ok(EvalModel {
            decoder: &model.decoder,
            tokenizer: model.tokenizer()?,
            leading: model.leading_id(),
            batch: self.batch,
            memory: self.memory,
        })
    }
}

/// The error of a task that compares models, without the flag that names one.
pub fn missing(flag: &str) -> anyhow::Error {
    user(format!("--task wins compares with another model and is judged by a reward model; give {flag} DIR"))
}

/// The error of a `task` that a reward model cannot do.
pub fn only_scores(model: &Path, task: &str) -> anyhow::Error {
    user(format!(
        "{}: a reward model, which can only do `preferences`; for `{task}` give a language model with --model",
        model.display()
    ))
}
