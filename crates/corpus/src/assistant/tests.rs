use std::collections::BTreeSet;

use super::*;
use crate::arithmetic::ProblemMix;
use crate::dice::Dice;
use crate::wording::{is_held_out, normal};
use crate::world::{World, WorldConfig};

fn assistant(split: Split) -> Assistant {
    let problems = ProblemMix { one_digit_percent: 40, minus_percent: 50 };
    Assistant::new(World::new(&WorldConfig::default()), problems, TopicShares::default(), split)
}

fn dialogues(split: Split, count: u64) -> Vec<Exchange> {
    let assistant = assistant(split);
    (0..count).flat_map(|index| assistant.dialogue(&mut Dice::new(7, "test", index)).1).collect()
}

/// Training messages of every topic, and all of validation's.
fn messages(split: Split) -> BTreeSet<String> {
    dialogues(split, 3000).into_iter().map(|exchange| exchange.asked).collect()
}

#[test]
fn every_good_answer_passes_its_own_check() {
    for split in [Split::Train, Split::Validation] {
        for exchange in dialogues(split, 3000) {
            assert_eq!(exchange.check.answer_is_right(&exchange.answer), Some(true), "{exchange:#?}");
        }
    }
}

#[test]
fn first_words_are_held_out_of_training() {
    let held_out: Vec<_> = messages(Split::Train).into_iter().filter(|message| is_held_out(message)).collect();
    assert!(held_out.is_empty(), "{held_out:?}");
}

#[test]
fn training_and_validation_share_no_wording_but_by_a_typing_mistake() {
    let normal = |split| messages(split).iter().map(|message| normal(message)).collect::<BTreeSet<_>>();
    let (train, validation) = (normal(Split::Train), normal(Split::Validation));
    let shared: Vec<_> = train.intersection(&validation).collect();
    assert!(shared.len() * 100 < validation.len(), "{} of {}: {shared:?}", shared.len(), validation.len());
}

#[test]
fn a_bad_answer_fails_the_check_of_another_topic() {
    let exchanges = dialogues(Split::Validation, 2000);
    let pairs = exchanges.iter().zip(exchanges.iter().skip(1)).filter(|(one, other)| one.topic != other.topic);
    let (mut wrong, mut all) = (0, 0);
    for (one, other) in pairs {
        wrong += usize::from(one.check.answer_is_right(&other.answer) == Some(false));
        all += 1;
    }
    assert!(wrong * 100 > all * 80, "{wrong} of {all}");
}

#[test]
fn text_is_clean() {
    for exchange in dialogues(Split::Train, 5000) {
        for text in [&exchange.asked, &exchange.answer] {
            assert!(
                text.trim() == text && !text.contains("  ") && !text.contains(['[', ']', '{', '}', '|', '\n']),
                "{text:?}"
            );
        }
        assert!(!exchange.asked.is_empty());
    }
}

#[test]
fn chinese_is_answered_in_chinese() {
    for exchange in dialogues(Split::Train, 5000) {
        let chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        if exchange.language == Language::English {
            assert!(!chinese(&exchange.asked) && !chinese(&exchange.answer), "{exchange:?}");
        } else if !matches!(exchange.check, Check::Arithmetic { .. }) {
            assert!(chinese(&exchange.answer), "{exchange:?}");
        }
    }
}

/// Every fact, and every question after a story, can be said in either split.
#[test]
fn facts_and_questions_after_stories_have_wordings_of_both_splits() {
    for (split, index) in [Split::Train, Split::Validation].into_iter().flat_map(|s| (0..600).map(move |i| (s, i))) {
        let dice = &mut Dice::new(11, "test", index);
        for language in [Language::English, Language::Chinese] {
            recall::exchanges(language, split, vec![], dice);
            story_talk::exchanges(language, split, dice);
            story_talk::accepted(language, split, dice);
        }
    }
}

#[test]
fn an_offer_of_a_story_is_recognised() {
    for offer in [
        "You are welcome! Shall I tell you a story?",
        "How nice! Would you like to hear a funny story?",
        "I like stories best. Shall I tell you one?",
        "你好！你想听故事吗？",
    ] {
        assert!(story_talk::is_offered_by(offer), "{offer}");
    }
    for other in [
        "What would you like, a story or a sum?",
        "Maybe a story can help.",
        "你想听故事，还是想算数？",
        "How are you?",
    ] {
        assert!(!story_talk::is_offered_by(other), "{other}");
    }
}
