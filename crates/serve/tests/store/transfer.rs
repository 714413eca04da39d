use fireclay_serve::store::{
    ConversationFile, ListQuery, MessageRating, NewConversation, Parent, Store, StoreError, Verdict,
};
use serde_json::{Value, json};

use super::{ANN, ask, behind, memory, reply, said};

/// A conversation with two branches, a persona and ratings.
async fn branched(store: &Store) -> String {
    let new = NewConversation {
        persona: Some("You are terse.".into()),
        metadata: [("topic".to_owned(), json!("sums"))].into_iter().collect(),
        ..Default::default()
    };
    let id = store.create_conversation(ANN, new).await.unwrap().id;
    let question = ask(store, &id, Parent::Root, "2+2?").await;
    let wrong = reply(store, &id, behind(&question), "5").await;
    let right = reply(store, &id, behind(&question), "4").await;
    let down = MessageRating { verdict: Some(Verdict::Down), better: Some("It is 4.".into()) };
    store.rate(ANN, &wrong.id, &down).await.unwrap();
    ask(store, &id, behind(&right), "thanks").await;
    ask(store, &id, behind(&wrong), "really?").await;
    store.select_branch(ANN, &id, &right.id).await.unwrap();
    id
}

/// The file with its ids replaced by their order, so that files of different conversations can be compared.
fn without_ids(file: &ConversationFile) -> Value {
    let mut text = serde_json::to_string(file).unwrap();
    for (index, message) in file.messages.iter().enumerate() {
        text = text.replace(&message.id, &format!("m{index}"));
    }
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn an_exported_conversation_is_imported_as_it_was_under_new_ids() {
    let store = memory().await;
    let id = branched(&store).await;
    let exported = store.export_conversation(ANN, &id).await.unwrap();
    let text = serde_json::to_string_pretty(&exported).unwrap();
    for account in [ANN, "bob"] {
        let file: ConversationFile = serde_json::from_str(&text).unwrap();
        let imported = store.import_conversation(account, file).await.unwrap();
        assert_ne!(imported.id, id);
        let again = store.export_conversation(account, &imported.id).await.unwrap();
        assert_ne!(again.messages[0].id, exported.messages[0].id);
        assert_eq!(without_ids(&again), without_ids(&exported));
    }
    assert_eq!(said(&store, &id).await, ["2+2?", "4", "thanks"]);
}

#[tokio::test]
async fn times_that_cannot_be_are_refused() {
    let store = memory().await;
    for (name, time) in [("updated", i64::MAX), ("created", -1), ("updated", 9_000_000_000_000_000_000)] {
        let mut file = smallest();
        file[name] = time.into();
        let refused = store.import_conversation(ANN, serde_json::from_value(file).unwrap()).await.unwrap_err();
        assert!(refused.to_string().contains(name), "{refused}");
    }
    let mut file = smallest();
    file["messages"][0]["created"] = i64::MAX.into();
    store.import_conversation(ANN, serde_json::from_value(file).unwrap()).await.unwrap_err();
}

fn smallest() -> Value {
    json!({"object": "fireclay.conversation", "version": 1, "messages": [
        {"id": "a", "role": "user", "content": "Hello there"},
        {"id": "b", "parent": "a", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}],
         "status": "in_progress"}]})
}

#[tokio::test]
async fn what_may_be_missing_has_its_default() {
    let store = memory().await;
    let mut file = smallest();
    file["persona"] = json!("  ");
    file["messages"][1]["tool_calls"] = json!([]);
    let file = serde_json::from_value(file).unwrap();
    let conversation = store.import_conversation(ANN, file).await.unwrap();
    assert_eq!(conversation.title, "Hello there");
    assert_eq!(said(&store, &conversation.id).await, ["Hello there", "Hi"]);
    let tree = store.tree(ANN, &conversation.id).await.unwrap();
    assert_eq!((&tree.conversation.persona, &tree.messages[1].tool_calls), (&None, &None));
    assert_eq!(tree.messages[1].status, fireclay_serve::store::Status::Incomplete);
}

#[tokio::test]
async fn a_file_that_contradicts_itself_is_refused_whole() {
    let store = memory().await;
    let check = async |pointer: &str, value: Value, expected: &str| {
        let mut file = smallest();
        *file.pointer_mut(pointer).unwrap() = value;
        let error = match serde_json::from_value::<ConversationFile>(file) {
            Err(error) => error.to_string(),
            Ok(file) => match store.import_conversation(ANN, file).await {
                Err(error @ StoreError::Invalid(_)) => error.to_string(),
                other => panic!("{pointer}: {other:?}"),
            },
        };
        assert!(error.contains(expected), "{error}");
    };
    check("/object", json!("chat"), "`object` is `chat`").await;
    check("/version", json!(2), "this version reads 1").await;
    check("/messages/1/parent", json!("z"), "does not come before it").await;
    check("/messages/0", json!({"id": "b", "role": "user", "content": ""}), "does not come before it").await;
    check("/messages/1", json!({"id": "a", "role": "user", "content": ""}), "two messages have the id `a`").await;
    check("/messages/0/role", json!("wizard"), "wizard").await;
    check("/messages/0", json!({"id": "a", "role": "user", "content": "", "colour": 1}), "colour").await;
    let rated = json!({"id": "a", "role": "user", "content": "", "rating": {"verdict": "up"}});
    check("/messages/0", rated, "is not a reply").await;
    let calling = |calls: Value| json!({"id": "a", "role": "assistant", "content": "", "tool_calls": calls});
    check("/messages/0", calling(json!("f")), "`tool_calls` of `a`: give a list").await;
    check("/messages/0", calling(json!([7])), "`tool_calls[0]` of `a`").await;
    let nameless = json!([{"id": "c", "type": "function", "function": {"arguments": "{}"}}]);
    check("/messages/0", calling(nameless), "`tool_calls[0].function.name` of `a`: give a text").await;
    let picture = json!({"id": "a", "role": "user", "content": [{"type": "input_image", "image_url": "x"}]});
    check("/messages/0", picture, "`content[0]` of `a` is not text").await;
    let mut file = smallest();
    file["leaf"] = json!("z");
    let file = serde_json::from_value(file).unwrap();
    assert!(matches!(store.import_conversation(ANN, file).await, Err(StoreError::Invalid(_))));
    assert!(store.conversations(ANN, &ListQuery::default()).await.unwrap().conversations.is_empty());
}
