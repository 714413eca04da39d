//! Names and values of the invented world, and the phrases that say who has what.
//!
//! In a phrase `{name}` is the person, `{he}` the person's pronoun, `{his}` the possessive, and `{value}` the value.

/// Names of people who are "she". None is a character of a story.
pub const SHE: &[&str] = &[
    "Abira", "Belka", "Cindra", "Dorsa", "Elvina", "Fenna", "Galia", "Hesta", "Ilka", "Jorina", "Kelda", "Lorna",
    "Mirta", "Nesrin", "Odile", "Perla", "Quilla", "Ravena", "Selma", "Tirza", "Ulrika", "Vesna", "Wilma", "Xenia",
    "Ysolde", "Zelda", "Amalia", "Brisa", "Corina", "Delia", "Edda", "Flora", "Greta", "Halina", "Imelda", "Jutta",
    "Katya", "Linnea", "Magda", "Noemi", "Oriana", "Petra", "Romy", "Sunniva", "Tamsin", "Verity", "Wanda", "Zora",
];

/// Names of people who are "he". None is a character of a story.
pub const HE: &[&str] = &[
    "Aldo", "Bruno", "Casimir", "Dorin", "Egon", "Fabio", "Gregor", "Hanno", "Igor", "Jarek", "Kolya", "Lothar",
    "Marek", "Nestor", "Orson", "Pavel", "Quentin", "Rufus", "Stefan", "Tibor", "Ugo", "Viktor", "Wilbur", "Xaver",
    "Yorick", "Zoltan", "Anton", "Boris", "Cyrus", "Dimitri", "Emil", "Falk", "Gustav", "Hector", "Ivo", "Jonas",
    "Klaus", "Lars", "Manfred", "Nils", "Otto", "Piotr", "Ruben", "Silas", "Tadeo", "Ulf", "Vito", "Waldo",
];

/// Values of each attribute, in the order of `Attribute::ALL`. No value is part of another one.
pub const VALUES: [&[&str]; 5] = [
    &["Marlow", "Tessin", "Orvale", "Pinmoor", "Hestbury", "Lunden", "Karsk", "Velmar", "Dunfell", "Rosport"],
    &["baker", "doctor", "farmer", "teacher", "painter", "sailor", "tailor", "singer", "builder", "gardener"],
    &["cat", "dog", "parrot", "rabbit", "horse", "goat", "turtle", "hen", "mouse", "goldfish"],
    &["soup", "bread", "rice", "cheese", "apples", "noodles", "plums", "honey", "cake", "beans"],
    &["red", "blue", "green", "yellow", "white", "black", "purple", "brown", "orange", "pink"],
];

/// Statements of each attribute in biographies.
pub const STATEMENTS: [&[&str]; 5] = [
    &[
        "{name} lives in {value}.",
        "{name} comes from the town of {value}.",
        "{name}'s home is in {value}.",
        "The home town of {name} is {value}.",
    ],
    &[
        "{name} works as a {value}.",
        "{name} is a {value}.",
        "{name} earns a living as a {value}.",
        "{name}'s job is that of a {value}.",
    ],
    &[
        "{name} has a {value}.",
        "{name}'s pet is a {value}.",
        "{name} keeps a {value} at home.",
        "{name} owns a {value}.",
    ],
    &[
        "{name} likes to eat {value}.",
        "{name}'s favourite food is {value}.",
        "{name} likes {value} more than any other food.",
        "{name} eats {value} every day.",
    ],
    &[
        "{name}'s favourite colour is {value}.",
        "{name} wears {value} clothes.",
        "The colour that {name} likes best is {value}.",
        "{name} painted the front door {value}.",
    ],
];

/// Openings of biographies.
pub const OPENINGS: &[&str] = &[
    "This is {name}.",
    "I know {name}.",
    "Here is {name}.",
    "Everybody in town knows {name}.",
    "Have you met {name}?",
];

/// Questions about each attribute.
pub const QUESTIONS: [&[&str]; 5] = [
    &["Where does {name} live?", "What is {name}'s home town?", "Which town is {name} from?"],
    &["What is {name}'s job?", "What does {name} do for a living?", "What work does {name} do?"],
    &["What pet does {name} have?", "Which animal does {name} keep?", "What is {name}'s pet?"],
    &["What does {name} like to eat?", "What is {name}'s favourite food?", "Which food does {name} like best?"],
    &["What is {name}'s favourite colour?", "Which colour does {name} like best?", "What colour does {name} like?"],
];

/// Wordings of answers.
pub const ANSWERS: [&str; 5] = [
    "{name} lives in {value}.",
    "{name} works as a {value}.",
    "{name} has a {value}.",
    "{name} likes to eat {value}.",
    "{name}'s favourite colour is {value}.",
];
