//! Properties of all generators together.

use std::collections::BTreeSet;

use serde::Serialize;

use super::arithmetic::verify;
use super::dice::fingerprint;
use super::*;

const SPLITS: [Split; 2] = [Split::Train, Split::Validation];

fn plain(documents: impl Iterator<Item = CorpusDocument>) -> Vec<String> {
    documents.map(|document| document.to_string()).collect()
}

fn none() -> TopicShares {
    TopicShares { people: 0, ..TopicShares::only(Topic::People) }
}

fn json<T: Serialize>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| serde_json::to_string(&item).expect("plain data")).collect::<Vec<_>>().join("\n")
}

/// A change of these numbers means that recipes no longer give the runs they gave: it belongs into the changelog.
#[test]
fn the_corpus_is_pinned() {
    let text = |split| plain(documents(&CorpusConfig::default(), split).take(300)).join("\n\n");
    let pinned = [
        fingerprint(&text(Split::Train)),
        fingerprint(&text(Split::Validation)),
        fingerprint(&json(conversations(&ConversationConfig::default(), Split::Train).take(100))),
        fingerprint(&json(prompts(&PromptConfig::default(), Split::Train).take(100))),
        fingerprint(&json(preferences(&PromptConfig::default(), Split::Train).take(100))),
    ];
    assert_eq!(pinned.map(|hash| format!("{hash:016x}")), PINNED);
}

const PINNED: [&str; 5] =
    ["d93e2dc83d5062cc", "7cb27b8150b2c7f4", "9a239f4eaf61ee34", "ac4fff0a7960d0e4", "2824e36c936b59c2"];

#[test]
fn notes_come_first_where_they_are_asked_for() {
    let corpus = Corpus::new(&CorpusConfig { notes_first: 5, ..CorpusConfig::default() }).expect("valid");
    assert!((0..5).all(|index| corpus.document(Split::Train, index).0 == DocumentKind::Recall));
    let plain = Corpus::new(&CorpusConfig::default()).expect("the default is valid");
    assert!((5..200).all(|index| corpus.document(Split::Train, index) == plain.document(Split::Train, index)));
    assert_eq!(corpus.document(Split::Validation, 0), plain.document(Split::Validation, 0));
}

#[test]
fn conversations_are_left_to_the_chat_template_where_it_is_asked_for() {
    let config = CorpusConfig { notes_first: 50, ..CorpusConfig::default() };
    let as_turns = CorpusConfig { chat_template: true, ..config };
    let turns: Vec<_> = documents(&as_turns, Split::Train).take(300).collect();
    assert!(turns.iter().any(|document| matches!(document, CorpusDocument::Conversation(_))));
    assert_eq!(plain(turns.into_iter()), plain(documents(&config, Split::Train).take(300)));
    assert!(documents(&config, Split::Train).take(300).all(|document| matches!(document, CorpusDocument::Text(_))));
}

#[test]
fn another_seed_is_another_corpus_and_a_document_does_not_depend_on_the_others() {
    let config = CorpusConfig::default();
    let other = CorpusConfig { seed: 1, ..config };
    let first = |config: &CorpusConfig| documents(config, Split::Train).next();
    assert_ne!(first(&config), first(&other));
    let corpus = Corpus::new(&config).expect("the default is valid");
    assert_eq!(documents(&config, Split::Train).nth(57), Some(corpus.document(Split::Train, 57).1));
}

#[test]
fn every_document_is_of_the_expected_length_and_well_formed() {
    let corpus = Corpus::new(&CorpusConfig::default()).expect("the default is valid");
    for (split, index) in SPLITS.into_iter().flat_map(|split| (0..1000).map(move |index| (split, index))) {
        let (kind, document) = corpus.document(split, index);
        let text = document.to_string();
        let expected = match kind {
            DocumentKind::EnglishStory => 180..620,
            DocumentKind::ChineseStory => 40..220,
            DocumentKind::Biography => 80..260,
            DocumentKind::Arithmetic => 70..400,
            DocumentKind::Dialogue | DocumentKind::Recall => 15..1500,
        };
        assert!(expected.contains(&text.chars().count()), "{kind:?} of {}: {text}", text.chars().count());
        assert!(!text.contains(['{', '}', '\u{fffd}']) && text.trim() == text, "{text}");
    }
}

