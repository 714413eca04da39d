//! Questions that the assistant cannot answer, and says so.

use super::Exchange;
use super::chinese_things::{CHINESE_COUNTRIES, CHINESE_FAMOUS, CHINESE_WHYS, CHINESE_WRITINGS};
use super::intent::{reply, said};
use super::numbers;
use super::things::{CITIES, CONTESTS, COUNTRIES, CRAFTS, FAMOUS, GOODS, LANGUAGES, THINGS, WHYS, WRITINGS};
use crate::check::{Check, ReplyCheck};
use crate::dice::Dice;
use crate::stories::Language;
use crate::template::Bindings;
use crate::{Split, Topic, wording};

/// One way to ask for what is not known: patterns, in which one of the things replaces `{x}`.
#[derive(Clone, Copy)]
struct Unknown {
    weight: u32,
    mark: &'static str,
    says: &'static [&'static str],
    things: &'static [&'static str],
    replies: &'static [&'static str],
}

const fn unknown(
    weight: u32,
    mark: &'static str,
    says: &'static [&'static str],
    things: &'static [&'static str],
) -> Unknown {
    Unknown { weight, mark, says, things, replies: REPLIES }
}

impl Unknown {
    /// The same, replied to in Chinese.
    const fn chinese(self) -> Self {
        Self { replies: CHINESE_REPLIES, ..self }
    }
}

/// A question in English that only somebody who knows the real world, or another craft, could answer.
pub fn english(split: Split, dice: &mut Dice) -> Exchange {
    let weights: Vec<u32> = ENGLISH.iter().map(|unknown| unknown.weight).collect();
    exchange(&ENGLISH[dice.weighted(&weights)], Language::English, split, dice)
}

/// The same in Chinese.
pub fn chinese(split: Split, dice: &mut Dice) -> Exchange {
    let weights: Vec<u32> = CHINESE.iter().map(|unknown| unknown.weight).collect();
    exchange(&CHINESE[dice.weighted(&weights)], Language::Chinese, split, dice)
}

fn exchange(unknown: &Unknown, language: Language, split: Split, dice: &mut Dice) -> Exchange {
    let mut bindings = Bindings::default();
    if !unknown.things.is_empty() {
        bindings.set("x", wording::thing(unknown.things, split, dice));
    }
    bindings.set("year", (1000 + dice.below(1030)).to_string());
    numbers::bind(&mut bindings, dice);
    let says = wording::filled(unknown.says, split, &bindings, dice);
    Exchange {
        topic: match language {
            Language::English => Topic::Unknown,
            Language::Chinese => Topic::Chinese,
        },
        language,
        asked: said(&says, unknown.mark, language, dice),
        answer: reply(unknown.replies, &Bindings::default(), dice),
        check: Check::Reply { reply: ReplyCheck::admitting(language) },
    }
}

const REPLIES: &[&str] = &[
    "I do not know that. I can tell stories, do small sums, and talk about the people I know.",
    "I am sorry, I do not know that. Shall I tell you a story?",
    "I am small, and I do not know that. You can ask me for a story or a small sum.",
    "That I do not know. I only know stories, small sums, and some people.",
];

const CHINESE_REPLIES: &[&str] = &[
    "对不起，这个我不知道。我会讲故事，也会算数。",
    "这个我不知道。我给你讲一个故事好吗？",
    "我很小，不知道这个。你可以让我讲故事。",
];

