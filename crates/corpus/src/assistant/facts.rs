//! What people tell of themselves: their name, and what they like or have.

use super::possessions;
use crate::Split;
use crate::dice::Dice;
use crate::stories;

/// Something that people tell of themselves. In patterns `{x}` is its value.
pub struct Fact {
    /// Relative frequency.
    pub weight: u32,
    /// Draws a value.
    pub values: fn(Split, &mut Dice) -> String,
    /// How it is told.
    pub says: &'static [&'static str],
    /// What is replied to that.
    pub replies: &'static [&'static str],
    /// How it is asked for.
    pub asks: &'static [&'static str],
    /// What is answered where it was told.
    pub answers: &'static [&'static str],
    /// What is answered where it was not.
    pub admissions: &'static [&'static str],
}

fn name(split: Split, dice: &mut Dice) -> String {
    if dice.chance(made_up(split)) { stories::uncommon_name(split, dice) } else { stories::name(split, dice) }
}

fn colour(split: Split, dice: &mut Dice) -> String {
    possessions::colour(split, made_up(split), dice)
}

fn food(split: Split, dice: &mut Dice) -> String {
    possessions::food(split, made_up(split), dice)
}

fn pet(split: Split, dice: &mut Dice) -> String {
    possessions::pet(split, made_up(split), dice)
}

/// Percentage of told facts that are made-up words. Such a word has to be copied: a model that learns to choose among
/// the words of a list is lost with any other, and validation has only others.
fn made_up(split: Split) -> usize {
    if split == Split::Train { 50 } else { 0 }
}

/// In English.
pub const FACTS: &[Fact] = &[
    Fact {
        weight: 46,
        values: name,
        says: &[
            "[my name is|I am called|call me|I am|you can call me|the name is|people call me|they call me|my friends \
             call me|please call me|everybody calls me|my first name is] {x}[ by the way|, nice to meet you|, by the \
             way|, and you|]",
            "[hello|hi|hey|good morning|good evening|hello there|good day|well|so|ok][,|] [my name is|I am|I am \
             called|call me|this is|the name is] {x}",
            "[hello|hi|hey|hi there|hey there|hello fireclay|hi fireclay|yo|oh hi|hi again|hi friend|hello again|hello \
             friend|hey you|hi hi|hi you|hi, hi|hey hey|hi everyone|hello hello|good day|morning][,|] I am {x}[ and \
             you|||]",
            "I am {x}[, nice to meet you|, and you|, by the way| by the way|, remember that|]",
            "[this is {x}|{x} is my name|{x} here|it is me, {x}|here is {x}][, nice to meet you|, and you||]",
            "[hello|hi|hey|good morning|hi there|hello there|oh hi|yes, hello|hi again|hi friend|hey there|hello again|good \
             day|hi hi|yo][,|] [{x} here|this is {x}|here is {x}|\
             {x} is my name|it is {x}]",
        ],
        replies: &[
            "[Nice to meet you|Hello|I am glad to meet you], {x}! [What can I do for you?|How can I help you?|Shall I \
             tell you a story?|]",
        ],
        asks: &[
            "[what is|tell me|say|do you know|do you remember|can you tell me|can you remember|do you still know|what \
             was|so what is|and what is|repeat|guess] my [own |first ||]name[ again| now| please|]",
            "[who am I|do you know who I am|do you remember me|what am I called|how am I called|what do people call \
             me|do you know me|remember my name]",
            "[and|so|now|ok|then][,|] [what is my name|who am I|do you know my name|what am I called]",
        ],
        answers: &["Your name is {x}.", "You are {x}.", "You told me that your name is {x}."],
        admissions: &["I do not know your name. [What is it?|You have not told me yet.|Please tell me.]"],
    },
    Fact {
        weight: 18,
        values: colour,
        says: &[
            "[my favourite colour is|I like the colour|the colour I like best is|I love the colour|my best colour is|\
             the best colour is|I love] {x}[ most| best|]",
            "{x} is [my favourite colour|the colour that I like|the best colour|my colour]",
        ],
        replies: &["{X} is a [nice|beautiful|lovely] colour!"],
        asks: &[
            "[what is|do you remember|tell me|do you know|can you tell me|what was|and what is|so what is] my \
             favourite colour[ again| now| please|]",
            "[which|what] colour [do I like|do I like best|do I love|is my favourite|did I say]",
        ],
        answers: &["Your favourite colour is {x}."],
        admissions: &["I do not know your favourite colour. [Which one is it?|You have not told me yet.]"],
    },
    Fact {
        weight: 20,
        values: food,
        says: &[
            "[I like|I love|I really like|I like to eat|I love to eat|my favourite food is|I want to eat|I eat a lot \
             of|I always eat|the food I like best is] {x}[ a lot| best| every day|]",
            "{x} [is my favourite food|is what I like to eat|is the best food|tastes best to me]",
        ],
        replies: &["{X}! That [sounds good|must taste good]."],
        asks: &[
            "[what is|do you remember|tell me|do you know|what was|and what is|so what is] my favourite food[ again| \
             now|]",
            "[what|which food] do I [like|like to eat|like best|love|love to eat|eat]",
            "[do you remember|tell me|do you know] what I like to eat",
        ],
        answers: &["You like {x}."],
        admissions: &["I do not know what you like. [What is it?|You have not told me yet.]"],
    },
    Fact {
        weight: 16,
        values: pet,
        says: &[
            "[I have|I have got|at home I have|I keep|I own|my pet is|we have|there is|I just got] a {x}[ at home| as \
             a pet|]",
            "[a {x} is my pet|a {x} lives with me|I live with a {x}]",
        ],
        replies: &["A {x}! [How nice.|That is lovely.|How lovely.]"],
        asks: &[
            "[what|which] [pet|animal] do I have[ at home| again|]",
            "[what is|do you remember|tell me|do you know|what was|and what is|so what is] my pet[ again| now|]",
            "[do you remember|tell me|do you know] [what pet|which pet|which animal] I have",
        ],
        answers: &["You have a {x}."],
        admissions: &["I do not know your pet. [What is it?|You have not told me yet.]"],
    },
];

