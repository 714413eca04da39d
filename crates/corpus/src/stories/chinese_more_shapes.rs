//! More plots of the Chinese stories: rain, the truth, new friends, seeds, sleep, gifts and stars.

use super::grammar::{StoryShape, Table};

/// The other half of the plots.
pub const MORE_SHAPES: &[StoryShape] = &[RAIN, TRUTH, NEW_FRIEND, SEED, SLEEP, GIFT, STAR];

const RAIN: StoryShape = StoryShape {
    name: "rain",
    topics: &["下雨天", "下雨", "快乐的一天"],
    tables: &[PLANS, INDOORS],
    beats: &[
        &[
            "{day}，{he}和{friend}想{plan}。",
            "“今天我们{plan}吧！”{he}对{friend}说。",
            "{he}和{friend}早就想{plan}了。",
        ],
        &["可是天忽然下起了大雨。", "可是外面刮起了大风，还下起了雨。", "可是刚要出门，天就下起了大雨。"],
        &["“今天不能出去玩了。”{friend}难过地说。", "{friend}看着窗外，不说话了。", "“怎么办呢？”{friend}问。"],
        &[
            "“没关系，我有一个好主意！”{hero}说，然后{they}{indoors}。",
            "“那我们在家里玩吧！”{hero}说，然后{they}{indoors}。",
            "{hero}笑了笑，拉着{friend}回到家里，{indoors}。",
        ],
        &[
            "这真是快乐的一天。",
            "“我希望明天也下雨。”{friend}说。",
            "“明天再一起玩吧！”{friend}说。",
            "{they}玩得很开心，雨停了都不知道。",
        ],
    ],
};

const PLANS: Table = &[
    &[("plan", "出去放风筝")],
    &[("plan", "出去踢球")],
    &[("plan", "去找果子")],
    &[("plan", "去看小鱼")],
    &[("plan", "出去走一走")],
];

const INDOORS: Table = &[
    &[("indoors", "用纸做了很多小船")],
    &[("indoors", "做了一个大蛋糕")],
    &[("indoors", "画了一个大大的太阳")],
    &[("indoors", "一边喝热汤，一边讲故事")],
    &[("indoors", "唱了很多歌")],
];

const TRUTH: StoryShape = StoryShape {
    name: "truth",
    topics: &["说实话", "认错", "做错了事"],
    tables: &[ACCIDENTS],
    beats: &[
        &[
            "{day}，{he}不小心{accident}。",
            "{day}，{he}在家里玩，不小心{accident}。",
            "{elder}不在家的时候，{he}不小心{accident}。",
        ],
        &["没有谁看见，{he}想跑出去。", "{he}看看身边，谁也不在。", "{he}想：“就说不是我做的吧。”"],
        &[
            "可是{he}心里很难过，就把这件事告诉了{elder}。",
            "可是{he}吃不下饭，晚上对{elder}说：“对不起，是我做的。”",
            "最后，{he}还是对{elder}说：“对不起，是我不好。”",
        ],
        &[
            "{elder}抱了抱{he}，和{he}一起{repair}。",
            "“谢谢你说实话。”{elder}说，然后和{he}一起{repair}。",
            "{elder}笑了，第二天和{he}一起{repair}。",
        ],
        &["{hero}的心里又高兴起来了。", "从那以后，{hero}都说实话。", "那天晚上，{hero}睡得很香。"],
    ],
};

const ACCIDENTS: Table = &[
    &[("accident", "打破了{elder}的杯子"), ("repair", "做了一个新杯子")],
    &[("accident", "把窗子打破了"), ("repair", "做好了新的窗子")],
    &[("accident", "踢坏了{elder}的花"), ("repair", "种了新的花")],
    &[("accident", "弄破了{elder}的书"), ("repair", "把书补好了")],
    &[("accident", "弄坏了{elder}做的蛋糕"), ("repair", "做了一个新蛋糕")],
];

