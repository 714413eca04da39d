use fireclay_serve::store::{
    Content, ConversationChange, ListQuery, MessageRating, NewConversation, NewMessage, Parent, ReplyOutcome, Role,
    Status, Store, StoreError, Usage, Verdict,
};
use serde_json::{Map, Value, json};

use super::{ANN, ask, begun, behind, completed, memory, reply, said, text, user};

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

#[tokio::test]
async fn a_conversation_grows_behind_its_leaf() {
    let (store, id) = begun().await;
    ask(&store, &id, Parent::Leaf, "2+2?").await;
    reply(&store, &id, Parent::Leaf, "4").await;
    ask(&store, &id, Parent::Leaf, "3+3?").await;
    reply(&store, &id, Parent::Leaf, "6").await;
    assert_eq!(said(&store, &id).await, ["2+2?", "4", "3+3?", "6"]);
}

#[tokio::test]
async fn editing_a_message_makes_a_branch_and_the_old_one_can_be_selected_again() {
    let (store, id) = begun().await;
    let first = ask(&store, &id, Parent::Root, "2+2?").await;
    reply(&store, &id, Parent::Leaf, "4").await;
    ask(&store, &id, Parent::Leaf, "thanks").await;
    let edited = ask(&store, &id, Parent::Root, "5+5?").await;
    reply(&store, &id, behind(&edited), "10").await;
    assert_eq!(said(&store, &id).await, ["5+5?", "10"]);
    store.select_branch(ANN, &id, &first.id).await.unwrap();
    assert_eq!(said(&store, &id).await, ["2+2?", "4", "thanks"]);
}

