//! More plots of the English stories: seeds, treasures, stars, ways lost, wishes and snow.

use super::grammar::{StoryShape, Table};

/// The last third of the plots.
pub const ADVENTURES: &[StoryShape] = &[SEED, TREASURE, STAR, LOST_WAY, WISH, SNOW];

const SEED: StoryShape = StoryShape {
    name: "seed",
    topics: &["{plant} seed", "a little seed", "waiting for something to grow"],
    tables: &[PLANTS],
    beats: &[
        &[
            "One spring day, {his} {elder} gave {him} {plant} seed.",
            "One spring day, {he} found {plant} seed.",
            "One spring day, {he} put {plant} seed into the ground.",
        ],
        &[
            "{He} gave it water every day, but nothing came up.",
            "Every morning {he} gave it water, but there was only earth.",
            "{He} gave it water and waited a week, but nothing happened.",
        ],
        &[
            "\"It is asleep, give it time,\" said {his} friend {friend}.",
            "\"I give up,\" {he} said, but {his} friend {friend} said, \"Good things take time.\"",
            "\"Wait a little longer,\" said {his} friend {friend}.",
        ],
        &[
            "Then, one morning, a tiny green leaf came out of the ground!",
            "And one day, after the rain, there was a tiny green leaf!",
            "So {he} waited, and one morning there was a tiny green leaf!",
        ],
        &[
            "{hero} was so happy that {he} danced around it.",
            "The {kind} called {friend}, and they danced around it.",
            "\"You were right,\" said {hero} to {friend}.",
            "{hero} learned that good things take time.",
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

const TREASURE: StoryShape = StoryShape {
    name: "treasure",
    topics: &["a treasure", "a treasure map", "an adventure"],
    tables: &[RICHES],
    beats: &[
        &[
            "One {day}, {he} found an old map {at}.",
            "One {day}, {his} {elder} gave {him} an old map.",
            "One {day}, {he} found a map in an old bottle.",
        ],
        &[
            "It showed a treasure, so {he} set off with {his} friend {friend}.",
            "\"Let us find the treasure!\" {he} said to {his} friend {friend}.",
            "\"It is a treasure map!\" cried {his} friend {friend}.",
        ],
        &[
            "They walked and walked until their feet hurt.",
            "They climbed over rocks and crossed a deep river.",
            "They dug one hole, and then another, but found nothing.",
        ],
        &[
            "At last, they found a wooden box {spot}.",
            "Then {friend} saw a wooden box {spot}!",
            "\"Look!\" cried the {kind}, and there was a box {spot}.",
        ],
        &[
            "It was full of {riches}, and {hero} shared with {friend}.",
            "Inside were {riches}, and {hero} laughed for joy.",
            "\"{Riches}!\" cried {hero}. \"Half of it is for you!\"",
        ],
    ],
};

const RICHES: Table = &[
    &[("riches", "gold coins")],
    &[("riches", "shiny stones")],
    &[("riches", "sweets")],
    &[("riches", "old toys")],
    &[("riches", "books with pictures")],
    &[("riches", "silver bells")],
];

const STAR: StoryShape = StoryShape {
    name: "star",
    topics: &["a star", "a fallen star", "a little star"],
    tables: &[LIFTS],
    beats: &[
        &[
            "One night, a little star fell from the sky.",
            "One night, {he} found a little star in the grass.",
            "One night, {he} saw a star fall to the ground.",
        ],
        &[
            "\"I want to go home,\" cried the star.",
            "\"Please take me back to the sky,\" said the star.",
            "The star was cold and wanted to go home.",
        ],
        &[
            "{hero} jumped and jumped, but the sky was too high.",
            "The {kind} climbed a tree, but the sky was still far away.",
            "{hero} threw it up, but it fell down again.",
        ],
        &[
            "Then {his} friend {friend} brought {lift}, and {ride}.",
            "\"I can help,\" said {his} friend {friend} and brought {lift}, and {ride}.",
            "But {his} friend {friend} came with {lift}, and {ride}.",
        ],
        &[
            "Now it shines over {hero}'s house every night.",
            "\"Good night, little star,\" said the {kind}.",
            "Every night, it smiles down at {hero} and {friend}.",
        ],
    ],
};

const LIFTS: Table = &[
    &[("lift", "a big {colour} kite"), ("ride", "it carried the star home")],
    &[("lift", "a {colour} balloon"), ("ride", "it took the star up and up")],
    &[("lift", "a very long ladder"), ("ride", "the star climbed back into the sky")],
    &[("lift", "a strong rope"), ("ride", "the moon pulled the star up")],
];

const LOST_WAY: StoryShape = StoryShape {
    name: "lost way",
    topics: &["getting lost", "finding the way home", "getting lost {at}"],
    tables: &[SIGNS],
    beats: &[
        &[
            "One {day}, {he} went to {place} and lost {his} way.",
            "One {day}, {he} walked too far and got lost {at}.",
            "One {day}, {he} ran after a leaf and got lost {at}.",
        ],
        &[
            "It grew dark, and {he} began to cry.",
            "\"Where is my home?\" {he} asked, but nobody answered.",
            "Every path looked the same, and it grew dark.",
        ],
        &[
            "Then {afriend} came by and asked, \"Are you lost?\"",
            "Then {he} met {afriend} with a little lamp.",
            "But {afriend} heard {him} and said, \"I will take you home.\"",
        ],
        &[
            "Together they followed {sign}, step by step.",
            "They followed {sign} until they saw a light.",
            "{Friend} showed {him} how to follow {sign}.",
        ],
        &[
            "Soon {hero} was home, and {friend} stayed for dinner.",
            "At the door, {hero}'s {elder} gave them both a hug.",
            "\"Thank you!\" said the {kind} when they were home at last.",
        ],
    ],
};

const SIGNS: Table = &[
    &[("sign", "the stars")],
    &[("sign", "the moon")],
    &[("sign", "the little stream")],
    &[("sign", "a path of white stones")],
    &[("sign", "the sound of a bell")],
];

const WISH: StoryShape = StoryShape {
    name: "wish",
    topics: &["a magic {toy}", "a wish", "magic"],
    tables: &[WANTS, NEEDS],
    beats: &[
        &[
            "One {day}, {he} found a magic {toy} {at}.",
            "One {day}, {his} {elder} gave {him} a magic {toy}.",
            "One {day}, {he} found an old {toy}, and it was magic.",
        ],
        &[
            "\"You have one wish,\" said the {toy}.",
            "The {toy} said, \"I can give you one wish.\"",
            "The {toy} began to shine and said, \"Make a wish!\"",
        ],
        &[
            "{hero} wanted to wish for {want}.",
            "\"I would like {want},\" thought the {kind}.",
            "{hero} thought of {want}.",
        ],
        &[
            "But then {he} saw {afriend} that {need}.",
            "Then {afriend} came by that {need}.",
            "But on the way home, {he} met {afriend} that {need}.",
        ],
        &[
            "\"I want you to {well},\" said {hero}, and so it was.",
            "So {hero} wished that {friend} {wellnow}, and it came true.",
            "{hero} gave the wish to {friend}, and they both danced for joy.",
        ],
    ],
};

const WANTS: Table = &[
    &[("want", "a mountain of cake")],
    &[("want", "a bag of gold")],
    &[("want", "a big house")],
    &[("want", "a hundred toys")],
    &[("want", "a new crown")],
];

const NEEDS: Table = &[
    &[("need", "was very ill"), ("well", "be well again"), ("wellnow", "was well again")],
    &[("need", "had lost its home"), ("well", "have a new home"), ("wellnow", "had a new home")],
    &[("need", "was all alone"), ("well", "have many friends"), ("wellnow", "had many friends")],
    &[("need", "had nothing to eat"), ("well", "have enough to eat"), ("wellnow", "had enough to eat")],
    &[("need", "could not walk"), ("well", "walk again"), ("wellnow", "could walk again")],
];

const SNOW: StoryShape = StoryShape {
    name: "snow",
    topics: &["a snowman", "snow", "a winter day"],
    tables: &[SNOWMEN],
    beats: &[
        &[
            "One winter morning, the whole world was white with snow.",
            "One winter day, it snowed and snowed.",
            "One morning, {he} woke up and saw the first snow.",
        ],
        &[
            "{He} and {his} friend {friend} made a big snowman.",
            "\"Let us make a snowman!\" said {his} friend {friend}.",
            "{He} went out with {his} friend {friend} to make a snowman.",
        ],
        &["But when they were done, {lack}.", "It was big and round, but {lack}.", "\"Oh no, {lack},\" said {friend}."],
        &[
            "{hero} thought for a while and {give}.",
            "So the {kind} ran home, came back, and {give}.",
            "\"I know what to do,\" said {hero}, and {give}.",
        ],
        &[
            "Now the snowman smiled at {hero} and {friend}.",
            "They danced around it until the sun went down.",
            "In the evening, they drank hot milk and waved to it.",
            "\"It is the best snowman ever!\" said {friend}.",
        ],
    ],
};

const SNOWMEN: Table = &[
    &[("lack", "it had no nose"), ("give", "gave it a long carrot")],
    &[("lack", "it looked cold"), ("give", "gave it a {colour} scarf")],
    &[("lack", "it had no hat"), ("give", "gave it an old {colour} hat")],
    &[("lack", "it could not see"), ("give", "gave it two black stones for eyes")],
    &[("lack", "it looked sad"), ("give", "gave it a smile made of nuts")],
];
