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
/// Often the first only mentions somebody. In training half of the mentioned are people whom no training conversation
/// asks about: what is held out is what is known of them, not that they are known.
pub fn exchanges(world: &World, split: Split, most: usize, dice: &mut Dice) -> Vec<Exchange> {
    let people: Vec<_> = world.people_of(split).collect();
    let mut person = *dice.pick(&people);
    if dice.chance(30) {
        let others: Vec<_> = world.people_of(Split::Validation).collect();
        let of_others = split == Split::Train && !others.is_empty() && dice.chance(50);
        let mentioned = if of_others { *dice.pick(&others) } else { person };
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
     know something|I want to hear something|I would like to hear something|I want to know something|I want to learn \
     something|I want to talk|let us talk|can we talk|I am curious|I heard something|somebody told me something] about \
     {name}[ today| now|]",
    "[I met|I saw|I talked to|I was with|I had tea with|I am going to see|I will visit|I played with|I walked with|I \
     went to see|I had lunch with|we met|we saw|I called|I wrote to] {name} [today|this morning|yesterday|in town|again|\
     last night|on sunday]",
    "[I like|I know|I miss|I am a friend of|we were talking about|let us talk about|I am looking for|I think of|my \
     friend is|my neighbour is|I want to see] {name}[ a lot| very much|]",
];

const KNOWN: &[&str] = &[
    "[Yes, |]I know {name}. What do you want to know about {name}?",
    "I know {name}! Ask me where {he} lives, or what {he} likes to eat.",
];

const WHO_IS: &[&str] = &[
    "[who is|tell me who is|so who is|and who is|do you know who is|please tell me who is|\
     can you tell me who is|now who is|hey, who is|I want to know who is|who exactly is] {name}[ please| then|]",
    "[tell me|tell me something|say something|I want to know more|what can you tell me|what do you know|can you tell \
     me something|do you know anything|tell me more|please tell me something|what do people say|say a few words] about \
     {name}[ please| now|]",
    "[do you know|have you met|have you heard of|describe|introduce|please describe|can you describe|can you \
     introduce|do you remember|did you meet] {name}[ please| to me| for me|]",
];

/// First questions about each attribute, in the order of [`Attribute::ALL`].
const QUESTIONS: [&[&str]; 5] = [
    &[
        "[where does|in which town does|in what town does|which town does|do you know where|tell me where|and where \
         does|can you tell me where] {name} [live|live now|live these days]",
        "[what is|tell me|do you know|name|say] {name}'s [home town|town|home]",
        "[which town|what town|where] is {name} from",
        "[where|in which town|in which place|in what town|tell me where|do you know where] is {name}'s [home|house|place|\
         home town]",
        "[where can I find|where do I find|where can I visit|where can we meet|where can I meet|where would I find] \
         {name}[ now| today|]",
        "[in which town|in what town|where] [is {name} at home|can {name} be found|do I have to go to see {name}]",
    ],
    &[
        "[what is|tell me|do you know|name|say] {name}'s [job|work|profession|trade|occupation]",
        "what does {name} [do|do for a living|do all day|work as|do for work|do at work]",
        "[what work|which work|what kind of work|which job] does {name} [do|have]",
        "[what|as what|how] does {name} [work as|earn money|earn a living|make a living]",
        "[what is|tell me what is|do you know what is] {name} by [trade|profession|occupation]",
        "[how does|with what does|from what does] {name} [live|earn money|pay for food|make a living]",
    ],
    &[
        "[what|which|what kind of] [pet|animal] does {name} [have|keep|own|have at home]",
        "[what is|tell me|do you know|name|say] {name}'s [pet|animal]",
        "[does {name} have a pet|has {name} got a pet|does {name} keep an animal|does {name} have an animal]",
        "[what|which|what kind of] [pet|animal] [lives with|belongs to|stays with|sleeps in the house of] {name}",
        "[is there|tell me, is there|do you know if there is] [a pet|an animal] [with|in the house of] {name}",
    ],
    &[
        "what does {name} [like to eat|eat|love to eat|eat every day|like best to eat|eat most|enjoy eating|like for \
         dinner]",
        "[what is|tell me|do you know|name|say] {name}'s [favourite food|favourite dish|best food|favourite meal]",
        "[which|what] food does {name} [like best|like|love|like most|eat|prefer]",
        "[what should I cook|what can I cook|what shall I cook|what could I make|what should I make|what can I bake|what \
         shall we cook|what food can I bring] for {name}[ today| tonight|]",
    ],
    &[
        "[what is|tell me|do you know|name|say] {name}'s [favourite colour|best colour|colour]",
        "[which|what] colour does {name} [like best|like|love|like most|prefer|wear]",
        "what [colour are|is the colour of] {name}'s clothes",
        "[which|what|tell me what|do you know what] is the [favourite colour|best colour] of {name}",
        "[in what colour|in which colour] does {name} [dress|paint the door|like flowers|like clothes]",
    ],
];

/// Later questions about the same person.
const FOLLOW_UPS: [&[&str]; 5] = [
    &[
        "[and|so|now|ok, and|also|then|tell me,|good, and|] [where does {he} live|in which town does {he} live|where is \
         {his} home|where is {his} house|which town does {he} live in|where can I find {him}][ now|]",
        "[and|so|now|ok, and|also|then|good, and|] [where|which town|what town] is {he} from",
        "[and|so|now|ok, and|tell me,|] [what is|which is|tell me] {his} [home town|town|home]",
    ],
    &[
        "[and|so|now|ok, and|also|then|tell me,|good, and|] what [is {his} job|is {his} work|does {he} do|does {he} work \
         as|work does {he} do|does {he} do for a living|job does {he} have|is {his} profession|does {he} do all day]",
        "[and|tell me|now] {his} [job|work|profession]",
    ],
    &[
        "[and|so|now|ok, and|also|then|tell me,|good, and|] [what pet does {he} have|which pet does {he} have|does {he} \
         have a pet|what is {his} pet|has {he} got an animal|which animal does {he} keep|what animal lives with {him}|\
         has {he} got a pet|does {he} keep an animal]",
        "[and|tell me|now] {his} [pet|animal]",
    ],
    &[
        "[and|so|now|ok, and|also|then|tell me,|good, and|] what [does {he} like to eat|does {he} eat|is {his} favourite \
         food|food does {he} like|does {he} love to eat|can I cook for {him}|is {his} best food|food does {he} like best]",
        "[and|tell me|now] {his} favourite [food|dish]",
    ],
    &[
        "[and|so|now|ok, and|also|then|tell me,|good, and|] [what is {his} favourite colour|which colour does {he} like|\
         what colour does {he} like best|which colour does {he} wear|what is {his} colour|which colour does {he} like \
         most|what colour are {his} clothes]",
        "[and|tell me|now] {his} [favourite colour|colour]",
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
