//! Who, where and what of the English stories.

use super::grammar::Table;

/// Names of heroes who are "she".
pub const SHE: &[&str] = &[
    "Mia", "Lily", "Nora", "Ella", "Ruby", "Zoe", "Lucy", "Maya", "Wendy", "Nina", "Clara", "Molly", "Penny", "Bella",
    "Anna", "Emma", "Kate", "Holly",
];

/// Names of heroes who are "he".
pub const HE: &[&str] = &[
    "Tom", "Ben", "Max", "Sam", "Leo", "Jack", "Finn", "Toby", "Oscar", "Hugo", "Milo", "Theo", "Billy", "Noah", "Pip",
    "Teddy", "Felix", "Luke",
];

/// What a hero is, if not a girl or a boy. Each takes the article "a".
pub const HEROES: &[&str] = &["rabbit", "mouse", "duck", "cat", "hedgehog", "squirrel", "frog", "panda"];

/// What a hero's friend is. Each takes the article "a", and none is a hero: the two are never mixed up.
pub const FRIENDS: &[&str] = &["bear", "fox", "goat", "beaver", "crow", "deer", "pig", "badger", "pony", "goose"];

/// What a hero is like. Each takes the article "a".
pub const TRAITS: &[&str] = &[
    "little", "shy", "cheerful", "curious", "quiet", "gentle", "clever", "funny", "playful", "sleepy", "friendly",
    "young",
];

/// First sentences.
pub const OPENINGS: &[&str] = &[
    "Once upon a time, there was a {trait} {kind} named {hero}.",
    "There once was a {trait} {kind} named {hero} who lived {home}.",
    "{hero} was a {trait} {kind} who lived {home}.",
    "Long ago, a {trait} {kind} named {hero} lived {home}.",
    "In a house {home} lived a {trait} {kind} named {hero}.",
    "This is the story of {hero}, a {trait} {kind} who lived {home}.",
];

/// Tables from which every story draws a row.
pub const COMMON: &[Table] = &[HOMES, DAYS, ELDERS, COLOURS, PLACES, TOYS];

const HOMES: Table = &[
    &[("home", "near the river")],
    &[("home", "by the sea")],
    &[("home", "at the edge of the forest")],
    &[("home", "on a green hill")],
    &[("home", "in a small village")],
    &[("home", "at the end of the lane")],
    &[("home", "beside a big farm")],
    &[("home", "beside an old oak tree")],
    &[("home", "next to the mill")],
    &[("home", "in a quiet valley")],
];

const DAYS: Table = &[
    &[("day", "sunny day")],
    &[("day", "bright morning")],
    &[("day", "quiet afternoon")],
    &[("day", "Sunday morning")],
    &[("day", "fine day")],
    &[("day", "spring morning")],
    &[("day", "summer day")],
    &[("day", "day")],
];

const ELDERS: Table = &[
    &[("elder", "mother")],
    &[("elder", "father")],
    &[("elder", "grandmother")],
    &[("elder", "grandfather")],
    &[("elder", "aunt")],
    &[("elder", "uncle")],
];

const COLOURS: Table = &[
    &[("colour", "red")],
    &[("colour", "blue")],
    &[("colour", "green")],
    &[("colour", "yellow")],
    &[("colour", "white")],
    &[("colour", "purple")],
    &[("colour", "brown")],
    &[("colour", "pink")],
];

const TOYS: Table = &[
    &[("toy", "kite")],
    &[("toy", "ball")],
    &[("toy", "scarf")],
    &[("toy", "hat")],
    &[("toy", "drum")],
    &[("toy", "cup")],
    &[("toy", "toy car")],
    &[("toy", "toy boat")],
    &[("toy", "blanket")],
    &[("toy", "bag")],
    &[("toy", "whistle")],
    &[("toy", "ribbon")],
    &[("toy", "book")],
    &[("toy", "top")],
];

const PLACES: Table = &[
    &[
        ("place", "the park"),
        ("at", "in the park"),
        ("spot", "under a bench"),
        ("wrong", "behind the tall trees"),
        ("also", "near the pond"),
    ],
    &[
        ("place", "the garden"),
        ("at", "in the garden"),
        ("spot", "under a bush"),
        ("wrong", "behind the gate"),
        ("also", "among the flowers"),
    ],
    &[
        ("place", "the beach"),
        ("at", "on the beach"),
        ("spot", "behind a big rock"),
        ("wrong", "in the wet sand"),
        ("also", "under an old boat"),
    ],
    &[
        ("place", "the forest"),
        ("at", "in the forest"),
        ("spot", "under a pile of leaves"),
        ("wrong", "behind a log"),
        ("also", "beside the path"),
    ],
    &[
        ("place", "the farm"),
        ("at", "on the farm"),
        ("spot", "in the hay"),
        ("wrong", "behind the barn"),
        ("also", "under the cart"),
    ],
    &[
        ("place", "the meadow"),
        ("at", "in the meadow"),
        ("spot", "in the tall grass"),
        ("wrong", "behind a fence"),
        ("also", "beside a stone"),
    ],
    &[
        ("place", "the market"),
        ("at", "at the market"),
        ("spot", "under a table"),
        ("wrong", "behind the boxes"),
        ("also", "near the bread stand"),
    ],
    &[
        ("place", "the lake"),
        ("at", "by the lake"),
        ("spot", "under the bridge"),
        ("wrong", "behind a stone"),
        ("also", "in the tall reeds"),
    ],
];
