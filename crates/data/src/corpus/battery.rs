//! What people type first, in wordings that training never has: the measure of what a person meets.

use super::Split;
use super::prompts::{Prompt, PromptConfig, prompts};
use super::world::WorldConfig;

/// `per_topic` validation prompts of every [`Topic`](super::Topic), each with its check.
#[must_use]
pub fn battery(world: &WorldConfig, per_topic: usize) -> Vec<Prompt> {
    let config = PromptConfig { world: *world, ..PromptConfig::default() }.of_every_kind();
    prompts(&config, Split::Validation).take(per_topic * super::Topic::ALL.len()).collect()
}
