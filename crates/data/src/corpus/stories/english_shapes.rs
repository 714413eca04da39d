//! Plots of the English stories: things lost and shared, fears overcome, tries repeated, small ones helped.

use super::grammar::{Shape, Table};

/// Half of the plots; the others stand in `english_more_shapes`.
pub const SHAPES: &[Shape] = &[LOST, SHARING, FEAR, MAKING, RESCUE];

const LOST: Shape = Shape {
    topic: "something lost",
    tables: &[],
    beats: &[
        &[
            "{He} had a {colour} {toy} that {he} loved very much.",
            "{His} favourite thing was a {colour} {toy}.",
            "{He} took {his} {colour} {toy} everywhere.",
            "For {his} birthday, {he} had been given a {colour} {toy}.",
        ],
        &[
            "One {day}, {he} played {at}, and when {he} came home, the {toy} was gone.",
            "One {day}, {he} went to {place} and lost it.",
            "But one {day}, {hero} could not find the {toy} anywhere.",
        ],
        &[
            "\"I will help you look,\" said {his} friend {friend}.",
            "\"Do not cry,\" said {his} friend {friend}. \"We will find it.\"",
            "{His} friend {friend} saw {his} tears and asked, \"Where did you last see it?\"",
        ],
        &[
            "",
            "They looked {wrong} and {also}, but it was not there.",
            "First they looked {wrong}, and then {also}.",
            "{hero} looked {wrong}, and {friend} looked {also}.",
        ],
        &[
            "Then {friend} saw something {colour} {spot}, and it was the {toy}!",
            "At last, {hero} found the {toy} {spot}.",
            "There, {spot}, lay the {colour} {toy}!",
        ],
        &[
            "",
            "\"Thank you!\" said {hero}, and gave {friend} a big hug.",
            "{hero} laughed and danced, and {friend} danced too.",
            "\"You are a true friend,\" said {hero}.",
        ],
        &[
            "From that day on, {hero} took good care of {his} {toy}.",
            "They played together until the sun went down.",
            "That night, {hero} slept with the {toy} beside {his} bed.",
            "{hero} never left the {toy} behind again.",
        ],
    ],
};

