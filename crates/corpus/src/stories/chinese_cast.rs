//! Who the Chinese stories are about. What is held out is only ever in stories of the validation split.

use super::english_cast::Divided;
use crate::Split;
use crate::dice::Dice;
use crate::template::Bindings;

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
pub struct Role {
    pub kind: &'static str,
    measure: &'static str,
    he: &'static str,
    /// Who gives them things and advice.
    elder: &'static str,
    /// Names that fit better than those of children.
    names: &'static [&'static str],
}

/// Every role.
pub const ROLES: Divided<Role> = Divided {
    training: &[
        Role {
            kind: "老爷爷", measure: "位", he: "他", elder: "老伴", names: &["阿福", "阿明", "阿山", "阿木"]
        },
        Role {
            kind: "老奶奶", measure: "位", he: "她", elder: "老伴", names: &["阿香", "阿兰", "阿花", "阿月"]
        },
        Role {
            kind: "国王", measure: "位", he: "他", elder: "王后", names: &["阿福", "大林", "大龙", "阿龙"]
        },
        Role { kind: "公主", measure: "位", he: "她", elder: "王后", names: &[] },
        Role {
            kind: "农夫", measure: "位", he: "他", elder: "妈妈", names: &["阿福", "阿明", "阿山", "阿木"]
        },
        Role { kind: "机器人", measure: "个", he: "它", elder: "博士", names: &[] },
    ],
    held_out: &[Role { kind: "王子", measure: "位", he: "他", elder: "王后", names: &[] }],
};

/// Binds the hero and the friend of a story of `split`.
pub fn chinese_cast(split: Split, dice: &mut Dice, bindings: &mut Bindings) {
    let (kind, measure, he, mut names) = match dice.weighted(&[64, 12, 12, 12]) {
        0 => {
            let &(kind, measure) = dice.pick(ANIMALS.of(split));
            bindings.set("group", "animal");
            (kind, measure, "它", &[] as &[&str])
        }
        1 => ("小女孩", "个", "她", &[] as &[&str]),
        2 => ("小男孩", "个", "他", &[] as &[&str]),
        _ => {
            let &Role { kind, measure, he, elder, names } = dice.pick(ROLES.of(split));
            bindings.set("elder", elder);
            (kind, measure, he, names)
        }
    };
    if names.is_empty() {
        names = match (dice.chance(60), he) {
            (true, _) => NAMES.of(split),
            (false, "她") => SHE.of(split),
            (false, "他") => HE.of(split),
            (false, _) => if dice.chance(50) { SHE } else { HE }.of(split),
        };
    }
    bindings.set_row(&[("hero", dice.word(names)), ("kind", kind), ("he", he)]);
    bindings.set("they", if he == "它" { "它们" } else { "他们" });
    bindings.set("one", format!("一{measure}"));
    bindings.set("akind", format!("一{measure}{kind}"));
    let (friend, measure) = friend_kind(split, kind, dice);
    bindings.set_row(&[("friend", friend), ("friendkind", friend)]);
    bindings.set("afriend", format!("一{measure}{friend}"));
    bindings.set_row(&[("described", "{kind}")]);
}

/// Of two friends in validation, one is of a kind known from training.
fn friend_kind(split: Split, hero: &str, dice: &mut Dice) -> (&'static str, &'static str) {
    let split = if split == Split::Validation && dice.chance(50) { Split::Train } else { split };
    loop {
        let &(kind, measure) = dice.pick(ANIMALS.of(split));
        if kind != hero {
            return (kind, measure);
        }
    }
}
