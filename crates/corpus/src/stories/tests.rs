use std::collections::{BTreeMap, BTreeSet};

use super::grammar::{StoryShape, Table};
use super::*;
use crate::template::Bindings;
use crate::world::{World, WorldConfig};

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
    for (language, split) in LANGUAGES.into_iter().flat_map(|language| SPLITS.map(|split| (language, split))) {
        let grammar = language.grammar();
        for cast_index in 0..6 {
            let rows = |tables: &[Table], index: usize| {
                let mut filled = Bindings::default();
                grammar.common.iter().chain(tables).for_each(|table| filled.set_row(table[index % table.len()]));
                (grammar.cast)(split, &mut Dice::new(1, "casts", cast_index), &mut filled);
                filled
            };
            for index in 0..16 {
                let opening_rows = rows(&[], index);
                grammar.openings.iter().for_each(|opening| check_sentences(&opening_rows.fill(opening)));
                for shape in shapes(language) {
                    let filled = rows(shape.tables, index);
                    let wordings = shape.beats.iter().flat_map(|beat| beat.iter());
                    wordings.for_each(|wording| check_sentences(&filled.fill(wording)));
                }
            }
        }
    }
}

fn shapes(language: Language) -> impl Iterator<Item = &'static StoryShape> {
    language.grammar().shapes.iter().copied().flatten()
}

#[test]
fn a_plot_has_five_beats_each_with_three_wordings_or_a_table() {
    for shape in LANGUAGES.into_iter().flat_map(shapes) {
        assert_eq!(shape.beats.len(), 5, "{}", shape.name);
        for beat in shape.beats {
            assert!(beat.len() >= 3 || (beat.len() == 1 && beat[0].starts_with('{')), "{}: {beat:?}", shape.name);
        }
        let wordings: BTreeSet<_> = shape.beats.iter().flat_map(|beat| beat.iter()).collect();
        let count = shape.beats.iter().map(|beat| beat.len()).sum::<usize>();
        assert_eq!(wordings.len(), count, "a wording stands twice in {}", shape.name);
        assert!(shape.topics.len() >= 3, "{}", shape.name);
    }
}

#[test]
fn stories_are_short_and_name_their_hero_again() {
    for (language, split, story) in some_stories(7) {
        check_sentences(&story.text);
        let sentences = count_sentences(&story);
        // In Chinese the end of a quotation is not counted.
        let (fewest, least) = if language == Language::English { (6, 45) } else { (4, 60) };
        assert!((fewest..=8).contains(&sentences), "{sentences} sentences: {}", story.text);
        let length = language.length(&story.text);
        assert!((least..=language.longest()).contains(&length), "{split:?}: a length of {length}: {}", story.text);
        let named = |what: &str| story.text.matches(what).count();
        let again = named(&story.hero) >= 2 || named(&format!("he {}", story.kind)) >= 1;
        assert!(named(&story.hero) >= 1 && again, "the hero is forgotten: {}", story.text);
    }
}

/// 2,000 stories of each language and split.
fn some_stories(seed: u64) -> impl Iterator<Item = (Language, Split, Story)> {
    LANGUAGES
        .into_iter()
        .flat_map(|language| SPLITS.map(|split| (language, split)))
        .flat_map(move |(language, split)| stories(language, split, seed).take(2000).map(move |s| (language, split, s)))
}

#[test]
fn what_a_request_may_name_is_in_the_story() {
    let (mut with_friend, mut with_place) = (0, 0);
    for (language, _, story) in some_stories(8) {
        let named = [
            Some(&story.hero),
            Some(&story.kind),
            Some(&story.description),
            story.friend.as_ref(),
            story.place.as_ref(),
        ];
        for what in named.into_iter().flatten() {
            assert!(language.mentions(&story.text, what), "{what:?} is not in {}", story.text);
        }
        assert!(!story.topic.contains(['{', '}']) && story.a_kind.ends_with(&story.kind), "{story:?}");
        assert_eq!(story.friend.is_some(), story.a_friend.is_some());
        assert_eq!(story.place.is_some(), story.setting.is_some());
        assert_ne!(story.friend.as_ref(), Some(&story.kind), "{}", story.text);
        with_friend += usize::from(story.friend.is_some());
        with_place += usize::from(story.place.is_some());
    }
    assert!(with_friend > 5000 && with_place > 5000, "{with_friend} with a friend, {with_place} with a place of 8,000");
}

#[test]
fn no_animal_is_in_a_story_but_its_hero_and_its_friend() {
    for (language, _, story) in some_stories(9) {
        for kind in animals(language) {
            let expected = story.kind == kind || story.friend.as_deref() == Some(kind);
            assert_eq!(language.mentions(&story.text, kind), expected, "{kind}: {}", story.text);
        }
    }
}

fn animals(language: Language) -> Vec<&'static str> {
    let chinese = || chinese_cast::ANIMALS.training.iter().chain(chinese_cast::ANIMALS.held_out).map(|(kind, _)| *kind);
    match language {
        Language::English => [english_cast::ANIMALS.training, english_cast::ANIMALS.held_out].concat(),
        Language::Chinese => chinese().collect(),
    }
}

