//! What is said after a story: questions about it, "another one", and "yes" to the offer of one.

use super::intent::{reply, said};
use super::{Exchange, story};
use crate::check::{Check, ReplyCheck};
use crate::dice::Dice;
use crate::stories::{Language, Pronoun, Story};
use crate::template::Bindings;
use crate::{Split, Topic, wording};

/// A story and one thing that is said after it.
pub fn exchanges(language: Language, split: Split, dice: &mut Dice) -> Vec<Exchange> {
    let (first, told) = story::told(story::any_request(dice), language, split, dice);
    let second = match dice.weighted(&[38, 22, 20, 20]) {
        0 => about(&told, HERO, &told.hero, split, dice),
        1 => about(&told, KIND, &told.kind, split, dice),
        2 => over(language, split, dice),
        _ => story::any(in_language(language, ANOTHER), language, split, dice),
    };
    vec![first, second]
}

/// Whether `answer` ends in the offer of a story, which "yes" accepts.
pub fn is_offered_by(answer: &str) -> bool {
    let last = answer.trim_end().split_inclusive(['.', '!', '。', '！']).next_back().unwrap_or(answer);
    let english =
        last.ends_with('?') && (last.contains("story") || last.contains("tell you one")) && !last.contains(" or ");
    english || last.ends_with('？') && last.contains("故事") && !last.contains("还是")
}

/// The offer is accepted, and a story is told.
pub fn accepted(language: Language, split: Split, dice: &mut Dice) -> Exchange {
    story::any(in_language(language, YES), language, split, dice)
}

/// What is asked for, and the answers.
type StoryQuestion = [[&'static [&'static str]; 2]; 2];

/// A question for `value`, which the story says.
fn about(story: &Story, patterns: StoryQuestion, value: &str, split: Split, dice: &mut Dice) -> Exchange {
    let language = story.language;
    let [asks, answers] = patterns[language as usize];
    let mut bindings = Bindings::default();
    bindings.set("hero", &story.hero);
    bindings.set("kind", &story.kind);
    bindings.set("a_kind", &story.a_kind);
    bindings.set(
        "his",
        match story.pronoun {
            _ if story.is_animal && dice.chance(50) => "its",
            Pronoun::She => "her",
            Pronoun::He => "his",
            Pronoun::It => "its",
        },
    );
    let text = wording::filled(asks, split, &bindings, dice);
    let check = ReplyCheck::naming(language, &[value]);
    spoken(language, &text, reply(answers, &bindings, dice), check, dice)
}

/// "Go on", where the story has ended.
fn over(language: Language, split: Split, dice: &mut Dice) -> Exchange {
    let text = wording::filled(in_language(language, GO_ON), split, &Bindings::default(), dice);
    let answer = reply(in_language(language, OVER), &Bindings::default(), dice);
    spoken(language, &text, answer, ReplyCheck::saying(language, &["whole", "end", "讲完"]), dice)
}

fn spoken(language: Language, text: &str, answer: String, check: ReplyCheck, dice: &mut Dice) -> Exchange {
    let (topic, mark) = match language {
        Language::English => (Topic::Story, "?"),
        Language::Chinese => (Topic::Chinese, "？"),
    };
    let asked = said(text, mark, language, dice);
    Exchange { topic, language, asked, answer, check: Check::Reply { reply: check } }
}

fn in_language(language: Language, patterns: [&'static [&'static str]; 2]) -> &'static [&'static str] {
    patterns[language as usize]
}

const HERO: StoryQuestion = [
    [
        &[
            "what [was|is] [{his} name|the {kind}'s name|the name of the {kind}|the name of the hero|the hero's \
             name][ again| please||]",
            "[what was|how was|tell me what|so what was] the [{kind}|hero] [called|named][ again|]",
            "[who was|who is|tell me who was] [the story about|the hero|the {kind}|this story about|that about|in the \
             story|the main character|that {kind}][ again|]",
            "[what was|and what was|so what was|tell me|do you remember|do you know] {his} name[ again| then|]",
            "[and|so|wait|sorry][,|] [what was {his} name|who was it about|how was the {kind} called]",
        ],
        &["The {kind}'s name was {hero}.", "{His} name was {hero}.", "The story was about {hero}."],
    ],
    [
        &[
            "[那|请问|所以|]{kind}叫什么[名字|][呢|呀|]",
            "[那|请问|故事里的|]{kind}的名字[是什么|叫什么|是啥][呢|]",
            "[故事里的|那个|这个]{kind}[叫什么|叫什么名字|是谁]",
            "[主角|故事里的主角|它|故事的主角][叫什么|叫什么名字|是谁]",
        ],
        &["{kind}叫{hero}。", "{kind}的名字叫{hero}。"],
    ],
];

