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
