//! Names and nouns that training rarely has: made-up ones, spelt like English ones ("Trelia", "Wendrick", "a clossum"),
//! and real ones.
//!
//! Names that a model is asked about later are spelt in tokens that it has seldom seen together. It learns to copy such
//! words from words of many spellings; from a few syllables it learns the syllables. Real ones have the tokens of
//! common words ("came", "l"), which made-up ones seldom have.

use std::sync::LazyLock;

use super::Pronoun;
use super::english_cast::{ANIMALS, HE, ROLES, SHE};
use super::grammar::split_of;
use super::rare_words::{HE_NAMES, NOUNS, SHE_NAMES};
use crate::Split;
use crate::assistant::possessions;
use crate::dice::Dice;
use crate::template::capitalise;
use crate::world::{World, WorldConfig};

/// Percentage of made-up words of one syllable ("swan", "Ralph"). Without them a model never ends a word that it copies
/// before the second syllable: "a lambin".
const ONE_SYLLABLE: usize = 30;

/// Percentage of real words among rare ones.
const REAL: usize = 50;

/// A rare name of `split`, or a made-up one of one to three syllables.
pub fn name(split: Split, pronoun: Pronoun, dice: &mut Dice) -> String {
    let (endings, real): (_, &Vec<_>) =
        if pronoun == Pronoun::She { (SHE_ENDS, &*SHE_NAMES) } else { (HE_ENDS, &*HE_NAMES) };
    loop {
        let name = if dice.chance(REAL) {
            dice.word(real).to_owned()
        } else if dice.chance(ONE_SYLLABLE) {
            one_syllable(dice)
        } else {
            let mut name = stem(dice);
            if dice.chance(30) {
                name += dice.word(VOWELS);
                name += dice.word(BETWEEN);
            }
            name + dice.word(endings)
        };
        let name = capitalise(&name);
        if split_of("name", &name) == split && !is_taken(&name) {
            return name;
        }
    }
}

/// A rare noun, or one of one to three syllables that is no word.
pub fn noun(dice: &mut Dice) -> String {
    if dice.chance(REAL) { dice.word(&NOUNS).to_owned() } else { word(dice) }
}

/// A noun of one to three syllables that is no word.
pub fn word(dice: &mut Dice) -> String {
    loop {
        let word = if dice.chance(ONE_SYLLABLE) {
            one_syllable(dice)
        } else {
            let mut word = stem(dice) + dice.word(VOWELS);
            if dice.chance(20) {
                word += dice.word(BETWEEN);
                word += dice.word(VOWELS);
            }
            word + dice.word(CODAS)
        };
        if !is_rude(&word) && !is_a_word(&word) {
            return word;
        }
    }
}

/// A word of one syllable.
fn one_syllable(dice: &mut Dice) -> String {
    let vowels = if dice.chance(25) { LONG_VOWELS } else { VOWELS };
    format!("{}{}{}", dice.word(ONSETS), dice.word(vowels), dice.word(LAST))
}

/// A syllable and the consonants after it.
fn stem(dice: &mut Dice) -> String {
    let onset = if dice.chance(15) { "" } else { dice.word(ONSETS) };
    let vowels = if dice.chance(15) { LONG_VOWELS } else { VOWELS };
    let vowel = dice.word(vowels);
    format!("{onset}{vowel}{}", dice.word(BETWEEN))
}

