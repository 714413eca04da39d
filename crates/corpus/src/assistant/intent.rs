//! Something that people say, what is replied, and how a reply is recognised.

use crate::check::{Check, ReplyCheck};
use crate::dice::Dice;
use crate::stories::Language;
use crate::template::Bindings;
use crate::typing::typed;
use crate::{Split, Topic, wording};

use super::Exchange;

/// One intent of a speaker.
#[derive(Debug)]
pub struct Intent {
    /// Topic in reports.
    pub topic: Topic,
    /// Relative frequency in its table.
    pub weight: u32,
    /// The mark that belongs to the end of what is said.
    pub mark: &'static str,
    /// Patterns of what is said.
    pub says: &'static [&'static str],
    /// Patterns of what is replied.
    pub replies: &'static [&'static str],
    /// Words or beginnings of words, one of which every good reply has.
    pub marks: &'static [&'static str],
}

/// A function `$name(weight, mark, says, replies, marks)` that makes intents of a topic.
macro_rules! of_topic {
    ($name:ident, $topic:expr) => {
        const fn $name(
            weight: u32,
            mark: &'static str,
            says: &'static [&'static str],
            replies: &'static [&'static str],
            marks: &'static [&'static str],
        ) -> $crate::assistant::intent::Intent {
            $crate::assistant::intent::Intent { topic: $topic, weight, mark, says, replies, marks }
        }
    };
}
pub(super) use of_topic;

/// An exchange of one of `intents`.
pub fn draw(intents: &[Intent], language: Language, split: Split, dice: &mut Dice) -> Exchange {
    let weights: Vec<u32> = intents.iter().map(|intent| intent.weight).collect();
    intents[dice.weighted(&weights)].exchange(language, split, dice)
}

impl Intent {
    /// Message and reply.
    pub fn exchange(&self, language: Language, split: Split, dice: &mut Dice) -> Exchange {
        let says = wording::filled(self.says, split, &Bindings::default(), dice);
        Exchange {
            topic: self.topic,
            language,
            asked: said(&says, self.mark, language, dice),
            answer: reply(self.replies, &Bindings::default(), dice),
            check: Check::Reply { reply: ReplyCheck::saying(language, self.marks) },
        }
    }
}

/// `text` as somebody types it: an English message begins with a capital unless it was typed without.
pub fn said(text: &str, mark: &str, language: Language, dice: &mut Dice) -> String {
    match language {
        Language::English => typed(&crate::template::capitalise(text), mark, dice),
        Language::Chinese => format!("{text}{}", if dice.chance(65) { mark } else { "" }),
    }
}

/// One expansion of the reply patterns, with its gaps filled.
pub fn reply(patterns: &[&str], bindings: &Bindings, dice: &mut Dice) -> String {
    bindings.fill(wording::expand(dice.word(patterns), dice).trim())
}
