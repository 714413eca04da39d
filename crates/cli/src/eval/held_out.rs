//! Held-out examples of a run's recipe: the questions of the embedded tasks.

use fireclay_corpus::PromptConfig;
use fireclay_data::examples::{Preference, Task};
use fireclay_eval::embedded;

use crate::recipe::{BatterySection, PreferenceData, PromptData, Recipe};

/// Number of prompts of each topic, if no recipe gives it.
const BATTERY_PER_TOPIC: usize = 50;

/// The battery that the run's recipe describes; if it has none, that of the embedded corpus.
#[must_use]
pub fn battery_section(recipe: Option<&Recipe>) -> BatterySection {
    let section = recipe.map(|recipe| recipe.battery.clone()).unwrap_or_default();
    if section.is_on() { section } else { BatterySection { per_topic: Some(BATTERY_PER_TOPIC), ..section } }
}

/// Held-out pairs, as the run's last stage that learns from pairs keeps them for validation.
#[must_use]
pub fn preferences(recipe: Option<&Recipe>, limit: Option<usize>) -> Vec<Preference> {
    let default = PreferenceData { corpus: prompts_about(recipe), ..PreferenceData::default() };
    let learned = recipe.and_then(|recipe| {
        let mut running = recipe.training().into_iter().rev().filter(|(stage, _)| recipe.stages.contains(stage));
        running.find_map(|(_, section)| section.learns_from().preferences())
    });
    let data = learned.unwrap_or(&default);
    embedded::preferences(&data.corpus, limit.unwrap_or(data.validation_pairs))
}

/// Held-out prompts, each once, as the run's last online stage has them.
#[must_use]
pub fn prompts(recipe: Option<&Recipe>, limit: Option<usize>) -> Vec<Task> {
    let default = PromptData { corpus: prompts_about(recipe), ..PromptData::default() };
    let answered = recipe.and_then(|recipe| {
        recipe.stages.iter().rev().find_map(|stage| recipe.training_stage(*stage)?.learns_from().prompts())
    });
    let data = answered.unwrap_or(&default);
    embedded::prompts(&data.corpus, limit.unwrap_or(data.held_out))
}

fn prompts_about(recipe: Option<&Recipe>) -> PromptConfig {
    PromptConfig { world: recipe.map(Recipe::world).unwrap_or_default(), ..PromptConfig::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_world_is_the_recipes() {
        let questions =
            |recipe: Option<&Recipe>| embedded::world(&recipe.map(Recipe::world).unwrap_or_default(), usize::MAX);
        let mut recipe = Recipe::default();
        assert_eq!(questions(Some(&recipe)), questions(None));
        recipe.corpus.world.seed += 1;
        assert_ne!(questions(Some(&recipe)), questions(None));
    }

    #[test]
    fn as_many_are_asked_as_the_recipe_keeps() {
        assert_eq!(prompts(None, None).len(), 128);
        assert_eq!(preferences(None, Some(5)).len(), 5);
    }

    #[test]
    fn the_battery_is_the_recipes_or_one_of_every_topic() {
        assert_eq!(battery_section(None).last_per_topic(), BATTERY_PER_TOPIC);
        let mut recipe = Recipe::default();
        assert_eq!(battery_section(Some(&recipe)).last_per_topic(), BATTERY_PER_TOPIC);
        (recipe.battery.per_topic, recipe.battery.final_per_topic) = (Some(3), 7);
        assert_eq!(battery_section(Some(&recipe)), recipe.battery);
    }
}
