use std::collections::BTreeSet;

use super::grammar::Table;
use super::*;

const LANGUAGES: [Language; 2] = [Language::English, Language::Chinese];
const SPLITS: [Split; 2] = [Split::Train, Split::Validation];

/// Whether `text` is whole sentences: every gap filled, every quotation closed, an end mark at the end.
#[track_caller]
fn check_sentences(text: &str) {
    assert!(!text.contains(['{', '}', '\n']), "an unfilled gap or a line break: {text:?}");
    assert!(!text.contains("  ") && text.trim() == text, "stray spaces: {text:?}");
    assert!(text.ends_with(['.', '!', '?', '"', '。', '！', '？', '”']), "no end mark: {text:?}");
    assert_eq!(text.matches('"').count() % 2, 0, "an open quotation: {text:?}");
    assert_eq!(text.matches('“').count(), text.matches('”').count(), "an open quotation: {text:?}");
    assert!(text.chars().next().is_some_and(|first| !first.is_lowercase()), "no capital: {text:?}");
    for doubled in ["..", "。。", "！。", "!.", " the the ", " a a "] {
        assert!(!text.contains(doubled), "{doubled:?} in {text:?}");
    }
}

/// Sentences end at an end mark that is followed by nothing or by a new beginning, not by "said Ben".
fn count_sentences(story: &Story) -> usize {
    let chars: Vec<char> = story.text.chars().collect();
    let ends = |i: usize| match story.language {
        Language::English => {
            let after: String = chars[i + 1..].iter().take(3).collect();
            let after = after.trim_start_matches(['"', ' ']);
            matches!(chars[i], '.' | '!' | '?') && after.chars().next().is_none_or(char::is_uppercase)
        }
        Language::Chinese => matches!(chars[i], '。' | '！' | '？') && chars.get(i + 1) != Some(&'”'),
    };
    (0..chars.len()).filter(|&i| ends(i)).count()
}

#[test]
fn every_wording_of_every_plot_is_whole_sentences_with_every_row() {
    for language in LANGUAGES {
        let grammar = language.grammar();
        for cast_index in 0..6 {
            let bindings = (grammar.cast)(&mut Dice::new(1, "casts", cast_index)).bindings;
            let rows = |tables: &[Table], index: usize| {
                let mut filled = bindings.clone();
                grammar.common.iter().chain(tables).for_each(|table| filled.set_row(table[index % table.len()]));
                filled
            };
            for index in 0..14 {
                let opening_rows = rows(&[], index);
                grammar.openings.iter().for_each(|opening| check_sentences(&opening_rows.fill(opening)));
                for shape in grammar.shapes.iter().flat_map(|group| group.iter()) {
                    let filled = rows(shape.tables, index);
                    let wordings =
                        shape.beats.iter().flat_map(|beat| beat.iter()).filter(|wording| !wording.is_empty());
                    wordings.for_each(|wording| check_sentences(&filled.fill(wording)));
                }
            }
        }
    }
}

#[test]
fn a_plot_never_leaves_out_how_it_begins_and_ends() {
    for shape in LANGUAGES.iter().flat_map(|language| language.grammar().shapes.iter().copied().flatten()) {
        let (first, last) = (shape.beats[0], shape.beats[shape.beats.len() - 1]);
        assert!(!first.contains(&"") && !last.contains(&""), "{}", shape.topic);
        let wordings: BTreeSet<_> = shape.beats.iter().flat_map(|beat| beat.iter()).filter(|w| !w.is_empty()).collect();
        let count = shape.beats.iter().flat_map(|beat| beat.iter()).filter(|w| !w.is_empty()).count();
        assert_eq!(wordings.len(), count, "a wording stands twice in {}", shape.topic);
    }
}

