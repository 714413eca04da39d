//! More plots of the English stories: rain, the truth, new friends, sleep, gifts and races.

use super::grammar::{StoryShape, Table};

/// Another third of the plots.
pub const MORE_SHAPES: &[StoryShape] = &[RAIN, TRUTH, NEW_FRIEND, SLEEP, GIFT, RACE];

const RAIN: StoryShape = StoryShape {
    name: "rain",
    topics: &["a rainy day", "the rain", "fun on a rainy day"],
    tables: &[PLANS, INDOORS],
    beats: &[
        &[
            "One {day}, {he} and {his} friend {friend} wanted to {plan}.",
            "\"Today we will {plan},\" {he} said to {his} friend {friend}.",
            "All week, {he} and {his} friend {friend} had wanted to {plan}.",
        ],
        &[
            "But then it began to rain.",
            "But dark clouds came, and it rained and rained.",
            "They were at the door when big drops of rain began to fall.",
        ],
        &[
            "\"Our day is lost,\" said {friend}.",
            "\"What shall we do now?\" asked {friend}.",
            "{Friend} looked out of the window and sighed.",
        ],
        &[
            "\"I have an idea,\" said {hero}, and they {indoors}.",
            "But {hero} smiled, and they {indoors}.",
            "\"We can have fun inside,\" said the {kind}, and they {indoors}.",
        ],
        &[
            "They laughed so much that they forgot about the rain.",
            "It was the best day of the week.",
            "\"I hope it rains tomorrow too,\" said {friend}.",
            "In the evening, {hero} said, \"Let us do it again!\"",
        ],
    ],
};

const PLANS: Table = &[
    &[("plan", "fly kites on the hill")],
    &[("plan", "have lunch outside")],
    &[("plan", "play ball outside")],
    &[("plan", "swim in the pond")],
    &[("plan", "go for a long walk")],
    &[("plan", "build a house of branches")],
    &[("plan", "look for berries")],
];

const INDOORS: Table = &[
    &[("indoors", "built a tent out of blankets")],
    &[("indoors", "baked a cake with plums")],
    &[("indoors", "told each other stories by the fire")],
    &[("indoors", "sailed paper boats in a tub")],
    &[("indoors", "played hide and seek all over the house")],
    &[("indoors", "painted a big yellow sun")],
    &[("indoors", "put on a show with old socks")],
    &[("indoors", "made music with pots and spoons")],
];

const TRUTH: StoryShape = StoryShape {
    name: "truth",
    topics: &["telling the truth", "being honest", "a mistake"],
    tables: &[ACCIDENTS],
    beats: &[
        &[
            "One {day}, {accident}.",
            "One {day}, by mistake, {accident}.",
            "One {day}, {he} was playing, and {accident}.",
        ],
        &[
            "Nobody had seen it, and {he} wanted to run away.",
            "{He} looked left and right, and nobody was there.",
            "\"I will say that it was the wind,\" {he} thought.",
        ],
        &[
            "But {his} heart felt heavy, so {he} told {his} {elder} the truth.",
            "But at dinner {he} could not eat, so {he} said, \"I am sorry, it was me.\"",
            "But then {he} told {his} {elder}, \"I am sorry, it was me.\"",
        ],
        &[
            "{His} {elder} gave {him} a hug, and together they {repair}.",
            "\"Thank you for telling the truth,\" said {his} {elder}, and they {repair}.",
            "{His} {elder} smiled, and the next day they {repair}.",
        ],
        &[
            "From then on, {hero} always told the truth.",
            "{hero} felt light and happy again.",
            "That night, the {kind} slept very well.",
        ],
    ],
};

