//! Loading of reward models for commands.

use std::path::{Path, PathBuf};

use anyhow::Result;
use fireclay_model::device::DeviceChoice;
use fireclay_model::is_score_model;
use fireclay_rlhf::RewardModel;
use fireclay_text::tokenizer_near;
use fireclay_tokenizer::Tokenizer;

use crate::error::user;
use crate::{device, model_dir};

/// A loaded reward model.
pub struct Judge {
    /// The score model, with the scale of its rewards.
    pub model: RewardModel,
    /// Its own tokenizer.
    pub tokenizer: Tokenizer,
    /// The folder of the weights.
    pub dir: PathBuf,
}

impl Judge {
    /// Loads the reward model in the folder `path` of `flag` onto `--device`; a run stands for its stage `reward`.
    ///
    /// # Errors
    /// When there is no reward model or it has no tokenizer, or there is no such device.
    pub fn load(flag: &str, path: &Path, device: Option<DeviceChoice>) -> Result<Self> {
        let dir = model_dir::resolve_reward(path)?;
        if !is_score_model(&dir) {
            return Err(user(format!(
                "{flag} {}: a language model, not a reward model; train one with the stage `reward`, and give its run \
                 or its folder",
                dir.display()
            )));
        }
        let (device, _) = device::choose(device)?;
        let tokenizer = tokenizer_near(&dir)?.ok_or_else(|| {
            user(format!("{}: this reward model has no tokenizer; put its tokenizer.json there", dir.display()))
        })?;
        Ok(Self { model: RewardModel::load(&dir, &device)?, tokenizer, dir })
    }
}
