//! Places and things of the Chinese stories; people are in `chinese_cast`. The tables keep to a few hundred characters,
//! so that a small model can learn them.

use super::grammar::Table;

/// First sentences. Each names the hero and the hero's kind.
pub const OPENINGS: &[&str] = &[
    "从前，有{akind}，名字叫{hero}。",
    "从前，有{one}{trait}{kind}，名字叫{hero}。",
    "很久以前，{home}住着{akind}，名字叫{hero}。",
    "{hero}是{one}{trait}{kind}，住在{home}。",
    "{home}住着{one}{trait}{kind}，大家都叫{he}{hero}。",
    "{home}有{akind}，名字叫{hero}。",
];

/// Tables from which every story draws a row.
pub const COMMON: &[Table] = &[TRAITS, HOMES, DAYS, ELDERS, COLOURS, TOYS, PLACES];

const TRAITS: Table = &[
    &[("trait", "可爱的")],
    &[("trait", "聪明的")],
    &[("trait", "害羞的")],
    &[("trait", "快乐的")],
    &[("trait", "安静的")],
    &[("trait", "好奇的")],
    &[("trait", "善良的")],
    &[("trait", "爱笑的")],
];

/// A home, the noun that a request would name it by, and where a story at home plays.
const HOMES: Table = &[
    &[("home", "森林里"), ("homenoun", "森林"), ("homesetting", "森林里")],
    &[("home", "小河边"), ("homenoun", "小河"), ("homesetting", "小河边")],
    &[("home", "大山里"), ("homenoun", "大山"), ("homesetting", "大山里")],
    &[("home", "大海边"), ("homenoun", "大海"), ("homesetting", "大海边")],
    &[("home", "村子里"), ("homenoun", "村子"), ("homesetting", "村子里")],
    &[("home", "大树下"), ("homenoun", "大树"), ("homesetting", "大树下")],
    &[("home", "小岛上"), ("homenoun", "小岛"), ("homesetting", "小岛上")],
    &[("home", "城市里"), ("homenoun", "城市"), ("homesetting", "城市里")],
];

const DAYS: Table = &[
    &[("day", "有一天")],
    &[("day", "一天早上")],
    &[("day", "一天下午")],
    &[("day", "星期天")],
    &[("day", "春天的一天")],
];

const ELDERS: Table =
    &[&[("elder", "妈妈")], &[("elder", "爸爸")], &[("elder", "奶奶")], &[("elder", "爷爷")], &[("elder", "外婆")]];

const COLOURS: Table = &[
    &[("colour", "红色的")],
    &[("colour", "蓝色的")],
    &[("colour", "黄色的")],
    &[("colour", "绿色的")],
    &[("colour", "白色的")],
];

const TOYS: Table = &[
    &[("toy", "皮球"), ("onetoy", "一个{colour}皮球")],
    &[("toy", "风筝"), ("onetoy", "一只{colour}风筝")],
    &[("toy", "帽子"), ("onetoy", "一顶{colour}帽子")],
    &[("toy", "围巾"), ("onetoy", "一条{colour}围巾")],
    &[("toy", "玩具车"), ("onetoy", "一辆{colour}玩具车")],
    &[("toy", "玩具船"), ("onetoy", "一条{colour}玩具船")],
    &[("toy", "书包"), ("onetoy", "一个{colour}书包")],
    &[("toy", "杯子"), ("onetoy", "一个{colour}杯子")],
];

/// A place, the place as an adverbial, and parts of it: where a thing is found, and where it is looked for.
const PLACES: Table = &[
    &[("place", "公园"), ("placenoun", "公园"), ("at", "公园里"), ("spot", "长椅下面"), ("wrong", "大树后面")],
    &[("place", "花园"), ("placenoun", "花园"), ("at", "花园里"), ("spot", "草丛里"), ("wrong", "门后面")],
    &[("place", "海边"), ("placenoun", "海边"), ("at", "海边"), ("spot", "石头后面"), ("wrong", "沙滩上")],
    &[("place", "树林"), ("placenoun", "树林"), ("at", "树林里"), ("spot", "树洞里"), ("wrong", "小路边")],
    &[("place", "草地"), ("placenoun", "草地"), ("at", "草地上"), ("spot", "草丛里"), ("wrong", "石头旁边")],
    &[("place", "河边"), ("placenoun", "河边"), ("at", "河边"), ("spot", "小桥下面"), ("wrong", "石头后面")],
    &[("place", "山上"), ("placenoun", "山上"), ("at", "山上"), ("spot", "山洞里"), ("wrong", "石头后面")],
];
