//! Advantages of completions and of their tokens.

/// Advantages and returns of one completion.
#[derive(Clone, Debug, PartialEq)]
pub struct Gae {
    /// `A_t`
    pub advantages: Vec<f64>,
    /// `A_t + V_t`: the targets of the critic.
    pub returns: Vec<f64>,
}

/// Generalised advantage estimation (Schulman et al. 2016), backwards from the last token, after which the value is 0:
///
/// ```text
/// δ_t = r_t + γ·V_{t+1} − V_t          A_t = δ_t + γ·λ·A_{t+1}
/// ```
///
/// # Panics
/// When there is not one value per reward.
#[must_use]
pub fn gae(rewards: &[f64], values: &[f64], gamma: f64, lambda: f64) -> Gae {
    assert_eq!(rewards.len(), values.len(), "one value a reward");
    let mut advantages = vec![0.0; rewards.len()];
    let (mut next_value, mut next_advantage) = (0.0, 0.0);
    for t in (0..rewards.len()).rev() {
        let delta = rewards[t] + gamma * next_value - values[t];
        advantages[t] = delta + gamma * lambda * next_advantage;
        (next_value, next_advantage) = (values[t], advantages[t]);
    }
    let returns = advantages.iter().zip(values).map(|(advantage, value)| advantage + value).collect();
    Gae { advantages, returns }
}

/// Subtracts the mean of all numbers and divides by their standard deviation (the unbiased one).
pub fn whiten(rows: &mut [Vec<f64>]) {
    let (mean, variance) = mean_and_variance(rows.iter().flatten().copied());
    let scale = 1.0 / (variance + 1e-8).sqrt();
    rows.iter_mut().flatten().for_each(|x| *x = (*x - mean) * scale);
}

/// For each reward of a group, the difference to the mean of the others (Kool et al. 2019; Ahmadian et al. 2024, RLOO):
/// `A_i = r_i − Σ_{j≠i} r_j / (n − 1)`. A single reward gets 0.
#[must_use]
pub fn leave_one_out(rewards: &[f64]) -> Vec<f64> {
    let (n, sum) = (rewards.len() as f64, rewards.iter().sum::<f64>());
    let advantage = |r: &f64| if n > 1.0 { r - (sum - r) / (n - 1.0) } else { 0.0 };
    rewards.iter().map(advantage).collect()
}

/// For each reward of a group, the difference to the group's mean; with `by_deviation` in standard deviations of the
/// group (Shao et al. 2024, GRPO): `A_i = (r_i − mean) / (std + 1e-4)`.
#[must_use]
pub fn group_relative(rewards: &[f64], by_deviation: bool) -> Vec<f64> {
    let (mean, variance) = mean_and_variance(rewards.iter().copied());
    let scale = if by_deviation { 1.0 / (variance.sqrt() + 1e-4) } else { 1.0 };
    rewards.iter().map(|r| (r - mean) * scale).collect()
}

/// Mean, and variance with the divisor n − 1; both 0 without numbers.
#[must_use]
pub fn mean_and_variance(numbers: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = numbers.clone().count() as f64;
    let mean = numbers.clone().sum::<f64>() / count.max(1.0);
    let squares: f64 = numbers.map(|x| (x - mean).powi(2)).sum();
    (mean, squares / (count - 1.0).max(1.0))
}

/// The share of the returns' variance that the values explain: `1 − Var(R − V) / Var(R)`; 1 is perfect, 0 no better
/// than a constant.
#[must_use]
pub fn explained_variance(returns: &[f64], values: &[f64]) -> f64 {
    let (_, variance) = mean_and_variance(returns.iter().copied());
    let (_, rest) = mean_and_variance(returns.iter().zip(values).map(|(r, v)| r - v));
    if variance > 0.0 { 1.0 - rest / variance } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(got: &[f64], expect: &[f64]) {
        assert_eq!(got.len(), expect.len());
        got.iter().zip(expect).for_each(|(g, e)| assert!((g - e).abs() < 1e-9, "{got:?}, expected {expect:?}"));
    }

    #[test]
    fn with_lambda_1_the_return_is_the_sum_of_the_rewards_to_come() {
        let found = gae(&[1.0, 0.0, 2.0], &[0.5, -0.5, 0.25], 1.0, 1.0);
        check(&found.returns, &[3.0, 2.0, 2.0]);
    }

    #[test]
    fn with_lambda_0_the_advantage_is_one_step_ahead() {
        let found = gae(&[1.0, 0.0, 2.0], &[0.5, -0.5, 0.25], 0.9, 0.0);
        check(&found.advantages, &[1.0 - 0.45 - 0.5, 0.225 + 0.5, 1.75]);
    }

    #[test]
    fn groups_are_compared_with_themselves() {
        check(&leave_one_out(&[1.0, 0.0, 0.0, 1.0]), &[2.0 / 3.0, -2.0 / 3.0, -2.0 / 3.0, 2.0 / 3.0]);
        check(&leave_one_out(&[5.0]), &[0.0]);
        check(&group_relative(&[1.0, 3.0], false), &[-1.0, 1.0]);
        check(&group_relative(&[2.0, 2.0, 2.0], true), &[0.0, 0.0, 0.0]);
    }

    #[test]
    fn whitened_numbers_have_mean_0_and_deviation_1() {
        let mut rows = vec![vec![1.0, 2.0], vec![3.0], vec![10.0, -4.0]];
        whiten(&mut rows);
        let (mean, variance) = mean_and_variance(rows.iter().flatten().copied());
        assert!(mean.abs() < 1e-12 && (variance - 1.0).abs() < 1e-6);
    }

    #[test]
    fn explained_variance_is_1_for_the_truth_and_0_for_a_constant() {
        let returns = [1.0, 2.0, 4.0];
        assert!((explained_variance(&returns, &returns) - 1.0).abs() < 1e-12);
        assert!(explained_variance(&returns, &[7.0; 3]).abs() < 1e-12);
    }
}
