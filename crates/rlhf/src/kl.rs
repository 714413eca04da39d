//! KL divergence of a policy from its reference.
//!
//! With tokens drawn from the policy π, each of these is an estimate of KL(π ‖ ref) per token (Schulman 2020,
//! "Approximating KL divergence"), from `d = log π − log ref` of the drawn token: k1 = d is unbiased and may be
//! negative; k2 = d²/2 is biased and has little variance; k3 = e^−d − 1 + d is unbiased and never negative.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Estimator of the KL divergence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KlEstimator {
    /// `d`
    K1,
    /// `d² / 2`
    K2,
    /// `e^−d − 1 + d`
    #[default]
    K3,
}

impl KlEstimator {
    /// The estimate of every token, from log-probabilities of the policy and of the reference. `[B, C]`
    #[must_use]
    pub fn of(self, policy_bc: Tensor<2>, reference_bc: Tensor<2>) -> Tensor<2> {
        let d = policy_bc - reference_bc;
        match self {
            Self::K1 => d,
            Self::K2 => d.square() * 0.5,
            Self::K3 => (-d.clone()).exp() - 1.0 + d,
        }
    }
}

/// The coefficient of a KL penalty, constant or adapted towards a target (Ziegler et al. 2019, section 2.2):
///
/// ```text
/// e = clip(KL / target − 1, −0.2, 0.2)        β ← β · (1 + e · completions / horizon)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KlCoefficient {
    /// β
    pub value: f64,
    /// Target KL in nats per completion; 0: β is constant.
    pub target: f64,
    /// Number of completions over which β may change by 20 %.
    pub horizon: f64,
}

impl KlCoefficient {
    /// Adapts β after `completions` completions whose mean KL was `kl`.
    pub fn observe(&mut self, kl: f64, completions: usize) {
        if self.target > 0.0 {
            let error = (kl / self.target - 1.0).clamp(-0.2, 0.2);
            self.value *= 1.0 + error * completions as f64 / self.horizon;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coefficient_is_steered_towards_its_target_or_stays() {
        let check = |target, kl, expect: f64| {
            let mut coefficient = KlCoefficient { value: 0.1, target, horizon: 100.0 };
            coefficient.observe(kl, 50);
            assert!((coefficient.value - expect).abs() < 1e-12, "{}", coefficient.value);
        };
        check(6.0, 6.0, 0.1);
        check(6.0, 60.0, 0.1 * 1.1);
        check(6.0, 0.0, 0.1 * 0.9);
        check(6.0, 6.6, 0.1 * 1.05);
        check(0.0, 60.0, 0.1);
    }
}
