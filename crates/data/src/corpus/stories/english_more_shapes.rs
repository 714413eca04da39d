//! More plots of the English stories: rain, the truth, new friends, sleep, gifts, races and seeds.

use super::grammar::{Shape, Table};

/// The other half of the plots.
pub const MORE_SHAPES: &[Shape] = &[RAIN, TRUTH, NEW_FRIEND, SLEEP, GIFT, RACE, SEED];

const RAIN: Shape = Shape {
    topic: "a rainy day",
    tables: &[PLANS, WEATHER, INDOORS],
    beats: &[
        &[
            "One Saturday, {he} and {his} friend {friend} wanted to {plan}.",
            "All week long, {hero} and {his} friend {friend} had planned to {plan}.",
            "\"Today we will {plan},\" {he} said to {his} friend {friend}.",
        ],
        &["But just as they went out, {weather}.", "But then {weather}.", "They were at the door when {weather}."],
        &[
            "\"Our day is lost,\" said {friend}.",
            "{Friend} looked out of the window and sighed.",
            "\"What shall we do now?\" asked {friend}.",
        ],
        &[
            "\"I have an idea,\" said {hero}.",
            "\"We can have fun inside too,\" said {hero}.",
            "{hero} thought for a while, and then {he} smiled.",
        ],
        &["So they stayed in and {indoors}.", "They ran back into the house and {indoors}."],
        &[
            "",
            "They laughed so much that they forgot about the {sky}.",
            "{Friend} had never laughed so much.",
            "When the {sky} was gone, they did not even see it.",
        ],
        &[
            "It was the best day of the week.",
            "\"I hope it is like this tomorrow too,\" said {friend}.",
            "\"Let us do it again,\" said {friend}.",
            "In the evening, {his} {elder} brought them hot milk.",
        ],
    ],
};

const PLANS: Table = &[
    &[("plan", "fly kites on the hill")],
    &[("plan", "eat lunch in the park")],
    &[("plan", "swim in the lake")],
    &[("plan", "play ball in the meadow")],
    &[("plan", "pick berries in the forest")],
    &[("plan", "look for shells on the beach")],
    &[("plan", "build a house of branches")],
    &[("plan", "row a boat to the island")],
];

