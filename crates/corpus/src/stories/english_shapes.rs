//! Plots of the English stories: things lost, shared and made, fears overcome, others helped, quarrels mended.
//!
//! A plot follows its opening with five beats of about ten words: a wish or a trouble, what makes it worse or better, a
//! turn, and an end that names the hero.

use super::grammar::{StoryShape, Table};

/// A third of the plots; the others stand in `english_more_shapes` and `english_adventures`.
pub const SHAPES: &[StoryShape] = &[LOST, SHARING, FEAR, MAKING, RESCUE, QUARREL];

const LOST: StoryShape = StoryShape {
    name: "lost",
    topics: &["a lost {toy}", "something lost", "losing a {toy}"],
    tables: &[],
    beats: &[
        &[
            "{He} had a {colour} {toy} that {he} loved very much.",
            "{His} favourite thing was a {colour} {toy}.",
            "{He} took {his} {colour} {toy} everywhere.",
            "For {his} birthday, {he} got a {colour} {toy}.",
        ],
        &[
            "One {day}, {he} played {at}, and then the {toy} was gone.",
            "But one {day}, {he} lost the {toy} {at}.",
            "One {day}, {he} went to {place} and lost the {toy}.",
        ],
        &[
            "\"Do not cry, I will help you,\" said {his} friend {friend}.",
            "{His} friend {friend} came and helped {him} look for it.",
            "{He} looked {wrong} with {his} friend {friend}, but it was not there.",
        ],
        &[
            "At last, {hero} found the {toy} {spot}.",
            "Then {friend} saw it {spot}!",
            "And there, {spot}, lay the {colour} {toy}!",
        ],
        &[
            "From that day on, the {kind} took good care of {his} {toy}.",
            "\"Thank you, you are a true friend,\" said {hero}.",
            "{hero} and {friend} played together until the sun went down.",
            "That night, {hero} slept with the {toy} by {his} bed.",
        ],
    ],
};

const SHARING: StoryShape = StoryShape {
    name: "sharing",
    topics: &["sharing", "sharing food", "sharing with a friend"],
    tables: &[FOODS],
    beats: &[
        &[
            "One {day}, {his} {elder} gave {him} {food}.",
            "One {day}, {he} took {food} to {place}.",
            "One {day}, {he} sat down {at} to eat {food}.",
        ],
        &[
            "Then {afriend} came by and said, \"I am so hungry.\"",
            "{He} was about to eat when {he} saw {afriend} who had nothing.",
            "Just then, {he} met {afriend} who looked sad and hungry.",
        ],
        &[
            "{hero} wanted to keep it all, but then {he} had a better idea.",
            "{hero} looked at the food, and then {he} looked at {friend}.",
            "At first, the {kind} wanted to eat it all alone.",
        ],
        &[
            "\"Let us share it,\" {he} said, and gave {friend} the bigger half.",
            "\"Sit down with me, there is enough for two,\" {he} said.",
            "\"Half of it is for you,\" {he} said with a smile.",
        ],
        &[
            "They ate together, and it tasted better than ever before.",
            "{hero} learned that food tastes best with a friend.",
            "After that, {hero} and {friend} had lunch together every day.",
            "The next day, {friend} brought some berries for {hero}.",
        ],
    ],
};

const FOODS: Table = &[
    &[("food", "a big apple pie")],
    &[("food", "a loaf of warm bread")],
    &[("food", "a bag of nuts")],
    &[("food", "a box of cookies")],
    &[("food", "a basket of plums")],
    &[("food", "a pot of hot soup")],
    &[("food", "a jar of honey")],
    &[("food", "a plate of pancakes")],
    &[("food", "a bowl of rice")],
    &[("food", "a sweet melon")],
];

const FEAR: StoryShape = StoryShape {
    name: "fear",
    topics: &["being brave", "being afraid of {fear}", "courage"],
    tables: &[FEARS],
    beats: &[
        &[
            "{He} liked many things, but {he} was afraid of {fear}.",
            "Only one thing scared {him}, and that was {fear}.",
            "{He} had a secret: {he} was afraid of {fear}.",
        ],
        &["{trouble}"],
        &[
            "\"{advice},\" said {his} friend {friend}.",
            "{His} friend {friend} came and said, \"{advice}.\"",
            "\"It is easy,\" said {his} friend {friend}. \"{advice}.\"",
        ],
        &["{brave}"],
        &[
            "\"I did it!\" {he} cried, and {friend} cheered.",
            "\"See how brave you are!\" said {friend}.",
            "After that, {hero} was not so afraid of {fear}.",
            "That night, the {kind} told {his} {elder} all about it.",
            "The {kind} was so proud that {he} laughed out loud.",
        ],
    ],
};

