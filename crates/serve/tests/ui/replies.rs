use axum::http::StatusCode;
use fireclay_serve::store::{Role, Status, Usage};
use fireclay_serve::ui::Generated;
use serde_json::json;

use super::{ANN, Server};

fn end() -> Generated {
    let usage = Usage { prompt_tokens: 7, completion_tokens: 2, cached_tokens: 0, seconds: Some(0.1) };
    Generated::End { finish_reason: "stop".into(), usage }
}

#[tokio::test]
async fn a_reply_streams_and_is_stored_before_its_end_is_told() {
    let server = Server::new().await;
    let id = server.conversation().await;
    let body = json!({"model": "tiny", "parent": null, "text": "Hi", "temperature": 0.5, "seed": 3});
    let mut stream = server.reply(&id, body).await;
    let asked = server.puppet.last();
    assert_eq!((asked.request.sampling.temperature, asked.request.sampling.seed), (Some(0.5), Some(3)));
    let started = stream.expect("started").await;
    let reply = started["reply"]["id"].as_str().unwrap().to_owned();
    assert_eq!(started["user"]["content"], "Hi");
    assert_eq!(started["reply"]["status"], "in_progress");
    for text in ["**Hel", "lo**"] {
        asked.say.send(Generated::Text(text.into())).await.unwrap();
        assert_eq!(stream.expect("delta").await["text"], text);
    }
    asked.say.send(end()).await.unwrap();
    let done = stream.expect("done").await;
    let stored = server.store.message(ANN, &reply).await.unwrap();
    assert_eq!((stored.status, stored.content.text().as_str()), (Status::Completed, "**Hello**"));
    assert_eq!(done["message"]["html"].as_str().unwrap().trim(), "<p><strong>Hello</strong></p>");
    assert_eq!(done["message"]["usage"]["prompt_tokens"], 7);
    assert_eq!(done["conversation"]["title"], "Hi");
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn the_model_reads_the_branch_under_the_conversations_persona() {
    let server = Server::new().await;
    let made = server.ok("POST", "/ui/api/conversations", Some(json!({"persona": "Be terse."}))).await;
    let id = made["id"].as_str().unwrap();
    let mut first = server.reply(id, json!({"model": "tiny", "text": "one"})).await;
    let asked = server.puppet.last();
    let started = first.expect("started").await;
    asked.say.send(Generated::Text("1".into())).await.unwrap();
    asked.say.send(end()).await.unwrap();
    while first.next().await.is_some() {}
    let reply = started["reply"]["id"].clone();
    let _second = server.reply(id, json!({"model": "tiny", "parent": reply, "text": "two"})).await;
    let asked = server.puppet.last().request;
    let said: Vec<String> = asked.messages.iter().map(|message| message.content.text()).collect();
    assert_eq!(said, ["one", "1", "two"]);
    assert_eq!(asked.instructions.as_deref(), Some("Be terse."));
    // Again: under the user's message, without new text.
    let mut again = server.reply(id, json!({"model": "tiny", "parent": started["user"]["id"]})).await;
    let asked = server.puppet.last().request;
    assert_eq!(asked.messages.len(), 1);
    let started_again = again.expect("started").await;
    assert_eq!(started_again["user"], json!(null));
    assert_eq!(started_again["reply"]["parent"], started["reply"]["parent"]);
}

#[tokio::test]
async fn a_reply_that_is_stopped_keeps_what_there_is_and_ends_the_generation() {
    let server = Server::new().await;
    let id = server.conversation().await;
    let mut stream = server.reply(&id, json!({"model": "tiny", "text": "a story"})).await;
    let asked = server.puppet.last();
    let reply = stream.expect("started").await["reply"]["id"].as_str().unwrap().to_owned();
    asked.say.send(Generated::Text("Once".into())).await.unwrap();
    stream.expect("delta").await;
    let path = format!("/ui/api/messages/{reply}/stop");
    assert_eq!(server.send("bob", "POST", &path, None).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(server.ok("POST", &path, None).await["stopped"], true);
    asked.stop.notified().await;
    // What was under way is no longer shown; what the reply took is stored.
    asked.say.send(Generated::Text(" upon".into())).await.unwrap();
    asked.say.send(end()).await.unwrap();
    let done = stream.expect("done").await;
    assert_eq!(
        (&done["message"]["status"], &done["message"]["finish_reason"]),
        (&json!("incomplete"), &json!("cancelled"))
    );
    assert_eq!(done["message"]["usage"]["completion_tokens"], 2);
    assert_eq!(done["message"]["content"], "Once");
    asked.say.closed().await;
    assert_eq!(server.ok("POST", &path, None).await["stopped"], false);
}

#[tokio::test]
async fn a_page_closed_right_after_sending_gets_its_reply_all_the_same() {
    let server = Server::new().await;
    let id = server.conversation().await;
    let sent = server.reply(&id, json!({"model": "tiny", "text": "a story"}));
    drop(tokio::time::timeout(std::time::Duration::ZERO, sent).await);
    for _ in 0..1000 {
        let messages = server.store.tree(ANN, &id).await.unwrap().messages;
        if messages.iter().any(|message| message.role == Role::Assistant) {
            assert_eq!(messages.len(), 2, "the question and its reply");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    panic!("the question has no reply");
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_end_the_reply_and_finds_it_again() {
    let server = Server::new().await;
    let id = server.conversation().await;
    let mut stream = server.reply(&id, json!({"model": "tiny", "text": "a story"})).await;
    let asked = server.puppet.last();
    let reply = stream.expect("started").await["reply"]["id"].as_str().unwrap().to_owned();
    asked.say.send(Generated::LeftOut(2)).await.unwrap();
    asked.say.send(Generated::Text("Once".into())).await.unwrap();
    stream.expect("left_out").await;
    stream.expect("delta").await;
    drop(stream);
    let path = format!("/ui/api/messages/{reply}/events");
    assert_eq!(server.send("bob", "GET", &path, None).await.status(), StatusCode::NOT_FOUND);
    // A page that was loaded again, and another tab: each gets all of it.
    let (mut first, mut second) = (server.events(&path).await, server.events(&path).await);
    for stream in [&mut first, &mut second] {
        let started = stream.expect("started").await;
        assert_eq!((started["reply"]["id"].as_str(), &started["reply"]["content"]), (Some(&*reply), &json!("")));
        assert_eq!(stream.expect("left_out").await["exchanges"], 2);
        assert_eq!(stream.expect("delta").await["text"], "Once");
    }
    asked.say.send(Generated::Text(" upon".into())).await.unwrap();
    assert_eq!(second.expect("delta").await["text"], " upon");
    drop((first, second));
    asked.say.send(Generated::Text(" a time.".into())).await.unwrap();
    asked.say.send(end()).await.unwrap();
    let stored = loop {
        let stored = server.store.message(ANN, &reply).await.unwrap();
        if stored.status != Status::InProgress {
            break stored;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    };
    assert_eq!((stored.status, stored.content.text().as_str()), (Status::Completed, "Once upon a time."));
    assert_eq!(stored.left_out, 2);
    // After its end there is its end alone.
    let mut late = server.events(&path).await;
    assert_eq!(late.expect("done").await["message"]["content"], "Once upon a time.");
    assert_eq!(late.next().await, None);
}

#[tokio::test]
async fn a_reply_that_nobody_follows_can_be_stopped() {
    let server = Server::new().await;
    let id = server.conversation().await;
    let mut stream = server.reply(&id, json!({"model": "tiny", "text": "a story"})).await;
    let asked = server.puppet.last();
    let reply = stream.expect("started").await["reply"]["id"].as_str().unwrap().to_owned();
    asked.say.send(Generated::Text("Once".into())).await.unwrap();
    stream.expect("delta").await;
    drop(stream);
    let mut again = server.events(&format!("/ui/api/messages/{reply}/events")).await;
    assert_eq!(server.ok("POST", &format!("/ui/api/messages/{reply}/stop"), None).await["stopped"], true);
    asked.stop.notified().await;
    asked.say.send(end()).await.unwrap();
    again.expect("started").await;
    again.expect("delta").await;
    let done = again.expect("done").await;
    assert_eq!((&done["message"]["finish_reason"], &done["message"]["content"]), (&json!("cancelled"), &json!("Once")));
    asked.say.closed().await;
}

#[tokio::test]
async fn a_reply_ends_when_its_conversation_is_deleted() {
    let server = Server::new().await;
    let id = server.conversation().await;
    let mut stream = server.reply(&id, json!({"model": "tiny", "text": "a story"})).await;
    let asked = server.puppet.last();
    stream.expect("started").await;
    server.ok("DELETE", &format!("/ui/api/conversations/{id}"), None).await;
    asked.stop.notified().await;
    asked.say.send(end()).await.unwrap();
    stream.expect("error").await;
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_reply_of_another_writer_is_not_followed_here() {
    let server = Server::new().await;
    let id = server.conversation().await;
    let parent = fireclay_serve::store::Parent::Root;
    let reply = server.store.begin_reply(ANN, &id, parent, "tiny", None).await.unwrap();
    let path = format!("/ui/api/messages/{}/events", reply.id);
    let message = server.refused(StatusCode::CONFLICT, "GET", &path, None).await;
    assert!(message.contains("another server"), "{message}");
}

#[tokio::test]
async fn a_generation_that_breaks_keeps_what_there_is_and_says_why() {
    let server = Server::new().await;
    let id = server.conversation().await;
    let mut stream = server.reply(&id, json!({"model": "tiny", "text": "a story"})).await;
    let asked = server.puppet.last();
    stream.expect("started").await;
    asked.say.send(Generated::Text("Once".into())).await.unwrap();
    asked.say.send(Generated::Failed("it took too long".into())).await.unwrap();
    stream.expect("delta").await;
    let done = stream.expect("done").await;
    assert_eq!(done["message"]["finish_reason"], "error");
    assert_eq!(stream.expect("error").await["message"], "it took too long");
    // An engine that vanishes.
    let parent = done["message"]["id"].clone();
    let mut stream = server.reply(&id, json!({"model": "tiny", "parent": parent, "text": "more"})).await;
    drop(server.puppet.last());
    stream.expect("started").await;
    assert_eq!(stream.expect("done").await["message"]["finish_reason"], "interrupted");
    stream.expect("error").await;
}

#[tokio::test]
async fn a_request_that_is_refused_leaves_nothing_behind() {
    let server = Server::new().await;
    let (id, other) = (server.conversation().await, server.conversation().await);
    let path = format!("/ui/api/conversations/{id}/replies");
    let mut stream = server.reply(&other, json!({"model": "tiny", "text": "elsewhere"})).await;
    let foreign = stream.expect("started").await["user"]["id"].clone();
    for (status, body, expected) in [
        (StatusCode::NOT_FOUND, json!({"model": "huge", "text": "Hi"}), "no such model"),
        (StatusCode::BAD_REQUEST, json!({"model": "tiny", "text": " \n"}), "`text` is empty"),
        (StatusCode::BAD_REQUEST, json!({"model": "tiny"}), "without `text`"),
        (StatusCode::BAD_REQUEST, json!({"model": "tiny", "text": "Hi", "temprature": 1}), "temprature"),
        (StatusCode::BAD_REQUEST, json!({"model": "tiny", "text": "Hi", "max_tokens": 0}), "`max_tokens`"),
        (StatusCode::NOT_FOUND, json!({"model": "tiny", "text": "Hi", "parent": "msg_none"}), "msg_none"),
        (StatusCode::NOT_FOUND, json!({"model": "tiny", "text": "Hi", "parent": foreign}), "there is no message"),
    ] {
        let message = server.refused(status, "POST", &path, Some(body)).await;
        assert!(message.contains(expected), "{message}");
    }
    assert!(server.store.tree(ANN, &id).await.unwrap().messages.is_empty());
}

#[tokio::test]
async fn what_the_context_has_no_room_for_is_told() {
    let server = Server::new().await;
    let id = server.conversation().await;
    let mut events = server.reply(&id, json!({"model": "tiny", "parent": null, "text": "Hi"})).await;
    events.expect("started").await;
    let asked = server.puppet.last();
    asked.say.send(Generated::LeftOut(3)).await.unwrap();
    asked.say.send(end()).await.unwrap();
    assert_eq!(events.expect("left_out").await["exchanges"], 3);
    events.expect("done").await;
}
