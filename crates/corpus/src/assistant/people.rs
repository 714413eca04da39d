//! Questions about the people of the invented world.

use super::Exchange;
use super::intent::{reply, said};
use crate::check::{Check, ReplyCheck};
use crate::dice::Dice;
use crate::stories::Language;
use crate::world::{Attribute, Person, Question, World};
use crate::{Split, Topic, wording};

/// Up to `most` exchanges: the first names a person, the others say "he" or "she", or turn to somebody else.
///
/// Now and then the first only mentions somebody. In training that may be anybody, also people whom no training
/// conversation asks about: what is held out is what is known of them, not that they are known.
pub fn exchanges(world: &World, split: Split, most: usize, dice: &mut Dice) -> Vec<Exchange> {
    let people: Vec<_> = world.people_of(split).collect();
    let mut person = *dice.pick(&people);
    if dice.chance(20) {
        let mentioned = if split == Split::Train { dice.pick(world.people()) } else { person };
        let exchange = mention(mentioned, split, dice);
        if !people.contains(&mentioned) || most == 1 {
            return vec![exchange];
        }
        let attribute = *dice.pick(&Attribute::ALL);
        return vec![exchange, about(mentioned, attribute, FOLLOW_UPS, split, dice)];
    }
    let mut attributes = Attribute::ALL;
    dice.shuffle(&mut attributes);
    let mut exchanges = Vec::new();
    if dice.chance(15) {
        exchanges.push(who_is(person, split, dice));
    }
    for attribute in attributes {
        if exchanges.len() >= most {
            break;
        }
        let first = exchanges.is_empty();
        if !first && dice.chance(30) {
            person = *dice.pick(&people);
            exchanges.push(about(person, attribute, QUESTIONS, split, dice));
        } else {
            exchanges.push(about(person, attribute, if first { QUESTIONS } else { FOLLOW_UPS }, split, dice));
        }
    }
    exchanges
}

fn about(person: &Person, attribute: Attribute, patterns: [&[&str]; 5], split: Split, dice: &mut Dice) -> Exchange {
    let bindings = person.bindings(attribute);
    let text = wording::filled(patterns[attribute as usize], split, &bindings, dice);
    let answers = if dice.chance(70) { ANSWERS } else { SHORT_ANSWERS };
    let answer = reply(answers[attribute as usize], &bindings, dice);
    let question = Question {
        text: said(&text, "?", Language::English, dice),
        person: person.name.to_string(),
        attribute,
        value: person.value(attribute).to_string(),
        answer: crate::template::capitalise(&answer),
    };
    Exchange {
        topic: Topic::People,
        language: Language::English,
        asked: question.text.clone(),
        answer: question.answer.clone(),
        check: Check::World { question },
    }
}

/// "Who is …?", answered by job and town.
fn who_is(person: &Person, split: Split, dice: &mut Dice) -> Exchange {
    let mut bindings = person.bindings(Attribute::Job);
    bindings.set("job", person.value(Attribute::Job));
    bindings.set("town", person.value(Attribute::Town));
    let text = wording::filled(WHO_IS, split, &bindings, dice);
    let answer = bindings.fill("{name} is a {job} who lives in {town}.");
    let facts = [person.value(Attribute::Job), person.value(Attribute::Town)];
    Exchange {
        topic: Topic::People,
        language: Language::English,
        asked: said(&text, "?", Language::English, dice),
        answer,
        check: Check::Reply { reply: ReplyCheck::naming(Language::English, &facts) },
    }
}

/// Somebody is mentioned, and nothing is asked yet.
fn mention(person: &Person, split: Split, dice: &mut Dice) -> Exchange {
    let bindings = person.bindings(Attribute::Job);
    let text = wording::filled(MENTIONS, split, &bindings, dice);
    Exchange {
        topic: Topic::People,
        language: Language::English,
        asked: said(&text, ".", Language::English, dice),
        answer: reply(KNOWN, &bindings, dice),
        check: Check::Reply { reply: ReplyCheck::naming(Language::English, &[person.name]) },
    }
}

const MENTIONS: &[&str] = &[
    "[can I ask you|may I ask you|I want to ask you|I would like to ask|let me ask you|I have a question|I need to \
     know something|I want to hear something] about {name}",
    "[I met|I saw|I talked to|I was with|I had tea with|I am going to see|I will visit|I played with] {name} [today|\
     this morning|yesterday|in town|again]",
    "[I like|I know|I miss|I am a friend of|we were talking about|let us talk about|I am looking for] {name}",
];

