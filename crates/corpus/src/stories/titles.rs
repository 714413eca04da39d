//! First lines of stories: they say what follows, as a request does.

use super::{Language, Story};
use crate::dice::Dice;

/// The story after a line that says what it is about: "A story about a rabbit named Mia.".
pub fn titled(story: &Story, dice: &mut Dice) -> String {
    let titles = match story.language {
        Language::English => english_titles(story),
        Language::Chinese => chinese_titles(story),
    };
    format!("{}\n{}", dice.pick(&titles), story.text)
}

/// Every first line that `story` can have.
fn english_titles(story: &Story) -> Vec<String> {
    let Story { hero, kind, a_kind, description, topic, .. } = story;
    let mut titles = vec![
        format!("A story about {a_kind}."),
        format!("A story about {a_kind}."),
        format!("A short story about {a_kind}."),
        format!("A story about {a_kind} named {hero}."),
        format!("A story about {description} named {hero}."),
        format!("A story about {hero}."),
        format!("The story of {hero}."),
        format!("A story about {topic}."),
        format!("A short story about {topic}."),
        format!("A story about {a_kind} and {topic}."),
    ];
    if !matches!(kind.as_str(), "girl" | "boy") {
        titles.push(format!("A story about {hero} the {kind}."));
        titles.push(format!("The story of {hero} the {kind}."));
    }
    if description != a_kind {
        titles.push(format!("A story about {description}."));
    }
    if let (Some(friend), Some(a_friend)) = (&story.friend, &story.a_friend) {
        titles.push(format!("A story about {a_kind} and {a_friend}."));
        titles.push(format!("A story about {hero} and {a_friend}."));
        titles.push(format!("The story of {hero} and the {friend}."));
        titles.push(format!("The {kind} and the {friend}."));
    }
    if let Some(setting) = &story.setting {
        titles.push(format!("A story {setting}."));
        titles.push(format!("A story about {a_kind} {setting}."));
    }
    titles
}

/// As [`english_titles`].
fn chinese_titles(story: &Story) -> Vec<String> {
    let Story { hero, kind, a_kind, topic, .. } = story;
    let mut titles = vec![
        format!("一个关于{kind}的故事。"),
        format!("关于{a_kind}的故事。"),
        format!("一个关于{kind}{hero}的故事。"),
        format!("一个关于{hero}的故事。"),
        format!("一个关于{topic}的故事。"),
        format!("{kind}的故事。"),
        format!("{kind}{hero}的故事。"),
        format!("{hero}的故事。"),
        format!("一个短故事，关于{kind}。"),
    ];
    if let Some(friend) = &story.friend {
        titles.push(format!("一个关于{kind}和{friend}的故事。"));
        titles.push(format!("{kind}和{friend}的故事。"));
        titles.push(format!("{hero}和{friend}的故事。"));
    }
    if let Some(setting) = &story.setting {
        titles.push(format!("{setting}的故事。"));
        titles.push(format!("一个发生在{setting}的故事。"));
    }
    titles
}
