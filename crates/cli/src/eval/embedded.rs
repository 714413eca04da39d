//! Questions of the embedded corpus that no stage has learned from.

use std::collections::BTreeSet;

use fireclay_corpus::arithmetic::Problem;
use fireclay_corpus::{self as corpus, Check, PromptConfig, Question, Split, Topic, TopicShares, World};
use fireclay_data::examples::{AnswerCheck, Preference, Task};
use fireclay_tokenizer::Message;

use crate::battery::world_of;
use crate::recipe::{BatterySection, PreferenceData, PromptData, Recipe};
use crate::stages::LearnsFrom;

/// Problems of two digits, of which there are some two thousand.
const TWO_DIGIT_PROBLEMS: usize = 300;
/// Prompts of each topic, where no recipe says how many.
const BATTERY_PER_TOPIC: usize = 50;
/// Prompts that are drawn to find every problem of one digit.
const DRAWS: usize = 4000;

/// The battery that the run's recipe describes; where it has none, the embedded corpus'.
#[must_use]
pub fn battery_section(recipe: Option<&Recipe>) -> BatterySection {
    let section = recipe.map(|recipe| recipe.battery.clone()).unwrap_or_default();
    if section.is_on() { section } else { BatterySection { per_topic: BATTERY_PER_TOPIC, ..section } }
}

/// Every question about the held-out people, in every wording; or `most` of them, spread evenly
/// over people and wordings.
#[must_use]
pub fn world(recipe: Option<&Recipe>, most: usize) -> Vec<Task> {
    spread(World::new(&world_of(recipe)).questions(Split::Validation).into_iter().map(about_person).collect(), most)
}

fn about_person(question: Question) -> Task {
    Task {
        messages: vec![Message::new("user", &question.text)],
        topic: Some("people".into()),
        reference: Some(question.answer.clone()),
        check: AnswerCheck::World { question },
        origin: "corpus".into(),
    }
}

/// Held-out problems, each once: all of one digit, then many of two; or `most` of them, of both kinds.
#[must_use]
pub fn arithmetic(most: usize) -> Vec<Task> {
    let of_digits = |one_digit_percent: u8, wanted: &dyn Fn(Problem) -> bool, most: usize| {
        let config =
            PromptConfig { shares: TopicShares::only(Topic::Sum), one_digit_percent, ..PromptConfig::default() };
        let mut seen = BTreeSet::new();
        let prompts = corpus::prompts(&config, Split::Validation).take(DRAWS);
        let fresh = prompts.filter(|prompt| match prompt.check {
            Check::Arithmetic { problem } => wanted(problem) && seen.insert(problem),
            _ => false,
        });
        fresh.take(most).map(Task::from).collect::<Vec<_>>()
    };
    let one_digit = |problem: Problem| problem.left.max(problem.right) < 10;
    let mut problems = of_digits(100, &one_digit, usize::MAX);
    problems.extend(of_digits(0, &|problem| !one_digit(problem), TWO_DIGIT_PROBLEMS));
    spread(problems, most)
}

/// Held-out pairs, as the run's last stage that learns from pairs keeps them for validation.
#[must_use]
pub fn preferences(recipe: Option<&Recipe>, limit: Option<usize>) -> Vec<Preference> {
    let default = PreferenceData { corpus: prompts_about(recipe), ..PreferenceData::default() };
    let learned = recipe.and_then(|recipe| {
        let mut running = recipe.training().into_iter().rev().filter(|(stage, _)| recipe.stages.contains(stage));
        running.find_map(|(_, section)| match section.learns_from() {
            LearnsFrom::Pairs(data) | LearnsFrom::Ratings(data) => Some(data),
            _ => None,
        })
    });
    let data = learned.unwrap_or(&default);
    let count = limit.unwrap_or(data.validation_pairs);
    corpus::preferences(&data.corpus, Split::Validation).take(count).map(Into::into).collect()
}

