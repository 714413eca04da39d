//! Who the English stories may be about. What is held out is only ever in stories of the validation split.

use super::Pronoun;
use crate::Split;
use crate::dice::Dice;

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

/// Whether a hero's name or kind is one of the lists.
pub fn is_listed(word: &str) -> bool {
    let lists = [SHE, HE, ANIMALS].into_iter().flat_map(|list| [list.training, list.held_out]);
    let roles = [ROLES.training, ROLES.held_out].into_iter().flatten().map(|&(role, _)| role);
    matches!(word, "girl" | "boy")
        || lists.flatten().any(|&listed| listed == word)
        || roles.into_iter().any(|role| role == word)
}

/// So many names come first in each of their lists, and are common.
const COMMON: usize = 24;

/// One of the names that come first in their lists, of which there are few.
pub fn common_name(split: Split, dice: &mut Dice) -> &'static str {
    let names = if dice.chance(50) { SHE } else { HE }.of(split);
    dice.word(&names[..names.len().min(COMMON)])
}

/// Whether it is one of training's names that [`common_name`] gives.
pub fn is_common_name(name: &str) -> bool {
    [SHE, HE].iter().any(|names| names.training[..COMMON].contains(&name))
}

/// One of the animals that come first in their list.
pub fn common_animal(split: Split, dice: &mut Dice) -> &'static str {
    let animals = ANIMALS.of(split);
    dice.word(&animals[..animals.len().min(24)])
}
