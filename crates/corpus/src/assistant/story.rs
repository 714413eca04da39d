//! Requests for stories, and the stories.

use super::Exchange;
use super::chinese;
use super::intent::said;
use crate::check::{Check, ReplyCheck};
use crate::dice::Dice;
use crate::stories::{self, Language, Story};
use crate::template::Bindings;
use crate::{Split, Topic, wording};

/// A story is asked for and told.
pub fn exchange(language: Language, split: Split, dice: &mut Dice) -> Exchange {
    let request = any_request(dice);
    told(request, language, split, dice).0
}

/// The kinds of requests in the shares that they have.
pub fn any_request(dice: &mut Dice) -> usize {
    dice.weighted(&[16, 22, 14, 10, 17, 18, 6])
}

/// A story in English whose hero's name is asked for.
pub fn of_name(split: Split, dice: &mut Dice) -> Exchange {
    let request = if dice.chance(60) { 2 } else { 3 };
    told(request, Language::English, split, dice).0
}

/// Any story, asked for in one of the wordings of `patterns`, in which nothing is asked for.
pub fn any(patterns: &[&str], language: Language, split: Split, dice: &mut Dice) -> Exchange {
    let (story, ..) = fitting(0, language, split, dice);
    let text = wording::filled(patterns, split, &Bindings::default(), dice);
    answered(story, &text, vec![], dice)
}

/// A story for a request of one of the kinds that [`english`] lists, and what was told.
pub fn told(request: usize, language: Language, split: Split, dice: &mut Dice) -> (Exchange, Story) {
    let (story, patterns, words) = fitting(request, language, split, dice);
    let mut bindings = Bindings::default();
    for (key, value) in [
        ("hero", Some(&story.hero)),
        ("kind", Some(&story.kind)),
        ("a_kind", Some(&story.a_kind)),
        ("description", Some(&story.description)),
        ("topic", Some(&story.topic)),
        ("friend", story.friend.as_ref()),
        ("a_friend", story.a_friend.as_ref()),
        ("place", story.place.as_ref()),
        ("setting", story.setting.as_ref()),
    ] {
        bindings.set(key, value.map_or("", String::as_str));
    }
    let text = loop {
        let wording = bindings
            .fill(&wording::draw(ASK, split, dice).replace("{what}", &wording::expand(dice.word(patterns), dice)));
        if split == Split::Validation || !wording::is_held_out(&wording) {
            break wording;
        }
    };
    let text = if language == Language::Chinese { wording::filled(patterns, split, &bindings, dice) } else { text };
    (answered(story.clone(), &text, words, dice), story)
}

fn answered(story: Story, text: &str, words: Vec<String>, dice: &mut Dice) -> Exchange {
    let language = story.language;
    Exchange {
        topic: if language == Language::English { Topic::Story } else { Topic::Chinese },
        language,
        asked: said(text, if language == Language::English { "." } else { "。" }, language, dice),
        answer: story.text,
        check: Check::Reply { reply: ReplyCheck::story(language, words) },
    }
}

/// A story that can be asked for by a request of one kind, with the patterns of the request and the words that the
/// story has of it.
fn fitting(
    request: usize,
    language: Language,
    split: Split,
    dice: &mut Dice,
) -> (Story, &'static [&'static str], Vec<String>) {
    loop {
        let story = stories::draw(language, split, dice);
        let asked = match language {
            Language::English => english(&story, request),
            Language::Chinese => Some(chinese(&story, request, dice)),
        };
        let Some((patterns, words)) = asked else { continue };
        let asked_for = |word: &String| words.contains(word);
        // Nobody is told of a rare creature or place unless they asked for it. A hero whose name is left to the
        // assistant has one of few: a model learns of each whether a girl or a boy has it.
        let chosen = split == Split::Validation || stories::is_common_name(&story.hero) || asked_for(&story.hero);
        // Where a story names a place in its first sentence, it was asked for: a model then learns to copy it from the
        // request, and not to choose one.
        let placed = story.place.as_ref().is_none_or(asked_for);
        let fits = placed && story.rare().all(asked_for) && (chosen || language == Language::Chinese);
        if fits && words.iter().all(|word| story.opens_with(word)) {
            return (story, patterns, words);
        }
    }
}

