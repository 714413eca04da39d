//! Warnings when training of a policy goes wrong, with the likely cause.

use fireclay_train::metrics::names;

/// Checks each step's metrics, and reports each problem once.
#[derive(Debug, Default)]
pub struct Watch {
    first_entropy: Option<f64>,
    first_length: Option<f64>,
    first_most_frequent: Option<f64>,
    reported: Vec<TrainingProblem>,
}

/// Kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainingProblem {
    /// The policy is far from its reference.
    KlRunsAway,
    /// The policy's distribution has collapsed: samples are nearly the same.
    EntropyCollapses,
    /// Answers grow until they reach the token limit.
    LengthExplodes,
    /// Many prompts of the battery get the same reply.
    OneReply,
}

impl TrainingProblem {
    /// The symptom and its remedy.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::KlRunsAway => {
                "the policy is far from its reference: raise kl_coefficient or lower learning_rate; the policy may \
                 exploit what the reward overlooks"
            }
            Self::EntropyCollapses => {
                "entropy has collapsed, so samples are alike and give no signal: lower learning_rate, raise \
                 entropy_coefficient or kl_coefficient"
            }
            Self::LengthExplodes => {
                "most answers are cut off at max_tokens: the reward may favour length; add a length penalty or one \
                 for unfinished answers, or raise max_tokens if good answers are that long"
            }
            Self::OneReply => {
                "many prompts of the battery get the same reply, which the reward favours for every prompt: lower \
                 learning_rate, raise kl_coefficient, or train on more kinds of prompts, some for which this reply is \
                 wrong"
            }
        }
    }
}

/// A larger KL per completion is far outside the range that alignment needs.
const KL_LIMIT: f64 = 50.0;
/// Largest share of the battery that may get the same reply.
const ONE_REPLY_LIMIT: f64 = 0.25;

impl Watch {
    /// Checks the metrics of a step and warns of each problem the first time it is seen.
    pub fn look(&mut self, step: u64, numbers: &[(String, f64)], max_tokens: usize) {
        for problem in self.problems(numbers, max_tokens) {
            if !self.reported.contains(&problem) {
                self.reported.push(problem);
                tracing::warn!("step {step}: {}", problem.message());
            }
        }
    }

    /// Problems of this step, compared with the first step seen.
    pub fn problems(&mut self, numbers: &[(String, f64)], max_tokens: usize) -> Vec<TrainingProblem> {
        let number = |name: &str| numbers.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
        let mut found = vec![];
        let length = number(names::RESPONSE_LENGTH);
        if number(names::KL).is_some_and(|kl| kl > KL_LIMIT) {
            found.push(TrainingProblem::KlRunsAway);
        }
        if let Some(entropy) = number(names::ENTROPY) {
            let first = *self.first_entropy.get_or_insert(entropy);
            // A policy with low entropy from the start cannot collapse further.
            if entropy < 0.05 * first && first > 0.1 {
                found.push(TrainingProblem::EntropyCollapses);
            }
        }
        if let (Some(length), Some(finished)) = (length, number(names::FINISHED)) {
            let first = *self.first_length.get_or_insert(length);
            if finished < 0.5 && length > 1.5 * first && length > 0.5 * max_tokens as f64 {
                found.push(TrainingProblem::LengthExplodes);
            }
        }
        if let Some(share) = number(names::BATTERY_MOST_FREQUENT) {
            let first = *self.first_most_frequent.get_or_insert(share);
            if share > ONE_REPLY_LIMIT && share >= 2.0 * first {
                found.push(TrainingProblem::OneReply);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(steps: &[&[(&str, f64)]], expect: &[TrainingProblem]) {
        let mut watch = Watch::default();
        let mut found = vec![];
        for numbers in steps {
            let numbers: Vec<_> = numbers.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
            found = watch.problems(&numbers, 40);
        }
        assert_eq!(found, expect);
    }

    #[test]
    fn each_problem_is_named() {
        check(&[&[("kl", 3.0)]], &[]);
        check(&[&[("kl", 80.0)]], &[TrainingProblem::KlRunsAway]);
        check(&[&[("entropy", 1.0)], &[("entropy", 0.3)]], &[]);
        check(&[&[("entropy", 1.0)], &[("entropy", 0.01)]], &[TrainingProblem::EntropyCollapses]);
        check(&[&[("entropy", 0.05)], &[("entropy", 0.001)]], &[]);
        let short: &[(&str, f64)] = &[("response_length", 10.0), ("finished", 1.0)];
        let long: &[(&str, f64)] = &[("response_length", 38.0), ("finished", 0.2)];
        check(&[short, long], &[TrainingProblem::LengthExplodes]);
        check(&[long, long], &[]);
        let replies = |first: f64, then: f64, expect: &[TrainingProblem]| {
            check(&[&[("battery_most_frequent", first)], &[("kl", 0.1)], &[("battery_most_frequent", then)]], expect);
        };
        replies(0.05, 0.6, &[TrainingProblem::OneReply]);
        replies(0.05, 0.2, &[]);
        // It was like that from the beginning.
        replies(0.4, 0.6, &[]);
    }
}
