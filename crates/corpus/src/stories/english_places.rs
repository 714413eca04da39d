//! Where the heroes of English stories live: places that everybody knows, and rare or made-up ones.
//!
//! A request says the place as the first sentence does ("in a castle"), so that a model copies it. It learns to copy
//! from many places; from a few it learns which there are, and chooses among them.

use super::english_cast::{Divided, with_article};
use super::{english_words, made_up};
use crate::Split;
use crate::dice::Dice;
use crate::template::Bindings;

/// A place after its preposition and article: `("in a", "castle")`.
type Place = (&'static str, &'static str);

/// Places that everybody knows, in stories of any request.
pub const PLACES: Divided<Place> = Divided {
    training: &[
        ("by the", "river"),
        ("by the", "sea"),
        ("in the", "forest"),
        ("on a", "hill"),
        ("in a", "village"),
        ("on a", "farm"),
        ("by a", "tree"),
        ("in a", "castle"),
        ("in a", "valley"),
        ("in the", "mountains"),
        ("in a", "city"),
        ("by a", "lake"),
        ("on an", "island"),
        ("in the", "jungle"),
        ("in a", "house"),
        ("in a", "garden"),
        ("in a", "cave"),
        ("on the", "moon"),
    ],
    held_out: &[
        ("in the", "desert"),
        ("in a", "zoo"),
        ("on a", "bus"),
        ("in a", "bakery"),
        ("in a", "swamp"),
        ("in a", "museum"),
        ("in a", "restaurant"),
        ("at the", "airport"),
    ],
};

/// Places that only a story has which was asked for there, by what comes before them.
const RARE_PLACES: &[(&str, &[&str])] = &[
    (
        "in a",
        &[
            "abbey",
            "aquarium",
            "attic",
            "bookshop",
            "bungalow",
            "cabin",
            "camp",
            "caravan",
            "cathedral",
            "cellar",
            "chapel",
            "church",
            "classroom",
            "cottage",
            "courtyard",
            "cupboard",
            "den",
            "drawer",
            "factory",
            "fortress",
            "gallery",
            "garage",
            "glade",
            "greenhouse",
            "grove",
            "harbour",
            "haystack",
            "hospital",
            "hotel",
            "hut",
            "igloo",
            "inn",
            "kindergarten",
            "kitchen",
            "kingdom",
            "laboratory",
            "lagoon",
            "library",
            "mansion",
            "mill",
            "monastery",
            "nest",
            "orchard",
            "palace",
            "pantry",
            "pyramid",
            "quarry",
            "ravine",
            "school",
            "shed",
            "shop",
            "spaceship",
            "stable",
            "suburb",
            "supermarket",
            "temple",
            "tent",
            "theatre",
            "tower",
            "town",
            "tunnel",
            "vineyard",
            "warehouse",
            "wigwam",
            "wood",
            "workshop",
        ],
    ),
    (
        "on a",
        &[
            "balcony",
            "boat",
            "bridge",
            "canal",
            "cliff",
            "cloud",
            "coast",
            "comet",
            "dune",
            "field",
            "glacier",
            "heath",
            "iceberg",
            "ledge",
            "mountain",
            "pier",
            "planet",
            "plateau",
            "prairie",
            "raft",
            "ranch",
            "reef",
            "roof",
            "rooftop",
            "shelf",
            "square",
            "star",
            "stage",
            "train",
            "windowsill",
        ],
    ),
    (
        "by a",
        &[
            "brook",
            "crossroads",
            "ditch",
            "fountain",
            "gate",
            "geyser",
            "hedge",
            "lane",
            "lighthouse",
            "marsh",
            "motorway",
            "port",
            "puddle",
            "railway",
            "road",
            "rock",
            "spring",
            "stream",
            "volcano",
            "wall",
            "waterfall",
            "well",
            "windmill",
        ],
    ),
    (
        "at the",
        &[
            "carnival", "circus", "fair", "funfair", "gym", "laundry", "palace", "pool", "school", "seaside",
            "stadium", "station",
        ],
    ),
];

/// Adjectives of places that a request does not ask for.
const ADJECTIVES: &[&str] = &["big", "small", "little", "quiet", "old", "green", "sunny", "pretty"];

/// Percentage of training's stories in a rare or made-up place.
const RARE: usize = 40;

/// Binds where the hero of a story of `split` lives: `home` as the story says it, `homesetting` as a request does, and
/// the noun alone. Of two stories in validation, one is in a place known from training.
pub fn bind_home(split: Split, dice: &mut Dice, bindings: &mut Bindings) {
    let (before, noun) = match split {
        Split::Train if dice.chance(RARE) => rare(dice),
        Split::Validation if dice.chance(50) => known(Split::Train, dice),
        _ => known(split, dice),
    };
    let setting = joined(&before, &noun);
    let is_described = before.ends_with(" a") && dice.chance(20);
    let home =
        if is_described { joined(&before, &format!("{} {noun}", dice.word(ADJECTIVES))) } else { setting.clone() };
    bindings.set("home", home);
    bindings.set("homenoun", noun);
    bindings.set("homesetting", setting);
}

fn known(split: Split, dice: &mut Dice) -> (String, String) {
    let &(before, noun) = dice.pick(PLACES.of(split));
    (before.to_owned(), noun.to_owned())
}

fn rare(dice: &mut Dice) -> (String, String) {
    if dice.chance(20) {
        return (dice.word(&["near a", "in a", "by a"]).to_owned(), made_up::word(dice));
    }
    let weights: Vec<u32> =
        RARE_PLACES.iter().map(|(_, nouns)| u32::try_from(nouns.len()).unwrap_or(u32::MAX)).collect();
    let (before, nouns) = RARE_PLACES[dice.weighted(&weights)];
    (before.to_owned(), dice.word(nouns).to_owned())
}

/// "in a" and "old castle" as "in an old castle".
fn joined(before: &str, noun: &str) -> String {
    match before.strip_suffix(" a") {
        Some(preposition) => format!("{preposition} {}", with_article(noun)),
        None => format!("{before} {noun}"),
    }
}

/// Whether `noun` is a place that everybody knows, or where a plot plays.
pub fn is_known(noun: &str) -> bool {
    PLACES.training.iter().chain(PLACES.held_out).any(|(_, place)| *place == noun)
        || english_words::PLACES.iter().any(|row| row.contains(&("placenoun", noun)))
}
