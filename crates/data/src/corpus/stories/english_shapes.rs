//! The plots of the English stories: things lost, shared, broken and mended, and fears overcome.

use super::grammar::{Shape, Table};

/// Half of the plots; the others stand in `english_more_shapes`.
pub const SHAPES: &[Shape] = &[LOST, SHARING, FEAR, MAKING, RESCUE, SEED];

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
            "\"I will help you look,\" said {his} friend {friendfull}.",
            "\"Do not cry, {hero},\" said {friendfull}. \"We will find it.\"",
            "{friendfull} saw {his} tears and asked, \"Where did you last see it?\"",
        ],
        &[
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
            "\"Thank you, {friend}!\" said {hero}, and gave {fhim} a big hug.",
            "{hero} laughed and danced, and {friend} danced too.",
            "\"You are a true friend,\" said {hero}.",
        ],
        &[
            "From that day on, {hero} took good care of {his} {toy}.",
            "They played together until the sun went down.",
            "That night, {hero} slept with the {toy} beside {his} bed.",
            "{He} never left the {toy} behind again.",
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
            "One {day}, {hero} and {his} {elder} made {food}.",
        ],
        &[
            "On the way to {place}, {he} met {friendfull}, who looked sad.",
            "{He} took it to {place}, and there {he} saw {friendfull} sitting all alone.",
            "{He} was just about to eat when {friendfull} came by.",
        ],
        &[
            "\"What is wrong?\" asked {hero}. \"I am so hungry,\" said {friend}.",
            "\"I have had nothing to eat all day,\" said {friend} in a small voice.",
            "\"That smells so good,\" said {friend}, and {fhis} tummy made a sound.",
        ],
        &[
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
            "They sat {at} and ate until it was all gone.",
            "They ate together and told each other funny stories.",
            "{friend} smiled, and {hero} felt warm inside.",
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
            "{His} heart beat fast.",
            "{His} legs began to shake.",
            "\"I cannot do it,\" {he} said in a small voice.",
            "{He} wanted to run away.",
        ],
        &[
            "\"{advice},\" said {his} friend {friendfull}.",
            "{friendfull} stood beside {him} and said, \"{advice}.\"",
            "\"I was afraid once too,\" said {friendfull}. \"{advice}.\"",
        ],
        &["{hero} took a deep breath.", "{hero} closed {his} eyes and opened them again.", "So {hero} tried."],
        &["{brave}"],
        &[
            "\"I did it!\" {he} cried, and {friend} clapped.",
            "\"See how brave you are!\" said {friend}.",
            "{He} was so proud that {he} laughed out loud.",
        ],
        &[
            "After that, {he} was not so afraid of {fear}.",
            "That night, {he} told {his} {elder} how brave {he} had been.",
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
        ("advice", "Hold my hand and put in one foot first"),
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
            "\"It is no good,\" said {hero}, and sat down on the floor.",
            "{hero} almost gave up.",
            "{hero} was so cross that {he} wanted to cry.",
        ],
        &[
            "{friendfull} came by and looked at it. \"{fix},\" {fhe} said.",
            "\"{fix},\" said {his} friend {friendfull}.",
            "Then {friendfull} had an idea. \"{fix},\" {fhe} said.",
        ],
        &[
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
        ("success", "a small bird moved in the next day"),
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
            "\"Do not be afraid,\" said {hero}. \"I will help you.\"",
            "\"Poor little thing!\" said {hero}.",
            "{hero} knelt down and spoke in a soft voice.",
        ],
        &[
            "But {he} could not do it alone, so {he} called {friendfull}.",
            "{He} ran to get {his} friend {friendfull}.",
            "Just then, {friendfull} came down the road. \"I will help too,\" {fhe} said.",
        ],
        &["Together, they {help}.", "They worked together and {help}.", "Very gently, they {help}."],
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
    &[
        ("small", "a turtle"),
        ("problem", "lay on its back"),
        ("help", "turned it over"),
        ("thanks", "nodded slowly"),
    ],
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

const SEED: Shape = Shape {
    topic: "growing something",
    tables: &[PLANTS],
    beats: &[
        &[
            "One spring day, {his} {elder} gave {him} {plant} seed.",
            "One spring day, {hero} found {plant} seed in {his} pocket.",
        ],
        &[
            "{He} put it into the ground and gave it some water.",
            "{He} dug a small hole behind the house and put it in.",
        ],
        &[
            "{He} waited one day, and then another, but nothing happened.",
            "Every morning {he} ran outside to look, but there was only earth.",
            "A week went by, and nothing came up.",
        ],
        &[
            "\"Maybe it is broken,\" {he} said. \"Good things take time,\" said {his} {elder}.",
            "\"It is asleep,\" said {friendfull}. \"Give it time.\"",
            "\"I give up,\" said {hero}. \"Wait a little longer,\" said {friendfull}.",
        ],
        &[
            "So {he} gave it water every day and sang to it.",
            "So {hero} waited, and kept the birds away.",
            "So {he} gave it water every morning and said good night to it every evening.",
        ],
        &[
            "Then, one morning, a tiny green leaf came out of the ground!",
            "And one day, after the rain, there was a tiny green leaf!",
        ],
        &[
            "By the end of summer, {he} had the finest garden of all.",
            "By the end of summer, it was taller than {hero}.",
            "\"You were right,\" said {hero}. \"Good things take time.\"",
            "{hero} was so happy that {he} danced around it.",
        ],
    ],
};

const PLANTS: Table = &[
    &[("plant", "a sunflower")],
    &[("plant", "a bean")],
    &[("plant", "a pumpkin")],
    &[("plant", "a rose")],
    &[("plant", "an apple")],
    &[("plant", "a melon")],
    &[("plant", "a tulip")],
    &[("plant", "a cherry")],
];
