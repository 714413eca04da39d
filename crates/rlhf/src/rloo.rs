//! RLOO: REINFORCE with leave-one-out baselines (Kool et al. 2019; Ahmadian et al. 2024, "Back to basics").
//!
//! Each prompt is answered several times, and an answer's advantage is its return minus the mean return of the *other*
//! answers, an unbiased baseline that needs neither a critic nor a running mean. The rest is
//! [`reinforce`](crate::reinforce).

use fireclay_model::Decoder;
use fireclay_train::{Optimizer, TrainError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::advantages::leave_one_out;
use crate::numbers::{not_negative, one_or_more};
use crate::online::{PolicyGradient, StepContext, UpdateStats};
use crate::reinforce::{OnPolicyStep, penalised_rewards};
use crate::rollout::{Group, Trajectory};

/// Configuration of RLOO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RlooConfig {
    /// β: penalty per nat of KL to the reference.
    pub kl_coefficient: f64,
    /// Bonus per nat of entropy.
    pub entropy_coefficient: f64,
    /// Number of answers whose gradients are computed at once: more takes more memory and less time.
    pub minibatch: usize,
}

impl Default for RlooConfig {
    fn default() -> Self {
        Self { kl_coefficient: 0.05, entropy_coefficient: 0.0, minibatch: 64 }
    }
}

impl RlooConfig {
    /// Checks that every number is possible.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the first key that is not.
    pub fn validate(&self) -> Result<(), TrainError> {
        not_negative("kl_coefficient", self.kl_coefficient)?;
        not_negative("entropy_coefficient", self.entropy_coefficient)?;
        one_or_more("minibatch", self.minibatch as u64)
    }
}

/// The RLOO algorithm.
#[derive(Clone, Debug)]
pub struct Rloo {
    /// Its configuration.
    pub config: RlooConfig,
}

impl PolicyGradient<Decoder> for Rloo {
    fn settings(&self) -> Value {
        serde_json::to_value(&self.config).expect("settings are JSON")
    }

    fn policy<'m>(&self, model: &'m Decoder) -> &'m Decoder {
        model
    }

    fn learn(
        &mut self,
        model: Decoder,
        optimizer: &mut Optimizer,
        groups: &[Group],
        context: StepContext<'_>,
    ) -> Result<(Decoder, UpdateStats), TrainError> {
        let RlooConfig { kl_coefficient, entropy_coefficient, minibatch } = self.config;
        let advantages: Vec<f64> = groups
            .iter()
            .flat_map(|group| {
                let trajectories: Vec<&Trajectory> = group.trajectories.iter().collect();
                leave_one_out(&penalised_rewards(&trajectories, kl_coefficient))
            })
            .collect();
        let trajectories: Vec<&Trajectory> = groups.iter().flat_map(|group| &group.trajectories).collect();
        let step = OnPolicyStep { minibatch, entropy_coefficient };
        Ok(step.update(model, optimizer, &trajectories, &advantages, context))
    }
}
