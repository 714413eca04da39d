//! Who, where and what of the Chinese stories. The tables keep to a few hundred characters, so that a small model can
//! learn them.

use super::grammar::Table;

/// Names of heroes.
pub const NAMES: &[&str] =
    &["乐乐", "朵朵", "豆豆", "毛毛", "圆圆", "点点", "花花", "米米", "明明", "小雨", "小星", "果果"];

/// What a hero is, if not a girl or a boy. The measure word of each is 只.
pub const HEROES: &[&str] = &["小兔子", "小猫", "小鸭子", "小羊", "小老鼠", "小松鼠"];

/// What a hero's friend is. None is a hero: the two are never mixed up.
pub const FRIENDS: &[&str] = &["小熊", "小狗", "小猴子", "小狐狸", "小象", "小牛", "小马", "小鸡"];

/// First sentences.
pub const OPENINGS: &[&str] = &[
    "从前，有{one}{kind}，名字叫{hero}。",
    "从前，有{one}{trait}{kind}，名字叫{hero}。",
    "很久以前，{home}住着{one}{kind}，名字叫{hero}。",
    "{hero}是{one}{trait}{kind}，住在{home}。",
    "{home}住着{one}{trait}{kind}，大家都叫{he}{hero}。",
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
];

const HOMES: Table = &[
    &[("home", "森林里")],
    &[("home", "小河边")],
    &[("home", "山脚下")],
    &[("home", "大海边")],
    &[("home", "村子里")],
    &[("home", "大树下")],
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
    &[("toy", "小车"), ("onetoy", "一辆{colour}小车")],
    &[("toy", "小船"), ("onetoy", "一条{colour}小船")],
    &[("toy", "书包"), ("onetoy", "一个{colour}书包")],
];

const PLACES: Table = &[
    &[("place", "公园"), ("spot", "长椅下面"), ("wrong", "大树后面"), ("also", "水池边")],
    &[("place", "花园"), ("spot", "草丛里"), ("wrong", "门后面"), ("also", "花丛里")],
    &[("place", "海边"), ("spot", "石头后面"), ("wrong", "沙滩上"), ("also", "小船下面")],
    &[("place", "树林"), ("spot", "树洞里"), ("wrong", "小路边"), ("also", "落叶下面")],
    &[("place", "草地"), ("spot", "草丛里"), ("wrong", "石头旁边"), ("also", "大树下")],
    &[("place", "河边"), ("spot", "小桥下面"), ("wrong", "石头后面"), ("also", "草地上")],
];