const FEARS: Table = &[
    &[
        ("fear", "the dark"),
        ("trouble", "One night, the lamp went out, and {he} could not see a thing."),
        ("advice", "Look up, the stars are little lamps"),
        ("brave", "{hero} looked up and counted the stars."),
    ],
    &[
        ("fear", "thunder"),
        ("trouble", "One night, a storm came, and the sky went boom."),
        ("advice", "Count slowly after each flash"),
        ("brave", "{hero} counted to five, and the thunder was already far away."),
    ],
    &[
        ("fear", "deep water"),
        ("trouble", "One {day}, {his} friends jumped into the water, but {he} did not."),
        ("advice", "Put in one foot first"),
        ("brave", "{hero} put in one foot, and soon {he} was splashing."),
    ],
    &[
        ("fear", "high places"),
        ("trouble", "One {day}, {his} {colour} kite got stuck in a tall tree."),
        ("advice", "Just look at the next branch"),
        ("brave", "{hero} climbed one branch at a time until {he} had the kite."),
    ],
    &[
        ("fear", "singing in front of others"),
        ("trouble", "One {day}, {he} had to sing a song at the fair."),
        ("advice", "Look at me and sing for me alone"),
        ("brave", "{hero} looked at {friend} and sang the whole song."),
    ],
    &[
        ("fear", "the old bridge"),
        ("trouble", "One {day}, {he} had to cross the old bridge over the river."),
        ("advice", "Take one step, and then one more"),
        ("brave", "{hero} took one step after another, and soon {he} was across."),
    ],
    &[
        ("fear", "new places"),
        ("trouble", "One {day}, {he} had to go to a new school."),
        ("advice", "Just smile and say hello"),
        ("brave", "{hero} smiled and said hello, and soon everyone wanted to play."),
    ],
    &[
        ("fear", "the doctor"),
        ("trouble", "One {day}, {he} was ill and had to see the doctor."),
        ("advice", "Close your eyes and think of cake"),
        ("brave", "{hero} thought of cake, and soon it was over."),
    ],
];

const MAKING: StoryShape = StoryShape {
    name: "making",
    topics: &["trying again", "making {make}", "not giving up"],
    tables: &[MAKES],
    beats: &[
        &[
            "One {day}, {he} wanted to make {make}.",
            "{He} had always wanted to make {make}.",
            "One {day}, {he} said, \"Today I will make {make}.\"",
        ],
        &[
            "{He} worked all morning, but {fail}.",
            "{He} tried very hard, but {fail}.",
            "{He} was almost done, but then {fail}.",
        ],
        &[
            "Then {his} friend {friend} came by and said, \"{fix}.\"",
            "\"Do not give up. {fix},\" said {his} friend {friend}.",
            "{He} wanted to give up, but {his} friend {friend} said, \"{fix}.\"",
        ],
        &[
            "So {hero} tried again, and {success}.",
            "They tried once more, and this time {success}.",
            "The {kind} tried one more time, and look, {success}!",
        ],
        &[
            "\"We did it!\" shouted {hero} and {friend}.",
            "\"It only took two tries,\" said {hero} with a smile.",
            "{hero} learned that you can always try again.",
            "The {kind} was proud and showed it to everyone.",
        ],
    ],
};

const MAKES: Table = &[
    &[
        ("make", "a kite"),
        ("fail", "the paper tore in the wind"),
        ("fix", "Use cloth instead of paper"),
        ("success", "it flew high above the trees"),
    ],
    &[
        ("make", "a little boat"),
        ("fail", "it sank in the pond"),
        ("fix", "Put wax on the wood"),
        ("success", "it floated across the pond"),
    ],
    &[
        ("make", "a cake"),
        ("fail", "it came out flat and black"),
        ("fix", "Take it out a little sooner"),
        ("success", "it came out soft and golden"),
    ],
    &[
        ("make", "a sand castle"),
        ("fail", "the waves washed it away"),
        ("fix", "Build it farther from the water"),
        ("success", "it stood tall until evening"),
    ],
    &[
        ("make", "a tree house"),
        ("fail", "the roof fell off"),
        ("fix", "Use longer nails"),
        ("success", "the roof held, even in the wind"),
    ],
    &[
        ("make", "a flute"),
        ("fail", "it made no sound at all"),
        ("fix", "Make the holes a little bigger"),
        ("success", "it made a sweet sound"),
    ],
    &[
        ("make", "a scarf"),
        ("fail", "it was full of holes"),
        ("fix", "Go slowly and count each row"),
        ("success", "it was soft and warm"),
    ],
    &[
        ("make", "a swing"),
        ("fail", "the rope broke"),
        ("fix", "Find a thicker rope"),
        ("success", "it carried {him} high into the air"),
    ],
    &[
        ("make", "a pot of soup"),
        ("fail", "it tasted like water"),
        ("fix", "Add some salt and a carrot"),
        ("success", "everyone asked for a second bowl"),
    ],
];