const NEW_FRIEND: StoryShape = StoryShape {
    name: "new friend",
    topics: &["新朋友", "交朋友", "友谊"],
    tables: &[GAMES],
    beats: &[
        &["{he}刚来到这里，一个朋友也没有。", "{he}天天自己玩，很想有一个朋友。", "{he}有很多玩具，可是没有朋友。"],
        &[
            "{day}，{he}在{at}看见了{afriend}。",
            "{day}，{he}去{place}玩，看见了{afriend}。",
            "{day}，{he}在{at}遇到了{afriend}。",
        ],
        &["{hero}想说话，可是不好意思开口。", "{hero}站在树后面，看了很久。", "“它会喜欢我吗？”{hero}想。"],
        &[
            "这时，{friend}笑着走过来，说：“我们一起{game}吧！”",
            "“你好！我们一起{game}，好吗？”{friend}问。",
            "{friend}看见了{he}，说：“来，我们一起{game}！”",
        ],
        &[
            "{they}玩了一个下午，成了好朋友。",
            "从那以后，{hero}有了一个好朋友。",
            "{they}一直玩到太阳下山，{friend}说：“明天见！”",
            "回到家，{hero}高兴地对{elder}说：“我有朋友了！”",
        ],
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

const SEED: StoryShape = StoryShape {
    name: "seed",
    topics: &["种子", "{plant}种子", "慢慢等"],
    tables: &[PLANTS],
    beats: &[
        &[
            "春天，{elder}给了{he}一颗{plant}种子。",
            "春天，{he}得到了一颗{plant}种子，把它种在地里。",
            "春天，{he}在地里种下了一颗{plant}种子。",
        ],
        &[
            "{he}天天给它喝水，可是什么也没有长出来。",
            "{he}天天去看它，可是地里什么也没有。",
            "一天过去了，两天过去了，什么也没有长出来。",
        ],
        &["“别急，好东西要慢慢等。”{friend}说。", "“它还在睡觉呢。”{friend}说。", "{friend}说：“再等一等吧。”"],
        &[
            "一天早上，地里长出了一片小小的绿叶！",
            "下过雨以后，地里长出了一片绿叶！",
            "{he}等啊等，终于等到了一片小小的绿叶！",
        ],
        &[
            "到了夏天，它长得又高又大，{hero}非常高兴。",
            "{hero}高兴得跳起舞来。",
            "“好东西真的要慢慢等！”{hero}说。",
            "“你说得对！”{hero}对{friend}说。",
        ],
    ],
};

const PLANTS: Table =
    &[&[("plant", "西瓜")], &[("plant", "南瓜")], &[("plant", "苹果")], &[("plant", "花的")], &[("plant", "豆子的")]];

const SLEEP: StoryShape = StoryShape {
    name: "sleep",
    topics: &["睡觉", "睡不着的晚上", "一个好梦"],
    tables: &[AWAKE, REMEDIES, DREAMS],
    beats: &[
        &["一天晚上，{awake}，{he}睡不着。", "天黑了，可是{awake}，{he}睡不着。", "夜里，{he}睡不着，因为{awake}。"],
        &["{he}翻过来，翻过去，一点也不困。", "{he}从一数到十，又从一数到十。", "{he}闭上眼睛，可是眼睛又睁开了。"],
        &["“我睡不着。”{he}对{elder}说。", "{elder}看见了，走了过来。", "于是，{he}去找{elder}。"],
        &["{elder}{remedy}。", "“我来帮你。”{elder}说，然后{remedy}。", "{elder}笑了笑，{remedy}。"],
        &[
            "慢慢地，{hero}睡着了，梦见{dream}。",
            "{hero}闭上眼睛，梦见{dream}。",
            "那天晚上，{hero}睡得很香，梦见{dream}。",
        ],
    ],
};

const AWAKE: Table = &[
    &[("awake", "月亮太亮了")],
    &[("awake", "风声太大了")],
    &[("awake", "房子里太安静了")],
    &[("awake", "外面的雨声太大了")],
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

const GIFT: StoryShape = StoryShape {
    name: "gift",
    topics: &["生日礼物", "礼物", "朋友的生日"],
    tables: &[GIFTS],
    beats: &[
        &["{he}的好朋友{friend}快要过生日了。", "明天是{friend}的生日。", "{he}想送给{friend}一个生日礼物。"],
        &["可是{he}没有钱，不知道送什么好。", "{he}去店里看了看，东西都太贵了。", "{he}想啊想，不知道送什么好。"],
        &["“自己做的礼物最好。”{elder}说。", "{elder}说：“你可以自己做一个。”", "“用心做的礼物最好。”{elder}说。"],
        &["于是，{hero}{made}。", "{hero}想了想，{made}。", "{hero}高兴地跑回家，{made}。"],
        &[
            "“这是最好的礼物！”{friend}说。",
            "{friend}看到{gift}，高兴得跳了起来。",
            "{friend}非常喜欢{gift}，{they}一起唱起了歌。",
        ],
    ],
};

const GIFTS: Table = &[
    &[("made", "画了一张画"), ("gift", "画")],
    &[("made", "做了一个小蛋糕"), ("gift", "蛋糕")],
    &[("made", "用花做了一顶帽子"), ("gift", "花帽子")],
    &[("made", "写了一本故事书"), ("gift", "故事书")],
    &[("made", "用纸做了一条{colour}小船"), ("gift", "小船")],
];

const STAR: StoryShape = StoryShape {
    name: "star",
    topics: &["星星", "一颗小星星", "掉下来的星星"],
    tables: &[LIFTS],
    beats: &[
        &[
            "一天晚上，一颗小星星从天上掉了下来。",
            "一天晚上，{he}在草丛里看见了一颗小星星。",
            "夜里，{he}看见一颗小星星掉在地上。",
        ],
        &["“我想回家。”小星星哭着说。", "“请送我回到天上去。”小星星说。", "小星星又冷又怕，很想回家。"],
        &[
            "{hero}跳了又跳，可是天太高了。",
            "{hero}爬到大树上，可是天还是太高了。",
            "{hero}想把它送上天，可是它又掉了下来。",
        ],
        &[
            "这时，{friend}拿来了{lift}，{ride}。",
            "“我来帮你！”{friend}说着拿来了{lift}，{ride}。",
            "{friend}有一个好主意，拿来了{lift}，{ride}。",
        ],
        &[
            "从那以后，小星星每天晚上都对着{hero}笑。",
            "“晚安，小星星！”{hero}说。",
            "现在，它天天在天上看着{hero}和{friend}。",
        ],
    ],
};

const LIFTS: Table = &[
    &[("lift", "一只大风筝"), ("ride", "风筝带着小星星飞回了家")],
    &[("lift", "一个{colour}气球"), ("ride", "气球带着小星星飞上了天")],
    &[("lift", "一条长长的绳子"), ("ride", "月亮把小星星拉了上去")],
];