const ONSETS: &[&str] = &[
    "b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "y", "z", "b", "d", "h", "l",
    "m", "n", "p", "r", "s", "t", "w", "bl", "br", "ch", "cl", "cr", "dr", "fl", "fr", "gl", "gr", "ph", "pl", "pr",
    "qu", "sh", "sk", "sl", "sm", "sn", "sp", "st", "str", "sw", "th", "tr", "tw", "wh",
];
const VOWELS: &[&str] = &["a", "e", "i", "o", "u"];
const LONG_VOWELS: &[&str] = &["ai", "au", "ea", "ee", "ei", "ia", "ie", "io", "oo", "ou", "y"];
const BETWEEN: &[&str] = &[
    "b", "c", "d", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "l", "m", "n", "r", "s", "t", "bb", "ck",
    "dd", "ff", "gg", "ll", "mm", "nn", "pp", "rr", "ss", "tt", "br", "ch", "dr", "ld", "lf", "lm", "lr", "lt", "lv",
    "mb", "mp", "nd", "ng", "nk", "nt", "ph", "rb", "rc", "rd", "rg", "rk", "rl", "rm", "rn", "rp", "rs", "rt", "rv",
    "sh", "sp", "st", "th", "tch", "tr", "x",
];
const CODAS: &[&str] = &[
    "b", "ck", "d", "l", "ll", "m", "n", "ng", "nt", "p", "r", "rd", "rt", "s", "sh", "st", "t", "th", "x", "l", "n",
    "r", "s", "t", "",
];
/// Endings of words of one syllable.
const LAST: &[&str] = &[
    "b", "ck", "d", "g", "k", "l", "ll", "m", "n", "p", "r", "s", "sh", "st", "t", "th", "x", "ff", "ss", "tch", "ch",
    "lf", "lk", "lm", "lph", "lt", "mb", "mp", "nd", "ng", "nk", "nt", "pe", "ne", "le", "ke", "te", "rd", "rk", "rm",
    "rn", "rp", "rt", "sk", "sp", "l", "m", "n", "r", "s", "t",
];
const SHE_ENDS: &[&str] = &[
    "a", "ia", "ina", "ela", "ora", "y", "ie", "i", "ice", "is", "elle", "ette", "ine", "ah", "een", "eth", "yn",
    "ara", "isa", "e",
];
const HE_ENDS: &[&str] = &[
    "o", "in", "an", "er", "on", "us", "as", "ick", "ert", "ald", "en", "or", "ur", "ip", "el", "io", "ard", "ent",
    "im", "y",
];

/// Whether a made-up name is a word, rude, or somebody else's name.
fn is_taken(name: &str) -> bool {
    const WORDS: &[&str] = &["Sofa", "Soda", "Data", "Tuna", "Robin", "Lemon", "Motor", "Satan", "Tutor", "Rumor"];
    static PEOPLE: LazyLock<World> =
        LazyLock::new(|| World::new(&WorldConfig { people: WorldConfig::MOST_PEOPLE, ..WorldConfig::default() }));
    let lists = [SHE.training, SHE.held_out, HE.training, HE.held_out, WORDS];
    is_rude(name)
        || is_a_word(&name.to_lowercase())
        || lists.iter().any(|list| list.contains(&name))
        || PEOPLE.people().iter().any(|person| name.starts_with(person.name))
}

/// Whether it is an animal, a role, a colour, something to eat: also one that is held out.
fn is_a_word(word: &str) -> bool {
    ANIMALS.training.iter().chain(ANIMALS.held_out).any(|animal| *animal == word)
        || ROLES.training.iter().chain(ROLES.held_out).any(|(role, _)| *role == word)
        || possessions::is_one(word)
}

/// Whether a made-up word has a part that is unfit for a children's story.
fn is_rude(word: &str) -> bool {
    const AVOIDED: &[&str] = &[
        "nazi", "pedo", "puta", "puto", "kaka", "vagi", "peni", "pipi", "popo", "titi", "mama", "papa", "dada", "fag",
        "nig", "dik", "dick", "jap", "kum", "cum", "pis", "sex", "fuk", "fuc", "rap", "kil", "tit", "zit", "porn",
        "shit", "slut", "cock", "cunt", "cunn", "poo", "pee", "ass", "arse", "hoe", "homo", "nud", "tard", "crap",
        "whor", "bitch", "bast", "pus", "sperm", "turd", "fart", "hell", "gook", "spic", "coon", "dyke", "twat",
        "wank", "pric", "hitl", "mord", "anal", "anus", "bum", "butt", "dum", "die", "dea", "stup", "ugl", "chink",
        "clit", "shag", "slag", "bomb", "snatch", "spank", "suck", "thug", "wog", "skank", "jerk", "hate", "stab",
        "drug", "hag", "shot", "gun", "crack", "bonk", "grop", "knob", "prat", "jew", "goy", "lust", "prost",
    ];
    let lower = word.to_lowercase();
    AVOIDED.iter().any(|part| lower.contains(part))
}
