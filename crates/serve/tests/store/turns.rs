//! Writers that die beside others that live, and changes that meet.

use std::time::Duration;

use fireclay_serve::store::{
    MessagePart, MessageRating, NewMessage, Parent, RatingChange, Role, Status, Store, StoreError, Verdict,
};
use serde_json::json;

use super::{ANN, ask, begun, memory, reply, said};

/// A database in a file, with a reply that its first store left in progress and dropped, and a second store that was
/// open before.
async fn with_a_dead_writer() -> (tempfile::TempDir, Store, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let place = super::fresh(folder.path().join("chats.db").to_str().unwrap()).await;
    let first = Store::open(&place).await.unwrap();
    let second = Store::open(&place).await.unwrap();
    let id = first.create_conversation(ANN, fireclay_serve::store::NewConversation::default()).await.unwrap().id;
    ask(&first, &id, Parent::Root, "a story?").await;
    let begun = first.begin_reply(ANN, &id, Parent::Leaf, "tiny", None).await.unwrap();
    let busy = second.append(ANN, &id, Parent::Leaf, vec![NewMessage::new(Role::User, "go on")]).await;
    assert!(matches!(busy, Err(StoreError::Busy(_))), "{busy:?}");
    assert_eq!(second.settled(ANN, &begun.id).await.unwrap().status, Status::InProgress);
    first.close().await;
    drop(first);
    if place.starts_with("postgres") {
        // The server frees the lock of a closed connection a moment later.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    (folder, second, id, begun.id)
}

#[tokio::test]
async fn a_conversation_goes_on_after_the_reply_of_a_writer_that_died() {
    let (_folder, store, id, _) = with_a_dead_writer().await;
    ask(&store, &id, Parent::Leaf, "go on").await;
    assert_eq!(said(&store, &id).await, ["a story?", "", "go on"]);
}

#[tokio::test]
async fn the_reply_of_a_writer_that_died_can_be_read_rated_and_deleted() {
    let (_folder, store, _, dead) = with_a_dead_writer().await;
    let settled = store.settled(ANN, &dead).await.unwrap();
    assert_eq!((settled.status, settled.finish_reason.as_deref()), (Status::Incomplete, Some("interrupted")));
    let (_folder, store, _, dead) = with_a_dead_writer().await;
    let down = MessageRating { verdict: Some(Verdict::Down), better: None };
    store.rate(ANN, &dead, &down).await.unwrap();
    let (_folder, store, id, dead) = with_a_dead_writer().await;
    store.delete_message(ANN, &id, &dead).await.unwrap();
    assert_eq!(said(&store, &id).await, ["a story?"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_has_its_writers_by_whatever_path_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("chats.db");
    let first = Store::open(place.to_str().unwrap()).await.unwrap();
    let id = first.create_conversation(ANN, fireclay_serve::store::NewConversation::default()).await.unwrap().id;
    let begun = first.begin_reply(ANN, &id, Parent::Leaf, "tiny", None).await.unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&place, &link).unwrap();
    let dotted = folder.path().join(".").join("chats.db");
    for other in [&link, &dotted] {
        let second = Store::open(other.to_str().unwrap()).await.unwrap();
        assert_eq!(second.message(ANN, &begun.id).await.unwrap().status, Status::InProgress, "{}", other.display());
    }
}

#[tokio::test]
async fn changes_of_a_rating_leave_its_other_part() {
    let (store, id) = begun().await;
    ask(&store, &id, Parent::Root, "2+2?").await;
    let wrong = reply(&store, &id, Parent::Leaf, "5").await;
    let change = async |verdict: Option<Option<Verdict>>, better: Option<Option<&str>>| {
        let better = better.map(|better| better.map(str::to_owned));
        let rating = store.change_rating(ANN, &wrong.id, RatingChange { verdict, better }).await.unwrap();
        let stored = store.message(ANN, &wrong.id).await.unwrap().rating.unwrap_or_default();
        assert_eq!(stored, rating);
        (rating.verdict, rating.better)
    };
    let four = Some("4".to_owned());
    assert_eq!(change(None, Some(Some("4"))).await, (None, four.clone()));
    assert_eq!(change(Some(Some(Verdict::Down)), None).await, (Some(Verdict::Down), four.clone()));
    assert_eq!(change(Some(None), None).await, (None, four));
    assert_eq!(change(None, Some(None)).await, (None, None));
}

#[tokio::test]
async fn the_texts_of_a_message_that_is_one_item_are_deleted_together() {
    let store = memory().await;
    let file = json!({"object": "fireclay.conversation", "version": 1, "messages": [
        {"id": "a", "role": "user", "content": [{"type": "input_text", "text": "one "}, {"type": "text", "text": "two"}]},
        {"id": "b", "parent": "a", "role": "assistant", "content": "three"}]});
    let id = store.import_conversation(ANN, serde_json::from_value(file).unwrap()).await.unwrap().id;
    let first = store.path(ANN, &id).await.unwrap()[0].id.clone();
    store.delete_part(ANN, &id, &first, MessagePart::Text(0)).await.unwrap();
    assert_eq!(said(&store, &id).await, ["three"]);
}