const ENGLISH: &[Unknown] = &[
    unknown(
        14,
        "?",
        &[
            "[what is|tell me|do you know|name|which city is|what city is|can you tell me|say|please tell me] the \
             capital[ city|] of {x}",
            "[what is|tell me|how big is|how large is|who knows] the [population|flag|area|size|president|king|\
             currency|biggest city|largest city|longest river|highest mountain|history] of {x}",
            "how many [people|cities|rivers|mountains] [live in|are in|are there in] {x}",
            "[which|what] language do [people|they] speak in {x}",
            "[where is|tell me about|what do you know about|how far is|have you been to|what is the weather like in|\
             how do I get to|what is special about|how is the weather in|how big is|what can I see in|is it nice in] \
             {x}",
            "who [is the president|is the king|rules|is the leader|is the queen|is the ruler] of {x}",
        ],
        COUNTRIES,
    ),
    unknown(
        14,
        "?",
        &[
            "[who was|who is|tell me about|what do you know about|do you know|who exactly was|have you heard of|what \
             did|say something about|who the hell is|can you tell me who was|who in the world is] {x}",
            "[when was|where was] {x} born",
            "when did {x} [die|live]",
            "[why is|how old is|where does|how did|what made] {x} [famous|now|live today|become famous|so famous]",
            "what [did|has] {x} [do|write|invent|say|discover|paint|done]",
            "[did|do] you [meet|like|know about] {x}",
        ],
        FAMOUS,
    ),
    unknown(
        9,
        "?",
        &[
            "[who|when was|when did they|how was|in which year was] [invented|built|discovered|made] {x}",
            "who [invented|discovered|made|built|found] {x}",
            "[how does|how do you make|how do I use|what is inside|how did they make] {x}[ work|]",
            "[explain|describe|what is|how do I understand|tell me about|what do you know about|what exactly is|can \
             you explain|please explain|define] {x}[ to me| in simple words| please|]",
        ],
        THINGS,
    ),
    unknown(
        14,
        ".",
        &[
            "[write|can you write|could you write|please write|I need|make|give me|create|show me|generate] [me \
             |]{x}[ please| for me| now|]",
            "[write|can you write|help me write|I want you to write|would you write] {x}[, please| for my teacher| \
             for my boss| for me|]",
        ],
        WRITINGS,
    ),
    unknown(
        8,
        "?",
        &[
            "[what is|how is|how will|what will|tell me] the weather[ be| like|] [in {x}|tomorrow in {x}|today in {x}]",
            "[what will|how will|how is|what is|tell me about] the weather [be|be tomorrow|be next week|today|on \
             sunday|now|this evening|be on monday|next week|forecast|like outside|like today|like tomorrow|be like]",
            "[will it|is it going to|does it|is it] [rain|snow|be sunny|be cold|be warm|raining|snowing] [tomorrow|\
             today|in {x}|next week|tonight|outside|on sunday]",
            "[what time is it|what day is it|what is the date|what year is it|what is the time|what is today|what \
             month is it|what is the day today|what is the news|what is new|what happened today][ in {x}| now| today|]",
        ],
        CITIES,
    ),
    unknown(
        8,
        "?",
        &[
            "who won {x}[ in {year}| last year| this year| yesterday| back then|]",
            "[who will win|when is|where is|when was|who lost|how do I watch|what is the score of|who played in|where \
             was|tell me about] {x}[ in {year}| this year|]",
            "what happened in [the year |]{year}",
            "[when|how] did {x} [begin|start|end]",
        ],
        CONTESTS,
    ),
    unknown(
        9,
        "?",
        &[
            "how [do I|do you|can I|does one|should I|to] {x}[ please| at home| quickly| well|]",
            "[teach me|help me|show me how|explain how|can you help me|tell me how|I want] to {x}",
            "what is the best way to {x}",
        ],
        CRAFTS,
    ),
    unknown(
        7,
        "?",
        &[
            "why {x}",
            "[so|but|and|hey|please], why {x}",
            "[do you know|tell me|can you explain|explain to me|I wonder|can you tell me] why {x}",
        ],
        WHYS,
    ),
    unknown(
        7,
        "?",
        &[
            "[translate|how do you say|what is|say|can you translate|please translate|how do I say] [hello|good \
             morning|thank you|cat|house|water|I love you|dog|bread|friend] [in|into|to] {x}",
            "[do you speak|can you speak|do you understand|speak|do you know|can you write in|can you talk in] {x}[ \
             with me|]",
        ],
        LANGUAGES,
    ),
    Unknown { weight: 13, mark: "?", says: numbers::ENGLISH, things: &[], replies: numbers::REPLIES },
    unknown(
        7,
        "?",
        &[
            "[how much is|how much does|where can I buy|what does|what is the price of|is|how expensive is|should I \
             buy|which is the best] {x}[ cost| today| worth| good|]",
            "[recommend|suggest|do you know|can you recommend|can you book|can you buy|can you order|find|search for|\
             look up|play|show me|send me|open] {x}[ for me| please|]",
        ],
        GOODS,
    ),
];

const CHINESE: &[Unknown] = &[
    unknown(
        4,
        "？",
        &[
            "[请问|你知道|]{x}的首都是[哪里|什么|哪个城市]",
            "{x}在[哪里|什么地方]",
            "{x}[有多大|有多少人|好玩吗|远不远]",
            "[给我|]介绍一下{x}[吧|]",
        ],
        CHINESE_COUNTRIES,
    )
    .chinese(),
    unknown(
        4,
        "？",
        &[
            "[请问|你知道|]{x}是谁",
            "{x}是[哪一年|什么时候|在哪里]出生的",
            "{x}[做过什么|写过什么|有名吗]",
            "[给我|请|]介绍一下{x}",
        ],
        CHINESE_FAMOUS,
    )
    .chinese(),
    unknown(3, "。", &["[请|帮我|你能|能不能|给我]写[一|]{x}[吗|吧|]"], CHINESE_WRITINGS).chinese(),
    unknown(
        3,
        "？",
        &[
            "[今天|明天|后天|北京|上海|这里|现在|外面|下周]天气[怎么样|好吗|如何|冷不冷]",
            "[今天|明天|后天]会[下雨|下雪|出太阳]吗",
            "[现在几点了|今天星期几|今天几号|今年是哪一年]",
        ],
        &[],
    )
    .chinese(),
    unknown(3, "？", &["[为什么|请问为什么|你知道为什么|告诉我为什么]{x}", "{x}，为什么"], CHINESE_WHYS).chinese(),
    Unknown { weight: 5, mark: "？", says: numbers::CHINESE, things: &[], replies: numbers::CHINESE_REPLIES },
];
