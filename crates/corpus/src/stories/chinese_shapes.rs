//! Plots of the Chinese stories. A plot follows its opening with five beats; the fourth turns it, the last ends it.

use super::grammar::{StoryShape, Table};

/// Half of the plots; the others stand in `chinese_more_shapes`.
pub const SHAPES: &[StoryShape] = &[LOST, SHARING, FEAR, HELPING, QUARREL, LOST_WAY, RACE];

const LOST: StoryShape = StoryShape {
    name: "lost",
    topics: &["找东西", "丢了的{toy}", "找{toy}"],
    tables: &[],
    beats: &[
        &["{he}有{onetoy}，非常喜欢。", "{he}最喜欢的东西是{onetoy}。", "生日那天，{elder}送给{he}{onetoy}。"],
        &[
            "{day}，{he}去{place}玩，回家以后发现{toy}不见了。",
            "{day}，{he}在{at}玩，忽然发现{toy}不见了。",
            "{day}，{he}在{at}弄丢了{toy}。",
        ],
        &[
            "“别哭，我帮你找。”{friend}说。",
            "{friend}说：“我们一起去找吧。”",
            "{friend}来帮{he}找，{they}先看了{wrong}，没有找到。",
        ],
        &[
            "最后，{hero}在{spot}找到了{toy}。",
            "“快看，{toy}在{spot}！”{friend}大声说。",
            "找啊找，{they}终于在{spot}看到了{toy}。",
        ],
        &[
            "从那以后，{hero}再也没有丢过东西。",
            "“谢谢你，{friend}！”{hero}说。",
            "那天晚上，{hero}把{toy}放在床边，睡得很香。",
            "{hero}高兴得跳了起来。",
        ],
    ],
};

