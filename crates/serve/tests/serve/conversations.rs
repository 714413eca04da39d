use axum::http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{bad, good, request, routes, send};

const PATH: &str = "/v1/conversations";

fn texts(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|item| item["content"][0]["text"].as_str().unwrap()).collect()
}

/// Deleting a conversation, or stopping the reply by its id on the page, ends a response in the middle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_ends_with_its_conversation_and_by_the_pages_button() {
    let (router, _server) = routes().await;
    for is_deleted in [true, false] {
        let made = good(&router, PATH, json!({})).await;
        let asked = json!({"model": "tiny", "input": "What is hot?", "conversation": made["id"], "stream": true,
            "temperature": 0});
        let sent = router.clone().oneshot(request("POST", "/v1/responses", None, Some(&asked))).await.unwrap();
        let (mut body, mut text) = (sent.into_body(), String::new());
        while !text.contains("output_text.delta") {
            text += std::str::from_utf8(body.frame().await.unwrap().unwrap().data_ref().unwrap()).unwrap();
        }
        let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
        if is_deleted {
            assert_eq!(send(&router, request("DELETE", &path, None, None)).await.status, StatusCode::OK);
        } else {
            let reply = text.split("\"item_id\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
            let stop = format!("/ui/api/messages/{reply}/stop");
            assert_eq!(send(&router, request("POST", &stop, None, None)).await.json()["stopped"], true);
        }
        text += std::str::from_utf8(&body.collect().await.unwrap().to_bytes()).unwrap();
        let end: Value = serde_json::from_str(text.trim_end().rsplit("data: ").next().unwrap()).unwrap();
        assert!(text.matches("output_text.delta").count() < 1000, "it does not go on to its end");
        if is_deleted {
            assert_eq!(end["type"], "response.failed");
            assert!(end["response"]["error"]["message"].as_str().unwrap().contains("deleted"), "{end}");
        } else {
            assert_eq!(
                (&end["type"], &end["response"]["status"]),
                (&json!("response.incomplete"), &json!("incomplete"))
            );
            let items = send(&router, request("GET", &format!("{path}/items"), None, None)).await.json();
            assert_eq!(items["data"][0], end["response"]["output"][0], "what there is is kept");
        }
    }
}

#[tokio::test]
async fn a_conversation_is_made_read_changed_and_deleted() {
    let (router, _server) = routes().await;
    let get = async |path: &str| send(&router, request("GET", path, None, None)).await;
    let items = json!([{"role": "system", "content": "Be kind."}, {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}]);
    let made = good(&router, PATH, json!({"metadata": {"topic": "clay"}, "items": items})).await;
    let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
    assert_eq!((made["object"].as_str(), &made["metadata"]), (Some("conversation"), &json!({"topic": "clay"})));
    assert_eq!(get(&path).await.json(), made);
    assert_eq!(good(&router, &path, json!({"metadata": {"topic": "kiln"}})).await["metadata"]["topic"], "kiln");

    assert_eq!(good(&router, &path, json!({"metadata": null})).await["metadata"], json!({}));
    assert_eq!(bad(&router, &path, json!({}), 400).await["param"], "metadata");

    let more = json!({"items": [{"role": "assistant", "content": "Hi."}, {"role": "user", "content": "And?"}]});
    let added = good(&router, &format!("{path}/items"), more).await;
    assert_eq!(texts(&added), ["Hi.", "And?"]);
    assert_eq!(texts(&get(&format!("{path}/items?order=asc")).await.json()), ["Be kind.", "Hello", "Hi.", "And?"]);
    let page = get(&format!("{path}/items?limit=3")).await.json();
    assert_eq!((texts(&page), &page["has_more"]), (vec!["And?", "Hi.", "Hello"], &json!(true)));
    let after = page["last_id"].as_str().unwrap();
    let rest = get(&format!("{path}/items?limit=3&after={after}")).await.json();
    assert_eq!((texts(&rest), &rest["has_more"]), (vec!["Be kind."], &json!(false)));

    let item = added["data"][0]["id"].as_str().unwrap();
    let one = get(&format!("{path}/items/{item}")).await.json();
    assert_eq!((one["role"].as_str(), one["status"].as_str()), (Some("assistant"), Some("completed")));
    assert_eq!(
        send(&router, request("DELETE", &format!("{path}/items/{item}"), None, None)).await.json()["id"],
        made["id"]
    );
    assert_eq!(get(&format!("{path}/items/{item}")).await.status, StatusCode::NOT_FOUND);

    let gone = send(&router, request("DELETE", &path, None, None)).await.json();
    assert_eq!((gone["object"].as_str(), &gone["deleted"]), (Some("conversation.deleted"), &json!(true)));
    assert_eq!(get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_no_item_is_named() {
    let (router, _server) = routes().await;
    for (item, param) in [
        (json!({"role": "robot", "content": "a"}), "items[0].role"),
        (json!({"role": "user"}), "items[0].content"),
        (json!({"role": "user", "content": [{"type": "input_image"}]}), "items[0].content[0].type"),
        (
            json!({"role": "user", "content": [{"type": "input_text", "text": "a", "size": 1}]}),
            "items[0].content[0].size",
        ),
        (json!({"type": "function_call_output", "call_id": "c", "output": [{"text": "a"}]}), "items[0].output[0].type"),
        (json!({"role": "user", "content": "a", "colour": 1}), "items[0].colour"),
        (json!({"type": "reasoning"}), "items[0].type"),
    ] {
        assert_eq!(bad(&router, PATH, json!({"items": [item]}), 400).await["param"], param);
    }
    assert_eq!(bad(&router, PATH, json!({"metadata": {"a": 1}}), 400).await["param"], "metadata");
    let made = good(&router, PATH, json!({})).await;
    for query in ["limit=0", "limit=x", "order=up"] {
        let path = format!("{PATH}/{}/items?{query}", made["id"].as_str().unwrap());
        assert_eq!(send(&router, request("GET", &path, None, None)).await.status, StatusCode::BAD_REQUEST, "{query}");
    }
}
