//! An invented world: people whose attributes can be read in biographies and asked for in questions.
//!
//! Everybody has the same five attributes, and the values of each are spread as evenly as the number of people allows:
//! a model that only knows which values an attribute has is right as often as [`World::guessing_baseline`] says, and
//! anything above that was learned about the person.

mod words;

use serde::{Deserialize, Serialize};

use super::Split;
use super::dice::{Dice, fingerprint};
use super::error::CorpusError;
use super::template::{Bindings, capitalise};

/// Facts about a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attribute {
    /// The home town.
    Town,
    /// The person's job.
    Job,
    /// The animal that the person keeps.
    Pet,
    /// The favourite food.
    Food,
    /// The favourite colour.
    Colour,
}

impl Attribute {
    /// Every attribute.
    pub const ALL: [Self; 5] = [Self::Town, Self::Job, Self::Pet, Self::Food, Self::Colour];

    /// The values that the attribute can have, the same for everybody.
    #[must_use]
    pub fn values(self) -> &'static [&'static str] {
        words::VALUES[self as usize]
    }
}

/// Size and split of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldConfig {
    /// Number of people, at most [`WorldConfig::MOST_PEOPLE`].
    pub people: usize,
    /// Number of people whom training conversations never ask about: answers about them were learned from their
    /// biographies.
    pub held_out_people: usize,
    /// Decides who has what, and who is held out.
    pub seed: u64,
}

impl WorldConfig {
    /// The most people that there are names for.
    pub const MOST_PEOPLE: usize = words::SHE.len() + words::HE.len();

    /// Checks that there are people, no more than names, and no more held out than there are.
    ///
    /// # Errors
    /// Says which number is impossible, and what is possible.
    pub fn validate(&self) -> Result<(), CorpusError> {
        let Self { people, held_out_people: held_out, .. } = *self;
        if !(1..=Self::MOST_PEOPLE).contains(&people) {
            return Err(CorpusError::People { people, most: Self::MOST_PEOPLE });
        }
        if held_out > people {
            return Err(CorpusError::HeldOut { held_out, people });
        }
        Ok(())
    }
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self { people: 64, held_out_people: 16, seed: 64 }
    }
}

/// Somebody in the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name, which no other person and no character of a story has.
    pub name: &'static str,
    /// Whether training conversations ask about this person.
    pub asked_about: bool,
    is_she: bool,
    values: [&'static str; 5],
}

impl Person {
    /// The value of one attribute.
    #[must_use]
    pub fn value(&self, attribute: Attribute) -> &'static str {
        self.values[attribute as usize]
    }

    pub(super) fn bindings(&self, attribute: Attribute) -> Bindings {
        let mut bindings = Bindings::default();
        bindings.set_row(&[("name", self.name), ("value", self.value(attribute))]);
        bindings.set_row(match self.is_she {
            true => &[("he", "she"), ("his", "her"), ("him", "her")],
            false => &[("he", "he"), ("his", "his"), ("him", "him")],
        });
        bindings
    }
}

/// A question about a person, with what is needed to judge an answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The question as asked.
    pub text: String,
    /// Whom it is about.
    pub person: String,
    /// The attribute that it asks for.
    pub attribute: Attribute,
    /// The right value.
    pub value: String,
    /// A good answer, in a sentence.
    pub answer: String,
}

impl Question {
    /// Whether `answer` states the right value: it has the value as a word, and no other value of the same attribute.
    ///
    /// A list of all values is therefore no right answer. Case is ignored for all attributes alike.
    #[must_use]
    pub fn answer_is_right(&self, answer: &str) -> bool {
        let stated = self.attribute.values().iter().filter(|value| has_word(answer, value));
        let stated: Vec<_> = stated.collect();
        stated.len() == 1 && stated[0].eq_ignore_ascii_case(&self.value)
    }
}

/// Whether `word` stands in `text` with no letter or digit beside it.
fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|part| part.eq_ignore_ascii_case(word))
}

/// The people and what is known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    people: Vec<Person>,
}

