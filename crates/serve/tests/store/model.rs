//! Any sequence of sends, edits, regenerations, selections and deletions does what a tree of texts in memory does.

use fireclay_serve::store::{Parent, Store};
use proptest::prelude::*;

use super::{ANN, begun};

/// One thing that a person does. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Action {
    Send,
    Edit(usize),
    Regenerate(usize),
    Select(usize),
    Delete(usize),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => Just(Action::Send),
        2 => any::<usize>().prop_map(Action::Edit),
        3 => any::<usize>().prop_map(Action::Regenerate),
        3 => any::<usize>().prop_map(Action::Select),
        1 => any::<usize>().prop_map(Action::Delete),
    ]
}

#[derive(Default)]
struct Model {
    nodes: Vec<Node>,
    leaf: Option<usize>,
}

struct Node {
    id: String,
    text: String,
    parent: Option<usize>,
    is_reply: bool,
    deleted: bool,
}

impl Model {
    fn alive(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&index| !self.nodes[index].deleted).collect()
    }

    fn choose(&self, number: usize, is_reply: bool) -> Option<usize> {
        let fitting: Vec<usize> =
            self.alive().into_iter().filter(|&index| self.nodes[index].is_reply == is_reply).collect();
        (!fitting.is_empty()).then(|| fitting[number % fitting.len()])
    }

    fn path(&self) -> Vec<&str> {
        let mut path = vec![];
        let mut next = self.leaf;
        while let Some(index) = next {
            path.push(self.nodes[index].text.as_str());
            next = self.nodes[index].parent;
        }
        path.reverse();
        path
    }

    fn place(&self, parent: Option<usize>) -> Parent {
        parent.map_or(Parent::Root, |index| Parent::Message(self.nodes[index].id.clone()))
    }

    async fn say(&mut self, store: &Store, conversation: &str, parent: Option<usize>, is_reply: bool) {
        let text = format!("text {}", self.nodes.len());
        let place = self.place(parent);
        let message = match is_reply {
            true => super::reply(store, conversation, place, &text).await,
            false => super::ask(store, conversation, place, &text).await,
        };
        self.nodes.push(Node { id: message.id, text, parent, is_reply, deleted: false });
        self.leaf = Some(self.nodes.len() - 1);
    }

    /// A question under `parent`, and its answer.
    async fn turn(&mut self, store: &Store, conversation: &str, parent: Option<usize>) {
        self.say(store, conversation, parent, false).await;
        self.say(store, conversation, self.leaf, true).await;
    }

    async fn apply(&mut self, store: &Store, conversation: &str, action: &Action) {
        match *action {
            Action::Send => self.turn(store, conversation, self.leaf).await,
            Action::Edit(number) => {
                if let Some(edited) = self.choose(number, false) {
                    self.turn(store, conversation, self.nodes[edited].parent).await;
                }
            }
            Action::Regenerate(number) => {
                if let Some(reply) = self.choose(number, true) {
                    self.say(store, conversation, self.nodes[reply].parent, true).await;
                }
            }
            Action::Select(number) => {
                let alive = self.alive();
                if alive.is_empty() {
                    return;
                }
                let mut leaf = alive[number % alive.len()];
                store.select_branch(ANN, conversation, &self.nodes[leaf].id).await.unwrap();
                while let Some(&child) = alive.iter().rev().find(|&&index| self.nodes[index].parent == Some(leaf)) {
                    leaf = child;
                }
                self.leaf = Some(leaf);
            }
            Action::Delete(number) => {
                let alive = self.alive();
                if alive.is_empty() {
                    return;
                }
                let gone = alive[number % alive.len()];
                store.delete_message(ANN, conversation, &self.nodes[gone].id).await.unwrap();
                self.nodes[gone].deleted = true;
                let parent = self.nodes[gone].parent;
                for node in &mut self.nodes {
                    if node.parent == Some(gone) {
                        node.parent = parent;
                    }
                }
                if self.leaf == Some(gone) {
                    self.leaf = parent;
                }
            }
        }
    }

    async fn check(&self, store: &Store, conversation: &str) {
        let tree = store.tree(ANN, conversation).await.unwrap();
        let expected: Vec<(&str, &str, Option<&str>)> = self
            .alive()
            .into_iter()
            .map(|index| &self.nodes[index])
            .map(|node| {
                (node.id.as_str(), node.text.as_str(), node.parent.map(|parent| self.nodes[parent].id.as_str()))
            })
            .collect();
        let found: Vec<(&str, &str, Option<&str>)> = tree
            .messages
            .iter()
            .map(|message| (message.id.as_str(), super::text(message), message.parent.as_deref()))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(super::said(store, conversation).await, self.path());
        let of_tree: Vec<&str> = tree.path(tree.conversation.leaf.as_deref()).into_iter().map(super::text).collect();
        assert_eq!(of_tree, self.path());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_stored_tree_is_the_tree_in_memory(actions in prop::collection::vec(action(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (store, conversation) = begun().await;
            let mut model = Model::default();
            for action in &actions {
                model.apply(&store, &conversation, action).await;
                model.check(&store, &conversation).await;
            }
        });
    }
}
