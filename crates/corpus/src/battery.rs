//! The battery: common first messages in wordings that training never has.

use std::collections::BTreeSet;

use super::dice::Dice;
use super::prompts::{Prompt, PromptConfig};
use super::world::WorldConfig;
use super::{Split, Topic};

/// Draws of a prompt before a topic is taken for one that has no other.
const MOST_DRAWS: u64 = 400;

/// `per_topic` different validation prompts of every [`Topic`], each with its check; fewer where a topic has no more. A
/// smaller battery is the beginning of a larger one, topic by topic.
#[must_use]
pub fn battery(world: &WorldConfig, per_topic: usize) -> Vec<Prompt> {
    let config = PromptConfig { world: *world, ..PromptConfig::default() };
    let assistant = config.assistant(Split::Validation);
    let nobody = world.held_out_people == 0;
    let mut prompts = Vec::with_capacity(per_topic * Topic::ALL.len());
    for topic in Topic::ALL.into_iter().filter(|topic| !(nobody && *topic == Topic::People)) {
        let mut seen = BTreeSet::new();
        let draws = (0..MOST_DRAWS * per_topic as u64).map(|index| {
            let dice = &mut Dice::new(0, &format!("battery/{}", topic.name()), index);
            Prompt::of_dialogue(topic, assistant.about(topic, dice)).0
        });
        let new = draws.filter(|prompt| seen.insert(prompt.messages.last().map(|turn| turn.content.clone())));
        prompts.extend(new.take(per_topic));
    }
    prompts
}
