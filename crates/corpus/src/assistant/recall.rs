//! Facts that users tell of themselves and ask for later.

use super::Exchange;
use super::facts::{CHINESE_FACTS, FACTS, Fact};
use super::intent::{reply, said};
use crate::check::{Check, ReplyCheck};
use crate::dice::Dice;
use crate::stories::Language;
use crate::template::Bindings;
use crate::{Split, Topic, wording};

/// The user tells something, and asks for it afterwards: right away, or after `between`. Sometimes two things are told
/// and one of them is asked for, or one is told and another is asked for, which the assistant then does not know.
pub fn exchanges(language: Language, split: Split, between: Vec<Exchange>, dice: &mut Dice) -> Vec<Exchange> {
    let fact = draw(language, dice);
    let value = (fact.values)(split, dice);
    let mut exchanges = vec![told(fact, &value, language, split, dice)];
    let other = another(fact, language, dice);
    let last = match dice.weighted(&[70, 18, 12]) {
        0 => asked(fact, &value, language, split, dice),
        1 => {
            let value_of_other = (other.values)(split, dice);
            let second = told(other, &value_of_other, language, split, dice);
            exchanges.insert(dice.below(2), second);
            asked(fact, &value, language, split, dice)
        }
        _ => not_told(other, language, split, dice),
    };
    exchanges.extend(between);
    exchanges.push(last);
    exchanges
}

/// A question for something where nothing was told.
pub fn never_told(language: Language, split: Split, dice: &mut Dice) -> Exchange {
    not_told(draw(language, dice), language, split, dice)
}

/// Something is told, and nobody asks for it.
pub fn only_told(language: Language, split: Split, dice: &mut Dice) -> Exchange {
    let fact = draw(language, dice);
    told(fact, &(fact.values)(split, dice), language, split, dice)
}

fn facts(language: Language) -> &'static [Fact] {
    match language {
        Language::English => FACTS,
        Language::Chinese => CHINESE_FACTS,
    }
}

fn draw(language: Language, dice: &mut Dice) -> &'static Fact {
    let weights: Vec<u32> = facts(language).iter().map(|fact| fact.weight).collect();
    &facts(language)[dice.weighted(&weights)]
}

fn another(fact: &Fact, language: Language, dice: &mut Dice) -> &'static Fact {
    loop {
        let other = draw(language, dice);
        if !std::ptr::eq(other, fact) {
            return other;
        }
    }
}

fn told(fact: &Fact, value: &str, language: Language, split: Split, dice: &mut Dice) -> Exchange {
    let check = ReplyCheck::naming(language, &[value]);
    let mut bindings = Bindings::default();
    bindings.set("x", value);
    exchange([fact.says, fact.replies], [".", "。"], &bindings, check, split, dice)
}

fn asked(fact: &Fact, value: &str, language: Language, split: Split, dice: &mut Dice) -> Exchange {
    let check = ReplyCheck::naming(language, &[value]);
    let mut bindings = Bindings::default();
    bindings.set("x", value);
    exchange([fact.asks, fact.answers], ["?", "？"], &bindings, check, split, dice)
}

fn not_told(fact: &Fact, language: Language, split: Split, dice: &mut Dice) -> Exchange {
    let check = ReplyCheck::admitting(language);
    exchange([fact.asks, fact.admissions], ["?", "？"], &Bindings::default(), check, split, dice)
}

/// `patterns` and `marks` are the user's and the assistant's, and the English and the Chinese.
fn exchange(
    patterns: [&[&str]; 2],
    marks: [&str; 2],
    bindings: &Bindings,
    check: ReplyCheck,
    split: Split,
    dice: &mut Dice,
) -> Exchange {
    let language = check.language;
    let (topic, mark) = match language {
        Language::English => (Topic::Recall, marks[0]),
        Language::Chinese => (Topic::Chinese, marks[1]),
    };
    let says = wording::filled(patterns[0], split, bindings, dice);
    // Nobody can name what was mistyped as it was meant.
    let value = bindings.get("x").filter(|value| says.contains(*value)).unwrap_or("").to_lowercase();
    let asked = loop {
        let asked = said(&says, mark, language, dice);
        if asked.to_lowercase().contains(&value) {
            break asked;
        }
    };
    Exchange {
        topic,
        language,
        asked,
        answer: reply(patterns[1], bindings, dice),
        check: Check::Reply { reply: check },
    }
}
