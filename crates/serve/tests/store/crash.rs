//! A writer that is killed at any moment loses no reply that it reported, and stores none twice.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use fireclay_serve::store::{Content, NewConversation, Parent, Role, Status, Store};

use super::{ANN, ask, completed};

/// The database of the writer process.
const DATABASE: &str = "FIRECLAY_TEST_WRITER_DATABASE";

/// Not a test: the process that is killed. It reports each reply once that is stored.
#[tokio::test]
#[ignore = "the other process of the test below"]
async fn writer() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    let store = Store::open(&database).await.unwrap();
    let id = store.create_conversation(ANN, NewConversation::default()).await.unwrap().id;
    for turn in 0.. {
        ask(&store, &id, Parent::Leaf, "go on").await;
        let reply = store.begin_reply(ANN, &id, Parent::Leaf, "tiny", None).await.unwrap();
        println!("begun {}", reply.id);
        store.save_progress(ANN, &reply.id, "half", None).await.unwrap();
        store.finish_reply(ANN, &reply.id, completed(&format!("reply {turn}"))).await.unwrap();
        println!("finished {} reply {turn}", reply.id);
        std::io::stdout().flush().unwrap();
    }
}

fn start(database: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::writer", "--ignored", "--nocapture"])
        .env(DATABASE, database)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads the writer's reports, kills it after the given number of finished replies, and returns all that it reported.
fn kill_after(mut child: Child, replies: usize) -> BTreeMap<String, String> {
    let mut finished = BTreeMap::new();
    let mut killed = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The line may be cut off in the middle by the kill: only whole reports count.
        if let Some((id, text)) = line.strip_prefix("finished ").and_then(|rest| rest.split_once(' '))
            && text.starts_with("reply ")
        {
            finished.insert(id.to_owned(), text.to_owned());
        }
        // In turn after a reply was finished, and while one is in progress.
        let here = if replies.is_multiple_of(2) { line.starts_with("begun") } else { line.starts_with("finished") };
        if !killed && finished.len() >= replies && here {
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    assert!(killed, "the writer ended by itself");
    finished
}

#[tokio::test]
async fn a_killed_writer_loses_no_finished_reply_and_leaves_none_in_progress() {
    let folder = tempfile::tempdir().unwrap();
    let database = super::fresh(folder.path().join("chats.db").to_str().unwrap()).await;
    let mut finished = BTreeMap::new();
    for replies in [0, 1, 2, 5, 8, 13] {
        finished.extend(kill_after(start(&database), replies));
    }
    let store = Store::open(&database).await.unwrap();
    let mut stored = BTreeMap::new();
    let list = store.conversations(ANN, &fireclay_serve::store::ListQuery::default()).await.unwrap();
    assert!(!list.conversations.is_empty());
    for conversation in list.conversations {
        let tree = store.tree(ANN, &conversation.id).await.unwrap();
        let mut texts = std::collections::BTreeSet::new();
        for message in &tree.messages {
            assert_ne!(message.status, Status::InProgress, "{message:?}");
            if message.role == Role::Assistant && message.status == Status::Completed {
                let Content::Text(text) = &message.content else { panic!("{message:?}") };
                assert!(texts.insert(text.clone()), "{text} is stored twice");
                stored.insert(message.id.clone(), text.clone());
            }
        }
    }
    for (id, text) in &finished {
        // A last line that the kill cut off is a prefix of the stored text.
        assert!(stored.get(id).is_some_and(|stored| stored.starts_with(text)), "{id} {text} was lost");
    }
    // The kill falls between storing and reporting at most once a process.
    assert!(stored.len() <= finished.len() + 6, "{} stored, {} reported", stored.len(), finished.len());
}

#[tokio::test]
async fn an_interrupted_reply_keeps_what_was_saved_and_can_be_followed() {
    let folder = tempfile::tempdir().unwrap();
    let place = super::fresh(folder.path().join("chats.db").to_str().unwrap()).await;
    let store = Store::open(&place).await.unwrap();
    let id = store.create_conversation(ANN, NewConversation::default()).await.unwrap().id;
    ask(&store, &id, Parent::Root, "a story?").await;
    let reply = store.begin_reply(ANN, &id, Parent::Leaf, "tiny", None).await.unwrap();
    store.save_progress(ANN, &reply.id, "Once upon", None).await.unwrap();
    drop(store);
    let store = Store::open(&place).await.unwrap();
    let found = store.message(ANN, &reply.id).await.unwrap();
    assert_eq!((found.status, found.finish_reason.as_deref()), (Status::Incomplete, Some("interrupted")));
    assert_eq!(found.content, "Once upon".into());
    ask(&store, &id, Parent::Leaf, "go on").await;
    assert_eq!(super::said(&store, &id).await, ["a story?", "Once upon", "go on"]);
}
