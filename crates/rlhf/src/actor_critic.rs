//! The models of PPO: a policy, and a critic that predicts the rewards of its answers.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use fireclay_model::huggingface::{SaveOptions, TokenIds, save_with};
use fireclay_model::parameters::for_each_parameter;
use fireclay_model::{
    ActivationCheckpoints, Decoder, ModelError, Precision, RewardScale, ScoreModel, load_score_model, save_score_model,
};
use fireclay_train::{Optimizer, Optimizers, Trainable};
use serde_json::Value;

/// The folder of the critic inside a checkpoint, and that of the moving average.
const CRITIC: &str = "critic";
const AVERAGE: &str = "average";

/// A policy, its critic, and optionally the policy's moving average.
#[derive(Module, Debug)]
pub struct ActorCritic {
    /// The policy.
    pub actor: Decoder,
    /// Predicts, before each token, the reward that is still to come.
    pub critic: ScoreModel,
    /// The policy's moving average, with adapters merged; it is not trained.
    pub average: Option<Decoder>,
}

impl ActorCritic {
    /// A policy with its critic; `averaged` keeps a moving average of the policy.
    #[must_use]
    pub fn new(actor: Decoder, critic: ScoreModel, averaged: bool) -> Self {
        let average = averaged.then(|| actor.merged().no_grad());
        Self { actor, critic, average }
    }

    /// Moves the average towards the policy: `average ← decay · average + (1 − decay) · policy`.
    #[must_use]
    pub fn with_average(mut self, decay: f64) -> Self {
        self.average = self.average.map(|average| mix(average, &self.actor.valid().merged(), decay));
        self
    }
}

/// `decay · module + (1 − decay) · other`, parameter by parameter.
fn mix(module: Decoder, other: &Decoder, decay: f64) -> Decoder {
    let mut others = BTreeMap::new();
    for_each_parameter(other, |name, _, numbers, _| {
        others.insert(name, numbers);
    });
    module.map(&mut Mix { others, decay, path: vec![] })
}

struct Mix {
    others: BTreeMap<String, Tensor<1>>,
    decay: f64,
    path: Vec<String>,
}

impl ModuleMapper for Mix {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const R: usize>(&mut self, param: Param<Tensor<R>>) -> Param<Tensor<R>> {
        let Some(other) = self.others.remove(&self.path.join(".")) else { return param };
        param.map(|weight| {
            let shape = weight.dims();
            let mixed = weight.inner() * self.decay + other.reshape(shape) * (1.0 - self.decay);
            Tensor::from_inner(mixed)
        })
    }
}

/// The optimisers of an [`ActorCritic`].
pub struct ActorCriticOptimizers {
    /// The policy's, in `optimizer.safetensors`.
    pub actor: Optimizer,
    /// The critic's, in `critic_optimizer.safetensors`.
    pub critic: Optimizer,
}

impl Optimizers for ActorCriticOptimizers {
    fn make<E>(mut make: impl FnMut(&'static str) -> Result<Optimizer, E>) -> Result<Self, E> {
        Ok(Self { actor: make("optimizer")?, critic: make("critic_optimizer")? })
    }

    fn named(&self) -> Vec<(&'static str, &Optimizer)> {
        vec![("optimizer", &self.actor), ("critic_optimizer", &self.critic)]
    }
}

impl Trainable for ActorCritic {
    type Optimizers = ActorCriticOptimizers;

    fn device(&self) -> Device {
        self.actor.device()
    }

    fn with_precision(self, precision: Precision) -> Self {
        let Self { actor, critic, average } = self;
        Self { actor: actor.with_precision(precision), critic: critic.with_precision(precision), average }
    }

    fn with_activation_checkpoints(self, checkpoints: Option<ActivationCheckpoints>) -> Self {
        let Self { actor, critic, average } = self;
        let critic = critic.with_activation_checkpoints(checkpoints.clone());
        Self { actor: actor.with_activation_checkpoints(checkpoints), critic, average }
    }

    /// The directory is the policy's; `critic/` is a sequence classifier, `average/` a language model.
    fn save(&self, dir: &Path, tokens: &TokenIds) -> Result<(), ModelError> {
        let options = SaveOptions { tokens: tokens.clone(), ..SaveOptions::default() };
        Trainable::save(&self.actor, dir, tokens)?;
        save_score_model(&self.critic, dir.join(CRITIC), &options, &RewardScale::default())?;
        self.average.as_ref().map_or(Ok(()), |average| save_with(average, dir.join(AVERAGE), &options))
    }

    fn restore(self, dir: &Path, device: &Device) -> Result<Self, ModelError> {
        let Self { actor, critic, average } = self;
        let averaged = average.is_some();
        drop((critic, average));
        let average = match averaged {
            true => Some(fireclay_model::load(dir.join(AVERAGE), device)?.no_grad()),
            false => None,
        };
        let critic = load_score_model(dir.join(CRITIC), device)?.0;
        Ok(Self { actor: actor.restore(dir, device)?, critic, average })
    }

    fn configuration(&self) -> Value {
        self.actor.configuration()
    }

    fn flops_per_token(&self, context: usize) -> f64 {
        self.actor.config().flops_per_token(context)
    }
}
