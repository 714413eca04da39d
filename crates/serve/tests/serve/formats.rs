//! Answers in the form that was asked for.

use serde_json::{Value, json};

use crate::{bad, chat, good, merged, post, routes};

const CHAT: &str = "/v1/chat/completions";

fn schema() -> Value {
    json!({"type": "object", "properties": {
        "hot": {"type": "boolean"}, "glaze": {"enum": ["celadon", "tenmoku"]}, "cone": {"type": "integer", "minimum": 1, "maximum": 13}},
        "required": ["hot", "glaze", "cone"], "additionalProperties": false})
}

fn check(text: &str) {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let object = value.as_object().unwrap();
    assert_eq!(object.keys().collect::<Vec<_>>(), ["hot", "glaze", "cone"], "{text}");
    assert!(object["hot"].is_boolean() && (1..=13).contains(&object["cone"].as_i64().unwrap()), "{text}");
    assert!(["celadon", "tenmoku"].contains(&object["glaze"].as_str().unwrap()), "{text}");
}

#[tokio::test]
async fn answers_follow_a_schema_on_every_route() {
    let (router, _server) = routes().await;
    let format = json!({"type": "json_schema", "json_schema": {"name": "pot", "strict": true, "schema": schema()}});
    let asked = json!({"max_tokens": 1500, "n": 3, "temperature": 1, "seed": 3, "response_format": format});
    let answer = good(&router, CHAT, chat("?", asked.clone())).await;
    for choice in answer["choices"].as_array().unwrap() {
        assert_eq!(choice["finish_reason"], "stop", "{choice}");
        check(choice["message"]["content"].as_str().unwrap());
    }
    let streamed =
        post(&router, CHAT, chat("?", json!({"max_tokens": 1500, "stream": true, "response_format": format}))).await;
    let delta = |event: Value| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned);
    check(&streamed.events().into_iter().filter_map(delta).collect::<String>());
    let raw =
        json!({"model": "tiny", "prompt": "the kiln", "max_tokens": 1500, "temperature": 0, "response_format": format});
    check(good(&router, "/v1/completions", raw).await["choices"][0]["text"].as_str().unwrap());
    let format = json!({"type": "json_schema", "name": "pot", "schema": schema()});
    let asked = json!({"model": "tiny", "input": "?", "max_output_tokens": 1500, "text": {"format": format}});
    let response = good(&router, "/v1/responses", asked).await;
    check(response["output"][0]["content"][0]["text"].as_str().unwrap());
    assert_eq!(response["text"]["format"]["name"], "pot");
}

#[tokio::test]
async fn an_object_is_an_object() {
    let (router, _server) = routes().await;
    let asked = json!({"max_tokens": 12, "response_format": {"type": "json_object"}});
    let answer = good(&router, CHAT, chat("?", asked)).await;
    assert!(answer["choices"][0]["message"]["content"].as_str().unwrap().starts_with('{'), "{answer}");
}

#[tokio::test]
async fn schemas_that_cannot_be_held_to_are_refused() {
    let (router, _server) = routes().await;
    for (format, expect) in [
        (json!({"type": "json_schema"}), "`schema` is missing"),
        (json!({"type": "json_schema", "json_schema": 3}), "`response_format.json_schema`: give an object"),
        (json!({"type": "json_schema", "json_schema": {"schema": {}, "strange": 1}}), "strange"),
        (
            json!({"type": "json_schema", "json_schema": {"schema": {"type": "integer", "minimum": 2, "maximum": 1}}}),
            "nsatisfiable",
        ),
        (
            json!({"type": "json_schema", "json_schema": {"schema": {"type": "object", "dependentSchemas": {}}}}),
            "dependentSchemas",
        ),
        (json!({}), "`type` is missing"),
    ] {
        let error = bad(&router, CHAT, chat("?", json!({"response_format": format})), 400).await;
        assert!(error["message"].as_str().unwrap().contains(expect), "{error}");
        assert!(error["param"].as_str().unwrap().starts_with("response_format"), "{error}");
    }
}