#[test]
fn the_kinds_come_in_their_shares() {
    let shares =
        Shares { english_stories: 1, chinese_stories: 1, biographies: 2, arithmetic: 0, dialogues: 0, recall: 0 };
    let corpus = Corpus::new(&CorpusConfig { shares, ..CorpusConfig::default() }).expect("valid");
    let count = |kind| (0..2000).filter(|&index| corpus.document(Split::Train, index).0 == kind).count();
    assert!((400..600).contains(&count(DocumentKind::EnglishStory)));
    assert!((400..600).contains(&count(DocumentKind::ChineseStory)));
    assert!((900..1100).contains(&count(DocumentKind::Biography)));
    assert_eq!(count(DocumentKind::Arithmetic), 0);
}

#[test]
fn training_and_validation_share_no_document() {
    let config = CorpusConfig { documents: Some(3000), validation_documents: 300, ..CorpusConfig::default() };
    let train: BTreeSet<_> = documents(&config, Split::Train).collect();
    assert!(train.len() > 2950, "only {} of 3,000 documents are different", train.len());
    assert!(documents(&config, Split::Validation).all(|document| !train.contains(&document)));
}

#[test]
fn the_limits_hold_and_no_limit_is_endless() {
    let config = CorpusConfig { documents: Some(20), validation_documents: 3, ..CorpusConfig::default() };
    assert_eq!(documents(&config, Split::Train).count(), 20);
    assert_eq!(documents(&config, Split::Validation).count(), 3);
    let config = CorpusConfig { documents: None, bytes: Some(10_000), ..config };
    let sizes: Vec<_> = documents(&config, Split::Train).map(|document| document.bytes()).collect();
    let total: usize = sizes.iter().sum();
    assert!(total >= 10_000 && total - sizes[sizes.len() - 1] < 10_000, "{total}");
    let endless = CorpusConfig { bytes: None, ..config };
    assert_eq!(documents(&endless, Split::Train).take(1000).count(), 1000);
}

#[track_caller]
fn check_refused(config: &CorpusConfig, says: &str) {
    let error = config.validate().expect_err("refused").to_string();
    assert!(error.contains(says) && !error.contains('\n'), "{error}");
}