#[test]
fn names_and_kinds_of_validation_are_never_in_training() {
    let (english, chinese) = (Language::English, Language::Chinese);
    let mut held_out: Vec<(Language, &str)> = Vec::new();
    for names in [english_cast::SHE, english_cast::HE, english_cast::ANIMALS] {
        held_out.extend(names.held_out.iter().map(|name| (english, *name)));
    }
    held_out.extend(english_cast::ROLES.held_out.iter().map(|(role, _)| (english, *role)));
    held_out.extend(english_places::PLACES.held_out.iter().map(|(_, place)| (english, *place)));
    for names in [chinese_cast::NAMES, chinese_cast::SHE, chinese_cast::HE] {
        held_out.extend(names.held_out.iter().map(|name| (chinese, *name)));
    }
    held_out.extend(chinese_cast::ANIMALS.held_out.iter().map(|(kind, _)| (chinese, *kind)));
    held_out.extend(chinese_cast::ROLES.held_out.iter().map(|role| (chinese, role.kind)));
    let (mut names, mut kinds) = ([BTreeSet::new(), BTreeSet::new()], [BTreeSet::new(), BTreeSet::new()]);
    for (language, split, story) in some_stories(10) {
        if split == Split::Train {
            let found = held_out.iter().find(|(l, what)| *l == language && language.mentions(&story.text, what));
            assert_eq!(found, None, "{}", story.text);
        }
        names[usize::from(split == Split::Train)].insert(story.hero);
        if !["girl", "boy", "小女孩", "小男孩"].contains(&story.kind.as_str()) {
            kinds[usize::from(split == Split::Train)].insert(story.kind);
        }
    }
    assert!(names[0].is_disjoint(&names[1]) && kinds[0].is_disjoint(&kinds[1]));
    assert_eq!(kinds[0].len(), 8 + 3 + 4 + 1, "every kind is a hero");
    let mut known: Vec<&str> = english_cast::ANIMALS.training.to_vec();
    known.extend(english_cast::ROLES.training.iter().map(|(role, _)| *role));
    known.extend(chinese_cast::ANIMALS.training.iter().map(|(kind, _)| *kind));
    known.extend(chinese_cast::ROLES.training.iter().map(|role| role.kind));
    assert!(known.iter().all(|kind| kinds[1].contains(*kind)), "every kind is a hero");
}

#[test]
fn half_of_the_english_animals_are_rare_in_training_alone() {
    let made_up = |split| {
        let animals = stories(Language::English, split, 11).filter(|story| story.is_animal).take(2000);
        let known = [english_cast::ANIMALS.training, english_cast::ANIMALS.held_out].concat();
        animals.filter(|story| !known.contains(&story.kind.as_str())).count()
    };
    assert!((930..1070).contains(&made_up(Split::Train)), "{} of 2,000", made_up(Split::Train));
    assert_eq!(made_up(Split::Validation), 0);
}

#[test]
fn there_are_enough_names_and_none_is_somebody_elses() {
    let english =
        [english_cast::SHE.training, english_cast::SHE.held_out, english_cast::HE.training, english_cast::HE.held_out];
    let chinese = [chinese_cast::NAMES, chinese_cast::SHE, chinese_cast::HE].map(|n| [n.training, n.held_out].concat());
    let english: Vec<&str> = english.concat();
    let world = World::new(&WorldConfig { people: WorldConfig::MOST_PEOPLE, ..WorldConfig::default() });
    for (names, least) in [(english, 120), (chinese.concat(), 50)] {
        let different: BTreeSet<_> = names.iter().collect();
        assert!(different.len() == names.len() && names.len() >= least, "{} names", names.len());
        assert!(world.people().iter().all(|person| !names.contains(&person.name)));
    }
    for (_, _, story) in some_stories(11) {
        assert!(world.people().iter().all(|person| !story.text.contains(person.name)), "{}", story.text);
    }
}

#[test]
fn half_of_the_english_heroes_have_a_rare_name() {
    let listed = [english_cast::SHE.training, english_cast::HE.training].concat();
    let heroes: Vec<_> = stories(Language::English, Split::Train, 12).take(2000).map(|story| story.hero).collect();
    let made_up: Vec<_> = heroes.iter().filter(|name| !listed.contains(&name.as_str())).collect();
    assert!((930..1070).contains(&made_up.len()), "{} of 2,000", made_up.len());
    let different: BTreeSet<_> = made_up.iter().collect();
    assert!(different.len() > 500, "{} different names in {}", different.len(), made_up.len());
}

#[test]
fn rare_words_are_many_and_in_training_alone() {
    for language in LANGUAGES {
        let of = |split| stories(language, split, 17).take(4000);
        let rare = |story: Story| story.rare().cloned().collect::<Vec<_>>();
        let different: BTreeSet<_> = of(Split::Train).flat_map(rare).collect();
        assert!(different.len() > 400, "{language:?}: {} different", different.len());
        for story in of(Split::Validation) {
            assert!(!story.rare().any(|word| *word == story.kind || Some(word) == story.place.as_ref()), "{story:?}");
        }
    }
    let places: BTreeSet<_> = stories(Language::English, Split::Train, 18).take(4000).filter_map(|s| s.place).collect();
    assert!(places.len() > 150, "{} places", places.len());
}