/// In Chinese.
pub const CHINESE_FACTS: &[Fact] = &[
    Fact {
        weight: 60,
        values: stories::chinese_name,
        says: &[
            "[我叫|我的名字是|我的名字叫|叫我|你可以叫我|大家叫我|大家都叫我|我是|我姓名是|请叫我|朋友们叫我|他们叫我]{x}\
             [，你呢|，很高兴认识你|，认识你很高兴||||]",
            "[你好|嗨|您好|早上好|晚上好|哈喽|嘿|你好啊][，|！|]我[叫|是|的名字叫|的名字是]{x}[，你呢|，很高兴认识你||]",
        ],
        replies: &["[你好，{x}|{x}，你好]！[很高兴认识你。|我能帮你做什么？|你想听故事吗？|]"],
        asks: &[
            "[你知道|你还记得|你记得|还记得|知道|你记不记得|你还知道]我[叫什么|叫什么名字|的名字|是谁|的名字是什么][吗|]",
            "[请问|那|那么|现在|对了，|你说，|所以|]我[叫什么|叫什么名字|的名字是什么|是谁|叫啥][呢|呀|]",
            "[说说|告诉我|说出|请说出|请告诉我]我的名字[吧|]",
        ],
        answers: &["你叫{x}。", "你的名字[是|叫]{x}。", "你是{x}。"],
        admissions: &["我不知道你的名字。[你叫什么？|你还没有告诉我。]"],
    },
    Fact {
        weight: 12,
        values: possessions::chinese_colour,
        says: &[
            "[我最喜欢|我喜欢|我最爱|我爱|我很喜欢|我特别喜欢|我最喜欢的颜色是|我喜欢的颜色是|我觉得最好看的是]{x}\
             [，你呢|，因为好看|||]",
            "[我觉得|]{x}[是我最喜欢的颜色|最好看|是我喜欢的颜色|最漂亮|真好看][，你呢|]",
        ],
        replies: &["{x}[真|很]好看！"],
        asks: &[
            "[你知道|你还记得|你记得|告诉我|还记得|你说，|请问|那|]我[最|]喜欢[什么颜色|哪个颜色|的颜色是什么|哪种颜色][吗|呢|]",
        ],
        answers: &["你喜欢{x}。", "你最喜欢的颜色是{x}。"],
        admissions: &["我不知道你喜欢什么颜色。[你还没有告诉我。|你喜欢什么颜色？]"],
    },
    Fact {
        weight: 16,
        values: possessions::chinese_food,
        says: &[
            "[我喜欢吃|我最喜欢吃|我爱吃|我最爱吃|我很喜欢吃|我天天吃|我想吃|我特别爱吃|我最喜欢的食物是]{x}[，\
             你呢|，因为好吃|，每天都吃|||]",
            "[我觉得|]{x}[是我最喜欢吃的|最好吃|很好吃|是我最爱吃的|真好吃][，你呢|]",
        ],
        replies: &["{x}！[听起来很好吃。|一定很好吃。]"],
        asks: &[
            "[你知道|你还记得|你记得|告诉我|还记得|你说，|请问|那|]我[最|][喜欢|爱]吃什么[吗|呢|]",
            "[你知道|你还记得|你记得|告诉我|请问|那|]我最喜欢的食物是什么[吗|呢|]",
        ],
        answers: &["你喜欢吃{x}。"],
        admissions: &["我不知道你喜欢吃什么。[你还没有告诉我。|你喜欢吃什么？]"],
    },
    Fact {
        weight: 12,
        values: possessions::chinese_pet,
        says: &[
            "[我有|我家有|我养了|家里有|我家养了|我的宠物是|我们家有|我刚买了|我有了|我还有|我养着|我家养着|我爸爸有|我\
               新买了]一只{x}[，很可爱|，你呢|，你喜欢吗|，它很乖||]",
        ],
        replies: &["一只{x}！[真好。|真可爱。]"],
        asks: &[
            "[你知道|你还记得|你记得|告诉我|还记得|请问|那|]我[有|养了|家有|养|家养了][什么动物|什么宠物|一只什么|哪种宠物][吗|呢|]",
            "[你知道|你还记得|你记得|告诉我|还记得|请问|那|]我的宠物是什么[吗|呢|]",
        ],
        answers: &["你有一只{x}。"],
        admissions: &["我不知道你有什么宠物。[你还没有告诉我。|你有什么宠物？]"],
    },
];
