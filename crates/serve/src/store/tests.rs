use super::*;

/// Lets all of the store's connections write so many pages.
async fn limit_pages(store: &Store, pages: i64) {
    let mut connections = vec![];
    for _ in 0..store.pool.options().get_max_connections() {
        let mut connection = store.pool.acquire().await.unwrap();
        let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::raw_sql(limit).execute(&mut *connection).await.unwrap();
        connections.push(connection);
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_forgotten_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.sqlite");
    for place in [":memory:", file.to_str().unwrap()] {
        let store = Store::open(place).await.unwrap();
        let id = store.create_conversation(LOCAL, NewConversation::default()).await.unwrap().id;
        let append =
            async |text: String| store.append(LOCAL, &id, Parent::Leaf, vec![NewMessage::new(Role::User, text)]).await;
        append("before".into()).await.unwrap();
        // As few pages as there are: no more than that can be set.
        limit_pages(&store, 1).await;
        for _ in 0..3 {
            let error = append("long ".repeat(20_000)).await.unwrap_err();
            assert!(error.to_string().contains("full"), "{place}: {error}");
            let error = store.ping().await.unwrap_err();
            assert!(error.to_string().contains("full"), "{place}: {error}");
        }
        limit_pages(&store, 1 << 20).await;
        append("long ".repeat(20_000)).await.unwrap();
        append("after".into()).await.unwrap();
        store.ping().await.unwrap();
        let said = store.path(LOCAL, &id).await.unwrap();
        assert_eq!((said.len(), said[2].content.text().as_str()), (3, "after"), "{place}");
        assert_eq!(store.conversations("", &ListQuery::default()).await.unwrap().conversations, []);
    }
}

#[tokio::test]
async fn a_reply_that_ended_on_a_full_disk_is_kept_once_there_is_room() {
    let store = Store::open(":memory:").await.unwrap();
    let id = store.create_conversation(LOCAL, NewConversation::default()).await.unwrap().id;
    let reply = store.begin_reply(LOCAL, &id, Parent::Leaf, "tiny", None).await.unwrap();
    limit_pages(&store, 1).await;
    let text = "long ".repeat(20_000);
    let (status, finish_reason) = (Status::Completed, Some("stop".into()));
    let outcome = ReplyOutcome { content: text.as_str().into(), tool_calls: None, status, finish_reason, usage: None };
    store.finish_reply(LOCAL, &reply.id, outcome).await.unwrap_err();
    let next = async || store.append(LOCAL, &id, Parent::Leaf, vec![NewMessage::new(Role::User, "so?")]).await;
    assert!(matches!(next().await, Err(StoreError::Busy(_))));
    limit_pages(&store, 1 << 20).await;
    let begun = std::time::Instant::now();
    while next().await.is_err() {
        assert!(begun.elapsed().as_secs() < 20, "the conversation stays busy");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let kept = store.message(LOCAL, &reply.id).await.unwrap();
    assert_eq!((kept.status, kept.content.text()), (Status::Completed, text));
}

#[tokio::test]
async fn a_turn_that_cannot_be_stored_whole_leaves_nothing_behind() {
    let store = Store::open(":memory:").await.unwrap();
    let id = store.create_conversation(LOCAL, NewConversation::default()).await.unwrap().id;
    let turn = |conversation: Option<&String>, text: &str| NewTurn {
        conversation: conversation.cloned(),
        parent: Parent::Root,
        said: vec![NewMessage::new(Role::User, "a story?")],
        model: "tiny".into(),
        instructions: None,
        response: Some([("text".to_owned(), text.into())].into_iter().collect()),
    };
    limit_pages(&store, 1).await;
    let long = "long ".repeat(20_000);
    for conversation in [Some(&id), None] {
        store.begin_turn(LOCAL, turn(conversation, &long)).await.unwrap_err();
    }
    limit_pages(&store, 1 << 20).await;
    assert!(store.tree(LOCAL, &id).await.unwrap().messages.is_empty());
    let conversations = sqlx::query("SELECT id FROM conversations").fetch_all(&store.pool).await.unwrap();
    assert_eq!(conversations.len(), 1);
    for conversation in [Some(&id), None] {
        let begun = store.begin_turn(LOCAL, turn(conversation, "short")).await.unwrap();
        assert_eq!((begun.said.len(), begun.reply.status), (1, Status::InProgress));
        let response = store.response(LOCAL, &begun.response.unwrap().id).await.unwrap();
        assert_eq!((response.message, response.body["text"].as_str()), (begun.reply.id, Some("short")));
    }
}

#[tokio::test]
async fn no_text_keeps_the_character_nul() {
    let store = Store::open(":memory:").await.unwrap();
    let nul = || "a\0b".to_owned();
    let new = NewConversation {
        title: nul(),
        persona: Some(nul()),
        metadata: [(nul(), nul().into())].into_iter().collect(),
        ..NewConversation::default()
    };
    let id = store.create_conversation(LOCAL, new).await.unwrap().id;
    let reply = store.begin_reply(LOCAL, &id, Parent::Leaf, "tiny", Some(&nul())).await.unwrap();
    let (status, finish_reason) = (Status::Completed, Some("stop".into()));
    let outcome = ReplyOutcome { content: nul().into(), tool_calls: None, status, finish_reason, usage: None };
    store.finish_reply(LOCAL, &reply.id, outcome).await.unwrap();
    let rating = RatingChange { better: Some(Some(nul())), ..RatingChange::default() };
    store.change_rating(LOCAL, &reply.id, rating).await.unwrap();
    let file = store.export_conversation(LOCAL, &id).await.unwrap();
    let written = serde_json::to_string(&file).unwrap();
    assert!(!written.contains("\\u0000"), "{written}");
    assert_eq!(written.matches("a\u{fffd}b").count(), 7, "{written}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_deleted_or_replaced_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.sqlite");
    let store = Store::open(file.to_str().unwrap()).await.unwrap();
    store.ping().await.unwrap();
    let kept = folder.path().join("b.sqlite");
    std::fs::rename(&file, &kept).unwrap();
    store.ping().await.unwrap_err();
    std::fs::write(&file, "").unwrap();
    let error = store.ping().await.unwrap_err();
    assert!(error.to_string().contains("deleted or replaced"), "{error}");
    std::fs::rename(&kept, &file).unwrap();
    store.ping().await.unwrap();
}
