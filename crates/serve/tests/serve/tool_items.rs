//! Calls as items that a client sends back, and calls in replies that are cut.

use serde_json::{Value, json};

use crate::tools::{CALLING, QUESTION, RESULT, TWICE_ASKED, calling, with_tools};
use crate::{good, merged, model, post, request, send};

const RESPONSES: &str = "/v1/responses";

fn asked(input: impl Into<Value>, more: Value) -> Value {
    let input: Value = input.into();
    let tools = json!([{"type": "function", "name": "heat", "parameters": {"type": "object"}}]);
    merged(json!({"model": "tiny", "input": input, "tools": tools, "temperature": 0, "max_output_tokens": 200}), more)
}

#[tokio::test]
async fn a_reply_that_is_sent_back_is_read_as_the_stored_one() {
    let (router, _server) = calling().await;
    // Text and a call; a call, text and another call.
    for question in [QUESTION, TWICE_ASKED] {
        let first = good(&router, RESPONSES, asked(question, json!({}))).await;
        let output = first["output"].as_array().unwrap();
        assert!(output.len() > 1, "{first}");
        let (begun, ended) = (first["created_at"].as_u64().unwrap(), first["completed_at"].as_u64().unwrap());
        assert!(first["status"] == "completed" && (begun..begun + 60).contains(&ended), "{first}");
        let path = format!("{RESPONSES}/{}", first["id"].as_str().unwrap());
        assert_eq!(send(&router, request("GET", &path, None, None)).await.json(), first);
        let calls = output.iter().filter(|item| item["type"] == "function_call");
        let results: Vec<Value> = calls
            .map(|call| json!({"type": "function_call_output", "call_id": call["call_id"], "output": RESULT}))
            .collect();
        let by_id = asked(results.clone(), json!({"previous_response_id": first["id"]}));
        let by_id = good(&router, RESPONSES, by_id).await;
        let mut input = vec![json!({"role": "user", "content": question})];
        input.extend(output.iter().chain(&results).cloned());
        let sent_back = good(&router, RESPONSES, asked(input, json!({}))).await;
        assert_eq!(sent_back["usage"]["input_tokens"], by_id["usage"]["input_tokens"], "{question}");
        assert_eq!(sent_back["output"][0]["content"], by_id["output"][0]["content"]);
        // All of the prompt but its last page was read before.
        let cached = sent_back["usage"]["input_tokens_details"]["cached_tokens"].as_u64().unwrap();
        assert!(cached + 16 >= by_id["usage"]["input_tokens"].as_u64().unwrap(), "{cached} {by_id}");
    }
}

#[tokio::test]
async fn a_reply_that_its_limit_cuts_after_a_call_says_so() {
    let (router, _server) = calling().await;
    let tokens = model().tokenizer().unwrap().encode_with_specials(CALLING).len();
    for (limit, reason) in [(tokens, "length"), (tokens + 1, "tool_calls")] {
        let asked = with_tools(json!({"max_tokens": limit}));
        let whole = good(&router, "/v1/chat/completions", asked.clone()).await;
        let choice = &whole["choices"][0];
        assert_eq!((&choice["finish_reason"], choice["message"]["tool_calls"].is_array()), (&json!(reason), true));
        let streamed = post(&router, "/v1/chat/completions", merged(asked, json!({"stream": true}))).await.events();
        assert_eq!(streamed.last().unwrap()["choices"][0]["finish_reason"], reason);
    }
}
