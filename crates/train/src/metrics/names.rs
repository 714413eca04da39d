//! Names of the numbers in `metrics.jsonl`: all that a stage writes under a fixed name is listed here, for those who
//! write a number and those who find it by its name.
//!
//! Other names are made of these: `val_NAME` is the same number on held-out examples ([`validation`]), `battery_TOPIC`
//! a part of the battery, `accuracy_KIND` a part of the pairs, `time_PART` a share of a step.

macro_rules! names {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal;)*) => {
        $($(#[doc = $doc])* pub const $name: &str = $text;)*

        /// Every name of this module.
        pub const ALL: &[&str] = &[$($name),*];
    };
}

names! {
    /// The step, from 1; the axis of every other number.
    STEP = "step";
    /// Tokens consumed so far.
    TOKENS = "tokens";
    /// Seconds since the stage began.
    SECONDS = "seconds";
    /// Loss of the step.
    LOSS = "loss";
    /// Learning rate.
    LR = "lr";
    /// Global norm of the gradient before clipping.
    GRAD_NORM = "grad_norm";
    /// Tokens a second.
    TOKENS_PER_S = "tokens_per_s";
    /// Model-flops utilisation.
    MFU = "mfu";
    /// Loss on held-out examples.
    VAL_LOSS = "val_loss";
    /// The same in bits per byte of text.
    VAL_BITS_PER_BYTE = "val_bits_per_byte";
    /// Number of steps skipped so far, on the lines of skipped steps.
    SKIPPED = "skipped";
    /// Share of pairs or ratings that are told apart correctly.
    ACCURACY = "accuracy";
    /// Mean difference between the scores of a pair's answers.
    SCORE_DIFFERENCE = "score_difference";
    /// Mean score of chosen answers.
    CHOSEN_MEAN = "chosen_mean";
    /// Standard deviation of the scores of chosen answers.
    CHOSEN_STD = "chosen_std";
    /// Mean score of rejected answers.
    REJECTED_MEAN = "rejected_mean";
    /// Standard deviation of the scores of rejected answers.
    REJECTED_STD = "rejected_std";
    /// Mean implicit reward of good answers.
    CHOSEN_REWARD = "chosen_reward";
    /// Mean implicit reward of bad answers.
    REJECTED_REWARD = "rejected_reward";
    /// Divergence of the policy from its reference, nats a completion.
    KL = "kl";
    /// Mean reward of a step's answers.
    REWARD_MEAN = "reward_mean";
    /// Standard deviation of the rewards.
    REWARD_STD = "reward_std";
    /// Mean number of tokens of an answer.
    RESPONSE_LENGTH = "response_length";
    /// Share of answers that ended by themselves.
    FINISHED = "finished";
    /// Share of answers that are right, of those that can be judged.
    CORRECT = "correct";
    /// Share of answers that are the reference word by word.
    EXACT = "exact";
    /// Mean entropy of the policy's distributions, nats a token.
    ENTROPY = "entropy";
    /// Largest difference from 1 of an importance ratio before a step's first update.
    RATIO_ERROR = "ratio_error";
    /// Share of tokens whose ratio is clipped.
    CLIP_FRACTION = "clip_fraction";
    /// Share of groups whose answers have different rewards.
    GROUPS_WITH_SIGNAL = "groups_with_signal";
    /// Coefficient of the KL term, where it is adapted.
    KL_COEFFICIENT = "kl_coefficient";
    /// Share of the returns' variance that the critic explains.
    EXPLAINED_VARIANCE = "explained_variance";
    /// Loss of the critic.
    VALUE_LOSS = "value_loss";
    /// Global norm of the critic's gradient.
    CRITIC_GRAD_NORM = "critic_grad_norm";
    /// Loss of next tokens that is mixed into the policy's.
    PRETRAIN_LOSS = "pretrain_loss";
    /// Share of the battery's greedy replies that are right.
    BATTERY = "battery";
    /// Share of its sampled replies that are right.
    BATTERY_SAMPLED = "battery_sampled";
    /// Share of its prompts that get the most frequent reply.
    BATTERY_MOST_FREQUENT = "battery_most_frequent";
}

/// Prefix of a number's name on held-out examples.
pub const VALIDATION: &str = "val_";

/// The name of the number `name` on held-out examples.
#[must_use]
pub fn validation(name: &str) -> String {
    format!("{VALIDATION}{name}")
}

/// The name of a battery's part: a topic's share of right greedy replies.
#[must_use]
pub fn of_topic(topic: &str) -> String {
    format!("{BATTERY}_{topic}")
}

/// The name of a battery's part: a topic's share of right sampled replies.
#[must_use]
pub fn sampled_of_topic(topic: &str) -> String {
    format!("{BATTERY_SAMPLED}_{topic}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::StepMetrics;

    #[test]
    fn a_line_has_these_names() {
        let some = Some(1.0);
        let line = StepMetrics {
            loss: some,
            lr: some,
            grad_norm: some,
            tokens_per_s: some,
            mfu: some,
            val_loss: some,
            val_bits_per_byte: some,
            skipped: Some(1),
            ..StepMetrics::default()
        };
        let line = serde_json::to_value(line).unwrap();
        let written: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        let of_every_loop =
            [STEP, TOKENS, SECONDS, LOSS, LR, GRAD_NORM, TOKENS_PER_S, MFU, VAL_LOSS, VAL_BITS_PER_BYTE, SKIPPED];
        assert_eq!(BTreeSet::from_iter(written), BTreeSet::from(of_every_loop));
        assert_eq!(VAL_LOSS, validation(LOSS));
    }

    #[test]
    fn a_name_is_given_once() {
        assert_eq!(BTreeSet::from_iter(ALL).len(), ALL.len());
    }
}
