//! The plots of the Chinese stories.

use super::grammar::{Shape, Table};

/// Every plot.
pub const SHAPES: &[Shape] = &[LOST, SHARING, FEAR, HELPING, RAIN, TRUTH, NEW_FRIEND, SEED, SLEEP];

const LOST: Shape = Shape {
    topic: "找东西",
    tables: &[],
    beats: &[
        &["{he}有{onetoy}，非常喜欢。", "{he}最喜欢的东西是{onetoy}。", "生日那天，{elder}送给{he}{onetoy}。"],
        &["{day}，{he}去{place}玩，回家以后发现{toy}不见了。", "{day}，{he}在{place}玩，忽然发现{toy}不见了。"],
        &["“别哭，我帮你找。”{friend}说。", "{friend}说：“我们一起去找吧。”", "“你在哪里丢的？”{friend}问。"],
        &["", "{they}在{wrong}找，又在{also}找，都没有找到。", "{they}先去看了{wrong}，又去看了{also}。"],
        &["最后，{hero}在{spot}找到了{toy}。", "“快看，{toy}在{spot}！”{friend}大声说。"],
        &["", "“谢谢你，{friend}！”{hero}说。", "{hero}高兴得跳了起来。"],
        &[
            "从那以后，{hero}再也没有丢过东西。",
            "两个好朋友一起玩到了天黑。",
            "那天晚上，{hero}把{toy}放在床边，睡得很香。",
        ],
    ],
};

const SHARING: Shape = Shape {
    topic: "分享",
    tables: &[FOODS],
    beats: &[
        &["{day}，{elder}给了{he}{food}。", "{day}，{he}得到了{food}，心里很高兴。"],
        &["{he}在路上看见了{friend}，{friend}看起来很难过。", "{he}正要吃，{friend}走了过来。"],
        &["“我好饿，今天什么也没吃。”{friend}说。", "“真香啊！”{friend}小声说。"],
        &["", "{hero}看看手里的东西，又看看{friend}。", "{hero}想了想，笑了。"],
        &["“我们一起吃吧！”{hero}说。", "“这一半给你。”{hero}说。"],
        &["", "{they}坐在大树下，吃得很开心。", "{they}一边吃，一边讲故事。"],
        &[
            "{hero}觉得，和朋友一起吃的东西最好吃。",
            "第二天，{friend}也给{hero}带来了好吃的。",
            "从那以后，{they}成了最好的朋友。",
        ],
    ],
};

const FOODS: Table = &[
    &[("food", "一块蛋糕")],
    &[("food", "一篮苹果")],
    &[("food", "一包花生")],
    &[("food", "一盘饺子")],
    &[("food", "一个大西瓜")],
    &[("food", "一碗热汤")],
    &[("food", "一个面包")],
];

const FEAR: Shape = Shape {
    topic: "勇敢",
    tables: &[FEARS],
    beats: &[
        &["{he}什么都不怕，就怕{fear}。", "{he}有一个秘密，{he}很怕{fear}。"],
        &["{trouble}"],
        &["", "{he}的心跳得很快。", "“我不敢。”{he}小声说。", "{he}想跑回家去。"],
        &["“别怕，{advice}。”{friend}说。", "{friend}走过来，说：“{advice}。”"],
        &["{brave}"],
        &["", "“我做到了！”{he}大声说。", "“你真勇敢！”{friend}说。"],
        &["从那以后，{hero}不那么怕{fear}了。", "回到家，{hero}把这件事告诉了{elder}。"],
    ],
};

const FEARS: Table = &[
    &[
        ("fear", "天黑"),
        ("trouble", "一天晚上，灯忽然不亮了。"),
        ("advice", "天上的星星都是小灯"),
        ("brave", "{he}看着窗外，数起了星星。"),
    ],
    &[
        ("fear", "打雷"),
        ("trouble", "一天晚上，外面下起了大雨，雷声很大。"),
        ("advice", "你慢慢地数到十"),
        ("brave", "{he}数到十，雷声就走远了。"),
    ],
    &[
        ("fear", "下水"),
        ("trouble", "{day}，大家都在河里玩，{he}坐在河边看。"),
        ("advice", "拉着我的手，先放一只脚"),
        ("brave", "{he}放下一只脚，又放下一只脚，很快就玩起了水。"),
    ],
    &[
        ("fear", "高的地方"),
        ("trouble", "{day}，{he}的风筝飞到了高高的树上。"),
        ("advice", "不要看下面，慢慢地爬"),
        ("brave", "{he}一点一点地爬上去，拿到了风筝。"),
    ],
    &[
        ("fear", "在大家面前唱歌"),
        ("trouble", "{day}，老师请{he}唱一首歌。"),
        ("advice", "你看着我唱就好了"),
        ("brave", "{he}看着{friend}，唱完了那首歌。"),
    ],
];