impl World {
    /// Draws the world.
    ///
    /// # Panics
    /// If the configuration is not valid: check it with [`WorldConfig::validate`] where a user wrote it.
    #[must_use]
    pub fn new(config: &WorldConfig) -> Self {
        let count = config.people;
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        let mut dice = Dice::new(config.seed, "world", 0);
        let mut names: Vec<(&'static str, bool)> = words::SHE.iter().map(|name| (*name, true)).collect();
        names.extend(words::HE.iter().map(|name| (*name, false)));
        dice.shuffle(&mut names);
        let mut people: Vec<Person> = names[..count]
            .iter()
            .enumerate()
            .map(|(i, &(name, is_she))| Person {
                name,
                asked_about: i >= config.held_out_people,
                is_she,
                values: [""; 5],
            })
            .collect();
        for attribute in Attribute::ALL {
            let mut values = attribute.values().to_vec();
            dice.shuffle(&mut values);
            // Spread evenly over everybody, and over the held-out people alone: guessing is as hard for either.
            let mut values: Vec<_> = values.into_iter().cycle().take(count).collect();
            let (held_out, asked_about) = values.split_at_mut(config.held_out_people);
            dice.shuffle(held_out);
            dice.shuffle(asked_about);
            for (person, value) in people.iter_mut().zip(values) {
                person.values[attribute as usize] = value;
            }
        }
        people.sort_by_key(|person| person.name);
        Self { people }
    }

    /// Everybody, by name.
    #[must_use]
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// The people that conversations of `split` ask about. In [`Split::Validation`] these are the held-out ones.
    pub fn people_of(&self, split: Split) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(move |person| person.asked_about == (split == Split::Train))
    }

    /// A biography: every attribute of one person, in one of the wordings each and in any order.
    ///
    /// Some are typed without capitals, as people type: a question in lower case names somebody by other tokens, and
    /// nothing else says that these are the same person.
    ///
    /// Biographies of everybody stand in both splits, because what is not in training cannot be known. What the splits
    /// do not share is the template: the wordings and their order as a whole.
    pub(super) fn biography(&self, split: Split, dice: &mut Dice) -> String {
        let person = dice.pick(&self.people);
        let (order, wordings) = loop {
            let mut order = Attribute::ALL;
            dice.shuffle(&mut order);
            let wordings = order.map(|attribute| dice.below(words::STATEMENTS[attribute as usize].len()));
            if split_of_template(order, wordings) == split {
                break (order, wordings);
            }
        };
        let opening = person.bindings(order[0]).fill(dice.word(words::OPENINGS));
        let statements = (0..order.len()).map(|i| {
            let statement = words::STATEMENTS[order[i] as usize][wordings[i]];
            let bindings = person.bindings(order[i]);
            // The name stays in most sentences: a fact is learned best next to the name it belongs to.
            let with_pronoun = i > 0 && statement.starts_with("{name} ") && dice.chance(25);
            bindings.fill(&if with_pronoun { statement.replacen("{name}", "{He}", 1) } else { statement.to_string() })
        });
        let sentences: Vec<String> = std::iter::once(opening).chain(statements).collect();
        let text = sentences.join(" ");
        if dice.chance(20) { text.to_lowercase() } else { text }
    }

    /// Endless biographies.
    pub fn biographies(&self, split: Split, seed: u64) -> impl Iterator<Item = String> {
        let stream = format!("biographies/{}", split.name());
        (0..).map(move |index| self.biography(split, &mut Dice::new(seed, &stream, index)))
    }

    fn worded(person: &Person, attribute: Attribute, text: &str, answer: &str) -> Question {
        let bindings = person.bindings(attribute);
        Question {
            text: bindings.fill(text),
            person: person.name.to_string(),
            attribute,
            value: person.value(attribute).to_string(),
            answer: capitalise(&bindings.fill(answer)),
        }
    }

    /// Every question about everybody of `split`: each attribute in each wording.
    #[must_use]
    pub fn questions(&self, split: Split) -> Vec<Question> {
        let mut questions = Vec::new();
        for person in self.people_of(split) {
            for attribute in Attribute::ALL {
                for text in words::QUESTIONS[attribute as usize] {
                    questions.push(Self::worded(person, attribute, text, words::ANSWERS[attribute as usize]));
                }
            }
        }
        questions
    }

    /// The share of `questions` that the best guesser gets right who knows every attribute's values and how often each
    /// is right, but nothing about the people: the most frequent value, for each attribute. 0 without questions.
    #[must_use]
    pub fn guessing_baseline(questions: &[Question]) -> f64 {
        let right: usize = Attribute::ALL
            .iter()
            .map(|attribute| {
                let of_attribute = || questions.iter().filter(|question| question.attribute == *attribute);
                let frequency = |value: &&str| of_attribute().filter(|question| question.value == **value).count();
                attribute.values().iter().map(frequency).max().unwrap_or(0)
            })
            .sum();
        if questions.is_empty() { 0.0 } else { right as f64 / questions.len() as f64 }
    }
}

/// Of 8 templates, one belongs to the validation split alone.
fn split_of_template(order: [Attribute; 5], wordings: [usize; 5]) -> Split {
    if fingerprint(&format!("biography:{order:?}{wordings:?}")).is_multiple_of(8) {
        Split::Validation
    } else {
        Split::Train
    }
}

#[cfg(test)]
mod tests;