/// Patterns of a kind of request, and the words that the story then must have; `None` where the story lacks what it
/// would be asked for by.
fn english(story: &Story, request: usize) -> Option<(&'static [&'static str], Vec<String>)> {
    let kind = || story.kind.clone();
    let hero = || story.hero.clone();
    Some(match request {
        0 => (ANY, vec![]),
        2 => (OF_KIND_AND_NAME, vec![kind(), hero()]),
        3 => (OF_NAME, vec![hero()]),
        4 => (OF_TWO, vec![kind(), story.friend.clone()?]),
        5 => (OF_PLACE, vec![story.place.clone()?]),
        6 => (OF_TOPIC, vec![]),
        _ => (OF_KIND, vec![kind()]),
    })
}

/// Of requests in Chinese there are three kinds; the first is the same as in English.
fn chinese(story: &Story, request: usize, dice: &mut Dice) -> (&'static [&'static str], Vec<String>) {
    match if request == 0 { 0 } else { 1 + dice.weighted(&[45, 55]) } {
        0 => (chinese::ANY_STORY, vec![]),
        1 => (chinese::STORY_OF_KIND, vec![story.kind.clone()]),
        _ => (chinese::STORY_OF_HERO, vec![story.kind.clone(), story.hero.clone()]),
    }
}

/// Requests for a story; `{what}` is its subject.
const ASK: &[&str] = &[
    "[tell|tell me|tell us|read me|give me|please tell me|can you tell me|could you tell me|will you tell me|would \
     you tell me|I want you to tell me|can you tell|could you please tell me|now tell me|ok, tell me|hi, tell me|you \
     should tell me] {what}[ please|, please| now|]",
    "[write|write me|please write|can you write|could you write|can you write me|make up|make me|invent|create|can \
     you make up|could you make|think of|please make up|compose|can you create] {what}[ please|, please| for me| for \
     my son| for my daughter| for us|]",
    "[I want|I would like|I want to hear|I would like to hear|I wish to hear|I need|I would love to hear|let me hear|\
     let us hear|we want|how about|do you know|do you have|have you got|can I have|can I hear|may I hear|may I have|\
     could I hear|I like] {what}[ please|, please| now|]",
    "[tell me|can you tell me|I want|I would like|do you know|how about|let me hear|give me|write|please tell me] \
     {what}",
    "{what}[ please|, please| now|]",
];

const ANY: &[&str] = &[
    "[a|another|one|one more|a new] [short |little |nice |funny |long |good |small |bedtime |sweet |happy |sad |\
     lovely |quiet |children's ||||]story[ for children| for my son| before bed| for kids| about anything| to \
     sleep||||]",
    "[some story|a tale|a fairy tale|any story|stories|your best story|a story that you like]",
];
const OF_KIND: &[&str] = &[
    "[a|another|one] [short |little |nice |funny |new |good |sweet |bedtime |||||]story [about|of|with|on] {a_kind}",
    "a story about [a little|a brave|a small|some|the|one|a young|a happy|a clever] {kind}",
    "[the story|a tale|a fairy tale|something] [of|about] {a_kind}",
];
const OF_KIND_AND_NAME: &[&str] = &[
    "[a|another|one] [short |little |nice |funny |new ||||]story [about|of|with] {a_kind} [named|called|whose name is|\
     with the name] {hero}",
    "a story about {hero} the {kind}",
    "a story about {hero}, {a_kind}",
    "a story [of|about] {description} [named|called] {hero}",
];
const OF_NAME: &[&str] = &[
    "[a|another|one] [short |little |nice |funny |new ||||]story [about|of|with|for] {hero}",
    "the story of {hero}",
    "a story [about somebody|with a hero|about someone] [named|called] {hero}",
];
const OF_TWO: &[&str] = &[
    "[a|another|one] [short |little |nice |funny |new ||||]story [about|of|with] {a_kind} and {a_friend}",
    "a story about [two friends, {a_kind} and {a_friend}|the {kind} and the {friend}|how {a_kind} met {a_friend}]",
];
const OF_PLACE: &[&str] = &[
    "[a|another|one] [short |little |nice |new |funny ||||]story [|that happens |that plays |which happens ]{setting}",
    "a story [about somebody|about someone who lives|with animals|about friends] {setting}",
];
const OF_TOPIC: &[&str] =
    &["[a|another|one] [short |little |nice |funny |new ||||]story about {topic}", "something about {topic}"];
