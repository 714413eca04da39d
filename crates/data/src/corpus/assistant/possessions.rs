//! What people have and like: words that belong to one split each.

use crate::corpus::dice::Dice;
use crate::corpus::{Split, wording};

/// A colour.
pub fn colour(split: Split, dice: &mut Dice) -> String {
    wording::thing(COLOURS, split, dice).to_string()
}

/// Something to eat.
pub fn food(split: Split, dice: &mut Dice) -> String {
    wording::thing(FOODS, split, dice).to_string()
}

/// An animal that lives with people.
pub fn pet(split: Split, dice: &mut Dice) -> String {
    wording::thing(PETS, split, dice).to_string()
}

const COLOURS: &[&str] = &[
    "red",
    "blue",
    "green",
    "yellow",
    "white",
    "black",
    "purple",
    "brown",
    "orange",
    "pink",
    "grey",
    "gold",
    "silver",
    "violet",
    "turquoise",
    "beige",
    "crimson",
    "cream",
    "navy",
    "lilac",
    "olive",
    "scarlet",
    "indigo",
    "ivory",
];

const FOODS: &[&str] = &[
    "pizza",
    "pasta",
    "soup",
    "bread",
    "rice",
    "cheese",
    "apples",
    "noodles",
    "plums",
    "honey",
    "cake",
    "beans",
    "fish",
    "chicken",
    "potatoes",
    "pancakes",
    "ice cream",
    "chocolate",
    "salad",
    "eggs",
    "bananas",
    "sushi",
    "strawberries",
    "carrots",
    "tomatoes",
    "nuts",
];

const PETS: &[&str] = &[
    "cat", "dog", "parrot", "rabbit", "horse", "goat", "turtle", "hen", "mouse", "goldfish", "hamster", "pony",
    "snake", "lizard", "canary", "pig", "duck", "frog", "sheep", "kitten", "puppy", "donkey",
];