#[test]
fn impossible_configurations_are_refused_by_name() {
    let config = CorpusConfig::default();
    let none =
        Shares { english_stories: 0, chinese_stories: 0, biographies: 0, arithmetic: 0, dialogues: 0, recall: 0 };
    check_refused(&CorpusConfig { shares: none, ..config }, "corpus.shares");
    check_refused(&CorpusConfig { one_digit_percent: 101, ..config }, "from 0 to 100");
    let world = |people, held_out_people| WorldConfig { people, held_out_people, ..config.world };
    check_refused(&CorpusConfig { world: world(0, 0), ..config }, "from 1 to 96");
    check_refused(&CorpusConfig { world: world(97, 0), ..config }, "from 1 to 96");
    check_refused(&CorpusConfig { world: world(8, 9), ..config }, "at most the number of people, 8");
    assert!(serde_json::from_str::<CorpusConfig>(r#"{"seeed": 1}"#).is_err());
    assert_eq!(serde_json::from_str::<CorpusConfig>("{}").expect("all have defaults"), config);
}

#[test]
fn impossible_conversations_and_prompts_are_refused_by_name() {
    #[track_caller]
    fn check(conversations: &ConversationConfig, prompts: &PromptConfig, says: &str) {
        for (section, error) in [("conversations", conversations.validate()), ("prompts", prompts.validate())] {
            let error = error.expect_err("refused").to_string();
            let says = says.replace('@', section);
            assert!(error.contains(&says) && !error.contains('\n'), "{error}");
        }
    }
    let (talk, asked) = (ConversationConfig::default(), PromptConfig::default());
    assert_eq!((talk.validate(), asked.validate(), PromptConfig::default().validate()), (Ok(()), Ok(()), Ok(())));
    let nothing = ConversationConfig { shares: none(), ..talk };
    check(&nothing, &PromptConfig { shares: none(), ..asked }, "the shares of the @ are all 0");
    let (percent, asked_percent) =
        (ConversationConfig { one_digit_percent: 200, ..talk }, PromptConfig { one_digit_percent: 200, ..asked });
    check(&percent, &asked_percent, "@.one_digit_percent is 200: it must be from 0 to 100");
    let error = ConversationConfig { flawed_percent: 101, ..talk }.validate().expect_err("refused").to_string();
    assert!(error.contains("conversations.flawed_percent is 101"), "{error}");
    let world = |held_out_people| WorldConfig { people: 8, held_out_people, seed: 0 };
    for (held_out, says) in
        [(0, "the validation split has nobody"), (8, "the training split has nobody"), (9, "at most")]
    {
        let world = world(held_out);
        let shares = TopicShares::only(Topic::People);
        check(&ConversationConfig { shares, world, ..talk }, &PromptConfig { shares, world, ..asked }, says);
    }
}

/// A valid configuration does not panic, in either split.
#[test]
fn a_valid_configuration_generates() {
    for held_out_people in [0, 3, 8] {
        let world = WorldConfig { people: 8, held_out_people, seed: 0 };
        let talk = ConversationConfig { world, flawed_percent: 50, ..ConversationConfig::default() };
        let asked = PromptConfig { world, ..PromptConfig::default() };
        assert_eq!((talk.validate(), asked.validate()), (Ok(()), Ok(())));
        for split in SPLITS {
            assert_eq!(conversations(&talk, split).take(50).count(), 50);
            assert_eq!(preferences(&asked, split).take(50).count(), 50);
        }
    }
}

#[test]
fn sample_prompts_show_every_kind_and_what_is_right() {
    let config = CorpusConfig::default();
    let samples = sample_prompts(&config);
    let kinds: BTreeSet<_> = samples.iter().map(|sample| sample.kind as usize).collect();
    assert_eq!(kinds.len(), DocumentKind::ALL.len(), "one of each kind");
    for sample in samples.iter().filter(|sample| sample.kind == DocumentKind::Arithmetic) {
        assert!(verify(&sample.prompt.to_string(), sample.expected.as_deref().unwrap_or("")));
    }
    let english_only =
        Shares { english_stories: 1, chinese_stories: 0, biographies: 0, arithmetic: 0, dialogues: 0, recall: 0 };
    let samples = sample_prompts(&CorpusConfig { shares: english_only, ..config });
    assert!(!samples.is_empty() && samples.iter().all(|sample| sample.kind == DocumentKind::EnglishStory));
}

#[test]
fn conversations_alternate_and_end_with_the_assistant() {
    for split in SPLITS {
        for conversation in conversations(&ConversationConfig::default(), split).take(1000) {
            let turns = &conversation.messages;
            assert!(turns.len() >= 2 && turns.len() % 2 == 0, "{conversation:?}");
            for (index, turn) in turns.iter().enumerate() {
                assert_eq!(turn.role, if index % 2 == 0 { "user" } else { "assistant" });
                assert!(!turn.content.is_empty() && !turn.content.contains(['{', '}']), "{conversation:?}");
            }
        }
    }
}

#[test]
fn the_reference_passes_its_own_check() {
    for prompt in SPLITS.into_iter().flat_map(|split| prompts(&PromptConfig::default(), split).take(1000)) {
        assert_ne!(prompt.check.answer_is_right(&prompt.reference), Some(false), "{prompt:?}");
        assert_eq!(prompt.check.answer_is_right(""), (prompt.check != Check::Open).then_some(false));
    }
}

#[test]
fn a_preference_pair_is_bad_in_the_way_it_says() {
    for pair in SPLITS.into_iter().flat_map(|split| preferences(&PromptConfig::default(), split).take(1000)) {
        let (chosen, rejected) = (&pair.chosen, &pair.rejected);
        let judged = pair.check.answer_is_right(rejected);
        assert_ne!(pair.check.answer_is_right(chosen), Some(false), "{pair:?}");
        assert!(chosen != rejected && !rejected.is_empty(), "{pair:?}");
        match pair.corruption {
            Corruption::Wrong => assert_eq!(judged, Some(false), "{pair:?}"),
            Corruption::Truncated => {
                assert!(chosen.starts_with(rejected) && judged != Some(true), "{pair:?}");
                assert!(!rejected.ends_with(['.', '!', '?', '。', '！', '？']), "{pair:?}");
            }
            Corruption::Repetitive => {
                let sentence: String = rejected.chars().take(rejected.chars().count() / 4 - 1).collect();
                assert!(rejected.matches(&sentence).count() >= 3, "{pair:?}");
            }
            Corruption::Rude => {
                assert!(rejected.contains(chosen), "{pair:?}");
            }
            Corruption::OffTopic => assert_ne!(judged, Some(true), "{pair:?}"),
        }
    }
}

#[test]
fn what_is_generated_survives_json() {
    let pairs: Vec<_> = preferences(&PromptConfig::default(), Split::Train).take(50).collect();
    for pair in pairs {
        let text = serde_json::to_string(&pair).expect("plain data");
        assert_eq!(serde_json::from_str::<PreferencePair>(&text).expect("what was written is read"), pair);
    }
}

#[test]
fn slips_come_in_their_share_and_leave_questions_as_they_are() {
    let clean = ConversationConfig::default();
    let careless = ConversationConfig { flawed_percent: 30, ..clean };
    let (mut answers, mut flawed) = (0, 0);
    for (clean, careless) in conversations(&clean, Split::Train).zip(conversations(&careless, Split::Train)).take(2000)
    {
        for (good, other) in clean.messages.iter().zip(&careless.messages) {
            answers += usize::from(good.role == "assistant");
            flawed += usize::from(good != other);
            assert!(good == other || good.role == "assistant" && !other.content.is_empty(), "{careless:?}");
        }
    }
    let share = 100.0 * flawed as f64 / answers as f64;
    assert!((27.0..33.0).contains(&share), "{share} %");
}

#[test]
fn conversations_ask_about_the_people_of_their_split_and_training_only_mentions_the_others() {
    let config = ConversationConfig { shares: TopicShares::only(Topic::People), ..ConversationConfig::default() };
    let world = World::new(&config.world);
    let values: Vec<_> = Attribute::ALL.into_iter().flat_map(Attribute::values).collect();
    let has =
        |text: &str, word: &str| text.split(|c: char| !c.is_alphabetic()).any(|part| part.eq_ignore_ascii_case(word));
    let mut mentioned = BTreeSet::new();
    for split in SPLITS {
        let others: Vec<_> = world.people().iter().filter(|p| p.asked_about != (split == Split::Train)).collect();
        for conversation in conversations(&config, split).take(2000) {
            let [asked, answer] = &conversation.messages[..2] else { panic!("an exchange") };
            for person in others.iter().filter(|p| conversation.messages.iter().any(|turn| has(&turn.content, p.name)))
            {
                assert_eq!(split, Split::Train, "{conversation:?}");
                assert_eq!(conversation.messages.len(), 2, "nothing follows: {conversation:?}");
                assert!(answer.content.contains(&format!("I know {}", person.name)), "{conversation:?}");
                let told = values.iter().find(|value| has(&asked.content, value) || has(&answer.content, value));
                assert_eq!(told, None, "{conversation:?}");
                mentioned.insert(person.name);
            }
        }
    }
    assert_eq!(mentioned.len(), config.world.held_out_people, "{mentioned:?}");
}

#[test]
fn a_battery_has_as_many_of_each_topic_and_a_smaller_one_is_its_beginning() {
    let of = |per_topic, topic| {
        let mut prompts = battery(&WorldConfig::default(), per_topic);
        prompts.retain(|prompt| prompt.topic == topic);
        prompts
    };
    for topic in Topic::ALL {
        let (few, many) = (of(8, topic), of(60, topic));
        assert_eq!((few.len(), many.len()), (8, 60), "{topic:?}");
        assert_eq!(few, many[..8]);
    }
}
