//! Who the English stories are about. What is held out is only ever in stories of the validation split.

use std::sync::LazyLock;

use super::Pronoun;
use super::english_words::TRAITS;
use super::grammar::split_of;
use crate::Split;
use crate::dice::Dice;
use crate::template::{Bindings, capitalise};
use crate::world::{World, WorldConfig};

/// Words of the training split, and words that only the validation split has.
pub struct Divided<T: 'static> {
    pub training: &'static [T],
    pub held_out: &'static [T],
}

impl<T> Divided<T> {
    pub fn of(&self, split: Split) -> &'static [T] {
        match split {
            Split::Train => self.training,
            Split::Validation => self.held_out,
        }
    }
}

/// Names of heroes who are "she". None is a person of the invented world.
pub const SHE: Divided<&str> = Divided {
    training: &[
        "Anna", "Mia", "Lily", "Nora", "Ella", "Ruby", "Zoe", "Lucy", "Maya", "Wendy", "Nina", "Clara", "Molly",
        "Penny", "Bella", "Emma", "Kate", "Holly", "Alice", "Amy", "Julia", "Sara", "Laura", "Lisa", "Mary", "Jane",
        "Rosie", "Daisy", "Grace", "Sophie", "Olivia", "Chloe", "Eva", "Ida", "Lena", "Hannah", "Susan", "Betty",
        "Tina", "Jenny", "Polly", "Ivy", "Hazel", "Stella", "Luna", "Leah", "Maria", "Elena", "Sophia", "Ava", "Isla",
        "Carla", "Tilly", "Poppy", "Annie", "Sally", "Rita",
    ],
    held_out: &["Beatrice", "Fiona", "Martha", "Paula", "Nelly", "Vera", "Iris", "Naomi"],
};

/// Names of heroes who are "he". None is a person of the invented world.
pub const HE: Divided<&str> = Divided {
    training: &[
        "Tom", "Ben", "Max", "Sam", "Leo", "Jack", "Finn", "Toby", "Oscar", "Hugo", "Milo", "Theo", "Billy", "Noah",
        "Pip", "Teddy", "Felix", "Luke", "Adam", "Alex", "Andy", "Bob", "Charlie", "Daniel", "David", "Eddie", "Eli",
        "Eric", "Ethan", "Fred", "George", "Harry", "Henry", "Ian", "Jake", "James", "Jim", "Joe", "John", "Kevin",
        "Lenny", "Liam", "Lucas", "Mark", "Martin", "Mike", "Nick", "Oliver", "Owen", "Paul", "Peter", "Robin",
        "Simon", "Tim", "Tony", "William", "Danny",
    ],
    held_out: &["Arthur", "Colin", "Dylan", "Jasper", "Patrick", "Ralph", "Philip", "Walter"],
};

/// Animals: heroes and friends alike.
pub const ANIMALS: Divided<&str> = Divided {
    training: &[
        "dog",
        "cat",
        "frog",
        "rabbit",
        "fox",
        "bear",
        "mouse",
        "bird",
        "horse",
        "duck",
        "owl",
        "pig",
        "cow",
        "hen",
        "goat",
        "sheep",
        "deer",
        "wolf",
        "lion",
        "tiger",
        "monkey",
        "elephant",
        "giraffe",
        "panda",
        "penguin",
        "turtle",
        "squirrel",
        "hedgehog",
        "donkey",
        "goose",
        "crow",
        "badger",
        "bee",
        "ant",
        "butterfly",
        "kangaroo",
        "kitten",
        "puppy",
        "dinosaur",
        "snail",
        "spider",
        "snake",
        "lizard",
        "crocodile",
        "hippo",
        "koala",
        "fish",
        "dolphin",
        "whale",
        "crab",
        "seal",
        "eagle",
        "pigeon",
        "peacock",
        "turkey",
        "rooster",
        "chick",
        "calf",
        "pony",
        "unicorn",
        "mole",
        "beaver",
        "raccoon",
        "moose",
        "llama",
        "worm",
        "caterpillar",
        "ladybird",
        "dragonfly",
        "cricket",
        "swallow",
        "sparrow",
        "seagull",
        "flamingo",
        "ostrich",
        "leopard",
        "gorilla",
        "bat",
        "hamster",
        "rat",
        "toad",
        "octopus",
        "monster",
    ],
    held_out: &["otter", "walrus", "camel", "swan", "beetle", "zebra", "lamb", "parrot"],
};

