use serde_json::{Value, json};

use crate::{CONTEXT, good, post, routes};

/// A conversation of exchanges with so many letters each.
async fn conversation(router: &axum::Router, letters: &[usize]) -> (String, String) {
    let texts = letters.iter().flat_map(|&letters| [("user", "k".repeat(letters)), ("assistant", "hot".into())]);
    let message = |(index, (role, content)): (usize, (&str, String))| {
        let parent = index.checked_sub(1).map(|before| format!("m{before}"));
        json!({"id": format!("m{index}"), "parent": parent, "role": role, "content": content})
    };
    let messages: Vec<Value> = texts.enumerate().map(message).collect();
    let file = json!({"object": "fireclay.conversation", "version": 1, "messages": messages});
    let made = good(router, "/ui/api/conversations/import", file).await;
    let (id, leaf) = (&made["id"], &made["leaf"]);
    (id.as_str().unwrap().to_owned(), leaf.as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_conversation_that_outgrows_the_context_goes_on_without_its_beginning() {
    let (router, _server) = routes().await;
    for (letters, left_out) in [(vec![100], None), (vec![CONTEXT / 2, CONTEXT / 3, 100, CONTEXT / 3], Some(1))] {
        let (id, leaf) = conversation(&router, &letters).await;
        let body = json!({"model": "tiny", "parent": leaf, "text": "And?", "max_tokens": 4, "temperature": 0});
        let answer = post(&router, &format!("/ui/api/conversations/{id}/replies"), body).await;
        let events = answer.events();
        let told = events.iter().find(|event| event["type"] == "left_out").map(|event| event["exchanges"].as_u64());
        assert_eq!(told, left_out.map(Some), "{}", answer.text);
        assert_eq!(events.last().unwrap()["type"], "done");
    }
}

#[tokio::test]
async fn a_message_without_room_for_a_reply_is_refused() {
    let (router, _server) = routes().await;
    let (id, leaf) = conversation(&router, &[10]).await;
    let body = json!({"model": "tiny", "parent": leaf, "text": "k".repeat(CONTEXT)});
    let answer = post(&router, &format!("/ui/api/conversations/{id}/replies"), body).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (400, &json!("context_length_exceeded")));
}
