//! Parts of a story grammar, and the drawing of stories from it.

use super::Language;
use crate::Split;
use crate::dice::{Dice, fingerprint};
use crate::template::Bindings;

/// A row of a table binds several gaps at once, so that what belongs together stays together.
pub type Row = &'static [(&'static str, &'static str)];
/// A table: a story draws one of its rows.
pub type Table = &'static [Row];

/// A plot: one alternative of each beat, in order, makes the story after its opening.
#[derive(Debug)]
pub struct StoryShape {
    /// Its name, which no other plot of the language has.
    pub name: &'static str,
    /// Topics of the story, each as a request would name it: it reads well after "a story about".
    pub topics: &'static [&'static str],
    /// Tables of this plot alone.
    pub tables: &'static [Table],
    /// The beats, each with its alternatives. A beat that may be left out has the alternative "".
    pub beats: &'static [&'static [&'static str]],
}

/// Everything that the stories of one language are made of.
#[derive(Debug)]
pub struct Grammar {
    pub language: Language,
    pub openings: &'static [&'static str],
    pub shapes: &'static [&'static [StoryShape]],
    pub common: &'static [Table],
    /// Binds who the story is about: the hero and the friend that a story of the split may have. Comes after the rows
    /// of the common tables and may bind their gaps anew.
    pub cast: fn(Split, &mut Dice, &mut Bindings),
    /// Stands between two sentences.
    pub gap: &'static str,
}

/// A story as drawn, with what a request for it would say.
#[derive(Debug)]
pub struct Drawn {
    pub text: String,
    pub bindings: Bindings,
    pub topic: String,
}

/// Of 8 made-up names, and of 8 templates, one belongs to the validation split alone.
const HELD_OUT_ONE_IN: u64 = 8;

/// The split that a made-up name or a template belongs to.
pub fn split_of(kind: &str, what: &str) -> Split {
    if fingerprint(&format!("{kind}:{what}")).is_multiple_of(HELD_OUT_ONE_IN) {
        Split::Validation
    } else {
        Split::Train
    }
}

impl Grammar {
    /// Draws a story whose hero and whose template both belong to `split`.
    pub fn draw(&self, split: Split, dice: &mut Dice) -> Drawn {
        let (shape, choices) = loop {
            let plan = self.plan(dice);
            let is_of_split = split_of(self.language.code(), &template(plan.0, &plan.1)) == split;
            if is_of_split && self.friend_comes_once(plan.0, &plan.1) {
                break plan;
            }
        };
        let mut bindings = Bindings::default();
        for table in self.common.iter().chain(shape.tables) {
            bindings.set_row(dice.pick::<Row>(table));
        }
        (self.cast)(split, dice, &mut bindings);
        let opening = bindings.fill(self.openings[choices[0]]);
        let beats = shape.beats.iter().zip(&choices[1..]).map(|(beat, &choice)| bindings.fill(beat[choice]));
        let sentences: Vec<String> = std::iter::once(opening).chain(beats.filter(|beat| !beat.is_empty())).collect();
        let topic = bindings.fill(dice.word(shape.topics));
        Drawn { text: sentences.join(self.gap), bindings, topic }
    }

    /// A plot, and which alternative of the opening and of each beat tells it.
    fn plan(&self, dice: &mut Dice) -> (&'static StoryShape, Vec<usize>) {
        let count = self.shapes.iter().map(|group| group.len()).sum();
        let index = dice.below(count);
        let shape = self.shapes.iter().flat_map(|group| group.iter()).nth(index).expect("the index is below the count");
        let choices = std::iter::once(self.openings.len())
            .chain(shape.beats.iter().map(|beat| beat.len()))
            .map(|alternatives| dice.below(alternatives))
            .collect();
        (shape, choices)
    }

    /// Whether a friend whom the opening names occurs in the story, and not as somebody new.
    fn friend_comes_once(&self, shape: &StoryShape, choices: &[usize]) -> bool {
        let beats = || shape.beats.iter().zip(&choices[1..]).map(|(beat, &choice)| beat[choice]);
        let new = |text: &str| text.contains("{afriend}") || text.contains("{Afriend}");
        !new(self.openings[choices[0]])
            || beats().any(|beat| beat.contains("{friend}") || beat.contains("{Friend}")) && !beats().any(new)
    }

    /// Number of different stories that the grammar can tell about one given cast.
    pub fn variety(&self) -> u128 {
        let product = |sizes: &mut dyn Iterator<Item = usize>| sizes.map(|n| n as u128).product::<u128>();
        let shared = product(&mut self.common.iter().map(|table| table.len())) * self.openings.len() as u128;
        let plots = self.shapes.iter().flat_map(|group| group.iter());
        plots
            .map(|shape| {
                shared
                    * product(&mut shape.tables.iter().map(|table| table.len()))
                    * product(&mut shape.beats.iter().map(|beat| beat.len()))
            })
            .sum()
    }
}

/// Key of stories that tell the same thing in the same way, whoever they are about: the plot, how it opens, how it gets
/// going and how it ends. Templates are split by this, not by all choices, so that no held-out story has a twin in
/// training that differs in a middle sentence only.
fn template(shape: &StoryShape, choices: &[usize]) -> String {
    let (opening, first, last) = (choices[0], choices[1], choices[choices.len() - 1]);
    format!("{}/{opening}/{first}/{last}", shape.name)
}
