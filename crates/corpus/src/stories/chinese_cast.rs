//! Who the Chinese stories are about. What is held out is only ever in stories of the validation split.

use super::english_cast::Divided;
use crate::dice::Dice;
use crate::template::Bindings;
use crate::{Split, wording};

/// Names of heroes of any kind and of children. Those held out are made of characters that training has.
pub const NAMES: Divided<&str> = Divided {
    training: &[
        "乐乐", "豆豆", "毛毛", "圆圆", "点点", "米米", "明明", "小雨", "小东", "果果", "贝贝", "安安", "宁宁", "文文",
        "阳阳", "糖糖", "青青", "可可", "西西", "多多", "小新", "球球", "团团", "当当", "奇奇", "叶叶", "小米", "小贝",
    ],
    held_out: &["小乐", "小豆", "小圆", "新新", "小果"],
};

/// Names that only a hero who is "she" has, or an animal.
pub const SHE: Divided<&str> = Divided {
    training: &["朵朵", "花花", "丽丽", "小丽", "红红", "小红", "甜甜", "月月", "兰兰", "佳佳", "小雪", "小云"],
    held_out: &["云云", "小月"],
};

/// Names that only a hero who is "he" has, or an animal.
pub const HE: Divided<&str> = Divided {
    training: &["小明", "小光", "小石", "小龙", "小亮", "亮亮", "东东", "冬冬", "大林", "大龙"],
    held_out: &["小林", "大明"],
};

/// Animals with their measure word: heroes and friends alike. None is part of another one.
pub const ANIMALS: Divided<(&str, &str)> = Divided {
    training: &[
        ("小兔子", "只"),
        ("小猫", "只"),
        ("小狗", "只"),
        ("小鸭子", "只"),
        ("小羊", "只"),
        ("小老鼠", "只"),
        ("小松鼠", "只"),
        ("小熊", "只"),
        ("小猴子", "只"),
        ("小狐狸", "只"),
        ("小象", "头"),
        ("小牛", "头"),
        ("小马", "匹"),
        ("小鸡", "只"),
        ("小猪", "只"),
        ("小鸟", "只"),
        ("小青蛙", "只"),
        ("小乌龟", "只"),
        ("小老虎", "只"),
        ("小狮子", "头"),
        ("小鹿", "只"),
        ("小刺猬", "只"),
        ("大熊猫", "只"),
        ("小骆驼", "匹"),
        ("小斑马", "匹"),
        ("小长颈鹿", "只"),
        ("小袋鼠", "只"),
        ("小企鹅", "只"),
        ("小海豚", "只"),
        ("小鲸鱼", "头"),
        ("小螃蟹", "只"),
        ("小蚂蚁", "只"),
        ("小蜜蜂", "只"),
        ("小蝴蝶", "只"),
        ("小蜗牛", "只"),
        ("小恐龙", "只"),
        ("小狼", "只"),
        ("小毛驴", "头"),
        ("小燕子", "只"),
        ("小孔雀", "只"),
        ("小鳄鱼", "条"),
        ("小金鱼", "条"),
        ("小花蛇", "条"),
        ("小浣熊", "只"),
        ("小天鹅", "只"),
        ("小麻雀", "只"),
        ("小蜻蜓", "只"),
        ("小树懒", "只"),
        ("小犀牛", "头"),
        ("小公鸡", "只"),
        ("小黑熊", "只"),
    ],
    held_out: &[("小河马", "头"), ("小海狮", "头"), ("小山羊", "只"), ("小白鹅", "只")],
};

/// Grown-ups, people of fairy tales and robots.
#[derive(Debug, Clone, Copy)]
pub struct CastRole {
    pub kind: &'static str,
    measure: &'static str,
    he: &'static str,
    /// Who gives them things and advice.
    elder: &'static str,
    /// Names that fit better than those of children.
    names: &'static [&'static str],
}

/// Every role.
pub const ROLES: Divided<CastRole> = Divided {
    training: &[
        CastRole {
            kind: "老爷爷", measure: "位", he: "他", elder: "老伴", names: &["阿福", "阿明", "阿山", "阿木"]
        },
        CastRole {
            kind: "老奶奶", measure: "位", he: "她", elder: "老伴", names: &["阿香", "阿兰", "阿花", "阿月"]
        },
        CastRole {
            kind: "国王", measure: "位", he: "他", elder: "王后", names: &["阿福", "大林", "大龙", "阿龙"]
        },
        CastRole { kind: "公主", measure: "位", he: "她", elder: "王后", names: &[] },
        CastRole {
            kind: "农夫", measure: "位", he: "他", elder: "妈妈", names: &["阿福", "阿明", "阿山", "阿木"]
        },
        CastRole { kind: "机器人", measure: "个", he: "它", elder: "博士", names: &[] },
    ],
    held_out: &[CastRole { kind: "王子", measure: "位", he: "他", elder: "王后", names: &[] }],
};

/// Percentage of training's animals, and of its names, that are rare or made up, so that a model copies them.
const RARE: usize = 65;

