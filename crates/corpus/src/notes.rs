//! Short texts in few fixed forms, whose end repeats what their beginning says.
//!
//! A model that is to call somebody by the name it was told, or to tell of the animal it was asked for, has to look
//! back in its context and copy (induction; Olsson et al. 2022, "In-context Learning and Induction Heads"). In stories
//! and conversations most words can be guessed without looking back, and a small model never begins to. Where few words
//! are possible and nearly every sentence repeats one, it learns to within some hundred steps, and keeps it.
//!
//! Notes are for training only: validation asks in other words, about other names and things.

use super::assistant::{possessions, reply};
use super::conversations::DialogueTurn;
use super::dice::Dice;
use super::stories;
use super::template::{Bindings, capitalise};
use super::{CorpusDocument, Split, wording};

/// The names in notes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Names {
    /// Few, each a token or two: they are found by what they are.
    Few,
    /// Any, half of them made up: only what stood before them tells where they are.
    Any,
}

/// One note about somebody, an animal, a colour, something to eat.
pub(super) fn draw(names: Names, dice: &mut Dice) -> CorpusDocument {
    let split = Split::Train;
    let mut bindings = Bindings::default();
    let (name, animal) = match names {
        Names::Any if dice.chance(50) => (stories::uncommon_name(split, dice), stories::uncommon_animal(dice)),
        Names::Any => (stories::name(split, dice), stories::uncommon_animal(dice)),
        Names::Few => (stories::common_name(split, dice).to_string(), stories::common_animal(split, dice).to_string()),
    };
    bindings.set("name", name);
    bindings.set("an", stories::with_article(&animal));
    bindings.set("animal", animal);
    let invented = if matches!(names, Names::Any) { 50 } else { 0 };
    bindings.set("colour", possessions::colour(split, invented, dice));
    bindings.set("food", possessions::food(split, invented, dice));
    match dice.weighted(&[2, 1]) {
        0 => CorpusDocument::Conversation(dice.pick(TALKS).turns(&bindings, dice)),
        _ => CorpusDocument::Text(capitalise(&bindings.fill(dice.word(TALES)))),
    }
}

/// Something is told, and asked for right away.
struct Talk {
    says: &'static [&'static str],
    replies: &'static [&'static str],
    asks: &'static [&'static str],
    answers: &'static [&'static str],
}

impl Talk {
    fn turns(&self, bindings: &Bindings, dice: &mut Dice) -> Vec<DialogueTurn> {
        let mut asked = |patterns| capitalise(&wording::filled(patterns, Split::Train, bindings, dice));
        let (says, asks) = (asked(self.says), asked(self.asks));
        let (told, answer) = (reply(self.replies, bindings, dice), reply(self.answers, bindings, dice));
        vec![
            DialogueTurn::user(format!("{says}.")),
            DialogueTurn::assistant(told),
            DialogueTurn::user(format!("{asks}?")),
            DialogueTurn::assistant(answer),
        ]
    }
}

const TALKS: &[Talk] = &[
    Talk {
        says: &["[my name is|I am called|hi, I am|call me|people call me|hello, I am] {name}"],
        replies: &["[Hello|Nice to meet you|I am glad to meet you], {name}!"],
        asks: &["[what is my name|who am I|do you know my name|what am I called|and what is my name|so who am I]"],
        answers: &["[Your name is|You are] {name}."],
    },
    Talk {
        says: &["I [have|own|keep] {an}[ at home|]"],
        replies: &["{An}! How nice."],
        asks: &["[what|which] [animal|pet] do I have"],
        answers: &["You have {an}."],
    },
    Talk {
        says: &["[my favourite colour is|I like the colour|the best colour is] {colour}"],
        replies: &["{Colour} is a nice colour!"],
        asks: &["[which|what] colour do I like[ best|]", "what is my favourite colour"],
        answers: &["Your favourite colour is {colour}."],
    },
    Talk {
        says: &["I [like|like to eat|love] {food}"],
        replies: &["{Food}! That sounds good."],
        asks: &["[what|which food] do I like[ to eat|]"],
        answers: &["You like {food}."],
    },
];

const TALES: &[&str] = &[
    "The {animal} and {name}\nThe {animal} met {name}. \"Hello,\" said the {animal}. {name} gave the {animal} some \
     {food}. The {animal} ate the {food}, and {name} went home.",
    "A story about {an} named {name}\nThere was {an} named {name}. {name} was a happy {animal}. \"{name}, come and \
     eat {food},\" said the {colour} bird. So {name} the {animal} ate {food} with the {colour} bird.",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tale_says_everything_twice() {
        for tale in TALES {
            let gaps = tale.split('{').skip(1).filter_map(|rest| rest.split('}').next());
            let gaps: Vec<String> = gaps.map(|gap| gap.replace("animal", "an")).collect();
            for gap in &gaps {
                assert!(gaps.iter().filter(|other| *other == gap).count() > 1, "{gap} comes once in {tale:?}");
            }
        }
    }

    #[test]
    fn no_note_has_words_that_are_held_out() {
        let dice = &mut Dice::new(0, "notes", 0);
        for _ in 0..3000 {
            let note = draw(Names::Any, dice).to_string();
            for asked in note.lines().filter_map(|line| line.strip_prefix("User: ")) {
                assert!(!wording::is_held_out(asked), "{note}");
            }
        }
    }
}
