//! Suggested first messages for a model that was trained on the embedded corpus.

use super::Topic;
use super::world::{World, WorldConfig};

/// Messages that an assistant of the embedded corpus may be sent, with names of its world, about the topics that are
/// `wanted`.
#[must_use]
pub fn suggestions(world: &WorldConfig, wanted: impl Fn(Topic) -> bool) -> Vec<String> {
    let world = World::new(world);
    let people = world.people();
    let (first, last) = (people[0].name, people[people.len() - 1].name);
    let all = [
        (Topic::Recall, "My name is Lena.".to_owned()),
        (Topic::Story, "Tell me a story about a rabbit and an owl.".to_owned()),
        (Topic::Sum, "How much is 47 + 38?".to_owned()),
        (Topic::People, format!("Where does {first} live?")),
        (Topic::People, format!("Who is {last}?")),
        (Topic::Talk, "Tell me a funny joke.".to_owned()),
        (Topic::Chinese, "讲一个小猫的故事吧。".to_owned()),
    ];
    all.into_iter().filter(|(topic, _)| wanted(*topic)).map(|(_, text)| text).collect()
}