/// Animals and things that only a story has which was asked for them, each after 小; all are 只.
const RARE_KINDS: &[&str] = &[
    "海豹", "猎豹", "水獭", "鼹鼠", "蝙蝠", "章鱼", "火鸡", "鸽子", "鹦鹉", "壁虎", "蜥蜴", "蝌蚪", "蚯蚓", "瓢虫",
    "蟋蟀", "黄鹂", "白兔", "灰狼", "花猫", "黄狗", "黑猫", "白马", "花狗", "奶牛", "水牛", "绵羊", "野猪", "豹子",
    "猩猩", "海龟", "海马", "鲨鱼", "乌鸦", "喜鹊", "大雁", "仙鹤", "仓鼠", "花鹿", "棕熊", "树蛙", "蜘蛛", "毛虫",
    "鲤鱼", "海星", "水母", "木偶", "精灵", "怪兽", "火车", "飞机", "汽车", "星星", "太阳", "种子", "树苗", "蘑菇",
    "南瓜", "苹果", "纸船", "茶壶", "闹钟", "铅笔", "黄鸭", "灰鹅", "黑羊", "花牛", "白鼠", "黑狗", "山鸡", "田鼠",
    "野兔", "山猫", "水鸟", "海鸟", "竹鼠", "河蟹", "河虾", "海狗", "沙狐", "雪兔", "山雀", "山鹰", "白鸽", "白鹭",
];

/// Trades of heroes, which only a story has that was asked for them.
const TRADES: &[&str] = &[
    "医生",
    "老师",
    "船长",
    "画家",
    "厨师",
    "司机",
    "护士",
    "园丁",
    "渔夫",
    "猎人",
    "木匠",
    "铁匠",
    "歌手",
    "巫师",
    "骑士",
    "仙女",
    "士兵",
    "裁缝",
    "牧羊人",
    "邮递员",
    "飞行员",
    "魔法师",
    "小矮人",
    "女王",
    "皇帝",
    "将军",
    "商人",
    "樵夫",
];

/// First and second characters of made-up kinds (小风牛) and of rare names (风风, 小风).
const FIRST: &[&str] = &[
    "白", "黑", "灰", "花", "海", "山", "河", "水", "木", "火", "金", "银", "风", "草", "沙", "春", "夏", "秋", "冬",
    "长", "绿", "蓝", "黄", "飞", "夜", "竹", "田", "湖", "冰", "树",
];
const SECOND: &[&str] = &[
    "鹰", "鼠", "雀", "鱼", "虫", "蛙", "豹", "蜂", "燕", "鹤", "龟", "狮", "虎", "鹅", "猫", "狗", "羊", "牛", "马",
    "鸡", "鸭", "兔", "熊", "狐", "球", "灯", "船", "瓜",
];
const NAME_CHARACTERS: &[&str] = &[
    "风", "春", "秋", "夏", "山", "海", "天", "田", "力", "平", "文", "星", "竹", "波", "松", "杰", "飞", "正", "方",
    "心", "玉", "英", "金", "银", "木", "水", "火", "土", "白", "黑", "灰", "高", "长", "早", "晚", "清", "亲", "思",
    "真", "美", "好", "欢", "喜", "笑", "跳", "跑", "泡", "咪", "嘟", "叮", "铃", "笛", "灯", "船",
];

/// A kind with its measure word: one that is rare or made up, or one of the lists.
fn animal(split: Split, dice: &mut Dice) -> (String, &'static str) {
    if split == Split::Validation || !dice.chance(RARE) {
        let &(kind, measure) = dice.pick(ANIMALS.of(split));
        return (kind.to_owned(), measure);
    }
    loop {
        let kind = match dice.below(2) {
            0 => format!("小{}", dice.word(RARE_KINDS)),
            _ => format!("小{}{}", dice.word(FIRST), dice.word(SECOND)),
        };
        if !is_listed(&kind) {
            return (kind, "只");
        }
    }
}

/// A rare name: 小风, 风风, 阿风, 大风.
fn rare_name(dice: &mut Dice) -> String {
    loop {
        let characters = if dice.chance(50) { &GIVEN[..36] } else { NAME_CHARACTERS };
        let character = dice.word(characters);
        let first = dice.word(&["小", "小", "阿", "大", character, character]);
        let name = format!("{first}{character}");
        if !is_listed(&name) {
            return name;
        }
    }
}

