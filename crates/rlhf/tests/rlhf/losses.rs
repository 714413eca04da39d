//! Every loss, estimate and advantage equals `PyTorch`'s or TRL's within 1e-5, and so do the gradients.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use fireclay_rlhf::advantages::{gae, group_relative, leave_one_out, whiten};
use fireclay_rlhf::completions::{host, masked_mean};
use fireclay_rlhf::dpo::{DpoConfig, DpoLoss, dpo_losses};
use fireclay_rlhf::grpo::{GrpoConfig, GrpoInputs, Ratio, Reduction, grpo_loss};
use fireclay_rlhf::kl::KlEstimator;
use fireclay_rlhf::kto::{KtoConfig, kto_losses};
use fireclay_rlhf::ppo::{clip_fraction, clipped_surrogate, value_loss};
use fireclay_rlhf::reinforce::reinforce_loss;
use fireclay_rlhf::reward::ranking_loss;

use crate::fixture::{Case, Fixture};

/// Log-probabilities of the drawn tokens, from logits: `[B, T, V]` → `[B, T]`.
fn drawn(case: &Case, logits: Tensor<3>) -> Tensor<2> {
    log_softmax(logits, 2).gather(2, case.ids::<2>("tokens").unsqueeze_dim(2)).squeeze_dim::<2>(2)
}

#[test]
fn kl_estimators() {
    let fixture = Fixture::read("kl");
    for (estimator, name) in [(KlEstimator::K1, "k1"), (KlEstimator::K2, "k2"), (KlEstimator::K3, "k3")] {
        let case = fixture.case(&format!("{name}_token_mean"));
        let logprobs = case.variable::<2>("logprobs");
        let kl = estimator.of(logprobs.clone(), case.input("reference_logprobs"));
        case.check_loss(&masked_mean(kl, &case.input("mask")), &[("logprobs", &logprobs)]);
    }
}

#[test]
fn generalised_advantages() {
    let fixture = Fixture::read("gae");
    for name in ["gamma_1_lambda_0.95", "gamma_0.99_lambda_0.9", "gamma_1_lambda_1", "gamma_1_lambda_0"] {
        let case = fixture.case(name);
        let (rewards, values) = (case.rows("rewards"), case.rows("values"));
        let estimate = |(rewards, values): (&Vec<f64>, &Vec<f64>)| {
            gae(rewards, values, case.setting("gamma"), case.setting("lambda"))
        };
        let (mut advantages, returns): (Vec<_>, Vec<_>) =
            rewards.iter().zip(&values).map(estimate).map(|e| (e.advantages, e.returns)).unzip();
        case.check_rows("advantages", &advantages);
        case.check_rows("returns", &returns);
        whiten(&mut advantages);
        case.check_rows("whitened", &advantages);
    }
}

#[test]
fn ppo_policy_loss() {
    let fixture = Fixture::read("ppo");
    for name in ["policy", "policy_on_policy"] {
        let case = fixture.case(name);
        let (low, high) = (1.0 - case.setting("epsilon"), 1.0 + case.setting("epsilon"));
        let logprobs = case.variable::<2>("logprobs");
        let (old, advantages, mask) = (case.input("old_logprobs"), case.input("advantages"), case.input("mask"));
        case.check_number("clip_fraction", clip_fraction(&logprobs, &old, &advantages, &mask, low, high));
        let loss = masked_mean(clipped_surrogate(logprobs.clone(), old, advantages, low, high), &mask);
        case.check_loss(&loss, &[("logprobs", &logprobs)]);
    }
}

#[test]
fn ppo_value_loss() {
    let fixture = Fixture::read("ppo");
    for (name, clip) in [("value", 0.2), ("value_unclipped", 0.0)] {
        let case = fixture.case(name);
        let values = case.variable::<2>("values");
        let (old, returns) = (case.input("old_values"), case.input("returns"));
        let loss = value_loss(values.clone(), old, returns, &case.input("mask"), clip);
        case.check_loss(&loss, &[("values", &values)]);
    }
}