/// People and beings of fairy tales, with their pronoun if it is always the same.
pub const ROLES: Divided<(&str, Option<Pronoun>)> = Divided {
    training: &[
        ("king", Some(Pronoun::He)),
        ("queen", Some(Pronoun::She)),
        ("prince", Some(Pronoun::He)),
        ("princess", Some(Pronoun::She)),
        ("knight", Some(Pronoun::He)),
        ("robot", None),
        ("dragon", None),
        ("farmer", None),
        ("baker", None),
        ("fisherman", Some(Pronoun::He)),
        ("witch", Some(Pronoun::She)),
        ("fairy", Some(Pronoun::She)),
        ("sailor", None),
        ("painter", None),
    ],
    held_out: &[("wizard", Some(Pronoun::He)), ("pirate", None), ("giant", Some(Pronoun::He))],
};

/// The noun with "a" or "an".
pub fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

/// Binds the hero and the friend of a story of `split`.
pub fn english_cast(split: Split, dice: &mut Dice, bindings: &mut Bindings) {
    let (group, kind, pronoun) = match dice.weighted(&[60, 14, 14, 12]) {
        0 => ("animal", animal(split, dice), None),
        1 => ("child", "girl".to_string(), Some(Pronoun::She)),
        2 => ("child", "boy".to_string(), Some(Pronoun::He)),
        _ => {
            let &(role, pronoun) = dice.pick(ROLES.of(split));
            ("role", role.to_string(), pronoun)
        }
    };
    let pronoun = if matches!(kind.as_str(), "cow" | "hen") { Some(Pronoun::She) } else { pronoun };
    let pronoun = pronoun.unwrap_or(if dice.chance(50) { Pronoun::She } else { Pronoun::He });
    bindings.set("hero", hero_name(split, pronoun, dice));
    let described = with_article(&format!("{} {kind}", dice.word(TRAITS)));
    bindings.set("group", group);
    bindings.set("akind", with_article(&kind));
    bindings.set("described", described);
    bindings.set_row(match pronoun {
        Pronoun::She => &[("he", "she"), ("him", "her"), ("his", "her")],
        _ => &[("he", "he"), ("him", "him"), ("his", "his")],
    });
    if kind == "robot" {
        bindings.set("elder", "inventor");
    }
    let friend = friend_kind(split, &kind, dice);
    bindings.set("kind", kind);
    bindings.set("friend", format!("the {friend}"));
    bindings.set("afriend", with_article(&friend));
    bindings.set("friendkind", friend);
}

/// An animal, in training one time in seven one that nobody has heard of: asked for what it does not know either, a
/// model has to copy the word, and cannot choose among the animals that it knows.
fn animal(split: Split, dice: &mut Dice) -> String {
    if split == Split::Train && dice.chance(15) {
        return made_up_word(dice);
    }
    dice.word(ANIMALS.of(split)).to_string()
}

/// Of two friends in validation, one is of a kind known from training: the request may mix what is known and what is
/// not.
fn friend_kind(split: Split, hero: &str, dice: &mut Dice) -> String {
    let split = if split == Split::Validation && dice.chance(50) { Split::Train } else { split };
    loop {
        let friend = animal(split, dice);
        if friend != hero {
            return friend;
        }
    }
}