/// The most frequent ones first.
const SURNAMES: &[&str] = &[
    "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "朱", "马", "胡", "郭", "林", "何", "高",
    "罗", "郑", "梁", "谢", "宋", "唐", "许", "韩", "冯", "邓", "曹", "彭", "曾", "肖", "田", "董", "袁", "潘", "于",
    "蒋", "蔡", "余", "杜", "叶", "程", "苏", "魏", "吕", "丁", "任", "沈", "姚", "卢", "姜", "崔", "钟", "谭", "陆",
    "汪", "范", "金", "石", "方", "夏", "白", "江", "史", "秦", "欧阳",
];
/// Characters of given names, the most frequent ones first.
const GIVEN: &[&str] = &[
    "伟", "芳", "敏", "静", "丽", "强", "军", "杰", "涛", "明", "平", "刚", "英", "华", "玉", "兰", "红", "梅", "国",
    "文", "海", "波", "宇", "然", "子", "雨", "娜", "磊", "洋", "勇", "艳", "娟", "超", "秀", "霞", "桂", "建", "志",
    "浩", "涵", "欣", "怡", "晨", "轩", "梓", "诗", "琪", "佳", "思", "嘉", "俊", "凯", "鑫", "龙", "飞", "鹏", "斌",
    "辉", "峰", "玲", "婷", "慧", "莹", "雪", "晓", "春", "秋", "云", "月", "星", "天", "一", "可", "安", "乐", "心",
    "语", "馨", "博", "睿", "泽", "航", "瑞", "萱", "倩", "洁", "颖", "琳", "萍", "燕", "凤", "瑶", "薇", "蕾", "丹",
    "青", "翔", "东", "林", "山",
];

/// Somebody's name as people give it: 王小雨, 李伟, 小红, 阿风. Most are of frequent characters.
pub fn chinese_name(split: Split, dice: &mut Dice) -> String {
    loop {
        let (surnames, given) = if dice.chance(75) { (&SURNAMES[..28], &GIVEN[..36]) } else { (SURNAMES, GIVEN) };
        let name = match dice.weighted(&[30, 35, 20, 15]) {
            0 => format!("{}{}{}", dice.word(surnames), dice.word(given), dice.word(given)),
            1 => format!("{}{}", dice.word(surnames), dice.word(given)),
            2 => format!("{}{}", dice.word(&["小", "阿", "大"]), dice.word(given)),
            _ => rare_name(dice),
        };
        if wording::split_of(&name) == split {
            return name;
        }
    }
}

/// Whether a name or a kind is one of the lists.
pub fn is_listed(word: &str) -> bool {
    let names = [NAMES, SHE, HE].into_iter().flat_map(|names| [names.training, names.held_out]).flatten();
    let animals = ANIMALS.training.iter().chain(ANIMALS.held_out).map(|(kind, _)| kind);
    let roles = || ROLES.training.iter().chain(ROLES.held_out);
    matches!(word, "小女孩" | "小男孩")
        || names.chain(animals).any(|listed| *listed == word)
        || roles().any(|role| role.kind == word || role.names.contains(&word))
}

/// Binds the hero and the friend of a story of `split`.
pub fn chinese_cast(split: Split, dice: &mut Dice, bindings: &mut Bindings) {
    let (kind, measure, he, mut names) = match dice.weighted(&[64, 12, 12, 12]) {
        0 => {
            let (kind, measure) = animal(split, dice);
            bindings.set("group", "animal");
            (kind, measure, "它", &[] as &[&str])
        }
        1 => ("小女孩".to_owned(), "个", "她", &[] as &[&str]),
        2 => ("小男孩".to_owned(), "个", "他", &[] as &[&str]),
        _ if split == Split::Train && dice.chance(50) => {
            let he = dice.word(&["他", "她"]);
            (dice.word(TRADES).to_owned(), "位", he, &[] as &[&str])
        }
        _ => {
            let &CastRole { kind, measure, he, elder, names } = dice.pick(ROLES.of(split));
            bindings.set("elder", elder);
            (kind.to_owned(), measure, he, names)
        }
    };
    let is_rare = names.is_empty() && split == Split::Train && dice.chance(RARE);
    if names.is_empty() {
        names = match (dice.chance(60), he) {
            (true, _) => NAMES.of(split),
            (false, "她") => SHE.of(split),
            (false, "他") => HE.of(split),
            (false, _) => if dice.chance(50) { SHE } else { HE }.of(split),
        };
    }
    bindings.set("hero", if is_rare { rare_name(dice) } else { dice.word(names).to_owned() });
    bindings.set_row(&[("he", he)]);
    bindings.set("they", if he == "它" { "它们" } else { "他们" });
    bindings.set("one", format!("一{measure}"));
    bindings.set("akind", format!("一{measure}{kind}"));
    let (friend, measure) = friend_kind(split, &kind, dice);
    bindings.set("kind", kind);
    bindings.set("afriend", format!("一{measure}{friend}"));
    bindings.set("friendkind", &friend);
    bindings.set("friend", friend);
    bindings.set_row(&[("described", "{kind}")]);
}

/// Of two friends in validation, one is of a kind known from training; in training it is one of the lists.
fn friend_kind(split: Split, hero: &str, dice: &mut Dice) -> (String, &'static str) {
    let split = if split == Split::Validation && dice.chance(50) { Split::Train } else { split };
    loop {
        let &(kind, measure) = dice.pick(ANIMALS.of(split));
        if kind != hero {
            return (kind.to_owned(), measure);
        }
    }
}