const SHARING: Shape = Shape {
    topic: "sharing",
    tables: &[FOODS],
    beats: &[
        &[
            "One {day}, {his} {elder} gave {him} {food}.",
            "One {day}, {he} bought {food} with {his} own money.",
            "One {day}, {hero} packed {food} for lunch.",
        ],
        &[
            "On the way to {place}, {he} met {afriend} who looked sad.",
            "{He} took it to {place}, and there {he} saw {afriend} sitting all alone.",
            "{He} was just about to eat when {afriend} came by.",
        ],
        &[
            "\"What is wrong?\" asked {hero}. \"I am so hungry,\" said {friend}.",
            "\"I have had nothing to eat all day,\" said {friend} in a small voice.",
            "\"That smells so good,\" said {friend}, and came closer.",
        ],
        &[
            "",
            "{hero} wanted to keep it all, but then {he} had a better idea.",
            "For a moment, {hero} said nothing.",
            "{hero} looked at {his} food, and then {he} looked at {friend}.",
        ],
        &[
            "\"Let us share it,\" {he} said, and gave {friend} the bigger half.",
            "\"Sit down with me,\" said {hero}. \"There is enough for two.\"",
            "\"Half of it is for you,\" {he} said with a smile.",
        ],
        &[
            "",
            "They sat {at} and ate until it was all gone.",
            "They ate together and told each other funny stories.",
            "{Friend} smiled, and {hero} felt warm inside.",
        ],
        &[
            "It tasted better than ever before.",
            "{hero} learned that food tastes best with a friend.",
            "The next day, {friend} brought some berries, and they shared them too.",
            "After that, they had lunch together every day.",
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

const FEAR: Shape = Shape {
    topic: "being brave",
    tables: &[FEARS],
    beats: &[
        &[
            "{He} liked many things, but {he} was afraid of {fear}.",
            "Only one thing scared {him}, and that was {fear}.",
            "{hero} had a secret: {he} was afraid of {fear}.",
        ],
        &["{trouble}"],
        &[
            "",
            "{His} heart beat fast.",
            "{His} legs began to shake.",
            "\"I am so scared,\" {he} said in a small voice.",
            "{He} wanted to run away.",
        ],
        &[
            "\"{advice},\" said {his} friend {friend}.",
            "{His} friend {friend} stood beside {him} and said, \"{advice}.\"",
            "\"I was afraid once too,\" said {his} friend {friend}. \"{advice}.\"",
        ],
        &["", "", "{hero} took a deep breath.", "So {hero} tried."],
        &["{brave}"],
        &[
            "",
            "\"I did it!\" {he} cried, and {friend} clapped.",
            "\"See how brave you are!\" said {friend}.",
            "{He} was so proud that {he} laughed out loud.",
        ],
        &[
            "After that, {he} was not so afraid of {fear}.",
            "That night, {hero} told {his} {elder} how brave {he} had been.",
            "{hero} was still a little afraid of {fear}, but now {he} knew what to do.",
        ],
    ],
};

const FEARS: Table = &[
    &[
        ("fear", "the dark"),
        ("trouble", "One night, the lamp went out, and {he} could not see a thing."),
        ("advice", "Look up, the stars are little lamps"),
        ("brave", "{He} looked out of the window and counted the stars."),
    ],
    &[
        ("fear", "thunder"),
        ("trouble", "One night, a storm came, and the sky went boom."),
        ("advice", "Count slowly after each flash"),
        ("brave", "{He} counted to five, and the thunder was already far away."),
    ],
    &[
        ("fear", "deep water"),
        ("trouble", "One {day}, all {his} friends jumped into the lake, but {he} stayed on the grass."),
        ("advice", "Put in one foot first"),
        ("brave", "{He} put in one foot, then the other, and soon {he} was splashing."),
    ],
    &[
        ("fear", "high places"),
        ("trouble", "One {day}, {his} {colour} kite got stuck in a tall tree."),
        ("advice", "Do not look down, just look at the next branch"),
        ("brave", "{He} climbed one branch at a time until {he} had the kite."),
    ],
    &[
        ("fear", "big dogs"),
        ("trouble", "One {day}, a big dog came running down the lane."),
        ("advice", "Stand still and let it smell your hand"),
        ("brave", "{He} held out {his} hand, and the dog licked it."),
    ],
    &[
        ("fear", "singing in front of others"),
        ("trouble", "One {day}, {his} teacher asked {him} to sing a song at the fair."),
        ("advice", "Look at me and sing for me alone"),
        ("brave", "{He} looked at {friend} and sang the whole song."),
    ],
    &[
        ("fear", "spiders"),
        ("trouble", "One {day}, a little spider sat down on {his} chair."),
        ("advice", "It is small, and it only wants to go home"),
        ("brave", "{He} let it walk onto a leaf and carried it outside."),
    ],
    &[
        ("fear", "the old bridge"),
        ("trouble", "One {day}, {he} had to cross the old bridge over the river."),
        ("advice", "Take one step, and then one more"),
        ("brave", "{He} took one step, and then one more, and soon {he} was across."),
    ],
];

const MAKING: Shape = Shape {
    topic: "trying again",
    tables: &[MAKES],
    beats: &[
        &[
            "One {day}, {he} wanted to make {make}.",
            "{He} had always wanted to make {make}.",
            "One {day}, {hero} told {his} {elder}, \"Today I will make {make}.\"",
        ],
        &[
            "{He} worked all morning, but {fail}.",
            "{He} tried hard, but {fail}.",
            "{He} was almost done, but then {fail}.",
        ],
        &[
            "",
            "\"It is no good,\" said {hero}, and sat down on the floor.",
            "{hero} almost gave up.",
            "{hero} was so cross that {he} wanted to cry.",
        ],
        &[
            "{His} friend {friend} came by. \"{fix},\" said {friend}.",
            "\"{fix},\" said {his} friend {friend}.",
            "Then {his} friend {friend} had an idea. \"{fix},\" said {friend}.",
        ],
        &[
            "",
            "So {hero} tried again, and {friend} helped.",
            "So they began once more, slowly and with care.",
            "{hero} dried {his} eyes and tried one more time.",
        ],
        &["This time, {success}.", "And look, {success}!", "When they were done, {success}."],
        &[
            "\"We did it!\" they shouted.",
            "\"It only took two tries,\" said {hero} with a smile.",
            "{hero} learned that you can always try again.",
            "{He} showed it to everyone {he} knew.",
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
        ("fail", "it sank to the bottom of the pond"),
        ("fix", "Put wax on the wood"),
        ("success", "it floated all the way across the pond"),
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
        ("make", "a bird house"),
        ("fail", "the roof fell off"),
        ("fix", "Use longer nails"),
        ("success", "it held, and a small bird moved in"),
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

const RESCUE: Shape = Shape {
    topic: "helping",
    tables: &[SMALL_ONES],
    beats: &[
        &[
            "One {day}, {he} was walking to {place} when {he} heard a small sound.",
            "One {day}, on the way to {place}, {hero} saw something move.",
            "One {day}, {he} stopped near {place} because {he} heard someone cry.",
        ],
        &["It was {small} that {problem}.", "There was {small} that {problem}."],
        &[
            "",
            "\"Do not be afraid,\" said {hero}. \"I will help you.\"",
            "\"Poor little thing!\" said {hero}.",
            "{hero} knelt down and spoke in a soft voice.",
        ],
        &[
            "But {he} could not do it alone, so {he} called {his} friend {friend}.",
            "{He} ran to get {his} friend {friend}.",
            "Just then, {his} friend {friend} came by. \"I will help too,\" said {friend}.",
        ],
        &["Together, they {help}.", "They worked together and {help}.", "Side by side, they {help}."],
        &["The little one {thanks}."],
        &[
            "{hero} and {friend} walked home with happy hearts.",
            "\"It feels good to help,\" said {hero}.",
            "After that, it came to visit them every day.",
            "That evening, {hero} told {his} {elder} all about it.",
        ],
    ],
};

const SMALL_ONES: Table = &[
    &[
        ("small", "a baby bird"),
        ("problem", "had fallen from its nest"),
        ("help", "put it back into the nest"),
        ("thanks", "sang a song for them"),
    ],
    &[
        ("small", "a kitten"),
        ("problem", "was stuck in a tree"),
        ("help", "got it down with a long ladder"),
        ("thanks", "purred and purred"),
    ],
    &[
        ("small", "a puppy"),
        ("problem", "had lost its way"),
        ("help", "went from door to door until they found its home"),
        ("thanks", "wagged its tail"),
    ],
    &[("small", "a turtle"), ("problem", "lay on its back"), ("help", "turned it over"), ("thanks", "nodded slowly")],
    &[
        ("small", "a butterfly"),
        ("problem", "had fallen into the water"),
        ("help", "lifted it out with a leaf"),
        ("thanks", "dried its wings and danced around them"),
    ],
    &[
        ("small", "a lamb"),
        ("problem", "was caught in a fence"),
        ("help", "opened the wire and set it free"),
        ("thanks", "jumped for joy"),
    ],
    &[
        ("small", "a duckling"),
        ("problem", "could not find its mother"),
        ("help", "followed the sound of the other ducks"),
        ("thanks", "swam happily to its mother"),
    ],
    &[
        ("small", "a snail"),
        ("problem", "was in the middle of the road"),
        ("help", "carried it to the grass"),
        ("thanks", "put out its horns to say thank you"),
    ],
];