const RESCUE: StoryShape = StoryShape {
    name: "rescue",
    topics: &["helping", "being kind", "helping {afriend}"],
    tables: &[RESCUES],
    beats: &[
        &[
            "One {day}, on the way to {place}, {he} heard a cry.",
            "One {day}, {he} went to {place} and heard someone cry.",
            "One {day}, {he} was walking {at} when {he} heard a small sound.",
        ],
        &[
            "It was {afriend} that {problem}.",
            "There was {afriend} that {problem}.",
            "{He} saw {afriend} that {problem}.",
        ],
        &[
            "\"Do not be afraid, I will help you,\" said {hero}.",
            "\"You poor thing!\" said the {kind}.",
            "\"Wait, I am coming!\" cried {hero}.",
        ],
        &[
            "{He} {help}, and soon {friend} was {well}.",
            "Then {he} {help}, and {friend} was {well} at last.",
            "So {he} {help}, and {friend} was {well} again.",
        ],
        &[
            "\"Thank you!\" said {friend}, and they became good friends.",
            "After that, {friend} came to visit {hero} every day.",
            "That evening, {hero} told {his} {elder} all about it.",
            "\"It feels good to help,\" said the {kind}.",
            "{hero} went home with a happy heart.",
        ],
    ],
};

const RESCUES: Table = &[
    &[("problem", "had fallen into a hole"), ("help", "let down a long rope"), ("well", "safe")],
    &[("problem", "was stuck in the mud"), ("help", "pulled and pulled"), ("well", "free")],
    &[("problem", "was caught in a net"), ("help", "cut the net"), ("well", "free")],
    &[("problem", "had lost its way"), ("help", "walked along to show the way"), ("well", "home")],
    &[("problem", "had a thorn in its foot"), ("help", "pulled out the thorn"), ("well", "well")],
    &[("problem", "was shaking with cold"), ("help", "gave it {his} {colour} scarf"), ("well", "warm")],
    &[("problem", "had dropped all its apples"), ("help", "picked them up one by one"), ("well", "happy")],
    &[("problem", "was stuck under a branch"), ("help", "lifted the branch"), ("well", "free")],
    &[("problem", "could not cross the stream"), ("help", "put a long log over it"), ("well", "safe")],
];

const QUARREL: StoryShape = StoryShape {
    name: "quarrel",
    topics: &["saying sorry", "a quarrel", "two friends who make up"],
    tables: &[],
    beats: &[
        &[
            "One {day}, {he} and {his} friend {friend} both wanted the same {toy}.",
            "One {day}, {he} took the {toy} of {his} friend {friend}.",
            "One {day}, {he} broke the {colour} {toy} of {his} friend {friend}.",
        ],
        &[
            "\"I will never play with you again!\" shouted {friend}.",
            "They shouted at each other, and {friend} went home.",
            "{Friend} was very angry and ran away.",
        ],
        &[
            "{hero} played alone, but it was no fun.",
            "All that evening, {hero} felt sad and lonely.",
            "The {kind} sat at home and felt bad.",
        ],
        &[
            "So {he} went to {friend} and said, \"I am sorry.\"",
            "The next day, {he} gave {friend} a hug and said, \"I am sorry.\"",
            "\"I was wrong, and I am sorry,\" {he} told {friend} the next day.",
        ],
        &[
            "\"I am sorry too,\" said {friend}, and they played together.",
            "{Friend} smiled, and they were friends again.",
            "From then on, {hero} and {friend} shared everything.",
            "The {kind} learned that a friend is better than a {toy}.",
        ],
    ],
};
