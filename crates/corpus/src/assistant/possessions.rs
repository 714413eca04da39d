//! Possessions and preferences of people: words that belong to one split each.

use crate::dice::Dice;
use crate::stories::made_up_word;
use crate::{Split, wording};

/// A colour; in `made_up` percent of cases an invented word.
pub fn colour(split: Split, made_up: usize, dice: &mut Dice) -> String {
    one_of(COLOURS, split, made_up, dice)
}

/// A food; in `made_up` percent of cases an invented word.
pub fn food(split: Split, made_up: usize, dice: &mut Dice) -> String {
    one_of(FOODS, split, made_up, dice)
}

/// A pet; in `made_up` percent of draws, a made-up word.
pub fn pet(split: Split, made_up: usize, dice: &mut Dice) -> String {
    one_of(PETS, split, made_up, dice)
}

/// A colour in Chinese.
pub fn chinese_colour(split: Split, dice: &mut Dice) -> String {
    wording::thing(CHINESE_COLOURS, split, dice).to_string()
}

/// A food in Chinese.
pub fn chinese_food(split: Split, dice: &mut Dice) -> String {
    wording::thing(CHINESE_FOODS, split, dice).to_string()
}

/// A pet in Chinese, of those that are 只.
pub fn chinese_pet(split: Split, dice: &mut Dice) -> String {
    wording::thing(CHINESE_PETS, split, dice).to_string()
}

/// Whether `word` is one of the English ones.
pub fn is_one(word: &str) -> bool {
    [COLOURS, FOODS, PETS].iter().any(|things| things.contains(&word))
}

fn one_of(things: &[&str], split: Split, made_up: usize, dice: &mut Dice) -> String {
    if made_up > 0 && dice.chance(made_up) {
        return made_up_word(dice);
    }
    wording::thing(things, split, dice).to_string()
}

const COLOURS: &[&str] = &[
    "red",
    "blue",
    "green",
    "yellow",
    "white",
    "black",
    "purple",
    "brown",
    "orange",
    "pink",
    "grey",
    "gold",
    "silver",
    "violet",
    "turquoise",
    "beige",
    "crimson",
    "cream",
    "navy",
    "lilac",
    "olive",
    "scarlet",
    "indigo",
    "ivory",
    "maroon",
    "teal",
    "magenta",
    "cyan",
    "amber",
    "bronze",
    "copper",
    "charcoal",
    "khaki",
    "lavender",
    "mauve",
    "mint",
    "peach",
    "plum",
    "rose",
    "ruby",
    "rust",
    "salmon",
    "sapphire",
    "sand",
    "emerald",
    "jade",
    "lime",
    "mustard",
    "coral",
    "burgundy",
    "aqua",
    "azure",
    "ochre",
];

const FOODS: &[&str] = &[
    "pizza",
    "pasta",
    "soup",
    "bread",
    "rice",
    "cheese",
    "apples",
    "noodles",
    "plums",
    "honey",
    "cake",
    "beans",
    "fish",
    "chicken",
    "potatoes",
    "pancakes",
    "ice cream",
    "chocolate",
    "salad",
    "eggs",
    "bananas",
    "sushi",
    "strawberries",
    "carrots",
    "tomatoes",
    "nuts",
    "butter",
    "jam",
    "pears",
    "grapes",
    "cherries",
    "lemons",
    "oranges",
    "peaches",
    "melons",
    "onions",
    "mushrooms",
    "peas",
    "corn",
    "lentils",
    "porridge",
    "toast",
    "waffles",
    "cookies",
    "muffins",
    "pudding",
    "yoghurt",
    "cereal",
    "sausages",
    "ham",
    "beef",
    "tuna",
    "dumplings",
    "curry",
    "tacos",
    "lasagna",
    "spaghetti",
    "burgers",
    "popcorn",
    "crackers",
    "olives",
    "figs",
    "mangoes",
    "kiwis",
    "pineapple",
    "coconut",
    "raisins",
    "almonds",
    "walnuts",
    "pickles",
    "cabbage",
    "spinach",
    "broccoli",
    "pumpkin",
    "radishes",
    "celery",
    "cucumber",
    "marmalade",
    "toffee",
];

const PETS: &[&str] = &[
    "cat",
    "dog",
    "parrot",
    "rabbit",
    "horse",
    "goat",
    "turtle",
    "hen",
    "mouse",
    "goldfish",
    "hamster",
    "pony",
    "snake",
    "lizard",
    "canary",
    "pig",
    "duck",
    "frog",
    "sheep",
    "kitten",
    "puppy",
    "donkey",
    "ferret",
    "gecko",
    "goose",
    "hedgehog",
    "parakeet",
    "poodle",
    "pug",
    "beagle",
    "terrier",
    "spaniel",
    "budgie",
    "cockatoo",
    "finch",
    "tortoise",
    "newt",
    "toad",
    "gerbil",
    "chinchilla",
    "calf",
    "lamb",
    "foal",
    "llama",
    "cow",
    "rooster",
    "pigeon",
    "crab",
    "snail",
    "salamander",
];

const CHINESE_COLOURS: &[&str] = &[
    "红色",
    "蓝色",
    "绿色",
    "黄色",
    "白色",
    "黑色",
    "紫色",
    "粉色",
    "灰色",
    "金色",
    "银色",
    "橙色",
    "青色",
    "米色",
    "粉红色",
    "天蓝色",
    "草绿色",
    "橘色",
    "深蓝色",
    "深绿色",
    "浅蓝色",
    "雪白色",
    "大红色",
];

const CHINESE_FOODS: &[&str] = &[
    "苹果", "香蕉", "面条", "米饭", "饺子", "包子", "西瓜", "草莓", "蛋糕", "面包", "鸡蛋", "豆腐", "鱼", "牛肉",
    "鸡肉", "土豆", "黄瓜", "南瓜", "桃子", "梨", "橘子", "饼干", "糖果", "馒头", "汤圆", "火锅", "烤鸭", "月饼",
    "玉米", "花生", "炒饭", "冰糖", "白菜", "牛奶", "鱼汤", "花菜", "红豆", "绿豆", "米粉", "面饼",
];

const CHINESE_PETS: &[&str] = &[
    "猫", "狗", "兔子", "仓鼠", "鹦鹉", "乌龟", "小鸟", "鸭子", "鸡", "羊", "刺猬", "小猫", "小狗", "白兔", "黑猫",
    "花猫", "黄狗", "鸽子", "松鼠", "青蛙", "蜥蜴", "小猪", "小羊", "白猫", "黑狗", "鹅",
];
