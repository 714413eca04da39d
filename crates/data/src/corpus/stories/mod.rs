//! Short stories from a grammar, in English and in Chinese.
//!
//! A story is an opening and the beats of a plot. Each beat has several wordings with gaps for who, where and what;
//! rows of tables fill the gaps, so that a thing fits its place and a remedy its trouble.
//!
//! Only the hero has a name and a pronoun; the friend is "the bear", and no friend is of a hero's kind. Who "he" is, is
//! never in doubt, and a small model has one name and one pronoun to carry through a story rather than two of each.

mod chinese_shapes;
mod chinese_words;
mod english_more_shapes;
mod english_shapes;
mod english_words;
mod grammar;

use serde::{Deserialize, Serialize};

use super::Split;
use super::dice::Dice;
use super::template::Bindings;
use grammar::{Cast, Grammar};

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
    /// What the hero is: "a shy rabbit", "小兔子".
    pub description: String,
    /// What the story is about: "a race", "分享".
    pub topic: String,
}

const ENGLISH: Grammar = Grammar {
    language: Language::English,
    openings: english_words::OPENINGS,
    shapes: &[english_shapes::SHAPES, english_more_shapes::MORE_SHAPES],
    common: english_words::COMMON,
    cast: english_cast,
    gap: " ",
};

const CHINESE: Grammar = Grammar {
    language: Language::Chinese,
    openings: chinese_words::OPENINGS,
    shapes: &[chinese_shapes::SHAPES],
    common: chinese_words::COMMON,
    cast: chinese_cast,
    gap: "",
};

/// One story. Its hero (name and description) and its template (plot, opening, first and last beat) belong to `split`.
pub(super) fn draw(language: Language, split: Split, dice: &mut Dice) -> Story {
    let drawn = language.grammar().draw(split, dice);
    let description = drawn.bindings.fill(match language {
        Language::English => "a {trait} {kind}",
        Language::Chinese => "{kind}",
    });
    Story {
        text: drawn.text,
        language,
        hero: drawn.bindings.fill("{hero}"),
        description,
        topic: drawn.topic.to_string(),
    }
}

/// Endless stories of one language.
pub fn stories(language: Language, split: Split, seed: u64) -> impl Iterator<Item = Story> {
    let stream = format!("stories/{}/{}", language.code(), split.name());
    (0..).map(move |index| draw(language, split, &mut Dice::new(seed, &stream, index)))
}

/// How many different stories one cast can be told in.
#[must_use]
pub fn variety(language: Language) -> u128 {
    language.grammar().variety()
}

fn english_cast(dice: &mut Dice) -> Cast {
    use english_words::{FRIENDS, HE, HEROES, SHE, TRAITS};
    let (names, child, [he, him, his]) =
        if dice.chance(50) { (SHE, "girl", ["she", "her", "her"]) } else { (HE, "boy", ["he", "him", "his"]) };
    let hero = dice.word(names);
    let kind = if dice.chance(60) { dice.word(HEROES) } else { child };
    let friend = dice.word(FRIENDS);
    let mut bindings = Bindings::default();
    bindings.set_row(&[("hero", hero), ("trait", dice.word(TRAITS)), ("kind", kind)]);
    bindings.set_row(&[("he", he), ("him", him), ("his", his)]);
    bindings.set("friend", format!("the {friend}"));
    bindings.set("afriend", format!("a {friend}"));
    let described = bindings.fill("{trait} {kind} {hero}");
    Cast { bindings, hero: described }
}

fn chinese_cast(dice: &mut Dice) -> Cast {
    use chinese_words::{FRIENDS, HEROES, NAMES};
    let mut bindings = Bindings::default();
    bindings.set_row(&[("hero", dice.word(NAMES)), ("friend", dice.word(FRIENDS))]);
    bindings.set_row(match dice.weighted(&[60, 20, 20]) {
        0 => &[("one", "一只"), ("he", "它"), ("they", "它们")],
        1 => &[("one", "一个"), ("kind", "小女孩"), ("he", "她"), ("they", "他们")],
        _ => &[("one", "一个"), ("kind", "小男孩"), ("he", "他"), ("they", "他们")],
    });
    if bindings.get("kind").is_none() {
        bindings.set("kind", dice.word(HEROES));
    }
    let described = bindings.fill("{kind}{hero}");
    Cast { bindings, hero: described }
}

#[cfg(test)]
mod tests;