const KIND: StoryQuestion = [
    [
        &[
            "[what|what animal|who|what kind of animal|tell me what] was {hero}[ again| in the story| exactly|]",
            "[was|is] {hero} [an animal|a person|an animal or a person|a child][ then|]",
            "[and|so|but|wait][,|] [who was {hero}|what was {hero}|who is {hero}]",
        ],
        &["{hero} was {a_kind}."],
    ],
    [
        &[
            "{hero}是[谁|什么|什么动物|哪个|什么样的|谁呀|谁啊|什么呀]",
            "[那|请问|故事里的|那个]{hero}是[谁|什么|什么动物|谁呢]",
        ],
        &["{hero}是{a_kind}。"],
    ],
];

const GO_ON: [&[&str]; 2] = [
    &[
        "[go on|continue|and then|then what|what happened next|what happened then|what then|more|tell me more|is that \
         all|and after that|keep going|what else|what happened after that|please continue|please go on|is there \
         more|how does it end|how did it end|how does it go on|and what then|was that all|what comes next][ please| \
         now| fireclay|, please|]",
        "[and|so|but|ok|yes][,|] [what happened next|what happened then|what then|go on|how did it end|what came \
         after that]",
    ],
    &[
        "[然后呢|后来呢|接着讲|继续|继续讲|往下讲|接下来呢|还有呢|再往下讲|之后呢|讲完了吗|后来怎么样了|然后怎么样了|请继续|\
         结局呢|最后呢|故事完了吗|接着说|继续说|说下去|讲下去][吧|啊|呀|]",
    ],
];

const OVER: [&[&str]; 2] = [
    &["That was the whole story. [Shall I tell you another one?|Would you like to hear another story?|]"],
    &["故事讲完了。[你还想听一个故事吗？|我再讲一个故事好吗？|]"],
];

const ANOTHER: [&[&str]; 2] = [
    &[
        "[another|another one|one more|a different one|a new one|another story|one more story|tell me another|tell me \
         another one|tell me one more|give me another one|again|once more|do it again|again, please|and another one|I \
         want another one|can I have another one|can you tell me another|now another one|a better one|a longer \
         one|next one|next|the next one][ please| now|, please| fireclay|]",
        "[ok|thanks|nice|good|great|and now|now|well][,|] [another one|one more|tell me another|a new one|another \
         story|tell me one more]",
    ],
    &[
        "[再来一个|再讲一个|还要一个|再说一个|换一个|再来|另一个|还想听|再讲一遍别的|讲个新的|来个别的|再讲一个吧|我还要听|\
         还有吗|下一个|再给我讲一个|再来一个新的|换个故事][吧|好吗|，谢谢|]",
    ],
];

const YES: [&[&str]; 2] = [
    &[
        "[yes|yeah|yes please|sure|ok|okay|of course|why not|alright|yep|please do|all right|go ahead|please|sure, why \
         not|I would like that|yes I do|yes, I would|that would be nice|do it|yes, do that|I want that|good idea|yes yes|yes I want|yes of course|well yes|yes, one please|yes, a short one|ok yes|yes, why not|hm, yes|yes, a story|oh \
         yes|I would love that|gladly|fine][, please| then| fireclay|, thanks|]",
        "[yes|yeah|ok|sure|please|yes please][,|] [tell me one|tell me|a story|tell me a story please|do that|I would \
         like that|that sounds good|I want to hear it]",
    ],
    &[
        "[好|好的|好啊|好呀|想|想听|要|要听|可以|行|嗯|是的|当然|可以啊|我想听|我要听|讲吧|请讲|好的，讲吧|当然想|那就讲吧|\
         想啊][，谢谢|，请讲|！|，快讲吧|]",
    ],
];