const SHARING: StoryShape = StoryShape {
    name: "sharing",
    topics: &["分享", "和朋友分享", "好吃的东西"],
    tables: &[FOODS],
    beats: &[
        &[
            "{day}，{elder}给了{he}{food}。",
            "{day}，{he}得到了{food}，心里很高兴。",
            "{day}，{he}带着{food}去{place}玩。",
        ],
        &[
            "{he}在路上看见了{friend}，{friend}看起来很难过。",
            "{he}正要吃，{friend}走了过来。",
            "这时，{he}遇到了{friend}，{friend}什么吃的也没有。",
        ],
        &[
            "“我好饿，今天什么也没吃。”{friend}说。",
            "“真香啊！”{friend}小声说。",
            "{hero}看看手里的东西，又看看{friend}。",
        ],
        &["“我们一起吃吧！”{hero}说。", "“这一半给你。”{hero}说。", "{hero}笑着说：“来，我们分着吃。”"],
        &[
            "{hero}觉得，和朋友一起吃的东西最好吃。",
            "第二天，{friend}也给{hero}带来了好吃的。",
            "从那以后，{hero}和{friend}成了最好的朋友。",
            "{they}一边吃，一边讲故事，开心极了。",
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

const FEAR: StoryShape = StoryShape {
    name: "fear",
    topics: &["勇敢", "不怕{fear}", "变得勇敢"],
    tables: &[FEARS],
    beats: &[
        &["{he}什么都不怕，就怕{fear}。", "{he}有一个秘密，就是怕{fear}。", "{he}最怕的是{fear}。"],
        &["{trouble}"],
        &["“别怕，{advice}。”{friend}说。", "{friend}走过来，说：“{advice}。”", "{friend}小声对{he}说：“{advice}。”"],
        &["{brave}"],
        &[
            "“我做到了！”{he}大声说。",
            "“你真勇敢！”{friend}说。",
            "从那以后，{hero}不那么怕{fear}了。",
            "回到家，{hero}把这件事告诉了{elder}。",
        ],
    ],
};

const FEARS: Table = &[
    &[
        ("fear", "天黑"),
        ("trouble", "一天晚上，灯忽然不亮了。"),
        ("advice", "天上的星星都是小灯"),
        ("brave", "{hero}看着窗外，数起了星星。"),
    ],
    &[
        ("fear", "打雷"),
        ("trouble", "一天晚上，外面下起了大雨，雷声很大。"),
        ("advice", "你慢慢地数到十"),
        ("brave", "{hero}数到十，雷声就走远了。"),
    ],
    &[
        ("fear", "下水"),
        ("trouble", "{day}，大家都在河里玩，{he}坐在河边看。"),
        ("advice", "跟着我，先放一只脚"),
        ("brave", "{hero}放下一只脚，又放下一只脚，很快就玩起了水。"),
    ],
    &[
        ("fear", "高的地方"),
        ("trouble", "{day}，{he}的风筝飞到了高高的树上。"),
        ("advice", "不要看下面，慢慢地爬"),
        ("brave", "{hero}一点一点地爬上去，拿到了风筝。"),
    ],
    &[
        ("fear", "在大家面前唱歌"),
        ("trouble", "{day}，大家请{he}唱一首歌。"),
        ("advice", "你看着我唱就好了"),
        ("brave", "{hero}看着{friend}，唱完了那首歌。"),
    ],
    &[
        ("fear", "过桥"),
        ("trouble", "{day}，{he}要走过一座高高的桥。"),
        ("advice", "一步一步地走，看着前面"),
        ("brave", "{hero}看着前面，一步一步地走过了桥。"),
    ],
];

const HELPING: StoryShape = StoryShape {
    name: "helping",
    topics: &["帮助别人", "善良", "帮助{friend}"],
    tables: &[RESCUES],
    beats: &[
        &[
            "{day}，{he}去{place}玩，听到一个很小的声音。",
            "{day}，{he}在去{place}的路上听到有谁在哭。",
            "{day}，{he}在{at}听见有谁在叫。",
        ],
        &["原来是{afriend}，{problem}。", "{he}一看，有{afriend}{problem}。", "那里有{afriend}，{problem}。"],
        &["“别怕，我来帮你。”{hero}说。", "“你怎么了？我来帮你！”{hero}说。", "{hero}跑过去，说：“等一等，我来了！”"],
        &[
            "{he}{help}，{friend}就{well}。",
            "{he}{help}，不一会儿，{friend}就{well}。",
            "于是{he}{help}，{friend}终于{well}。",
        ],
        &[
            "“谢谢你！”{friend}说，{they}成了好朋友。",
            "“帮助别人真开心！”{hero}说。",
            "从那以后，{friend}天天来找{hero}玩。",
            "{hero}高高兴兴地回家了。",
        ],
    ],
};

const RESCUES: Table = &[
    &[("problem", "掉进了洞里"), ("help", "放下一条长长的绳子"), ("well", "爬上来了")],
    &[("problem", "脚上有一根刺"), ("help", "轻轻地拿出了那根刺"), ("well", "不疼了")],
    &[("problem", "找不到家了"), ("help", "走了很远的路送{friend}"), ("well", "到家了")],
    &[("problem", "冷得发抖"), ("help", "把自己的围巾给了{friend}"), ("well", "不冷了")],
    &[("problem", "在树枝下面出不来"), ("help", "搬开了树枝"), ("well", "出来了")],
    &[("problem", "过不了小河"), ("help", "搬来了一块长木头"), ("well", "过了河")],
    &[("problem", "饿得走不动了"), ("help", "给了{friend}一个面包"), ("well", "不饿了")],
];

const QUARREL: StoryShape = StoryShape {
    name: "quarrel",
    topics: &["说对不起", "和好", "吵架"],
    tables: &[],
    beats: &[
        &[
            "{day}，{he}和{friend}都想玩{onetoy}。",
            "{day}，{he}拿走了{friend}的{toy}。",
            "{day}，{he}弄坏了{friend}的{toy}。",
        ],
        &[
            "“我再也不和你玩了！”{friend}大声说。",
            "{friend}很生气，跑回家去了。",
            "{they}大吵了一架，{friend}哭着回家了。",
        ],
        &[
            "{hero}自己玩，可是一点也不开心。",
            "晚上，{hero}想着{friend}，心里很难过。",
            "{hero}坐在家里，觉得是自己不好。",
        ],
        &[
            "第二天，{he}对{friend}说：“对不起。”",
            "{he}跑去找{friend}，说：“对不起，是我不好。”",
            "“是我不对，我们和好吧。”{he}对{friend}说。",
        ],
        &["“没关系！”{friend}笑着说。", "{hero}和{friend}又成了好朋友。", "从那以后，{hero}和{friend}再也没有吵过架。"],
    ],
};

const LOST_WAY: StoryShape = StoryShape {
    name: "lost way",
    topics: &["迷路", "回家", "找到回家的路"],
    tables: &[SIGNS],
    beats: &[
        &[
            "{day}，{he}去{place}玩，迷了路。",
            "{day}，{he}走得太远，在{at}迷了路。",
            "{day}，{he}跟着一片落叶跑，在{at}迷了路。",
        ],
        &[
            "天黑了，{he}哭了起来。",
            "“我的家在哪里？”{he}大声问，可是没有谁回答。",
            "每条路看起来都一样，天也慢慢黑了。",
        ],
        &[
            "这时，{afriend}走过来，问：“你迷路了吗？”",
            "这时，{afriend}拿着小灯走了过来。",
            "{afriend}听见了，说：“我送你回家。”",
        ],
        &[
            "{they}跟着{sign}，一步一步地走。",
            "{they}跟着{sign}走啊走，终于看到了家里的灯。",
            "{friend}告诉{he}，跟着{sign}就能回家。",
        ],
        &[
            "回到家，{hero}对{friend}说：“谢谢你！”",
            "{hero}终于回到了家，{elder}高兴地抱住了{he}。",
            "到家以后，{hero}请{friend}一起吃了晚饭。",
        ],
    ],
};

const SIGNS: Table = &[
    &[("sign", "天上的星星")],
    &[("sign", "月亮")],
    &[("sign", "小河")],
    &[("sign", "路边的白石头")],
    &[("sign", "远处的歌声")],
];

const RACE: StoryShape = StoryShape {
    name: "race",
    topics: &["赛跑", "一场赛跑", "得第一"],
    tables: &[],
    beats: &[
        &["{day}，{at}有一场赛跑。", "{day}，大家都来到{at}看赛跑。", "每年春天，{at}都有一场赛跑。"],
        &["{he}和{friend}都想得第一。", "{he}想得第一，{friend}也想得第一。", "“我要得第一！”{he}对{friend}说。"],
        &[
            "{hero}跑在最前面，可是{friend}忽然摔倒了。",
            "{hero}跑得像风一样快，可是{friend}摔倒了。",
            "跑着跑着，{hero}看见{friend}摔倒了。",
        ],
        &["{he}停下来，把{friend}扶了起来。", "“我不能丢下你。”{he}说着跑了回来。", "{he}忘了赛跑，跑回去帮{friend}。"],
        &[
            "{they}没有得第一，可是大家都为{they}拍手。",
            "最后，{hero}和{friend}一起走到了终点。",
            "“你真是我的好朋友！”{friend}说。",
            "{they}最后才到，可是心里很高兴。",
        ],
    ],
};