const KNOWN: &[&str] = &[
    "[Yes, |]I know {name}. What do you want to know about {name}?",
    "I know {name}! Ask me where {he} lives, or what {he} likes to eat.",
];

const WHO_IS: &[&str] = &[
    "[who is|tell me who is|so who is|and who is|do you know who is|please tell me who is] {name}[ please|]",
    "[tell me|tell me something|say something|I want to know more|what can you tell me|what do you know|can you tell \
     me something|do you know anything] about {name}[ please|]",
    "[do you know|have you met|have you heard of|describe|introduce] {name}[ please| to me|]",
];

/// How a first question asks for each attribute, in the order of [`Attribute::ALL`].
const QUESTIONS: [&[&str]; 5] = [
    &[
        "[where does|in which town does|in what town does|which town does|do you know where|tell me where|and where \
         does|can you tell me where] {name} [live|live now|live these days]",
        "[what is|tell me|do you know|name|say] {name}'s [home town|town|home]",
        "[which town|what town|where] is {name} from",
        "[where|in which town|in which place] is {name}'s [home|house]",
        "where can I find {name}",
    ],
    &[
        "[what is|tell me|do you know|name|say] {name}'s [job|work|profession|trade|occupation]",
        "what does {name} [do|do for a living|do all day|work as|do for work|do at work]",
        "[what work|which work|what kind of work|which job] does {name} [do|have]",
        "[what|as what|how] does {name} [work as|earn money|earn a living|make a living]",
        "what is {name} by [trade|profession]",
    ],
    &[
        "[what|which|what kind of] [pet|animal] does {name} [have|keep|own|have at home]",
        "[what is|tell me|do you know|name|say] {name}'s [pet|animal]",
        "[does {name} have a pet|has {name} got a pet|does {name} keep an animal|does {name} have an animal]",
        "[what|which] [pet|animal] lives with {name}",
    ],
    &[
        "what does {name} [like to eat|eat|love to eat|eat every day|like best to eat|eat most|enjoy eating|like for \
         dinner]",
        "[what is|tell me|do you know|name|say] {name}'s [favourite food|favourite dish|best food|favourite meal]",
        "[which|what] food does {name} [like best|like|love|like most|eat|prefer]",
        "[what should I cook|what can I cook|what shall I cook] for {name}",
    ],
    &[
        "[what is|tell me|do you know|name|say] {name}'s [favourite colour|best colour|colour]",
        "[which|what] colour does {name} [like best|like|love|like most|prefer|wear]",
        "what [colour are|is the colour of] {name}'s clothes",
        "[which|what] is the favourite colour of {name}",
    ],
];

/// How a later question asks about the same person.
const FOLLOW_UPS: [&[&str]; 5] = [
    &[
        "[and|so|now|ok, and|also|then|] where does {he} live[ now|]",
        "[and|so|] where is {he} from",
        "[and|so|] [what is|which is] {his} [home town|town]",
    ],
    &[
        "[and|so|now|ok, and|also|] what [is {his} job|is {his} work|does {he} do|does {he} work as|work does {he} do|\
         does {he} do for a living]",
        "[and|] {his} job",
    ],
    &[
        "[and|so|now|ok, and|also|] [what pet does {he} have|which pet does {he} have|does {he} have a pet|what is \
         {his} pet|has {he} got an animal|which animal does {he} keep]",
        "[and|] {his} pet",
    ],
    &[
        "[and|so|now|ok, and|also|] what [does {he} like to eat|does {he} eat|is {his} favourite food|food does {he} \
         like|does {he} love to eat]",
        "[and|] {his} favourite food",
    ],
    &[
        "[and|so|now|ok, and|also|] [what is {his} favourite colour|which colour does {he} like|what colour does {he} \
         like best|which colour does {he} wear]",
        "[and|] {his} favourite colour",
    ],
];

/// Answers that name the person.
const ANSWERS: [&[&str]; 5] = [
    &["{name} lives in {value}."],
    &["{name} works as a {value}."],
    &["{name} has a {value}."],
    &["{name} likes to eat {value}."],
    &["{name}'s favourite colour is {value}."],
];

/// Answers that do not.
const SHORT_ANSWERS: [&[&str]; 5] = [
    &["{He} lives in {value}."],
    &["{He} works as a {value}."],
    &["{He} has a {value}."],
    &["{He} likes to eat {value}."],
    &["{His} favourite colour is {value}."],
];
