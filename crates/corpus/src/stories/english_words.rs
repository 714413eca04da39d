//! Things of the English stories, and places where their plots play; people are in `english_cast`, homes in
//! `english_places`.

use super::grammar::Table;

/// Traits of a hero.
pub const TRAITS: &[&str] = &[
    "little", "shy", "cheerful", "curious", "quiet", "gentle", "clever", "funny", "playful", "sleepy", "friendly",
    "young", "kind", "happy", "merry", "polite",
];

/// First sentences. Each names the hero and the hero's kind, some the place or the friend.
pub const OPENINGS: &[&str] = &[
    "Once upon a time, there was {described} named {hero}.",
    "Once upon a time, there was {akind} named {hero}.",
    "Once upon a time, {described} named {hero} lived {home}.",
    "There once was {described} named {hero} who lived {home}.",
    "{hero} was {described} who lived {home}.",
    "{hero} was {akind}, and {he} lived {home}.",
    "{Akind} named {hero} lived {home}.",
    "Long ago, {akind} named {hero} lived {home}.",
    "{Home} lived {described} named {hero}.",
    "Once upon a time, there was {described} named {hero} who loved to play {at}.",
    "There once was {akind} named {hero} who was often {at}.",
    "{Akind} named {hero} lived {at}.",
    "{Akind} named {hero} and {afriend} were good friends.",
    "Once upon a time, there was {described} named {hero} who had a good friend, {afriend}.",
    "There once was {described} named {hero} whose best friend was {afriend}.",
];

/// Tables from which every story draws a row.
pub const COMMON: &[Table] = &[DAYS, ELDERS, COLOURS, PLACES, TOYS];

const DAYS: Table = &[
    &[("day", "sunny day")],
    &[("day", "bright morning")],
    &[("day", "quiet afternoon")],
    &[("day", "Sunday morning")],
    &[("day", "fine day")],
    &[("day", "spring morning")],
    &[("day", "summer day")],
    &[("day", "warm day")],
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
    &[("toy", "doll")],
    &[("toy", "blanket")],
    &[("toy", "bag")],
    &[("toy", "whistle")],
    &[("toy", "ribbon")],
    &[("toy", "book")],
    &[("toy", "ring")],
    &[("toy", "bell")],
];

/// A place, the noun alone, and parts of the place: where a thing is found, and where it is looked for.
pub const PLACES: Table = &[
    &[
        ("place", "the park"),
        ("placenoun", "park"),
        ("at", "in the park"),
        ("spot", "under a bench"),
        ("wrong", "behind the tall trees"),
    ],
    &[
        ("place", "the garden"),
        ("placenoun", "garden"),
        ("at", "in the garden"),
        ("spot", "under a bush"),
        ("wrong", "among the flowers"),
    ],
    &[
        ("place", "the beach"),
        ("placenoun", "beach"),
        ("at", "on the beach"),
        ("spot", "behind a big rock"),
        ("wrong", "in the wet sand"),
    ],
    &[
        ("place", "the forest"),
        ("placenoun", "forest"),
        ("at", "in the forest"),
        ("spot", "under a pile of leaves"),
        ("wrong", "behind a log"),
    ],
    &[
        ("place", "the farm"),
        ("placenoun", "farm"),
        ("at", "on the farm"),
        ("spot", "in the hay"),
        ("wrong", "behind the barn"),
    ],
    &[
        ("place", "the meadow"),
        ("placenoun", "meadow"),
        ("at", "in the meadow"),
        ("spot", "in the tall grass"),
        ("wrong", "behind a fence"),
    ],
    &[
        ("place", "the market"),
        ("placenoun", "market"),
        ("at", "at the market"),
        ("spot", "under a table"),
        ("wrong", "behind the boxes"),
    ],
    &[
        ("place", "the lake"),
        ("placenoun", "lake"),
        ("at", "by the lake"),
        ("spot", "behind a stone"),
        ("wrong", "in the tall reeds"),
    ],
    &[
        ("place", "the river"),
        ("placenoun", "river"),
        ("at", "by the river"),
        ("spot", "under the bridge"),
        ("wrong", "in the mud"),
    ],
    &[
        ("place", "the castle"),
        ("placenoun", "castle"),
        ("at", "in the castle"),
        ("spot", "behind a big door"),
        ("wrong", "under the stairs"),
    ],
    &[
        ("place", "the mountains"),
        ("placenoun", "mountains"),
        ("at", "in the mountains"),
        ("spot", "in a small cave"),
        ("wrong", "behind the rocks"),
    ],
    &[
        ("place", "the island"),
        ("placenoun", "island"),
        ("at", "on the island"),
        ("spot", "under an old boat"),
        ("wrong", "in the sand"),
    ],
    &[
        ("place", "the playground"),
        ("placenoun", "playground"),
        ("at", "on the playground"),
        ("spot", "under the slide"),
        ("wrong", "near the swings"),
    ],
];
