//! Nothing silent: in every stage each trainable parameter has a gradient, and each frozen one none.

use std::collections::BTreeSet;

use burn::module::Module;
use fireclay_data::chat::{EncodedPair, EncodedRating};
use fireclay_model::{Decoder, LoraConfig, ScoreModel};
use fireclay_rlhf::completions::{token_logprobs, token_values};
use fireclay_rlhf::dpo::{DirectPreference, DpoConfig};
use fireclay_rlhf::kto::{KahnemanTversky, KtoConfig};
use fireclay_rlhf::reinforce::reinforce_loss;
use fireclay_rlhf::reward::{PairwiseRanking, RewardConfig, RewardModel};
use fireclay_rlhf::{ActorCritic, Sequences};
use fireclay_train::{ModuleGradients, Objective};

use burn::tensor::Tensor;

use crate::{decoder, device, tokenizer};

fn trained(decoder: Decoder) -> Decoder {
    decoder.to_device(&device().autodiff()).train()
}

fn pairs() -> Vec<EncodedPair> {
    let pair = |chosen: &[u32], rejected: &[u32]| EncodedPair {
        prompt_tokens: 3,
        chosen: [&[5, 6, 7], chosen].concat(),
        rejected: [&[5, 6, 7], rejected].concat(),
        margin: 0.0,
        kind: None,
    };
    vec![pair(&[20, 21, 22], &[23]), pair(&[24, 25], &[26, 27, 28, 29])]
}

fn ratings() -> Vec<EncodedRating> {
    pairs()
        .into_iter()
        .flat_map(|pair| {
            [(pair.chosen, true), (pair.rejected, false)].map(|(ids, good)| EncodedRating {
                ids,
                prompt_tokens: 3,
                good,
            })
        })
        .collect()
}

/// Every parameter's name, from the module as it is without gradients.
fn names<M: Module>(module: &M) -> BTreeSet<String> {
    fireclay_model::parameters::named_parameters(module).into_iter().map(|p| p.name).collect()
}

/// Checks that exactly the parameters that `learns` picks have a gradient, and that each of those is not zero
/// everywhere.
fn check<M: Module>(module: &M, loss: &Tensor<1>, learns: impl Fn(&str) -> bool) {
    let gradients = ModuleGradients::of(module, loss.backward());
    let with_gradient: BTreeSet<String> = gradients.names().map(str::to_owned).collect();
    let expected: BTreeSet<String> = names(module).into_iter().filter(|name| learns(name)).collect();
    assert_eq!(with_gradient, expected);
    for (name, norm) in gradients.norms() {
        assert!(norm > 0.0 && norm.is_finite(), "{name}: the norm of its gradient is {norm}");
    }
}

/// Embedding rows of tokens that are in no sequence have no gradient.
fn everything(_: &str) -> bool {
    true
}

#[test]
fn preferences_reach_every_parameter() {
    let reference = decoder(&tokenizer());
    // A policy that has left its reference.
    let moved = trained(reference.config().init(9, &device()));
    let objective = DirectPreference { config: DpoConfig::default(), reference: reference.clone() };
    check(&moved, &objective.loss(&moved, &pairs()).mean, everything);
    let objective = KahnemanTversky { config: KtoConfig::default(), reference };
    check(&moved, &objective.loss(&moved, &ratings()).mean, everything);
}

#[test]
fn a_reward_model_learns_in_every_parameter() {
    let model = RewardModel::new(ScoreModel::new(decoder(&tokenizer()), 3)).to_device(&device().autodiff()).train();
    let objective = PairwiseRanking { config: RewardConfig::default() };
    check(&model, &objective.loss(&model, &pairs()).mean, everything);
    assert!(names(&model).contains("score.weight") || names(&model).iter().any(|name| name.contains("score")));
}

#[test]
fn the_policy_gradient_reaches_the_actor_and_the_values_reach_the_critic() {
    let base = decoder(&tokenizer());
    let model = ActorCritic::new(base.clone(), ScoreModel::new(base, 3), true);
    let model = model.to_device(&device().autodiff()).train();
    let sequences = Sequences::new(pairs().into_iter().map(|pair| (pair.chosen, 3)));
    let autodiff = device().autodiff();
    let loss = reinforce_loss(
        token_logprobs(&model.actor, &sequences, 1.0),
        Tensor::from_floats([1.0, -0.5], &autodiff),
        sequences.mask(&autodiff),
    );
    check(&model, &loss, |name| name.starts_with("actor."));
    let loss = token_values(&model.critic, &sequences).square().mean();
    check(&model, &loss, |name| name.starts_with("critic."));
}

#[test]
fn with_adapters_only_these_learn() {
    let base = decoder(&tokenizer());
    let reference = base.clone();
    let lora = LoraConfig { rank: 2, ..LoraConfig::default() };
    let policy = trained(base.with_lora(&lora, 7).unwrap());
    let objective = DirectPreference { config: DpoConfig::default(), reference };
    let gradients = ModuleGradients::of(&policy, objective.loss(&policy, &pairs()).mean.backward());
    let with_gradient: BTreeSet<String> = gradients.names().map(str::to_owned).collect();
    let adapters: BTreeSet<String> =
        names(&policy).into_iter().filter(|name| name.contains("lora") || name.contains("adapter")).collect();
    assert_eq!(with_gradient, adapters);
    // B begins as 0, so A's gradient does too; B's must not.
    for (name, norm) in gradients.norms().into_iter().filter(|(name, _)| name.rsplit('.').next() == Some("b")) {
        assert!(norm > 0.0, "{name}: the norm of its gradient is {norm}");
    }
}