const HELPING: Shape = Shape {
    topic: "帮助别人",
    tables: &[SMALL_ONES],
    beats: &[
        &["{day}，{he}去{place}玩，听到一个很小的声音。", "{day}，{he}在去{place}的路上听到有谁在哭。"],
        &["原来是一只{small}，{problem}。"],
        &["", "“别怕，我来帮你。”{hero}说。", "“你怎么了？”{hero}问。"],
        &["可是{he}自己做不到，就叫来了{friend}。", "这时，{friend}也来了，说：“我也来帮你。”"],
        &["{they}一起{help}。"],
        &["那只{small}{thanks}。"],
        &["{hero}和{friend}高高兴兴地回家了。", "“帮助别人真开心！”{hero}说。", "从那以后，它天天来找{they}玩。"],
    ],
};

const SMALL_ONES: Table = &[
    &[("small", "小鸟"), ("problem", "从树上掉了下来"), ("help", "把它送回了家"), ("thanks", "为{they}唱了一首歌")],
    &[("small", "小花猫"), ("problem", "在树上下不来"), ("help", "爬上树，把它抱了下来"), ("thanks", "开心地叫了起来")],
    &[
        ("small", "小白狗"),
        ("problem", "找不到家了"),
        ("help", "走了很远的路，把它送回了家"),
        ("thanks", "高兴地跳来跳去"),
    ],
    &[("small", "小乌龟"), ("problem", "四脚朝天，起不来了"), ("help", "把它翻了过来"), ("thanks", "慢慢地点了点头")],
    &[
        ("small", "小黄鸭"),
        ("problem", "找不到妈妈了"),
        ("help", "带着它找到了妈妈"),
        ("thanks", "高兴地跑到了妈妈身边"),
    ],
];

const RAIN: Shape = Shape {
    topic: "下雨天",
    tables: &[PLANS, INDOORS],
    beats: &[
        &["{day}，{hero}和{friend}想{plan}。", "“今天我们{plan}吧！”{hero}对{friend}说。"],
        &["可是天忽然下起了大雨。", "可是外面刮起了大风，还下起了雨。"],
        &["“今天不能出去玩了。”{friend}难过地说。", "{friend}看着窗外，不说话了。"],
        &["“没关系，我有一个好主意！”{hero}说。", "“那我们在家里玩吧！”{hero}说。"],
        &["{they}回到家里，{indoors}。"],
        &["", "{they}玩得很开心，雨停了都不知道。", "{they}笑啊，跳啊，把下雨的事都忘了。"],
        &["这真是快乐的一天。", "“我希望明天也下雨。”{friend}说。", "“明天再一起玩吧！”{friend}说。"],
    ],
};

const PLANS: Table = &[
    &[("plan", "去公园放风筝")],
    &[("plan", "去海边玩沙子")],
    &[("plan", "去草地上踢球")],
    &[("plan", "去树林里找果子")],
    &[("plan", "去河边看小鱼")],
];

const INDOORS: Table = &[
    &[("indoors", "用纸做了很多小船")],
    &[("indoors", "一起做了一个大蛋糕")],
    &[("indoors", "画了一个大大的太阳")],
    &[("indoors", "一边喝热汤，一边讲故事")],
    &[("indoors", "一起唱了很多歌")],
];

const TRUTH: Shape = Shape {
    topic: "说实话",
    tables: &[ACCIDENTS],
    beats: &[
        &["{day}，{he}不小心{accident}。", "{day}，{he}在家里玩，不小心{accident}。"],
        &["没有谁看见，{he}想跑出去。", "{he}看看身边，谁也不在。"],
        &["可是{he}的心里很难过。", "可是{he}一天都吃不下东西。"],
        &["晚上，{he}对{elder}说：“对不起，是我做的。”", "最后，{he}把这件事告诉了{elder}。"],
        &["", "{elder}笑了，说：“谢谢你说实话。”", "{elder}抱了抱{he}。"],
        &["后来，{elder}和{he}一起{repair}。"],
        &["{hero}的心里又高兴起来了。", "从那以后，{hero}都说实话。"],
    ],
};