#[test]
fn articles_are_right() {
    let mut vowels = 0;
    for story in SPLITS.into_iter().flat_map(|split| stories(Language::English, split, 13).take(2000)) {
        let titled = titled(&story, &mut Dice::new(13, "titles", 0));
        let spoken =
            [titled, story.a_kind, story.description, story.a_friend.unwrap_or_default(), story.topic].join(" ");
        let words: Vec<&str> = spoken.split(|c: char| !c.is_alphabetic()).collect();
        for pair in words.windows(2) {
            let vowel = pair[1].starts_with(['a', 'e', 'i', 'o', 'u']);
            assert!(!matches!(pair[0], "a" | "A") || !vowel, "{pair:?} in {spoken}");
            assert!(!matches!(pair[0], "an" | "An") || vowel, "{pair:?} in {spoken}");
            vowels += usize::from(pair[0] == "an");
        }
    }
    assert!(vowels > 100);
}

#[test]
fn an_english_story_has_one_name_and_one_pronoun() {
    let names = [english_cast::SHE.training, english_cast::HE.training].concat();
    for story in stories(Language::English, Split::Train, 14).take(2000) {
        let words: BTreeSet<&str> = story.text.split(|c: char| !c.is_alphabetic()).collect();
        assert!(names.iter().all(|name| !words.contains(name) || *name == story.hero), "{}", story.text);
        let others: &[&str] = match story.pronoun {
            Pronoun::She => &["he", "He", "him", "his", "His"],
            _ => &["she", "She", "her", "Her"],
        };
        assert!(others.iter().all(|pronoun| !words.contains(pronoun)), "{}", story.text);
    }
}

#[test]
fn a_title_is_one_line_that_names_what_follows() {
    for (language, _, story) in some_stories(15).step_by(7) {
        for index in 0..5 {
            let whole = titled(&story, &mut Dice::new(15, "titles", index));
            let (title, rest) = whole.split_once('\n').expect("a first line");
            assert_eq!(rest, story.text);
            assert!(title.ends_with(['.', '。']) && title.chars().count() < 90, "{title}");
            let named = [
                Some(&story.hero),
                Some(&story.kind),
                Some(&story.topic),
                story.setting.as_ref(),
                story.place.as_ref(),
            ];
            assert!(named.into_iter().flatten().any(|what| language.mentions(title, what)), "{title}");
        }
    }
}

#[test]
fn no_sentence_is_said_three_times() {
    for (_, _, story) in some_stories(16) {
        let mut counts = BTreeMap::new();
        for sentence in story.text.split_inclusive(['.', '!', '?', '。', '！', '？']) {
            *counts.entry(sentence.trim()).or_insert(0) += 1;
        }
        assert!(counts.iter().all(|(sentence, count)| *count < 3 || sentence.chars().count() < 3), "{}", story.text);
    }
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
fn the_same_seed_tells_the_same_stories() {
    for language in LANGUAGES {
        let some = |seed| stories(language, Split::Train, seed).take(20).collect::<Vec<_>>();
        assert_eq!(some(1), some(1));
        assert_ne!(some(1), some(2));
    }
}

#[test]
fn the_words_are_few_enough_for_a_small_model() {
    let english = stories(Language::English, Split::Train, 10).take(3000);
    let words: BTreeSet<String> = english
        .flat_map(|story| {
            // Names, animals and places may be rare.
            let rare = [Some(&story.kind), story.friend.as_ref(), story.place.as_ref()];
            let text = story.text.replace(&story.hero, "").to_lowercase();
            let text = rare.into_iter().flatten().fold(text, |text, word| text.replace(word, ""));
            text.split(|c: char| !c.is_alphabetic()).map(str::to_string).collect::<Vec<_>>()
        })
        .collect();
    assert!((500..900).contains(&words.len()), "{} English words", words.len());
    let chinese = stories(Language::Chinese, Split::Train, 10).filter(|story| story.rare().count() == 0).take(3000);
    let characters: BTreeSet<char> = chinese.flat_map(|story| story.text.chars().collect::<Vec<_>>()).collect();
    assert!((300..480).contains(&characters.len()), "{} Chinese characters", characters.len());
}

#[test]
fn every_plot_is_told_in_both_splits() {
    for (language, split) in LANGUAGES.into_iter().flat_map(|language| SPLITS.map(|split| (language, split))) {
        let told: BTreeSet<_> = stories(language, split, 12).take(2000).map(|story| story.topic).collect();
        for shape in shapes(language) {
            let mut whole = shape.topics.iter().filter(|topic| !topic.contains('{'));
            assert!(whole.all(|topic| told.contains(*topic)), "{split:?} never tells of {:?}", shape.topics);
        }
    }
    let counts = LANGUAGES.map(|language| shapes(language).count());
    assert!(counts[0] >= 12 && counts[1] >= 9, "{counts:?}");
}
