//! Short stories from a grammar, in English and in Chinese.
//!
//! A story is an opening and the beats of a plot. Each beat has several wordings with gaps for who, where and what;
//! rows of tables fill the gaps, so that a thing fits its place and a remedy its trouble.
//!
//! A story can be asked for by what it is about: the opening names the hero and the hero's kind, and [`Story`] says
//! what else a request may name. Only the hero has a name and a pronoun; the friend is "the bear" and never of the
//! hero's kind. Who "he" is, is never in doubt, and a small model has one name and one pronoun to carry through a
//! story rather than two of each.

mod chinese_cast;
mod chinese_more_shapes;
mod chinese_shapes;
mod chinese_words;
mod english_adventures;
mod english_cast;
mod english_more_shapes;
mod english_places;
mod english_shapes;
mod english_words;
mod grammar;
mod english_hero;
mod made_up;
mod rare_words;
mod titles;

use serde::{Deserialize, Serialize};

use super::Split;
use super::dice::Dice;
use super::template::capitalise;
pub(super) use chinese_cast::chinese_name;
pub(super) use english_cast::{common_animal, common_name, is_common_name, with_article};
use grammar::Grammar;
pub(super) use made_up::word as made_up_word;
pub(super) use titles::titled;

/// The languages that stories and small talk come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    English,
    /// Chinese, in simplified characters.
    Chinese,
}

impl Language {
    /// The two-letter code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    fn grammar(self) -> &'static Grammar {
        match self {
            Self::English => &ENGLISH,
            Self::Chinese => &CHINESE,
        }
    }

    /// The words of `text` in English, its characters in Chinese.
    fn length(self, text: &str) -> usize {
        match self {
            Self::English => text.split(' ').count(),
            Self::Chinese => text.chars().count(),
        }
    }

    /// The most words or characters of a story, so that it fits a small context beside its request.
    fn longest(self) -> usize {
        match self {
            Self::English => 75,
            Self::Chinese => 120,
        }
    }

    /// Whether `text` has `phrase`: in English as whole words, with a capital or without.
    fn mentions(self, text: &str, phrase: &str) -> bool {
        let whole_words = |phrase: &str| {
            text.match_indices(phrase).any(|(start, _)| {
                let (before, after) = (&text[..start], &text[start + phrase.len()..]);
                !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
            })
        };
        match self {
            Self::English => whole_words(phrase) || whole_words(&capitalise(phrase)),
            Self::Chinese => text.contains(phrase),
        }
    }
}

/// Pronoun of a story's hero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pronoun {
    /// "she", 她.
    She,
    /// "he", 他.
    He,
    /// 它, of animals and robots in Chinese.
    It,
}

/// A story, and what a request for it would name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// The whole story, on one line.
    pub text: String,
    /// Its language.
    pub language: Language,
    /// The hero's name.
    pub hero: String,
    /// Kind of the hero: "rabbit", "girl", "小兔子".
    pub kind: String,
    /// The kind with its article or measure word: "a rabbit", "an owl", "一只小兔子". The text need not have it.
    pub a_kind: String,
    /// The hero as the text introduces it: "a shy rabbit", or "a rabbit" where the text says no more; in Chinese as
    /// `kind`.
    pub description: String,
    /// Kind of the hero's friend, if there is one: "fox", "小狐狸".
    pub friend: Option<String>,
    /// The friend with article or measure word: "a fox", "一只小狐狸". The text need not have it.
    pub a_friend: Option<String>,
    /// A noun for where the story plays, where the text has one: "forest", "公园".
    pub place: Option<String>,
    /// The same as it reads after "a story": "in the forest", "公园里". The text need not have it.
    pub setting: Option<String>,
    /// Topic of the story, as it reads after "a story about": "sharing", "a lost kite", "分享".
    pub topic: String,
    /// Whether the hero is an animal, not a girl, a boy or somebody like a king.
    pub is_animal: bool,
    /// Pronoun of the hero.
    pub pronoun: Pronoun,
}

const ENGLISH: Grammar = Grammar {
    language: Language::English,
    openings: english_words::OPENINGS,
    shapes: &[english_shapes::SHAPES, english_more_shapes::MORE_SHAPES, english_adventures::ADVENTURES],
    common: english_words::COMMON,
    cast: english_hero::english_cast,
    gap: " ",
};