#[tokio::test]
async fn schemas_that_would_take_the_servers_time_are_refused_at_once_by_their_keyword() {
    let (router, _server) = routes().await;
    let patterns: Vec<Value> =
        (1..=23).map(|count| json!({"type": "string", "pattern": format!("a{{{count}}}")})).collect();
    for (keyword, schema) in [
        ("pattern", json!({"allOf": patterns})),
        ("multipleOf", json!({"type": "integer", "multipleOf": 999_983})),
        ("maxLength", json!({"type": "string", "maxLength": 20_000})),
        ("x-guidance", json!({"type": "array", "items": {"x-guidance": {"lenient": true}}})),
    ] {
        let begun = std::time::Instant::now();
        let format = json!({"type": "json_schema", "json_schema": {"schema": schema}});
        let error = bad(&router, CHAT, chat("?", json!({"response_format": format})), 400).await;
        assert!(error["message"].as_str().unwrap().contains(&format!("`{keyword}`")), "{error}");
        assert_eq!(error["param"], "response_format");
        let parameters = json!({"type": "object", "properties": {"a": schema}});
        let tool = json!({"type": "function", "name": "f", "strict": true, "parameters": parameters});
        let error = bad(&router, "/v1/responses", json!({"model": "tiny", "input": "?", "tools": [tool]}), 400).await;
        assert!(error["message"].as_str().unwrap().contains(&format!("`{keyword}`")), "{error}");
        assert_eq!(error["param"], "tools[0].parameters");
        assert!(begun.elapsed().as_secs_f64() < 5.0, "{keyword}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn ranges_at_the_limits_of_64_bits_are_held_to_or_refused_by_name() {
    let (router, _server) = routes().await;
    let format = |schema: &Value| json!({"type": "json_schema", "json_schema": {"schema": schema}});
    for (least, most) in [(i64::MIN, i64::MIN), (i64::MIN, i64::MIN + 1), (i64::MAX, i64::MAX)] {
        let schema = json!({"type": "integer", "minimum": least, "maximum": most});
        let error = bad(&router, CHAT, chat("?", json!({"response_format": format(&schema)})), 400).await;
        assert!(error["message"].as_str().unwrap().contains("imum`: numbers"), "{error}");
        let parameters = json!({"type": "object", "properties": {"a": schema}});
        let tool = json!({"type": "function", "name": "f", "strict": true, "parameters": parameters});
        let asked = json!({"model": "tiny", "input": "?", "tools": [tool]});
        assert_eq!(bad(&router, "/v1/responses", asked, 400).await["param"], "tools[0].parameters");
        let format = json!({"type": "json_schema", "name": "a", "schema": schema});
        bad(&router, "/v1/responses", json!({"model": "tiny", "input": "?", "text": {"format": format}}), 400).await;
    }
    let wide = json!({"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX});
    let asked = json!({"temperature": 2, "seed": 1, "n": 4, "response_format": format(&wide)});
    for choice in good(&router, CHAT, chat("?", asked)).await["choices"].as_array().unwrap() {
        choice["message"]["content"].as_str().unwrap().parse::<i64>().unwrap();
    }
}

#[tokio::test]
async fn extreme_penalties_keep_the_form_of_an_answer() {
    let (router, _server) = routes().await;
    for more in [
        json!({"frequency_penalty": -100, "repetition_penalty": 0.01, "temperature": 1, "min_p": 1}),
        json!({"presence_penalty": 100, "repetition_penalty": 100, "temperature": 1e-6, "top_p": 1e-6}),
    ] {
        let format = json!({"type": "json_schema", "json_schema": {"schema": {"enum": ["hot", "cold"]}}});
        let asked = merged(more, json!({"response_format": format, "seed": 1}));
        let answer = good(&router, CHAT, chat("?", asked)).await;
        let content = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert!(["\"hot\"", "\"cold\""].contains(&content), "{content}");
    }
}
