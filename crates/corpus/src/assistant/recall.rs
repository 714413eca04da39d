//! Facts that users tell of themselves and ask for later.

use super::intent::{reply, said};
use super::{Exchange, possessions};
use crate::check::{Check, ReplyCheck};
use crate::dice::Dice;
use crate::stories::{self, Language};
use crate::template::Bindings;
use crate::{Split, Topic, wording};

/// Something that people tell of themselves.
struct Fact {
    weight: u32,
    values: fn(Split, &mut Dice) -> String,
    says: &'static [&'static str],
    replies: &'static [&'static str],
    asks: &'static [&'static str],
    answers: &'static [&'static str],
}

/// The user tells something, and asks for it afterwards: right away, or after `between`.
pub fn exchanges(split: Split, between: Vec<Exchange>, dice: &mut Dice) -> Vec<Exchange> {
    let weights: Vec<u32> = FACTS.iter().map(|fact| fact.weight).collect();
    let fact = &FACTS[dice.weighted(&weights)];
    let value = (fact.values)(split, dice);
    let mut bindings = Bindings::default();
    bindings.set("x", &value);
    let says = wording::filled(fact.says, split, &bindings, dice);
    let asks = wording::filled(fact.asks, split, &bindings, dice);
    let language = Language::English;
    let told = Exchange {
        topic: Topic::Recall,
        language,
        asked: said(&says, ".", language, dice),
        answer: reply(fact.replies, &bindings, dice),
        check: Check::Reply { reply: ReplyCheck::naming(language, &[&value]) },
    };
    let asked = Exchange {
        topic: Topic::Recall,
        language,
        asked: said(&asks, "?", language, dice),
        answer: reply(fact.answers, &bindings, dice),
        check: Check::Reply { reply: ReplyCheck::naming(language, &[&value]) },
    };
    [vec![told], between, vec![asked]].concat()
}

/// The same question where nothing was told.
pub fn never_told(split: Split, dice: &mut Dice) -> Exchange {
    let fact = &FACTS[0];
    let asks = wording::filled(fact.asks, split, &Bindings::default(), dice);
    let language = Language::English;
    let answers = &["I do not know your name. [What is it?|You have not told me yet.|Please tell me.]"];
    Exchange {
        topic: Topic::Recall,
        language,
        asked: said(&asks, "?", language, dice),
        answer: reply(answers, &Bindings::default(), dice),
        check: Check::Reply { reply: ReplyCheck::admitting(language) },
    }
}

fn name(split: Split, dice: &mut Dice) -> String {
    if dice.chance(made_up(split)) { stories::uncommon_name(split, dice) } else { stories::name(split, dice) }
}

fn colour(split: Split, dice: &mut Dice) -> String {
    possessions::colour(split, made_up(split), dice)
}

fn food(split: Split, dice: &mut Dice) -> String {
    possessions::food(split, made_up(split), dice)
}

fn pet(split: Split, dice: &mut Dice) -> String {
    possessions::pet(split, made_up(split), dice)
}

/// Percentage of told facts that are made-up words. Such a word has to be copied: a model that learns to choose among
/// the words of a list is lost with any other, and validation has only others.
fn made_up(split: Split) -> usize {
    if split == Split::Train { 50 } else { 0 }
}

const FACTS: &[Fact] = &[
    Fact {
        weight: 46,
        values: name,
        says: &[
            "[my name is|I am called|call me|I am|you can call me|the name is|people call me|they call me|my friends \
             call me|please call me|everybody calls me|my first name is] {x}[ by the way|, nice to meet you|, by the \
             way|, and you|]",
            "[hello|hi|hey|good morning|good evening|hello there|good day|well|so|ok][,|] [my name is|I am|I am \
             called|call me|this is|the name is] {x}",
            "[this is {x}|{x} is my name|{x} here|it is me, {x}|here is {x}]",
        ],
        replies: &[
            "[Nice to meet you|Hello|I am glad to meet you], {x}! [What can I do for you?|How can I help you?|Shall I \
             tell you a story?|]",
        ],
        asks: &[
            "[what is|tell me|say|do you know|do you remember|can you tell me|can you remember|do you still know|what \
             was|so what is|and what is|repeat|guess] my [own |first ||]name[ again| now| please|]",
            "[who am I|do you know who I am|do you remember me|what am I called|how am I called|what do people call \
             me|do you know me|remember my name]",
            "[and|so|now|ok|then][,|] [what is my name|who am I|do you know my name|what am I called]",
        ],
        answers: &["Your name is {x}.", "You are {x}.", "You told me that your name is {x}."],
    },
    Fact {
        weight: 18,
        values: colour,
        says: &[
            "[my favourite colour is|I like the colour|the colour I like best is|I love the colour|my best colour is|\
             the best colour is|I love] {x}[ most| best|]",
            "{x} is [my favourite colour|the colour that I like|the best colour|my colour]",
        ],
        replies: &["{X} is a [nice|beautiful|lovely] colour!"],
        asks: &[
            "[what is|do you remember|tell me|do you know|can you tell me|what was|and what is|so what is] my \
             favourite colour[ again| now| please|]",
            "[which|what] colour [do I like|do I like best|do I love|is my favourite|did I say]",
        ],
        answers: &["Your favourite colour is {x}."],
    },
    Fact {
        weight: 20,
        values: food,
        says: &[
            "[I like|I love|I really like|I like to eat|I love to eat|my favourite food is|I want to eat|I eat a lot \
             of|I always eat|the food I like best is] {x}[ a lot| best| every day|]",
            "{x} [is my favourite food|is what I like to eat|is the best food|tastes best to me]",
        ],
        replies: &["{X}! That [sounds good|must taste good]."],
        asks: &[
            "[what is|do you remember|tell me|do you know|what was|and what is|so what is] my favourite food[ again| \
             now|]",
            "[what|which food] do I [like|like to eat|like best|love|love to eat|eat]",
            "[do you remember|tell me|do you know] what I like to eat",
        ],
        answers: &["You like {x}."],
    },
    Fact {
        weight: 16,
        values: pet,
        says: &[
            "[I have|I have got|at home I have|I keep|I own|my pet is|we have|there is|I just got] a {x}[ at home| as \
             a pet|]",
            "[a {x} is my pet|a {x} lives with me|I live with a {x}]",
        ],
        replies: &["A {x}! [How nice.|That is lovely.|How lovely.]"],
        asks: &[
            "[what|which] [pet|animal] do I have[ at home| again|]",
            "[what is|do you remember|tell me|do you know|what was|and what is|so what is] my pet[ again| now|]",
            "[do you remember|tell me|do you know] [what pet|which pet|which animal] I have",
        ],
        answers: &["You have a {x}."],
    },
];