const CHINESE: Grammar = Grammar {
    language: Language::Chinese,
    openings: chinese_words::OPENINGS,
    shapes: &[chinese_shapes::SHAPES, chinese_more_shapes::MORE_SHAPES],
    common: chinese_words::COMMON,
    cast: chinese_cast::chinese_cast,
    gap: "",
};

/// One story of `split`.
///
/// Names, kinds that are not a girl or a boy, and templates (plot, opening, first and last beat) belong to one split
/// each; a friend of a validation story may be of a kind known from training. A story that came out too long is drawn
/// again.
pub(super) fn draw(language: Language, split: Split, dice: &mut Dice) -> Story {
    let grammar::Drawn { text, bindings, topic, .. } = loop {
        let drawn = language.grammar().draw(split, dice);
        if language.length(&drawn.text) <= language.longest() {
            break drawn;
        }
    };
    let value = |key: &str| bindings.fill(&format!("{{{key}}}"));
    let mentioned = |key: &str| language.mentions(&text, &value(key));
    let described = if mentioned("described") { value("described") } else { value("akind") };
    let has_friend = mentioned("friendkind");
    // A request names the place where the story begins, if the opening says it.
    let opening = first_sentence(&text);
    let is_in = |text: &str, key: &str| language.mentions(text, &value(key));
    let places = [("at", "placenoun", "at"), ("place", "placenoun", "at"), ("home", "homenoun", "homesetting")];
    let place = [opening, text.as_str()].iter().find_map(|text| places.iter().find(|(key, ..)| is_in(text, key)));
    let (place, setting) = place.map(|(_, noun, setting)| (value(noun), value(setting))).unzip();
    Story {
        language,
        hero: value("hero"),
        kind: value("kind"),
        a_kind: value("akind"),
        description: if language == Language::English { described } else { value("kind") },
        friend: has_friend.then(|| value("friendkind")),
        a_friend: has_friend.then(|| value("afriend")),
        place,
        setting,
        topic,
        is_animal: bindings.get("group") == Some("animal"),
        pronoun: match bindings.get("he") {
            Some("she" | "她") => Pronoun::She,
            Some("he" | "他") => Pronoun::He,
            _ => Pronoun::It,
        },
        text,
    }
}

/// A story's first sentence, without its full stop.
fn first_sentence(text: &str) -> &str {
    text.split(['.', '。']).next().unwrap_or(text)
}

impl Story {
    /// Whether the first sentence has `phrase`. Stories that are asked for begin with what they were asked for.
    pub(super) fn opens_with(&self, phrase: &str) -> bool {
        self.language.mentions(first_sentence(&self.text), phrase)
    }

    /// Rare and made-up words of a story: its hero's name or kind, the friend's kind, the place.
    pub(super) fn rare(&self) -> impl Iterator<Item = &String> {
        let words = [Some(&self.hero), Some(&self.kind), self.friend.as_ref(), self.place.as_ref()];
        words.into_iter().flatten().filter(|word| match self.language {
            Language::English => !english_cast::is_listed(word) && !english_places::is_known(word),
            Language::Chinese => Some(*word) != self.place.as_ref() && !chinese_cast::is_listed(word),
        })
    }
}

/// The name of somebody who may be the hero of an English story of `split`.
pub(super) fn name(split: Split, dice: &mut Dice) -> String {
    let pronoun = if dice.chance(50) { Pronoun::She } else { Pronoun::He };
    english_hero::hero_name(split, pronoun, dice)
}

/// A name that nobody has.
pub(super) fn uncommon_name(split: Split, dice: &mut Dice) -> String {
    let pronoun = if dice.chance(50) { Pronoun::She } else { Pronoun::He };
    made_up::name(split, pronoun, dice)
}

/// An animal of a story: one of very many, half of them rare or made up.
pub(super) fn uncommon_animal(dice: &mut Dice) -> String {
    if dice.chance(50) { made_up::noun(dice) } else { dice.word(english_cast::ANIMALS.training).to_string() }
}

/// Endless stories of one language.
pub fn stories(language: Language, split: Split, seed: u64) -> impl Iterator<Item = Story> {
    let stream = format!("stories/{}/{}", language.code(), split.name());
    (0..).map(move |index| draw(language, split, &mut Dice::new(seed, &stream, index)))
}

/// Number of different stories about one cast.
#[must_use]
pub fn variety(language: Language) -> u128 {
    language.grammar().variety()
}

#[cfg(test)]
mod tests;