#[tokio::test]
async fn going_back_keeps_what_was_said_as_a_branch() {
    let (store, id) = begun().await;
    ask(&store, &id, Parent::Leaf, "2+2?").await;
    let first = reply(&store, &id, Parent::Leaf, "4").await;
    ask(&store, &id, Parent::Leaf, "3+3?").await;
    let second = reply(&store, &id, Parent::Leaf, "7").await;
    store.go_back(ANN, &id, Some(&first.id)).await.unwrap();
    assert_eq!(said(&store, &id).await, ["2+2?", "4"]);
    ask(&store, &id, Parent::Leaf, "4+4?").await;
    assert_eq!(said(&store, &id).await, ["2+2?", "4", "4+4?"]);
    store.select_branch(ANN, &id, &second.id).await.unwrap();
    store.go_back(ANN, &id, None).await.unwrap();
    assert!(said(&store, &id).await.is_empty());
    assert_eq!(store.tree(ANN, &id).await.unwrap().messages.len(), 5);
    for (account, message) in [("bob", first.id.as_str()), (ANN, "msg_none")] {
        let error = store.go_back(account, &id, Some(message)).await.unwrap_err();
        assert!(matches!(error, StoreError::NotFound { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn the_last_questions_are_the_accounts_own() {
    let (store, id) = begun().await;
    for question in ["one", "two", "three"] {
        ask(&store, &id, Parent::Leaf, question).await;
        reply(&store, &id, Parent::Leaf, "answer").await;
    }
    let hidden = NewConversation { unlisted: true, ..NewConversation::default() };
    let hidden = store.create_conversation(ANN, hidden).await.unwrap();
    ask(&store, &hidden.id, Parent::Leaf, "hidden").await;
    assert_eq!(store.last_questions(ANN, 2).await.unwrap(), ["two", "three"]);
    assert!(store.last_questions("bob", 2).await.unwrap().is_empty());
}

#[tokio::test]
async fn regenerating_makes_a_sibling_reply() {
    let (store, id) = begun().await;
    let question = ask(&store, &id, Parent::Root, "a joke?").await;
    let first = reply(&store, &id, behind(&question), "knock").await;
    let second = reply(&store, &id, behind(&question), "why").await;
    assert_eq!(first.parent, second.parent);
    let tree = store.tree(ANN, &id).await.unwrap();
    let siblings: Vec<&str> = tree.children(Some(&question.id)).map(text).collect();
    assert_eq!(siblings, ["knock", "why"]);
    assert_eq!(tree.conversation.leaf.as_deref(), Some(second.id.as_str()));
}

#[tokio::test]
async fn a_response_is_continued_from_its_reply_even_when_others_follow_it() {
    let (store, id) = begun().await;
    ask(&store, &id, Parent::Root, "one").await;
    let first = reply(&store, &id, Parent::Leaf, "1").await;
    let body = object(json!({"temperature": 0}));
    let response = store.create_response(ANN, &first.id, body.clone()).await.unwrap();
    assert!(response.id.starts_with("resp_"));
    ask(&store, &id, Parent::Leaf, "two").await;
    let again = store.response(ANN, &response.id).await.unwrap();
    assert_eq!((again.message.as_str(), &again.conversation, &again.body), (first.id.as_str(), &id, &body));
    ask(&store, &id, Parent::Message(again.message), "three").await;
    assert_eq!(said(&store, &id).await, ["one", "1", "three"]);
    store.set_response_body(ANN, &response.id, &Map::new()).await.unwrap();
    assert_eq!(store.response(ANN, &response.id).await.unwrap().body, Map::new());
    store.delete_response(ANN, &response.id).await.unwrap();
    assert!(matches!(store.response(ANN, &response.id).await, Err(StoreError::NotFound { .. })));
    assert_eq!(store.message(ANN, &first.id).await.unwrap(), first);
}

#[tokio::test]
async fn a_message_keeps_everything_it_was_given() {
    let (store, id) = begun().await;
    let parts = Content::Parts(vec![
        object(json!({"type": "input_text", "text": "Is it warm in "})),
        object(json!({"type": "input_text", "text": "Rome? 🏛 \"quoted\"\n"})),
    ]);
    let asked = NewMessage::new(Role::User, parts.clone());
    let asked = store.append(ANN, &id, Parent::Root, vec![asked]).await.unwrap().remove(0);
    assert_eq!(asked.content.text(), "Is it warm in Rome? 🏛 \"quoted\"\n");
    let begun = store.begin_reply(ANN, &id, Parent::Leaf, "tiny", Some("Be brief.")).await.unwrap();
    let calls = json!([{"id": "c1", "type": "function", "function": {"name": "temp", "arguments": "{}"}}]);
    let usage = Usage { prompt_tokens: 9, completion_tokens: 4, cached_tokens: 2, seconds: Some(0.5) };
    let outcome = ReplyOutcome {
        content: "".into(),
        tool_calls: Some(calls.clone()),
        status: Status::Completed,
        finish_reason: Some("tool_calls".into()),
        usage: Some(usage),
    };
    let finished = store.finish_reply(ANN, &begun.id, outcome).await.unwrap();
    let result = NewMessage { tool_call_id: Some("c1".into()), ..NewMessage::new(Role::Tool, "21") };
    let result = store.append(ANN, &id, Parent::Leaf, vec![result]).await.unwrap().remove(0);
    let path = store.path(ANN, &id).await.unwrap();
    assert_eq!(path, [asked, finished.clone(), result]);
    assert_eq!((finished.usage, finished.tool_calls), (Some(usage), Some(calls)));
    assert_eq!((finished.model.as_deref(), finished.instructions.as_deref()), (Some("tiny"), Some("Be brief.")));
    assert_eq!(path[0].content, parts);
}

#[tokio::test]
async fn nothing_follows_a_reply_in_progress_and_it_ends_once() {
    let (store, id) = begun().await;
    ask(&store, &id, Parent::Root, "a story?").await;
    let reply = store.begin_reply(ANN, &id, Parent::Leaf, "tiny", None).await.unwrap();
    assert_eq!(reply.status, Status::InProgress);
    let refused = store.append(ANN, &id, Parent::Leaf, vec![user("well?")]).await.unwrap_err();
    assert!(refused.to_string().contains("is in progress"), "{refused}");
    let rating = MessageRating { verdict: Some(Verdict::Up), better: None };
    assert!(matches!(store.rate(ANN, &reply.id, &rating).await, Err(StoreError::Invalid(_))));
    assert!(matches!(store.delete_message(ANN, &id, &reply.id).await, Err(StoreError::Busy(_))));
    let calls = json!([{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    store.save_progress(ANN, &reply.id, "Once", Some(&calls)).await.unwrap();
    let saved = store.message(ANN, &reply.id).await.unwrap();
    assert_eq!((text(&saved), saved.tool_calls.as_ref()), ("Once", Some(&calls)));
    store.finish_reply(ANN, &reply.id, completed("Once upon a time.")).await.unwrap();
    let twice = store.finish_reply(ANN, &reply.id, completed("Once upon a time.")).await.unwrap_err();
    assert!(twice.to_string().contains("already finished"), "{twice}");
    assert!(matches!(store.save_progress(ANN, &reply.id, "x", None).await, Err(StoreError::NotFound { .. })));
    assert_eq!(said(&store, &id).await, ["a story?", "Once upon a time."]);
}

#[tokio::test]
async fn a_reply_with_the_character_nul_is_stored() {
    let (store, id) = begun().await;
    ask(&store, &id, Parent::Root, "bytes?").await;
    let begun = store.begin_reply(ANN, &id, Parent::Leaf, "tiny", None).await.unwrap();
    store.save_progress(ANN, &begun.id, "a\0", None).await.unwrap();
    store.finish_reply(ANN, &begun.id, completed("a\0b")).await.unwrap();
    assert_eq!(said(&store, &id).await, ["bytes?", "a\u{fffd}b"]);
    // Input that the database cannot hold is refused, and is not a defect.
    let title = Some("\0".to_owned());
    let changed = store.change_conversation(ANN, &id, ConversationChange { title, ..Default::default() }).await;
    assert!(matches!(changed, Ok(_) | Err(StoreError::Invalid(_) | StoreError::Busy(_))), "{changed:?}");
    let unknown = store.message(ANN, "msg_\0").await;
    assert!(
        matches!(unknown, Err(StoreError::Invalid(_) | StoreError::Busy(_) | StoreError::NotFound { .. })),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn several_messages_are_added_together_or_not_at_all() {
    let (store, id) = begun().await;
    let two = vec![NewMessage::new(Role::System, "Be kind."), user("Hi")];
    store.append(ANN, &id, Parent::Root, two).await.unwrap();
    assert_eq!(said(&store, &id).await, ["Be kind.", "Hi"]);
    let nowhere = Parent::Message("msg_nowhere".into());
    assert!(store.append(ANN, &id, nowhere, vec![user("a"), user("b")]).await.is_err());
    assert_eq!(store.tree(ANN, &id).await.unwrap().messages.len(), 2);
}

#[tokio::test]
async fn what_followed_a_deleted_message_follows_its_parent() {
    let (store, id) = begun().await;
    ask(&store, &id, Parent::Root, "a").await;
    let b = reply(&store, &id, Parent::Leaf, "b").await;
    let c = ask(&store, &id, Parent::Leaf, "c").await;
    store.delete_message(ANN, &id, &b.id).await.unwrap();
    assert_eq!(said(&store, &id).await, ["a", "c"]);
    store.delete_message(ANN, &id, &c.id).await.unwrap();
    assert_eq!(said(&store, &id).await, ["a"]);
}

#[tokio::test]
async fn the_first_question_is_the_title_until_another_is_given() {
    let (store, id) = begun().await;
    ask(
        &store,
        &id,
        Parent::Root,
        "\n  Why is the sky blue, and why is it red in the evening, and black at night?\nTell me.",
    )
    .await;
    let title = store.conversation(ANN, &id).await.unwrap().title;
    assert_eq!(title, "Why is the sky blue, and why is it red in the evening, and b…");
    let change = ConversationChange {
        title: Some("Sky".into()),
        persona: Some(Some("You are a physicist.".into())),
        ..Default::default()
    };
    store.change_conversation(ANN, &id, change).await.unwrap();
    ask(&store, &id, Parent::Root, "other").await;
    let conversation = store.conversation(ANN, &id).await.unwrap();
    assert_eq!((conversation.title.as_str(), conversation.persona.as_deref()), ("Sky", Some("You are a physicist.")));
    let change = ConversationChange { persona: Some(None), ..Default::default() };
    assert_eq!(store.change_conversation(ANN, &id, change).await.unwrap().persona, None);
}

async fn titles(store: &Store, query: ListQuery) -> Vec<String> {
    let list = store.conversations(ANN, &query).await.unwrap();
    list.conversations.into_iter().map(|conversation| conversation.title).collect()
}

#[tokio::test]
async fn lists_begin_with_the_last_changed_and_find_text_of_titles_and_messages() {
    let store = memory().await;
    let mut ids = vec![];
    for title in ["apples", "100% pears", "plums"] {
        let new = NewConversation { title: title.into(), ..Default::default() };
        ids.push(store.create_conversation(ANN, new).await.unwrap().id);
    }
    let hidden = NewConversation { title: "hidden".into(), unlisted: true, ..Default::default() };
    store.create_conversation(ANN, hidden).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    ask(&store, &ids[0], Parent::Root, "What is a Quince? 木瓜").await;
    let search = |text: &str| ListQuery { search: text.into(), ..Default::default() };
    assert_eq!(titles(&store, search("")).await[0], "apples");
    assert_eq!(titles(&store, search("")).await.len(), 3);
    assert_eq!(titles(&store, search("quince")).await, ["apples"]);
    assert_eq!(titles(&store, search("木瓜")).await, ["apples"]);
    assert_eq!(titles(&store, search("PLUM")).await, ["plums"]);
    assert_eq!(titles(&store, search("0%")).await, ["100% pears"]);
    assert_eq!(titles(&store, search("_")).await, [""; 0]);
    let first = store.conversations(ANN, &ListQuery { limit: 2, ..Default::default() }).await.unwrap();
    assert!(first.has_more);
    let after = first.conversations.last().map(|last| last.id.clone());
    let rest = store.conversations(ANN, &ListQuery { after, limit: 2, ..Default::default() }).await.unwrap();
    assert_eq!((rest.conversations.len(), rest.has_more), (1, false));
}

#[tokio::test]
async fn a_conversation_of_thousands_of_turns_is_read_and_deleted() {
    let (store, id) = begun().await;
    let turns = (0..3000).map(|turn| user(&turn.to_string())).collect();
    store.append(ANN, &id, Parent::Root, turns).await.unwrap();
    assert_eq!(store.path(ANN, &id).await.unwrap().len(), 3000);
    store.delete_conversation(ANN, &id).await.unwrap();
    assert!(matches!(store.tree(ANN, &id).await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn a_rating_replaces_the_one_before_and_can_be_taken_away() {
    let (store, id) = begun().await;
    let question = ask(&store, &id, Parent::Root, "a?").await;
    let answer = reply(&store, &id, Parent::Leaf, "b").await;
    for rating in [
        MessageRating { verdict: Some(Verdict::Up), better: None },
        MessageRating { verdict: Some(Verdict::Down), better: Some("c".into()) },
    ] {
        store.rate(ANN, &answer.id, &rating).await.unwrap();
        assert_eq!(store.path(ANN, &id).await.unwrap()[1].rating.as_ref(), Some(&rating));
    }
    store.rate(ANN, &answer.id, &MessageRating::default()).await.unwrap();
    assert_eq!(store.message(ANN, &answer.id).await.unwrap().rating, None);
    let empty = MessageRating { verdict: None, better: Some(" ".into()) };
    assert!(matches!(store.rate(ANN, &answer.id, &empty).await, Err(StoreError::Invalid(_))));
    let up = MessageRating { verdict: Some(Verdict::Up), better: None };
    assert!(matches!(store.rate(ANN, &question.id, &up).await, Err(StoreError::Invalid(_))));
}

#[tokio::test]
async fn a_place_that_cannot_be_opened_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.db");
    std::fs::write(&file, "this is no database, and long enough to be taken for one".repeat(30)).unwrap();
    let missing = folder.path().join("nowhere/chats.db");
    for (place, expected) in [
        (missing.to_str().unwrap(), "no such folder"),
        (folder.path().to_str().unwrap(), "is a folder"),
        (file.to_str().unwrap(), "not a database"),
        ("mysql://host/db", "a file's path or a postgres:// URL"),
        ("", "the path is empty"),
    ] {
        let error = Store::open(place).await.unwrap_err();
        assert!(error.is_user_error() && error.to_string().contains(expected), "{place}: {error}");
    }
}

#[tokio::test]
async fn a_path_may_have_any_characters_and_two_stores_share_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my chats 100%?#&.db");
    let one = Store::open(path.to_str().unwrap()).await.unwrap();
    let two = Store::open(path.to_str().unwrap()).await.unwrap();
    assert!(path.is_file());
    let id = one.create_conversation(ANN, NewConversation::default()).await.unwrap().id;
    ask(&two, &id, Parent::Leaf, "from two").await;
    let open = one.begin_reply(ANN, &id, Parent::Leaf, "tiny", None).await.unwrap();
    // A third store does not take the first's reply for abandoned.
    let three = Store::open(path.to_str().unwrap()).await.unwrap();
    assert_eq!(three.message(ANN, &open.id).await.unwrap().status, Status::InProgress);
    drop(one);
    let four = Store::open(path.to_str().unwrap()).await.unwrap();
    assert_eq!(four.message(ANN, &open.id).await.unwrap().status, Status::Incomplete);
    drop((two, three, four));
    let left = std::fs::read_dir(folder.path()).unwrap().flatten();
    let locks = left.filter(|entry| entry.file_name().to_string_lossy().contains("-writer-")).count();
    assert_eq!(locks, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = super::fresh(folder.path().join("chats.db").to_str().unwrap()).await;
    let store = Store::open(&place).await.unwrap();
    let shared = store.create_conversation(ANN, NewConversation::default()).await.unwrap().id;
    let tasks = (0..8).map(|writer| {
        let (store, shared) = (store.clone(), shared.clone());
        tokio::spawn(async move {
            for turn in 0..10 {
                ask(&store, &shared, Parent::Root, &format!("{writer} {turn}")).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let tree = store.tree(ANN, &shared).await.unwrap();
    let texts: std::collections::BTreeSet<&str> = tree.messages.iter().map(text).collect();
    assert_eq!((tree.messages.len(), texts.len()), (80, 80));
}

/// Two processes' stores on one database, as two servers at one address have them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_that_take_turns_lose_and_repeat_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = super::fresh(folder.path().join("chats.db").to_str().unwrap()).await;
    let turns = if place.starts_with("postgres") { 1000 } else { 200 };
    let stores = [Store::open(&place).await.unwrap(), Store::open(&place).await.unwrap()];
    let mut ids = vec![];
    for _ in 0..4 {
        ids.push(stores[0].create_conversation(ANN, NewConversation::default()).await.unwrap().id);
    }
    let workers = (0..8).map(|worker: usize| {
        let (store, ids) = (stores[worker % 2].clone(), ids.clone());
        tokio::spawn(async move {
            for turn in (worker..turns).step_by(8) {
                // Each turn of a conversation goes on from what the other store may have said last.
                let id = &ids[turn % 4];
                let asked = loop {
                    match store.append(ANN, id, Parent::Leaf, vec![user(&format!("q{turn}"))]).await {
                        Ok(added) => break added[0].clone(),
                        Err(StoreError::Busy(_)) => tokio::task::yield_now().await,
                        Err(error) => panic!("{error}"),
                    }
                };
                reply(&store, id, behind(&asked), &format!("a{turn}")).await;
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let mut said = std::collections::BTreeMap::new();
    for id in &ids {
        let tree = stores[1].tree(ANN, id).await.unwrap();
        assert!(tree.messages.iter().all(|message| message.status == Status::Completed));
        for message in tree.messages {
            *said.entry(message.content.text()).or_insert(0) += 1;
        }
    }
    assert!(said.values().all(|&times| times == 1), "{said:?}");
    assert_eq!(said.len(), 2 * turns);
}
