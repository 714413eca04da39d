//! Short stories from a grammar, in English and in Chinese.
//!
//! A story is an opening and the beats of a plot. Each beat has several wordings with gaps for who, where and what;
//! rows of tables fill the gaps, so that a thing fits its place and a remedy its trouble. A hero and the hero's friend
//! never share a pronoun in the English stories, so that "he" and "she" are never in doubt.

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
    Story { text: drawn.text, language, hero: drawn.bindings.fill("{hero}"), description, topic: drawn.topic.to_string() }
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
    use english_words::{ANIMALS, HE, SHE, TRAITS};
    const SHE_FORMS: [&str; 4] = ["girl", "she", "her", "her"];
    const HE_FORMS: [&str; 4] = ["boy", "he", "him", "his"];
    let hero_is_she = dice.chance(50);
    let ((names, forms), (friends, friend_forms)) =
        if hero_is_she { ((SHE, SHE_FORMS), (HE, HE_FORMS)) } else { ((HE, HE_FORMS), (SHE, SHE_FORMS)) };
    let animals = dice.chance(60);
    let (hero, friend, manner) = (*dice.pick(names), *dice.pick(friends), *dice.pick(TRAITS));
    let kind = if animals { *dice.pick(ANIMALS) } else { forms[0] };
    let mut bindings = Bindings::default();
    bindings.set_row(&[("hero", hero), ("trait", manner), ("kind", kind), ("friend", friend)]);
    bindings.set_row(&[("he", forms[1]), ("him", forms[2]), ("his", forms[3])]);
    bindings.set_row(&[("fhe", friend_forms[1]), ("fhim", friend_forms[2]), ("fhis", friend_forms[3])]);
    // A friend is introduced once, as "Ben" among children and as "Ben the bear" among animals.
    bindings.set("friendfull", if animals { format!("{friend} the {}", dice.pick(ANIMALS)) } else { friend.to_string() });
    Cast { bindings, hero: format!("{manner} {kind} {hero}") }
}

fn chinese_cast(dice: &mut Dice) -> Cast {
    use chinese_words::{ANIMALS, NAMES};
    let hero_is_she = dice.chance(50);
    let animals = dice.chance(60);
    let hero = dice.below(NAMES.len());
    // Another name: the list is gone round by a random step that is not a whole turn.
    let friend = NAMES[(hero + 1 + dice.below(NAMES.len() - 1)) % NAMES.len()];
    let hero = NAMES[hero];
    let mut bindings = Bindings::default();
    bindings.set_row(&[("hero", hero), ("friend", friend)]);
    if animals {
        bindings.set_row(&[("one", "一只"), ("kind", *dice.pick(ANIMALS))]);
        bindings.set_row(&[("he", "它"), ("fhe", "它"), ("they", "它们")]);
        bindings.set("friendfull", format!("{}{friend}", dice.pick(ANIMALS)));
    } else {
        let forms = if hero_is_she { ["小女孩", "她", "他"] } else { ["小男孩", "他", "她"] };
        bindings.set_row(&[("one", "一个"), ("kind", forms[0]), ("friendfull", friend)]);
        bindings.set_row(&[("he", forms[1]), ("fhe", forms[2]), ("they", "他们")]);
    }
    let described = bindings.fill("{kind}{hero}");
    Cast { bindings, hero: described }
}