/// Held-out prompts, each once, as the run's last online stage has them.
#[must_use]
pub fn prompts(recipe: Option<&Recipe>, limit: Option<usize>) -> Vec<Task> {
    let default = PromptData { corpus: prompts_about(recipe), ..PromptData::default() };
    let answered = recipe.and_then(|recipe| {
        recipe.stages.iter().rev().find_map(|stage| match recipe.training_stage(*stage)?.learns_from() {
            LearnsFrom::Prompts(data) => Some(data),
            _ => None,
        })
    });
    let data = answered.unwrap_or(&default);
    let count = limit.unwrap_or(data.held_out);
    let mut seen = BTreeSet::new();
    let prompts = corpus::prompts(&data.corpus, Split::Validation).take(count.saturating_mul(20).min(DRAWS.max(count)));
    let said = |task: &Task| task.messages.iter().map(|message| message.content.clone()).collect::<Vec<_>>();
    prompts.map(Task::from).filter(|task| seen.insert(said(task))).take(count).collect()
}

fn prompts_about(recipe: Option<&Recipe>) -> PromptConfig {
    PromptConfig { world: world_of(recipe), ..PromptConfig::default() }
}

/// `most` of the items at equal distances, in their order.
pub fn spread<T>(items: Vec<T>, most: usize) -> Vec<T> {
    let count = items.len();
    if most >= count {
        return items;
    }
    let chosen: BTreeSet<usize> = (0..most).map(|index| index * count / most).collect();
    items.into_iter().enumerate().filter(|(index, _)| chosen.contains(index)).map(|(_, item)| item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_world_is_the_recipes() {
        let questions = world(None, usize::MAX);
        let mut recipe = Recipe::default();
        assert_eq!(world(Some(&recipe), usize::MAX), questions);
        recipe.corpus.world.seed += 1;
        assert_ne!(world(Some(&recipe), usize::MAX), questions);
        recipe.corpus.world.held_out_people = 4;
        assert_eq!(world(Some(&recipe), usize::MAX).len() * 4, questions.len());
        assert_eq!(world(None, 10).len(), 10);
    }

    #[test]
    fn problems_are_held_out_and_each_is_asked_once() {
        let problems: Vec<Problem> = arithmetic(usize::MAX)
            .iter()
            .map(|task| match &task.check {
                AnswerCheck::Arithmetic { problem } => *problem,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(problems.iter().all(|problem| problem.split() == Split::Validation));
        assert_eq!(problems.iter().collect::<BTreeSet<_>>().len(), problems.len());
        let one_digit = |problem: &&Problem| problem.left.max(problem.right) < 10;
        let of_all = corpus::arithmetic::problems(Split::Validation);
        assert_eq!(problems.iter().filter(one_digit).count(), of_all.iter().filter(one_digit).count());
        assert_eq!(problems.iter().filter(|problem| !one_digit(problem)).count(), TWO_DIGIT_PROBLEMS);
    }

    #[test]
    fn prompts_are_not_asked_twice() {
        let prompts = prompts(None, None);
        let said = |task: &Task| task.messages.iter().map(|message| message.content.clone()).collect::<Vec<_>>();
        let texts: BTreeSet<_> = prompts.iter().map(said).collect();
        assert_eq!((texts.len(), prompts.len()), (128, 128));
        assert_eq!(preferences(None, Some(5)).len(), 5);
    }

    #[test]
    fn the_battery_is_the_recipes_or_one_of_every_topic() {
        assert_eq!(battery_section(None).last_per_topic(), BATTERY_PER_TOPIC);
        let mut recipe = Recipe::default();
        assert_eq!(battery_section(Some(&recipe)).last_per_topic(), BATTERY_PER_TOPIC);
        (recipe.battery.per_topic, recipe.battery.final_per_topic) = (3, 7);
        assert_eq!(battery_section(Some(&recipe)), recipe.battery);
    }

    #[test]
    fn a_few_are_spread_over_all() {
        assert_eq!(spread((0..10).collect(), 3), [0, 3, 6]);
        assert_eq!(spread((0..3).collect(), 9), [0, 1, 2]);
    }
}
