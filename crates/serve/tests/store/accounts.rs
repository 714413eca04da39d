use fireclay_serve::store::{
    ConversationChange, ListQuery, MessageRating, NewConversation, Parent, Store, StoreError, Verdict,
};
use serde_json::Map;

use super::{ANN, ask, begun, completed, reply, user};

const BOB: &str = "bob";

fn is_hidden<T: std::fmt::Debug>(answer: &Result<T, StoreError>) {
    assert!(matches!(answer, Err(StoreError::NotFound { .. })), "{answer:?}");
}

async fn every_function_hides(store: &Store, conversation: &str, message: &str, response: &str) {
    let up = MessageRating { verdict: Some(Verdict::Up), better: None };
    let (id, behind) = (conversation, || Parent::Message(message.to_owned()));
    is_hidden(&store.conversation(BOB, id).await);
    is_hidden(&store.change_conversation(BOB, id, ConversationChange::default()).await);
    is_hidden(&store.delete_conversation(BOB, id).await);
    is_hidden(&store.tree(BOB, id).await);
    is_hidden(&store.path(BOB, id).await);
    is_hidden(&store.export_conversation(BOB, id).await);
    is_hidden(&store.append(BOB, id, Parent::Leaf, vec![user("x")]).await);
    is_hidden(&store.append(BOB, id, behind(), vec![user("x")]).await);
    is_hidden(&store.begin_reply(BOB, id, Parent::Leaf, "tiny", None).await);
    is_hidden(&store.save_progress(BOB, message, "x", None).await);
    is_hidden(&store.finish_reply(BOB, message, completed("x")).await);
    is_hidden(&store.select_branch(BOB, id, message).await);
    is_hidden(&store.delete_message(BOB, id, message).await);
    is_hidden(&store.message(BOB, message).await);
    is_hidden(&store.path_to(BOB, message).await);
    is_hidden(&store.rate(BOB, message, &up).await);
    is_hidden(&store.create_response(BOB, message, Map::new()).await);
    is_hidden(&store.response(BOB, response).await);
    is_hidden(&store.set_response_body(BOB, response, &Map::new()).await);
    is_hidden(&store.delete_response(BOB, response).await);
    is_hidden(&store.conversations(BOB, &ListQuery { after: Some(id.into()), ..Default::default() }).await);
}

#[tokio::test]
async fn another_account_gets_the_answer_of_unknown_ids_everywhere() {
    let (store, id) = begun().await;
    ask(&store, &id, Parent::Root, "secret").await;
    let answer = reply(&store, &id, Parent::Leaf, "well kept").await;
    let response = store.create_response(ANN, &answer.id, Map::new()).await.unwrap();
    let before = store.tree(ANN, &id).await.unwrap();
    every_function_hides(&store, &id, &answer.id, &response.id).await;
    every_function_hides(&store, "conv_none", "msg_none", "resp_none").await;
    let list = ListQuery { search: "secret".into(), ..Default::default() };
    assert!(store.conversations(BOB, &list).await.unwrap().conversations.is_empty());
    assert_eq!(store.tree(ANN, &id).await.unwrap(), before);
}

#[tokio::test]
async fn a_message_of_another_conversation_is_no_parent() {
    let (store, id) = begun().await;
    let message = ask(&store, &id, Parent::Root, "mine").await;
    for account in [ANN, BOB] {
        let other = store.create_conversation(account, NewConversation::default()).await.unwrap().id;
        let foreign = Parent::Message(message.id.clone());
        is_hidden(&store.append(account, &other, foreign, vec![user("x")]).await);
        is_hidden(&store.select_branch(account, &other, &message.id).await);
        is_hidden(&store.delete_message(account, &other, &message.id).await);
    }
}