#[test]
fn stories_have_four_to_twelve_sentences_and_name_their_hero() {
    for (language, split) in LANGUAGES.into_iter().flat_map(|language| SPLITS.map(|split| (language, split))) {
        let (mut total, mut named_again) = (0, 0);
        for story in stories(language, split, 7).take(500) {
            check_sentences(&story.text);
            let sentences = count_sentences(&story);
            assert!((4..=12).contains(&sentences), "{sentences} sentences: {}", story.text);
            assert!(story.text.contains(&story.hero), "the hero has no name: {}", story.text);
            total += sentences;
            named_again += usize::from(story.text.matches(&story.hero).count() >= 2);
        }
        assert!((3500..4750).contains(&total), "{language:?} {split:?}: {total} sentences in 500 stories");
        assert!(named_again > 450, "{language:?}: the hero is forgotten in {} of 500 stories", 500 - named_again);
    }
}

#[test]
fn an_english_story_has_one_name_and_one_pronoun() {
    for story in stories(Language::English, Split::Train, 8).take(1000) {
        let words: BTreeSet<&str> = story.text.split(|c: char| !c.is_alphabetic()).collect();
        let names: Vec<_> =
            english_words::SHE.iter().chain(english_words::HE).filter(|n| words.contains(**n)).collect();
        assert_eq!(names, [&story.hero.as_str()], "{}", story.text);
        let others: &[&str] = if english_words::SHE.contains(&story.hero.as_str()) {
            &["he", "He", "him", "his", "His"]
        } else {
            &["she", "She", "her", "Her"]
        };
        assert!(others.iter().all(|pronoun| !words.contains(pronoun)), "{}", story.text);
    }
}

#[test]
fn no_name_is_both_she_and_he_and_no_friend_is_of_a_heros_kind() {
    assert!(english_words::SHE.iter().all(|name| !english_words::HE.contains(name)));
    assert!(english_words::HEROES.iter().all(|kind| !english_words::FRIENDS.contains(kind)));
    assert!(chinese_words::HEROES.iter().all(|kind| !chinese_words::FRIENDS.contains(kind)));
}

#[test]
fn there_are_billions_of_stories_and_hardly_two_alike() {
    for language in LANGUAGES {
        assert!(variety(language) > 1_000_000_000, "{language:?}: {}", variety(language));
        let texts: BTreeSet<_> = stories(language, Split::Train, 9).take(3000).map(|story| story.text).collect();
        assert!(texts.len() >= 2995, "{language:?}: {} of 3,000 are different", texts.len());
    }
}

#[test]
fn the_words_are_few_enough_for_a_small_model() {
    let english = stories(Language::English, Split::Train, 10).take(3000).map(|story| story.text.to_lowercase());
    let words: BTreeSet<String> = english
        .flat_map(|text| text.split(|c: char| !c.is_alphabetic()).map(str::to_string).collect::<Vec<_>>())
        .collect();
    assert!((500..1000).contains(&words.len()), "{} English words", words.len());
    let chinese = stories(Language::Chinese, Split::Train, 10).take(3000);
    let characters: BTreeSet<char> = chinese.flat_map(|story| story.text.chars().collect::<Vec<_>>()).collect();
    assert!((200..400).contains(&characters.len()), "{} Chinese characters", characters.len());
}

#[test]
fn heroes_of_the_splits_are_different() {
    for language in LANGUAGES {
        let heroes = |split| {
            let all = stories(language, split, 11).take(1000);
            all.map(|story| format!("{} {}", story.description, story.hero)).collect::<BTreeSet<_>>()
        };
        assert!(heroes(Split::Train).is_disjoint(&heroes(Split::Validation)), "{language:?}");
    }
}

#[test]
fn every_plot_is_told_in_both_splits() {
    for language in LANGUAGES {
        let plots: BTreeSet<_> =
            language.grammar().shapes.iter().flat_map(|group| group.iter()).map(|shape| shape.topic).collect();
        for split in SPLITS {
            let told: BTreeSet<_> = stories(language, split, 12).take(500).map(|story| story.topic).collect();
            assert_eq!(told.iter().map(String::as_str).collect::<BTreeSet<_>>(), plots, "{language:?} {split:?}");
        }
    }
}