const ACCIDENTS: Table = &[
    &[("accident", "{he} broke {his} {elder}'s best cup"), ("repair", "made a new one out of clay")],
    &[("accident", "{he} kicked a ball into the window"), ("repair", "put in new glass")],
    &[("accident", "{he} spilled paint on {his} {elder}'s picture"), ("repair", "painted a new one")],
    &[("accident", "{he} dropped {his} {elder}'s cake"), ("repair", "baked a new one")],
    &[("accident", "{he} stepped on {his} {elder}'s flowers"), ("repair", "planted new ones")],
    &[("accident", "{he} broke {his} {elder}'s chair"), ("repair", "gave it a new leg")],
    &[("accident", "{he} tore a page of {his} {elder}'s book"), ("repair", "glued the page back in")],
    &[("accident", "{he} lost the key to the house"), ("repair", "found it in the grass")],
];

const NEW_FRIEND: StoryShape = StoryShape {
    name: "new friend",
    topics: &["a new friend", "making friends", "being lonely"],
    tables: &[GAMES],
    beats: &[
        &[
            "{He} often played alone and wished for a friend.",
            "{He} had many toys, but nobody to play with.",
            "{He} was new there and did not know anyone.",
        ],
        &[
            "One {day}, {he} saw {afriend} playing {at}.",
            "One {day}, {he} went to {place} and saw {afriend} there.",
            "One {day}, {he} saw {afriend} sitting {at}.",
        ],
        &[
            "{hero} wanted to say hello, but no words came out.",
            "{hero} was too shy to say hello.",
            "The {kind} hid behind a wall and watched.",
        ],
        &[
            "Then {friend} waved and asked, \"Do you want to play {game}?\"",
            "Then {friend}'s ball rolled to {his} feet, and they played {game}.",
            "\"Hello!\" said {friend}. \"Shall we play {game}?\"",
        ],
        &[
            "They laughed and played until the sun went down.",
            "From then on, {hero} and {friend} met every day.",
            "Now {hero} had a friend and was never alone again.",
            "In the evening, the {kind} told {his} {elder} about {friend}.",
        ],
    ],
};

const GAMES: Table = &[
    &[("game", "hide and seek")],
    &[("game", "catch")],
    &[("game", "tag")],
    &[("game", "ball")],
    &[("game", "shop")],
    &[("game", "marbles")],
];

const SLEEP: StoryShape = StoryShape {
    name: "sleep",
    topics: &["going to sleep", "bedtime", "a good dream"],
    tables: &[AWAKE, REMEDIES, DREAMS],
    beats: &[
        &[
            "One night, {he} could not sleep because {awake}.",
            "It was late, but {he} was awake because {awake}.",
            "One night, {he} lay wide awake because {awake}.",
        ],
        &[
            "{He} turned left and right, but sleep did not come.",
            "{He} closed {his} eyes, but they opened again.",
            "{He} counted to ten, and then to ten again.",
        ],
        &[
            "\"I cannot sleep,\" {he} told {his} {elder}.",
            "\"I am not tired at all,\" {he} said to {his} {elder}.",
            "Then {his} {elder} came in and sat down by the bed.",
        ],
        &[
            "\"I will help you,\" said {his} {elder}, and {remedy}.",
            "So {his} {elder} {remedy}.",
            "{His} {elder} smiled and {remedy}.",
        ],
        &[
            "Soon {hero} slept and dreamed of {dream}.",
            "Then the {kind} closed {his} eyes and dreamed of {dream}.",
            "Soon {his} eyes grew heavy, and {hero} dreamed of {dream}.",
        ],
    ],
};

const AWAKE: Table = &[
    &[("awake", "the wind was loud")],
    &[("awake", "the moon was so bright")],
    &[("awake", "the next day was {his} birthday")],
    &[("awake", "the house was too quiet")],
    &[("awake", "the rain was loud")],
    &[("awake", "the clock went tick and tock")],
    &[("awake", "{his} bed felt too big")],
];

const REMEDIES: Table = &[
    &[("remedy", "sang a soft song about the sea")],
    &[("remedy", "made a cup of warm milk with honey")],
    &[("remedy", "told {him} a long story about the moon")],
    &[("remedy", "counted the stars with {him}")],
    &[("remedy", "gave {him} a long hug")],
    &[("remedy", "opened the window and showed {him} the stars")],
    &[("remedy", "put a soft {colour} blanket over {him}")],
];