#[test]
fn ppo_from_logits() {
    let fixture = Fixture::read("ppo");
    let entropy_case = fixture.case("entropy");
    let case = fixture.case("from_logits").with_inputs_of(&entropy_case);
    let logits = case.variable::<3>("logits");
    let all = log_softmax(logits.clone(), 2);
    let mask = case.input("mask");
    let entropy = masked_mean(-(all.clone().exp() * all).sum_dim(2).squeeze_dim::<2>(2), &mask);
    let surrogate = clipped_surrogate(
        drawn(&case, logits.clone()),
        case.input("old_logprobs"),
        case.input("advantages"),
        1.0 - case.setting("epsilon"),
        1.0 + case.setting("epsilon"),
    );
    let values = value_loss(
        case.input("values"),
        case.input("old_values"),
        case.input("returns"),
        &mask,
        case.setting("epsilon"),
    );
    let loss = masked_mean(surrogate, &mask) + values * case.setting("value_coefficient")
        - entropy * case.setting("entropy_coefficient");
    case.check_loss(&loss, &[("logits", &logits)]);
}

#[test]
fn grpo_advantages() {
    let fixture = Fixture::read("grpo");
    for (name, by_deviation) in [("advantages_group", true), ("advantages_none", false)] {
        let case = fixture.case(name);
        let rewards = case.numbers("rewards");
        let groups = rewards.chunks(case.setting("group_size") as usize);
        let advantages: Vec<f64> = groups.flat_map(|group| group_relative(group, by_deviation)).collect();
        case.check_numbers("advantages", &advantages);
    }
}

#[test]
fn grpo_losses_of_every_kind() {
    let fixture = Fixture::read("grpo");
    let kinds = [
        ("plain", Reduction::Sequence, Ratio::Token),
        ("grpo", Reduction::Sequence, Ratio::Token),
        ("bnpo", Reduction::Token, Ratio::Token),
        ("dr_grpo", Reduction::Constant, Ratio::Token),
        ("grpo_sequence_ratio", Reduction::Sequence, Ratio::Sequence),
        ("gspo", Reduction::Sequence, Ratio::Sequence),
        ("bnpo_sequence_ratio", Reduction::Token, Ratio::Sequence),
        ("on_policy", Reduction::Sequence, Ratio::Token),
    ];
    for (name, reduction, ratio) in kinds {
        let case = fixture.case(name);
        let config = GrpoConfig {
            clip_low: case.setting("epsilon_low"),
            clip_high: case.setting("epsilon_high"),
            kl_coefficient: case.setting("beta"),
            reduction,
            ratio,
            ..GrpoConfig::default()
        };
        let logprobs = case.variable::<2>("logprobs");
        let old = if name == "on_policy" { logprobs.clone().detach() } else { case.input("old_logprobs") };
        let inputs = grpo_inputs(&case, logprobs.clone(), old);
        let loss = grpo_loss(inputs, &config, case.setting("max_length") as usize);
        case.check_loss(&loss, &[("logprobs", &logprobs)]);
    }
}

fn grpo_inputs(case: &Case, logprobs: Tensor<2>, old: Tensor<2>) -> GrpoInputs {
    let advantages = case.input::<1>("advantages").unsqueeze_dim::<2>(1).expand(logprobs.dims());
    GrpoInputs { logprobs, old, reference: case.input("reference_logprobs"), advantages, mask: case.input("mask") }
}

#[test]
fn grpo_from_logits() {
    let fixture = Fixture::read("grpo");
    let case = fixture.case("from_logits");
    let config = GrpoConfig {
        clip_low: case.setting("epsilon_low"),
        clip_high: case.setting("epsilon_high"),
        kl_coefficient: case.setting("beta"),
        ..GrpoConfig::default()
    };
    let logits = case.variable::<3>("logits");
    let inputs = grpo_inputs(&case, drawn(&case, logits.clone()), case.input("old_logprobs"));
    case.check_loss(&grpo_loss(inputs, &config, 12), &[("logits", &logits)]);
}

#[test]
fn reward_ranking() {
    let fixture = Fixture::read("reward");
    for (name, with_margins, center) in
        [("plain", false, 0.0), ("margin", true, 0.0), ("centred", false, 0.01), ("margin_centred", true, 0.01)]
    {
        let case = fixture.case(name);
        let (chosen, rejected) = (case.variable::<1>("chosen"), case.variable::<1>("rejected"));
        let margins = if with_margins { case.input("margins") } else { chosen.clone().detach().zeros_like() };
        let loss = ranking_loss(chosen.clone(), rejected.clone(), margins, center);
        case.check_loss(&loss, &[("chosen", &chosen), ("rejected", &rejected)]);
    }
}

