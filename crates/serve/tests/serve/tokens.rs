use serde_json::{Value, json};

use crate::{bad, good, model, request, routes, send};

#[tokio::test]
async fn texts_become_ids_and_ids_texts() {
    let (router, _server) = routes().await;
    let text = "the kiln, 热 <|im_end|>";
    let tokenized = good(&router, "/tokenize", json!({"prompt": text, "return_token_strs": true})).await;
    let ids = model().tokenizer().unwrap().encode(text);
    assert_eq!(tokenized["tokens"], json!(ids));
    assert_eq!(tokenized["count"], ids.len());
    assert_eq!(tokenized["token_strs"].as_array().unwrap().len(), ids.len());
    assert_eq!(good(&router, "/detokenize", json!({"tokens": ids})).await["prompt"], text);
    assert_eq!(good(&router, "/tokenize", json!({"prompt": ""})).await["tokens"], json!([]));
    let messages = json!([{"role": "user", "content": "hot?"}]);
    let chat = good(&router, "/tokenize", json!({"messages": messages})).await;
    let expect = model().chat_prompt(&[fireclay_tokenizer::Message::new("user", "hot?")]).unwrap();
    assert_eq!(chat["tokens"], json!(expect));
    assert_eq!(bad(&router, "/detokenize", json!({"tokens": [9999]}), 400).await["param"], "tokens");
    bad(&router, "/tokenize", json!({}), 400).await;
}

#[tokio::test]
async fn a_harness_learns_what_the_tokenizer_is_like() {
    let (router, _server) = routes().await;
    let info = send(&router, request("GET", "/tokenizer_info?model=tiny", None, None)).await.json();
    let tokenizer = model().tokenizer().unwrap().clone();
    assert_eq!(info["eos_token_id"], json!(tokenizer.eos_id()));
    assert_eq!(info["vocab_size"], tokenizer.vocab_size());
    assert!(info["chat_template"].as_str().unwrap().contains("<|im_start|>"));
    let listed = send(&router, request("GET", "/v1/models", None, None)).await.json();
    assert_eq!((listed["data"][0]["id"].as_str(), listed["data"][0]["object"].as_str()), (Some("tiny"), Some("model")));
    let one = send(&router, request("GET", "/v1/models/tiny", None, None)).await.json();
    assert_eq!(one, listed["data"][0]);
    assert_eq!(send(&router, request("GET", "/v1/models/other", None, None)).await.status.as_u16(), 404);
    let metrics = send(&router, request("GET", "/metrics", None, None)).await;
    for name in [
        "fireclay_http_requests_total{method=\"GET\",route=\"/v1/models\",status=\"200\"} 1",
        "fireclay_cache_pages{",
        "# EOF",
    ] {
        assert!(metrics.text.contains(name), "{name}\n{}", metrics.text);
    }
    let ready = send(&router, request("GET", "/ready", None, None)).await;
    assert_eq!((ready.status.as_u16(), ready.json()), (200, json!({"status": "ready"})));
    let _: Value = send(&router, request("GET", "/openapi.json", None, None)).await.json();
}