const DREAMS: Table = &[
    &[("dream", "a boat made of stars")],
    &[("dream", "flying over the sea")],
    &[("dream", "a house made of bread")],
    &[("dream", "dancing with the moon")],
    &[("dream", "a {colour} ship that could fly")],
    &[("dream", "a garden full of {colour} flowers")],
    &[("dream", "a mountain of cake")],
];

const GIFT: StoryShape = StoryShape {
    name: "gift",
    topics: &["a birthday gift", "a birthday", "a gift for a friend"],
    tables: &[GIFTS],
    beats: &[
        &[
            "The next day was the birthday of {his} friend {friend}.",
            "It was almost the birthday of {his} friend {friend}.",
            "{He} wanted to give {his} friend {friend} a birthday gift.",
        ],
        &[
            "But {he} had only one coin in {his} bag.",
            "But {he} had no money and no idea.",
            "{He} went to the shop, but everything cost too much.",
        ],
        &[
            "\"The best gifts are made by hand,\" said {his} {elder}.",
            "\"You can make something yourself,\" said {his} {elder}.",
            "Then {his} {elder} said, \"Make something with love.\"",
        ],
        &[
            "So {hero} sat down and {made}.",
            "So the {kind} worked all day and {made}.",
            "{hero} thought for a while and {made}.",
        ],
        &[
            "\"This is the best gift of all!\" said {friend}.",
            "{Friend} loved the {gift} and kept it for many years.",
            "{Friend} got the {gift}, and they danced for joy.",
            "\"Did you make it yourself? I love it!\" said {friend}.",
        ],
    ],
};

const GIFTS: Table = &[
    &[("made", "painted a picture of the two of them"), ("gift", "picture")],
    &[("made", "made a crown of flowers"), ("gift", "crown")],
    &[("made", "baked a sweet little cake"), ("gift", "cake")],
    &[("made", "put shells on a string to make a chain"), ("gift", "chain")],
    &[("made", "cut a small star out of wood"), ("gift", "star")],
    &[("made", "knitted a warm {colour} hat"), ("gift", "hat")],
    &[("made", "wrote a little book of stories"), ("gift", "book")],
    &[("made", "made a {colour} lamp out of paper"), ("gift", "lamp")],
];

const RACE: StoryShape = StoryShape {
    name: "race",
    topics: &["a race", "a big race", "losing a race"],
    tables: &[PRIZES],
    beats: &[
        &[
            "One {day}, there was a big race {at}.",
            "One {day}, everyone came to see a race {at}.",
            "Every year, there was a race {at}.",
        ],
        &[
            "{hero} and {his} friend {friend} both wanted to win {prize}.",
            "{hero} wanted to win {prize}, and so did {his} friend {friend}.",
            "\"I will win {prize},\" said {hero} to {his} friend {friend}.",
        ],
        &[
            "{hero} was in front when {friend} fell over a stone.",
            "{hero} ran like the wind, but then {friend} fell.",
            "The {kind} was the fastest, but then {friend} slipped and fell.",
        ],
        &[
            "{He} stopped, turned around, and helped {friend} up.",
            "\"I will not go on without you,\" {he} said, and ran back.",
            "{He} forgot about the race and ran back to help.",
        ],
        &[
            "They did not win, but everyone cheered for them.",
            "They came in last, side by side, and laughed.",
            "\"You are better than {prize},\" said {friend}.",
            "{hero} and {friend} lost the race, but they were happy.",
        ],
    ],
};

const PRIZES: Table = &[
    &[("prize", "the golden cup")],
    &[("prize", "the {colour} ribbon")],
    &[("prize", "the basket of apples")],
    &[("prize", "the new bell")],
    &[("prize", "the silver star")],
    &[("prize", "the huge cake")],
];
