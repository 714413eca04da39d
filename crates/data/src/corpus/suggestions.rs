//! What a person may try first, shown beside a model that was trained on the embedded corpus.

use super::Topic;
use super::assistant::TopicShares;
use super::world::{World, WorldConfig};

/// Messages about the topics of `shares`, with names of the world, that an assistant of the embedded corpus can answer.
#[must_use]
pub fn suggestions(world: &WorldConfig, shares: TopicShares) -> Vec<String> {
    let world = World::new(world);
    let people = world.people();
    let (first, last) = (people[0].name, people[people.len() - 1].name);
    let all = [
        (Topic::Story, "Tell me a story about a rabbit and an owl.".to_owned()),
        (Topic::Sum, "How much is 47 + 38?".to_owned()),
        (Topic::People, format!("Where does {first} live?")),
        (Topic::People, format!("Who is {last}?")),
        (Topic::Recall, "My name is Lena.".to_owned()),
        (Topic::Talk, "Tell me a funny joke.".to_owned()),
        (Topic::Chinese, "讲一个小猫的故事吧。".to_owned()),
    ];
    let weights = shares.weights();
    all.into_iter().filter(|(topic, _)| weights[*topic as usize] > 0).map(|(_, text)| text).collect()
}
