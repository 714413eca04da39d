use axum::http::StatusCode;
use fireclay_serve::ui::UiDocument;
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::{ANN, Server, json_of};

fn file() -> Value {
    json!({"object": "fireclay.conversation", "version": 1, "title": "Sums", "messages": [
        {"id": "q", "role": "user", "content": "2+2?"},
        {"id": "a", "parent": "q", "role": "assistant", "content": "<b>5</b>"},
        {"id": "b", "parent": "q", "role": "assistant", "content": "4"}]})
}

#[tokio::test]
async fn a_conversation_is_made_listed_found_changed_and_deleted() {
    let server = Server::new().await;
    let id = server.conversation().await;
    let path = format!("/ui/api/conversations/{id}");
    let changed = server.ok("PATCH", &path, Some(json!({"title": "Plums", "persona": "Be kind."}))).await;
    assert_eq!((&changed["title"], &changed["persona"]), (&json!("Plums"), &json!("Be kind.")));
    let changed = server.ok("PATCH", &path, Some(json!({"persona": ""}))).await;
    assert_eq!((&changed["title"], &changed["persona"]), (&json!("Plums"), &Value::Null));
    let found = server.ok("GET", "/ui/api/conversations?search=plum", None).await;
    assert_eq!(found["conversations"][0]["id"], json!(id));
    let none = server.ok("GET", "/ui/api/conversations?search=pear", None).await;
    assert_eq!(none, json!({"conversations": [], "has_more": false}));
    let found = server.ok("GET", "/ui/api/conversations?search=%00", None).await;
    assert_eq!(found["conversations"], json!([]), "the database holds no NUL");
    let changed = server.ok("PATCH", &path, Some(json!({"title": "Plu\u{0}ms"}))).await;
    assert_eq!(changed["title"], "Plu\u{fffd}ms");
    server.ok("DELETE", &path, None).await;
    server.refused(StatusCode::NOT_FOUND, "GET", &path, None).await;
}

#[tokio::test]
async fn a_file_is_imported_shown_rated_and_exported() {
    let server = Server::new().await;
    let imported = server.ok("POST", "/ui/api/conversations/import", Some(file())).await;
    let path = format!("/ui/api/conversations/{}", imported["id"].as_str().unwrap());
    let shown = server.ok("GET", &path, None).await;
    assert_eq!(shown["messages"][0]["html"], Value::Null);
    assert_eq!(shown["messages"][1]["html"].as_str().unwrap().trim(), "<p>&lt;b&gt;5&lt;/b&gt;</p>");
    assert_eq!(shown["conversation"]["leaf"], shown["messages"][2]["id"]);
    let first = shown["messages"][1]["id"].as_str().unwrap();
    let leaf = server.ok("POST", &format!("{path}/branch"), Some(json!({"message": first}))).await;
    assert_eq!(leaf["leaf"], json!(first));
    let rating = format!("/ui/api/messages/{first}/rating");
    let rated = server.ok("PUT", &rating, Some(json!({"verdict": "down", "better": "4"}))).await;
    assert_eq!(rated["rating"], json!({"verdict": "down", "better": "4"}));
    let exported = server.ok("GET", &format!("{path}/export"), None).await;
    assert_eq!(exported["messages"][1]["rating"], rated["rating"]);
    let changed = server.ok("PATCH", &rating, Some(json!({"verdict": null}))).await;
    assert_eq!(changed["rating"], json!({"better": "4"}));
    let changed = server.ok("PATCH", &rating, Some(json!({"better": null}))).await;
    assert_eq!(changed["rating"], Value::Null);
    let cleared = server.ok("PUT", &rating, Some(json!({"verdict": null, "better": null}))).await;
    assert_eq!(cleared["rating"], Value::Null);
}

#[tokio::test]
async fn faults_of_a_request_are_told_in_openais_shape() {
    let server = Server::new().await;
    let id = server.conversation().await;
    let path = format!("/ui/api/conversations/{id}");
    let long = "x".repeat(501);
    let search = format!("/ui/api/conversations?search={}", "x".repeat(50_010));
    for (method, path, body, expected) in [
        ("GET", search.as_str(), None, "`search`: at most 1000 characters"),
        ("GET", "/ui/api/conversations?limit=0", None, "`limit` is from 1 to 200"),
        ("GET", "/ui/api/conversations?limit=x", None, "limit"),
        ("GET", "/ui/api/conversations?colour=red", None, "colour"),
        ("PATCH", &path, Some(json!({"title": long})), "500 characters at most"),
        ("PATCH", &path, Some(json!({"titel": "x"})), "titel"),
        ("POST", "/ui/api/conversations", Some(json!([1])), "object"),
        (
            "POST",
            "/ui/api/conversations/import",
            Some(json!({"object": "x", "version": 1, "messages": []})),
            "`object`",
        ),
        ("POST", "/ui/api/render", Some(json!({})), "text"),
    ] {
        let message = server.refused(StatusCode::BAD_REQUEST, method, path, body).await;
        assert!(message.contains(expected), "{method} {path}: {message}");
    }
}

/// The document's routes with another account's ids in their place.
#[tokio::test]
async fn another_accounts_ids_are_unknown_on_every_route_of_the_document() {
    let server = Server::new().await;
    let (_, imported) = json_of(server.send("bob", "POST", "/ui/api/conversations/import", Some(file())).await).await;
    let id = imported["id"].as_str().unwrap();
    let reply = server.store.tree("bob", id).await.unwrap().messages[1].id.clone();
    let bodies = |path: &str| match path {
        path if path.ends_with("/branch") => Some(json!({"message": reply})),
        path if path.ends_with("/replies") => Some(json!({"model": "tiny", "parent": reply, "text": "Hi"})),
        path if path.ends_with("/rating") => Some(json!({"verdict": "up"})),
        _ => Some(json!({"title": "mine"})),
    };
    let document = serde_json::to_value(UiDocument::openapi()).unwrap();
    let mut tried = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        if !path.contains("{id}") {
            continue;
        }
        let filled = path.replace("{id}", if path.contains("messages") { &reply } else { id });
        for method in methods.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            let body = if method == "GET" || method == "DELETE" { None } else { bodies(path) };
            server.refused(StatusCode::NOT_FOUND, &method, &filled, body).await;
            tried += 1;
        }
    }
    assert_eq!(tried, 10);
    assert!(server.ok("GET", "/ui/api/conversations", None).await["conversations"].as_array().unwrap().is_empty());
    assert_eq!(server.store.tree("bob", id).await.unwrap().messages.len(), 3);
    assert!(server.store.tree(ANN, id).await.is_err());
}

#[tokio::test]
async fn the_page_is_told_what_a_model_uses_by_itself_and_what_it_can_be_asked() {
    let server = Server::new().await;
    let model = server.ok("GET", "/ui/api/models", None).await["models"][0].clone();
    assert_eq!((&model["id"], &model["suggestions"]), (&json!("tiny"), &json!(["What is 2 + 2?"])));
    assert_eq!((&model["defaults"]["min_p"], &model["defaults"]["top_k"]), (&json!(0.25), &Value::Null));
}
