//! Stored conversations: the tree, accounts, crashes, files, and training data.

mod operations;
mod model;
mod accounts;
mod crash;
mod transfer;
mod preferences;
mod turns;

use sqlx::Connection;

use fireclay_serve::store::{
    Content, NewConversation, NewMessage, Parent, ReplyOutcome, Role, Status, Store, StoredMessage,
};

/// An account.
const ANN: &str = "ann";

/// A server for which these tests run too: `scripts/check_postgres.sh` starts one.
const POSTGRES: &str = "FIRECLAY_TEST_POSTGRES";

/// An empty database: in memory, or on the `PostgreSQL` server that the environment names.
async fn memory() -> Store {
    Store::open(&fresh(":memory:").await).await.expect("an empty database")
}

/// A new database on the server, or else `place`.
async fn fresh(place: &str) -> String {
    let Ok(server) = std::env::var(POSTGRES) else { return place.to_owned() };
    let name = fireclay_serve::store::new_id("test");
    sqlx::any::install_default_drivers();
    let mut admin = sqlx::AnyConnection::connect(&format!("{server}/postgres")).await.expect("the server answers");
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(create).execute(&mut admin).await.expect("a new database");
    format!("{server}/{name}")
}

/// A store in memory with an empty conversation.
async fn begun() -> (Store, String) {
    let store = memory().await;
    let conversation = store.create_conversation(ANN, NewConversation::default()).await.unwrap();
    (store, conversation.id)
}

fn user(text: &str) -> NewMessage {
    NewMessage::new(Role::User, text)
}

fn behind(message: &StoredMessage) -> Parent {
    Parent::Message(message.id.clone())
}

fn completed(text: &str) -> ReplyOutcome {
    ReplyOutcome {
        content: text.into(),
        tool_calls: None,
        status: Status::Completed,
        finish_reason: Some("stop".into()),
        usage: None,
    }
}

/// Adds a user's message.
async fn ask(store: &Store, conversation: &str, parent: Parent, text: &str) -> StoredMessage {
    store.append(ANN, conversation, parent, vec![user(text)]).await.unwrap().remove(0)
}

/// Generates a reply.
async fn reply(store: &Store, conversation: &str, parent: Parent, text: &str) -> StoredMessage {
    let begun = store.begin_reply(ANN, conversation, parent, "tiny", None).await.unwrap();
    store.finish_reply(ANN, &begun.id, completed(text)).await.unwrap()
}

/// Messages from the root to the leaf.
async fn said(store: &Store, conversation: &str) -> Vec<String> {
    store.path(ANN, conversation).await.unwrap().iter().map(|message| message.content.text()).collect()
}

fn text(message: &StoredMessage) -> &str {
    match &message.content {
        Content::Text(text) => text,
        Content::Parts(_) => panic!("plain text was stored"),
    }
}