#[test]
fn direct_preferences() {
    let fixture = Fixture::read("dpo");
    for name in ["sigmoid", "sigmoid_smoothed", "hinge", "reference_free", "reference_free_smoothed", "ipo", "ipo_sum"]
    {
        let case = fixture.case(name);
        let config = DpoConfig {
            loss: match name {
                "hinge" => DpoLoss::Hinge,
                "ipo" | "ipo_sum" => DpoLoss::Ipo,
                _ => DpoLoss::Sigmoid,
            },
            beta: case.setting("beta"),
            label_smoothing: case.setting("label_smoothing"),
            reference_free: name.starts_with("reference_free"),
        };
        let (chosen, rejected) = (case.variable::<1>("chosen"), case.variable::<1>("rejected"));
        // IPO compares means over tokens.
        let by_length = |sums: Tensor<1>, lengths| if name == "ipo" { sums / case.input::<1>(lengths) } else { sums };
        let losses = dpo_losses(
            by_length(chosen.clone(), "chosen_lengths"),
            by_length(rejected.clone(), "rejected_lengths"),
            by_length(case.input("ref_chosen"), "chosen_lengths"),
            by_length(case.input("ref_rejected"), "rejected_lengths"),
            &config,
        );
        let per_pair: Vec<f64> = host(losses.clone()).into_iter().map(f64::from).collect();
        case.check_numbers("per_pair", &per_pair);
        case.check_loss(&losses.mean(), &[("chosen", &chosen), ("rejected", &rejected)]);
    }
}

#[test]
fn thumbs() {
    let fixture = Fixture::read("kto");
    for (name, kl) in [("plain", "kl_above"), ("weighted", "kl_above"), ("negative_kl", "kl_below")] {
        let case = fixture.case(name);
        let config = KtoConfig {
            beta: case.setting("beta"),
            desirable_weight: case.setting("desirable_weight"),
            undesirable_weight: case.setting("undesirable_weight"),
        };
        let numbers = case.numbers(kl);
        let (policy, reference) = numbers.split_at(numbers.len() / 2);
        let mean = policy.iter().zip(reference).map(|(p, r)| p - r).sum::<f64>() / policy.len() as f64;
        let z = mean.max(0.0);
        case.check_number("kl", z);
        let good: Vec<bool> = case.numbers("labels").iter().map(|&label| label > 0.5).collect();
        let logprobs = case.variable::<1>("logprobs");
        let losses = kto_losses(logprobs.clone() - case.input("reference_logprobs"), &good, z, &config);
        case.check_loss(&losses.mean(), &[("logprobs", &logprobs)]);
    }
}

#[test]
fn reinforce_and_leave_one_out() {
    let fixture = Fixture::read("reinforce");
    for (name, beta) in [("rloo_advantages_plain", 0.0), ("rloo_advantages_penalised", 0.05)] {
        let case = fixture.case(name);
        let rewards = case.numbers("rewards").into_iter().zip(case.numbers("kl")).map(|(r, kl)| r - beta * kl);
        let rewards: Vec<f64> = rewards.collect();
        let advantages: Vec<f64> = rewards.chunks(4).flat_map(leave_one_out).collect();
        case.check_numbers("advantages", &advantages);
    }
    for (name, leave_out) in [("reinforce", false), ("reinforce_rloo", true)] {
        let case = fixture.case(name);
        let rewards = &case.numbers("rewards")[..4];
        let mean = rewards.iter().sum::<f64>() / 4.0;
        let advantages = if leave_out { leave_one_out(rewards) } else { rewards.iter().map(|r| r - mean).collect() };
        case.check_numbers("advantages", &advantages);
        let logprobs = case.variable::<2>("logprobs");
        let advantages: Vec<f32> = advantages.iter().map(|&a| a as f32).collect();
        let advantages = Tensor::<1>::from_floats(advantages.as_slice(), &logprobs.device());
        let loss = reinforce_loss(logprobs.clone(), advantages, case.input("mask"));
        case.check_loss(&loss, &[("logprobs", &logprobs)]);
    }
}
