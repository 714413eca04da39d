//! Questions of the embedded corpus that are not used in training.

use std::collections::BTreeSet;

use fireclay_corpus::arithmetic::Problem;
use fireclay_corpus::{Check, PromptConfig, Question, Split, Topic, TopicShares, World, WorldConfig};
use fireclay_data::examples::{Preference, Task};
use fireclay_tokenizer::Message;

/// Problems of two digits, of which there are some two thousand.
const TWO_DIGIT_PROBLEMS: usize = 300;
/// Prompts that are drawn to find every problem of one digit.
const DRAWS: usize = 4000;

/// Every question about the held-out people, in every wording; or `most` of them, spread evenly
/// over people and wordings.
#[must_use]
pub fn world(world: &WorldConfig, most: usize) -> Vec<Task> {
    spread(World::new(world).questions(Split::Validation).into_iter().map(about_person).collect(), most)
}

fn about_person(question: Question) -> Task {
    Task {
        messages: vec![Message::new("user", &question.text)],
        topic: Some("people".into()),
        reference: Some(question.answer.clone()),
        check: Check::World { question }.into(),
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
        let prompts = fireclay_corpus::prompts(&config, Split::Validation).take(DRAWS);
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

/// The first `count` held-out pairs.
#[must_use]
pub fn preferences(config: &PromptConfig, count: usize) -> Vec<Preference> {
    fireclay_corpus::preferences(config, Split::Validation).take(count).map(Into::into).collect()
}

/// The first `count` held-out prompts, each once.
#[must_use]
pub fn prompts(config: &PromptConfig, count: usize) -> Vec<Task> {
    let mut seen = BTreeSet::new();
    let draws = count.saturating_mul(20).min(DRAWS.max(count));
    let prompts = fireclay_corpus::prompts(config, Split::Validation).take(draws);
    let said = |task: &Task| task.messages.iter().map(|message| message.content.clone()).collect::<Vec<_>>();
    prompts.map(Task::from).filter(|task| seen.insert(said(task))).take(count).collect()
}

/// `most` of the items at equal distances, in their order.
#[must_use]
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
    use fireclay_data::examples::AnswerCheck;

    use super::*;

    #[test]
    fn the_world_decides_who_is_asked_about() {
        let mut config = WorldConfig::default();
        let questions = world(&config, usize::MAX);
        assert_eq!(world(&config, 10).len(), 10);
        config.seed += 1;
        assert_ne!(world(&config, usize::MAX), questions);
        config.held_out_people = 4;
        assert_eq!(world(&config, usize::MAX).len() * 4, questions.len());
    }

    #[test]
    fn problems_are_held_out_and_each_is_asked_once() {
        let problems: Vec<Problem> = arithmetic(usize::MAX)
            .iter()
            .map(|task| match &task.check {
                AnswerCheck::Corpus(Check::Arithmetic { problem }) => *problem,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(problems.iter().all(|problem| problem.split() == Split::Validation));
        assert_eq!(problems.iter().collect::<BTreeSet<_>>().len(), problems.len());
        let one_digit = |problem: &&Problem| problem.left.max(problem.right) < 10;
        let of_all = fireclay_corpus::arithmetic::problems(Split::Validation);
        assert_eq!(problems.iter().filter(one_digit).count(), of_all.iter().filter(one_digit).count());
        assert_eq!(problems.iter().filter(|problem| !one_digit(problem)).count(), TWO_DIGIT_PROBLEMS);
    }

    #[test]
    fn prompts_are_not_asked_twice() {
        let prompts = prompts(&PromptConfig::default(), 128);
        let said = |task: &Task| task.messages.iter().map(|message| message.content.clone()).collect::<Vec<_>>();
        let texts: BTreeSet<_> = prompts.iter().map(said).collect();
        assert_eq!((texts.len(), prompts.len()), (128, 128));
        assert_eq!(preferences(&PromptConfig::default(), 5).len(), 5);
    }

    #[test]
    fn a_few_are_spread_over_all() {
        assert_eq!(spread((0..10).collect(), 3), [0, 3, 6]);
        assert_eq!(spread((0..3).collect(), 9), [0, 1, 2]);
    }
}