const ACCIDENTS: Table = &[
    &[("accident", "打破了{elder}的杯子"), ("repair", "做了一个新杯子")],
    &[("accident", "把窗子打破了"), ("repair", "做好了新的窗子")],
    &[("accident", "踢坏了{elder}的花"), ("repair", "种了新的花")],
    &[("accident", "弄破了{elder}的书"), ("repair", "把书补好了")],
    &[("accident", "弄坏了{elder}做的蛋糕"), ("repair", "做了一个新蛋糕")],
];

const NEW_FRIEND: Shape = Shape {
    topic: "新朋友",
    tables: &[GAMES],
    beats: &[
        &["{he}刚来到这里，一个朋友也没有。", "{he}天天自己玩，很想有一个朋友。"],
        &["{day}，{he}在{place}看见了{friend}。", "{day}，{he}去{place}玩，看见了{friend}。"],
        &["", "{he}想说话，可是不好意思开口。", "{he}站在树后面，看了很久。"],
        &["这时，{friend}的球跑到了{he}的脚边。", "这时，{friend}笑着走了过来。"],
        &["“我们一起{game}，好吗？”{friend}问。", "“你好！我们一起{game}吧！”{friend}说。"],
        &["“好啊！”{hero}高兴地说。", "{hero}笑着点了点头。"],
        &["", "{they}一直玩到太阳下山。", "{they}玩了一个下午。"],
        &["从那以后，{hero}有了一个好朋友。", "“明天见！”{friend}说。"],
    ],
};

const GAMES: Table = &[
    &[("game", "踢球")],
    &[("game", "跳舞")],
    &[("game", "放风筝")],
    &[("game", "画画")],
    &[("game", "唱歌")],
    &[("game", "玩水")],
];

const SEED: Shape = Shape {
    topic: "种子",
    tables: &[PLANTS],
    beats: &[
        &["春天，{elder}给了{he}一颗{plant}种子。", "春天，{he}得到了一颗{plant}种子。"],
        &["{he}把种子种在房子后面，给它喝水。", "{he}把种子放在地里，天天去看它。"],
        &["一天过去了，两天过去了，什么也没有长出来。", "可是过了很多天，地里什么也没有。"],
        &["“它是不是坏了？”{he}问{elder}。", "“它怎么还在睡觉？”{he}问。"],
        &["“别急，好东西要慢慢等。”{elder}说。"],
        &["", "{he}天天给它喝水，还唱歌给它听。"],
        &["一天早上，地里长出了一片小小的绿叶！"],
        &["到了夏天，它长得比{hero}还高。", "{hero}高兴得跳起舞来。", "“好东西真的要慢慢等！”{hero}说。"],
    ],
};

const PLANTS: Table =
    &[&[("plant", "西瓜")], &[("plant", "南瓜")], &[("plant", "苹果")], &[("plant", "花的")], &[("plant", "豆子的")]];

const SLEEP: Shape = Shape {
    topic: "睡觉",
    tables: &[AWAKE, REMEDIES, DREAMS],
    beats: &[
        &["一天晚上，{awake}，{he}睡不着。", "天黑了，可是{awake}，{he}睡不着。"],
        &["", "{he}翻过来，翻过去，就是睡不着。", "{he}从一数到十，又从一数到十。"],
        &["", "“我睡不着。”{he}对{elder}说。", "{elder}看见了，走了过来。"],
        &["{elder}{remedy}。", "“我来帮你。”{elder}说，然后{remedy}。"],
        &["", "慢慢地，{hero}的眼睛睁不开了。", "{hero}笑着闭上了眼睛。"],
        &["那天晚上，{hero}梦见{dream}。", "{hero}睡得很香，梦见{dream}。"],
    ],
};

const AWAKE: Table = &[
    &[("awake", "月亮太亮了")],
    &[("awake", "风声太大了")],
    &[("awake", "房子里太安静了")],
    &[("awake", "生日快到了")],
];

const REMEDIES: Table = &[
    &[("remedy", "小声地唱起了歌")],
    &[("remedy", "讲了一个很长的故事")],
    &[("remedy", "给{he}喝了一杯热水")],
    &[("remedy", "打开窗，和{he}一起看星星")],
];

const DREAMS: Table = &[
    &[("dream", "自己在天上飞")],
    &[("dream", "一条会飞的小船")],
    &[("dream", "一个蛋糕做的房子")],
    &[("dream", "自己和月亮一起跳舞")],
    &[("dream", "大海里都是{colour}花")],
];
