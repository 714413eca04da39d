//! Training and validation without a prompt in common.

use fireclay_tokenizer::Message;

use super::{Conversation, Preference, Rating, Task};
use crate::DataError;

/// An example that starts with a prompt.
pub trait Prompted {
    /// The messages; those after the assistant's first one are not used.
    fn opening(&self) -> &[Message];
}

impl Prompted for Conversation {
    fn opening(&self) -> &[Message] {
        &self.messages
    }
}

impl Prompted for Preference {
    fn opening(&self) -> &[Message] {
        &self.prompt
    }
}

impl Prompted for Task {
    fn opening(&self) -> &[Message] {
        &self.messages
    }
}

impl Prompted for Rating {
    fn opening(&self) -> &[Message] {
        &self.prompt
    }
}

/// Splits examples into those for training and about `fraction` of them for validation, keeping their order.
///
/// The seed and the user's messages before the first answer decide the side, so that no prompt is on both sides,
/// for any kind of example, and a conversation's later turns stay with its first. If all examples begin alike, all
/// are for training.
///
/// # Errors
/// When `fraction` is not at least 0 and below 1.
pub fn split_by_prompt<T: Prompted>(examples: Vec<T>, fraction: f64, seed: u64) -> Result<(Vec<T>, Vec<T>), DataError> {
    if !(0.0..1.0).contains(&fraction) {
        return Err(DataError::Option {
            option: "the validation fraction",
            value: fraction.to_string(),
            expected: "use a number from 0 up to, but not including, 1",
        });
    }
    let held_out = |example: &T| place(example.opening(), seed) < fraction;
    let (train, validation): (Vec<T>, Vec<T>) = examples.into_iter().partition(|example| !held_out(example));
    // If all examples begin alike, none is held out: there would be nothing to learn from.
    Ok(if train.is_empty() { (validation, vec![]) } else { (train, validation) })
}

/// A number from 0 to 1 that depends only on the seed and the user's messages before the first answer.
fn place(messages: &[Message], seed: u64) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    let before_answer = messages.iter().take_while(|message| message.role != "assistant");
    for message in before_answer.filter(|message| message.role != "system") {
        hasher.update(message.content.trim().as_bytes());
        hasher.update(&[0]);
    }
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    // A double holds 53 bits exactly.
    (u64::from_le_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn conversation(prompt: &str, rest: &str) -> Conversation {
        let messages = vec![Message::new("user", prompt), Message::new("assistant", rest)];
        Conversation { messages, origin: String::new() }
    }

    proptest! {
        #[test]
        fn no_prompt_is_on_both_sides(prompts in proptest::collection::vec(0_u8..30, 0..60), fraction in 0.0..0.99, seed: u64) {
            let all: Vec<_> = prompts.iter().zip(0..).map(|(prompt, index)| {
                conversation(&format!("prompt {prompt}"), &format!("answer {index}"))
            }).collect();
            let (train, validation) = split_by_prompt(all.clone(), fraction, seed).unwrap();
            prop_assert_eq!(train.len() + validation.len(), all.len());
            for held_out in &validation {
                prop_assert!(train.iter().all(|kept| kept.messages[0] != held_out.messages[0]));
            }
            prop_assert_eq!(split_by_prompt(all, fraction, seed).unwrap(), (train, validation));
        }
    }

    #[test]
    fn examples_that_all_begin_alike_are_learned() {
        let all: Vec<_> = (0..60).map(|index| conversation("the same", &index.to_string())).collect();
        for seed in 0..20 {
            assert_eq!(split_by_prompt(all.clone(), 0.5, seed).unwrap(), (all.clone(), vec![]));
        }
    }

    #[test]
    fn the_share_is_about_what_was_asked_for_and_another_seed_is_another_split() {
        let all: Vec<_> = (0..2000).map(|index| conversation(&index.to_string(), "x")).collect();
        let split = |fraction, seed| split_by_prompt(all.clone(), fraction, seed).unwrap();
        let (train, validation) = split(0.1, 1);
        // The standard deviation is 13.
        assert!((150..250).contains(&validation.len()), "{}", validation.len());
        assert!(
            train
                .windows(2)
                .all(|pair| all.iter().position(|c| *c == pair[0]) < all.iter().position(|c| *c == pair[1]))
        );
        assert_ne!(split(0.1, 2).1, validation);
        assert!(split(0.0, 1).1.is_empty());
    }

    #[test]
    fn the_kinds_share_one_split() {
        for index in 0..200 {
            let conversation = conversation(&index.to_string(), "said");
            let longer = vec![
                Message::new("system", "Be kind."),
                conversation.messages[0].clone(),
                Message::new("assistant", "other"),
                Message::new("user", "and more"),
            ];
            let rating = Rating { prompt: longer, completion: "x".into(), good: true, origin: String::new() };
            let of_conversation = split_by_prompt(vec![conversation], 0.5, 3).unwrap().0.len();
            assert_eq!(split_by_prompt(vec![rating], 0.5, 3).unwrap().0.len(), of_conversation);
        }
    }

    #[test]
    fn an_impossible_fraction_is_refused() {
        for fraction in [1.0, -0.1, f64::NAN] {
            let message = split_by_prompt(Vec::<Task>::new(), fraction, 0).unwrap_err().to_string();
            assert!(message.starts_with("the validation fraction is "), "{message}");
        }
    }
}
