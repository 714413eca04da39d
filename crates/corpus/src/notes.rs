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
use super::{CorpusDocument, Split, typing, wording};

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
    // 姓名, 颜色, 食物, 宠物.
    bindings.set("xm", stories::chinese_name(split, dice));
    bindings.set("ys", possessions::chinese_colour(split, dice));
    bindings.set("sw", possessions::chinese_food(split, dice));
    bindings.set("cw", possessions::chinese_pet(split, dice));
    match dice.weighted(&[45, 27, 28]) {
        0 => CorpusDocument::Conversation(dice.pick(TALKS).turns(&bindings, [".", "?"], dice)),
        1 => CorpusDocument::Conversation(dice.pick(CHINESE_TALKS).turns(&bindings, ["。", "？"], dice)),
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
    /// The turns; what is told and what is asked end with `marks`.
    fn turns(&self, bindings: &Bindings, marks: [&str; 2], dice: &mut Dice) -> Vec<DialogueTurn> {
        let mut asked = |patterns| capitalise(&wording::filled(patterns, Split::Train, bindings, dice));
        let (says, asks) = (asked(self.says), asked(self.asks));
        // What was mistyped could not be repeated.
        let typed = typing::typed(&says, marks[0], dice);
        let is_typed = marks[0] == "." && wording::normal(&typed) == wording::normal(&says) && dice.chance(50);
        let says = if is_typed { typed } else { format!("{says}{}", marks[0]) };
        let (told, answer) = (reply(self.replies, bindings, dice), reply(self.answers, bindings, dice));
        vec![
            DialogueTurn::user(says),
            DialogueTurn::assistant(told),
            DialogueTurn::user(format!("{asks}{}", marks[1])),
            DialogueTurn::assistant(answer),
        ]
    }
}

const TALKS: &[Talk] = &[
    Talk {
        says: &[
            "[my name is|I am called|call me|people call me|this is] {name}",
            "[hi, |hello, |hey, |hi there, |||]I am {name}",
            "[hi, |hello, |hey, |good morning, |||]I am {name}",
            "[hello, |hi, |]{name} here",
        ],
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

/// The same in Chinese: somebody's name, a colour, something to eat, a pet.
const CHINESE_TALKS: &[Talk] = &[
    Talk {
        says: &["[我叫|我的名字是|大家叫我|你好，我是|你好，我叫|我是]{xm}"],
        replies: &["你好，{xm}！"],
        asks: &["[我叫什么|我的名字是什么|你记得我的名字吗|那我叫什么|你知道我是谁吗|我叫什么呀|我是谁呀]"],
        answers: &["[你叫|你的名字是|你是]{xm}。"],
    },
    Talk {
        says: &["[我最喜欢|我喜欢|我觉得最好看的是]{ys}"],
        replies: &["{ys}真好看！"],
        asks: &["[我喜欢什么颜色|我最喜欢什么颜色|你记得我喜欢什么颜色吗|那我喜欢什么颜色|我喜欢哪个颜色]"],
        answers: &["你喜欢{ys}。"],
    },
    Talk {
        says: &["[我喜欢吃|我爱吃|我最喜欢吃]{sw}"],
        replies: &["{sw}！一定很好吃。"],
        asks: &["[我喜欢吃什么|我爱吃什么|那我喜欢吃什么|你记得我爱吃什么吗|我最爱吃什么]"],
        answers: &["你喜欢吃{sw}。"],
    },
    Talk {
        says: &["[我有|我家有|我养了]一只{cw}"],
        replies: &["一只{cw}！真好。"],
        asks: &["[我有什么动物|我养了什么|那我有什么宠物|你记得我的宠物是什么吗|我家有什么动物]"],
        answers: &["你有一只{cw}。"],
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