/// A common name, or, one time in seven, a made-up one: a model that chooses among the names it knows, rather than to
/// copy the one that it was asked for, is wrong then.
pub fn hero_name(split: Split, pronoun: Pronoun, dice: &mut Dice) -> String {
    if !dice.chance(15) {
        let names = if pronoun == Pronoun::She { SHE } else { HE };
        return dice.word(names.of(split)).to_string();
    }
    made_up(split, pronoun, dice)
}

/// A made-up name of `split` that nobody has.
pub fn made_up(split: Split, pronoun: Pronoun, dice: &mut Dice) -> String {
    loop {
        let name = made_up_name(pronoun, dice);
        if split_of("name", &name) == split && !is_taken(&name) {
            return name;
        }
    }
}

/// One of the names that come first in their lists, of which there are few.
pub fn common_name(split: Split, dice: &mut Dice) -> &'static str {
    let names = if dice.chance(50) { SHE } else { HE }.of(split);
    dice.word(&names[..names.len().min(24)])
}

/// One of the animals that come first in their list.
pub fn common_animal(split: Split, dice: &mut Dice) -> &'static str {
    let animals = ANIMALS.of(split);
    dice.word(&animals[..animals.len().min(24)])
}

/// A noun of two syllables that is no word: "tomel", "bavik".
pub fn made_up_word(dice: &mut Dice) -> String {
    const ENDINGS: &[&str] = &["el", "ik", "op", "um", "ox", "ill", "en", "ab", "it", "ong"];
    loop {
        let mut word = String::new();
        for parts in [ONSETS, VOWELS, ONSETS, ENDINGS] {
            word.push_str(dice.word(parts));
        }
        if !is_rude(&word) {
            return word;
        }
    }
}

const ONSETS: &[&str] = &["b", "d", "f", "g", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z"];
const VOWELS: &[&str] = &["a", "e", "i", "o", "u"];

/// Two or three syllables: "Miro", "Talina". Names of "she" end in "a" or "i", those of "he" in "o", "u" or a
/// consonant.
fn made_up_name(pronoun: Pronoun, dice: &mut Dice) -> String {
    let before_last = 1 + dice.weighted(&[70, 30]);
    let endings: &[&str] = match (pronoun, before_last) {
        (Pronoun::She, _) => &["a", "i"],
        (_, 1) => &["o", "u", "an", "in", "ol", "or"],
        _ => &["o", "u"],
    };
    let mut name = String::new();
    for _ in 0..before_last {
        name.push_str(dice.word(ONSETS));
        name.push_str(dice.word(VOWELS));
    }
    name.push_str(dice.word(ONSETS));
    name.push_str(dice.word(endings));
    capitalise(&name)
}

/// Whether a made-up name is a word, rude, or somebody else's name.
fn is_taken(name: &str) -> bool {
    const WORDS: &[&str] = &["Sofa", "Soda", "Data", "Tuna", "Robin", "Lemon", "Motor", "Satan", "Tutor", "Rumor"];
    static PEOPLE: LazyLock<World> =
        LazyLock::new(|| World::new(&WorldConfig { people: WorldConfig::MOST_PEOPLE, ..WorldConfig::default() }));
    let lists = [SHE.training, SHE.held_out, HE.training, HE.held_out, WORDS];
    is_rude(name)
        || lists.iter().any(|list| list.contains(&name))
        || PEOPLE.people().iter().any(|person| name.starts_with(person.name))
}

/// Whether a made-up word has a part that does not belong into a story for children.
fn is_rude(word: &str) -> bool {
    const AVOIDED: &[&str] = &[
        "nazi", "pedo", "puta", "puto", "kaka", "vagi", "peni", "pipi", "popo", "titi", "mama", "papa", "dada", "fag",
        "nig", "dik", "jap", "kum", "pis", "sex", "fuk", "rap", "kil", "tit", "zit", "porn",
    ];
    let lower = word.to_lowercase();
    AVOIDED.iter().any(|part| lower.contains(part))
}
