//! What people have and like: words that belong to one split each.

use crate::dice::Dice;
use crate::stories::made_up_word;
use crate::{Split, wording};

/// A colour; so often, in percent, a word that is none.
pub fn colour(split: Split, made_up: usize, dice: &mut Dice) -> String {
    one_of(COLOURS, split, made_up, dice)
}

/// Something to eat; so often, in percent, a word that is nothing.
pub fn food(split: Split, made_up: usize, dice: &mut Dice) -> String {
    one_of(FOODS, split, made_up, dice)
}

/// An animal that lives with people; so often, in percent, a word that is none.
pub fn pet(split: Split, made_up: usize, dice: &mut Dice) -> String {
    one_of(PETS, split, made_up, dice)
}

/// Whether `word` is one of these.
pub fn is_one(word: &str) -> bool {
    [COLOURS, FOODS, PETS].iter().any(|things| things.contains(&word))
}

fn one_of(things: &[&str], split: Split, made_up: usize, dice: &mut Dice) -> String {
    if made_up > 0 && dice.chance(made_up) {
        return made_up_word(dice);
    }
    wording::thing(things, split, dice).to_string()
}

const COLOURS: &[&str] = &[
    "red", "blue", "green", "yellow", "white", "black", "purple", "brown", "orange", "pink", "grey", "gold",
    "silver", "violet", "turquoise", "beige", "crimson", "cream", "navy", "lilac", "olive", "scarlet", "indigo",
    "ivory", "maroon", "teal", "magenta", "cyan", "amber", "bronze", "copper", "charcoal", "khaki", "lavender",
    "mauve", "mint", "peach", "plum", "rose", "ruby", "rust", "salmon", "sapphire", "sand", "emerald", "jade",
    "lime", "mustard", "coral", "burgundy", "aqua", "azure", "ochre",
];

const FOODS: &[&str] = &[
    "pizza", "pasta", "soup", "bread", "rice", "cheese", "apples", "noodles", "plums", "honey", "cake", "beans",
    "fish", "chicken", "potatoes", "pancakes", "ice cream", "chocolate", "salad", "eggs", "bananas", "sushi",
    "strawberries", "carrots", "tomatoes", "nuts", "butter", "jam", "pears", "grapes", "cherries", "lemons",
    "oranges", "peaches", "melons", "onions", "mushrooms", "peas", "corn", "lentils", "porridge", "toast",
    "waffles", "cookies", "muffins", "pudding", "yoghurt", "cereal", "sausages", "ham", "beef", "tuna",
    "dumplings", "curry", "tacos", "lasagna", "spaghetti", "burgers", "popcorn", "crackers", "olives", "figs",
    "mangoes", "kiwis", "pineapple", "coconut", "raisins", "almonds", "walnuts", "pickles", "cabbage",
    "spinach", "broccoli", "pumpkin", "radishes", "celery", "cucumber", "marmalade", "toffee",
];

const PETS: &[&str] = &[
    "cat", "dog", "parrot", "rabbit", "horse", "goat", "turtle", "hen", "mouse", "goldfish", "hamster", "pony",
    "snake", "lizard", "canary", "pig", "duck", "frog", "sheep", "kitten", "puppy", "donkey", "ferret", "gecko",
    "goose", "hedgehog", "parakeet", "poodle", "pug", "beagle", "terrier", "spaniel", "budgie", "cockatoo",
    "finch", "tortoise", "newt", "toad", "gerbil", "chinchilla", "calf", "lamb", "foal", "llama", "cow",
    "rooster", "pigeon", "crab", "snail", "salamander",
];