const WEATHER: Table = &[
    &[("weather", "it began to rain"), ("sky", "rain")],
    &[("weather", "big drops of rain began to fall"), ("sky", "rain")],
    &[("weather", "a strong wind came up"), ("sky", "wind")],
    &[("weather", "a dark storm came over the hill"), ("sky", "storm")],
    &[("weather", "thick fog came in from the sea"), ("sky", "fog")],
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

const TRUTH: Shape = Shape {
    topic: "telling the truth",
    tables: &[ACCIDENTS],
    beats: &[
        &["One {day}, {accident}.", "One {day}, by mistake, {accident}."],
        &[
            "Nobody had seen it, and {he} wanted to run away.",
            "{He} looked left and right, and nobody was there.",
            "\"I will say that it was the wind,\" {he} thought.",
        ],
        &[
            "But {his} heart felt as heavy as a stone.",
            "But all day long, {he} could not think of anything else.",
            "At dinner, {he} could not eat a thing.",
        ],
        &[
            "So {hero} went to {his} {elder} and said, \"I am sorry. It was me.\"",
            "At last, {he} told {his} {elder} the truth.",
            "\"I did it, and I am very sorry,\" {he} told {his} {elder}.",
        ],
        &[
            "",
            "{His} {elder} gave {him} a hug.",
            "\"Thank you for telling me the truth,\" said {his} {elder}.",
            "{His} {elder} was quiet for a moment, and then smiled.",
        ],
        &["Together, they {repair}.", "The next day, they {repair} together."],
        &[
            "{hero} felt light and happy again.",
            "From then on, {hero} always told the truth.",
            "That night, {hero} slept very well.",
            "\"The truth makes you light,\" said {hero}.",
        ],
    ],
};

const ACCIDENTS: Table = &[
    &[("accident", "{he} broke {his} {elder}'s best cup"), ("repair", "made a new one out of clay")],
    &[("accident", "{he} kicked a ball right into the window"), ("repair", "put in new glass")],
    &[("accident", "{he} spilled paint on {his} {elder}'s picture"), ("repair", "painted a new one")],
    &[("accident", "{he} dropped the cake that {his} {elder} had baked"), ("repair", "baked a new one")],
    &[("accident", "{he} stepped on {his} {elder}'s flowers"), ("repair", "planted new ones")],
    &[("accident", "{he} jumped on {his} {elder}'s chair and broke it"), ("repair", "gave it a new leg")],
    &[("accident", "{he} tore a page of {his} {elder}'s book"), ("repair", "glued the page back in")],
    &[("accident", "{he} left the gate open and the hens ran away"), ("repair", "found all the hens")],
];

const NEW_FRIEND: Shape = Shape {
    topic: "a new friend",
    tables: &[GAMES],
    beats: &[
        &[
            "{He} had just moved in and did not know anyone.",
            "{He} often played alone, and {he} wished for a friend.",
            "{He} had many toys, but nobody to play with.",
        ],
        &["One {day}, {he} saw {afriend} playing {at}.", "One {day}, {he} went to {place} and saw {afriend} there."],
        &[
            "",
            "{hero} wanted to say hello, but no words came out.",
            "{hero} stood behind a tree and watched.",
            "\"What if nobody likes me?\" thought {hero}.",
        ],
        &[
            "Then {friend}'s {colour} ball rolled right to {his} feet.",
            "Then {friend} looked up and waved.",
            "Then the wind blew {his} hat away, and {friend} caught it.",
        ],
        &[
            "\"Do you want to play {game}?\" asked {friend}. \"Yes, please!\" said {hero}.",
            "\"Hello!\" said {friend}. \"Shall we play {game}?\"",
            "\"Hello,\" said {hero}. \"Can we play {game}?\"",
        ],
        &[
            "",
            "They played {game} until the sun went down.",
            "They played {game} all afternoon.",
            "They played, and they laughed, and they played some more.",
        ],
        &[
            "Now {hero} had a friend, and everything felt like home.",
            "\"See you tomorrow!\" said {friend}.",
            "From then on, they met {at} every day.",
            "{hero} ran home and told {his} {elder} about {his} new friend.",
        ],
    ],
};

const GAMES: Table = &[
    &[("game", "hide and seek")],
    &[("game", "catch")],
    &[("game", "tag")],
    &[("game", "pirates")],
    &[("game", "kings and queens")],
    &[("game", "shop")],
    &[("game", "marbles")],
];

const SLEEP: Shape = Shape {
    topic: "going to sleep",
    tables: &[AWAKE, REMEDIES, DREAMS],
    beats: &[
        &["One night, {he} could not sleep because {awake}.", "It was late, but {he} was wide awake because {awake}."],
        &[
            "",
            "{He} turned left, and {he} turned right, but sleep did not come.",
            "{He} closed {his} eyes, but they opened again.",
            "{He} counted to ten, and then {he} counted to ten again.",
        ],
        &[
            "So {he} went to {his} {elder}. \"I cannot sleep,\" {he} said.",
            "\"I am not tired,\" {he} told {his} {elder}.",
            "{His} {elder} saw the light and came in.",
        ],
        &["\"Then I will help you,\" said {his} {elder}.", "\"I know what to do,\" said {his} {elder}."],
        &["{His} {elder} {remedy}."],
        &[
            "",
            "Soon {hero}'s eyes grew heavy.",
            "The night grew soft and still.",
            "{hero} smiled and closed {his} eyes.",
        ],
        &["{hero} dreamed of {dream} until the morning.", "That night, {hero} dreamed of {dream}."],
    ],
};

const AWAKE: Table = &[
    &[("awake", "the wind was loud")],
    &[("awake", "the moon was so bright")],
    &[("awake", "the next day was {his} birthday")],
    &[("awake", "the house was too quiet")],
    &[("awake", "an owl called in the night")],
    &[("awake", "the clock went tick and tock")],
    &[("awake", "{his} bed felt too big")],
];

const REMEDIES: Table = &[
    &[("remedy", "sang a soft song about the sea")],
    &[("remedy", "made a cup of warm milk with honey")],
    &[("remedy", "told {him} a long story about a king")],
    &[("remedy", "counted sheep with {him}")],
    &[("remedy", "sat down by the bed and held {his} hand")],
    &[("remedy", "opened the window and showed {him} the stars")],
    &[("remedy", "put a soft {colour} blanket over {him}")],
];

const DREAMS: Table = &[
    &[("dream", "a boat made of stars")],
    &[("dream", "flying over the sea")],
    &[("dream", "a house made of bread")],
    &[("dream", "dancing with the moon")],
    &[("dream", "a {colour} horse that could fly")],
    &[("dream", "a garden full of {colour} flowers")],
    &[("dream", "an island of cake")],
];

const GIFT: Shape = Shape {
    topic: "a birthday gift",
    tables: &[GIFTS],
    beats: &[
        &[
            "It was almost the birthday of {his} friend {friend}.",
            "The next day was the birthday of {his} best friend, {friend}.",
            "{hero} wanted to give {his} friend {friend} something special.",
        ],
        &[
            "{He} went to the market, but everything cost too much.",
            "But {he} had only one coin in {his} pocket.",
            "{He} thought and thought, but {he} had no idea what to give.",
        ],
        &[
            "\"The best gifts are made by hand,\" said {his} {elder}.",
            "\"Make something yourself,\" said {his} {elder}.",
        ],
        &["So {hero} sat down and {made}.", "So {hero} worked all day and {made}."],
        &[
            "\"Happy birthday!\" {he} said, and held out the {gift}.",
            "When {friend} saw the {gift}, there were tears of joy.",
            "{Friend} opened the box, and there was the {gift}.",
        ],
        &[
            "",
            "\"This is the best gift of all!\" said {friend}.",
            "\"Did you make it yourself? I love it!\" said {friend}.",
            "{Friend} was so happy that no words came out.",
        ],
        &[
            "Then they ate cake and danced until late.",
            "{Friend} kept the {gift} for many years.",
            "{hero} was just as happy as {friend}.",
        ],
    ],
};

const GIFTS: Table = &[
    &[("made", "painted a picture of the two of them"), ("gift", "picture")],
    &[("made", "made a crown of flowers"), ("gift", "crown")],
    &[("made", "baked a little cake"), ("gift", "cake")],
    &[("made", "put shells on a string to make a chain"), ("gift", "chain")],
    &[("made", "cut a small bird out of wood"), ("gift", "bird")],
    &[("made", "knitted a warm {colour} hat"), ("gift", "hat")],
    &[("made", "wrote a little book of stories"), ("gift", "book")],
    &[("made", "made a {colour} lamp out of paper"), ("gift", "lamp")],
];

const RACE: Shape = Shape {
    topic: "a race",
    tables: &[PRIZES],
    beats: &[
        &["One {day}, there was a big race {at}.", "Every year, there was a race {at}, and everyone came to see it."],
        &[
            "{hero} and {his} friend {friend} both wanted to win {prize}.",
            "{hero} wanted to win {prize}, and so did {his} friend {friend}.",
        ],
        &[
            "",
            "{hero} ran like the wind, and soon {he} was in front.",
            "One, two, three, go! {hero} was the fastest of all.",
        ],
        &[
            "Then {he} heard a cry. {Friend} had fallen over a stone.",
            "But then {friend} fell and could not get up.",
            "Suddenly, {friend} slipped and fell.",
        ],
        &[
            "{hero} stopped, turned around, and helped {friend} up.",
            "\"Go on, or you will lose!\" said {friend}. \"Not without you,\" said {hero}.",
            "{hero} forgot about the race and ran back.",
        ],
        &["They walked to the finish side by side.", "Together, they came to the finish at last."],
        &[
            "They did not win, but everyone cheered for them.",
            "\"You are better than {prize},\" said {friend}.",
            "A turtle won the race, but nobody cared.",
            "They came in last, and they had never been so happy.",
        ],
    ],
};

const PRIZES: Table = &[
    &[("prize", "the golden cup")],
    &[("prize", "the {colour} ribbon")],
    &[("prize", "the big basket of apples")],
    &[("prize", "the new bell")],
    &[("prize", "the silver star")],
    &[("prize", "the giant cake")],
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
            "\"It is asleep,\" said {his} friend {friend}. \"Give it time.\"",
            "\"I give up,\" said {hero}. \"Wait a little longer,\" said {his} friend {friend}.",
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
            "By the end of summer, {hero} had the finest garden of all.",
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
