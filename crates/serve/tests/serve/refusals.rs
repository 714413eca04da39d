use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use fireclay_serve::{Config, Limits, Server};
use serde_json::{Value, json};

use crate::accounts::keys;
use crate::{Answer, bad, chat, config, good, limits, merged, model, post, request, routes, send, start};

const CHAT: &str = "/v1/chat/completions";
#[tokio::test]
async fn what_is_not_done_is_refused_by_name() {
    let (router, _server) = routes().await;
    for (field, value) in [
        ("audio", json!({"voice": "a"})),
        ("functions", json!([{"name": "f"}])),
        ("web_search_options", json!({})),
        ("reasoning_effort", json!("low")),
        ("response_format", json!({"type": "grammar"})),
        ("service_tier", json!("priority")),
        ("verbosity", json!("low")),
    ] {
        let error = bad(&router, CHAT, chat("?", json!({field: value})), 400).await;
        assert_eq!(
            (error["param"].as_str(), error["code"].as_str()),
            (Some(field), Some("unsupported_parameter")),
            "{error}"
        );
    }
    let error = bad(&router, CHAT, chat("?", json!({"temprature": 1})), 400).await;
    assert_eq!((error["param"].as_str(), error["code"].as_str()), (Some("temprature"), Some("unknown_parameter")));
    assert_eq!(
        bad(&router, CHAT, chat("?", json!({"stream_options": {"x": 1}})), 400).await["param"],
        "stream_options.x"
    );
    let harmless = json!({"user": "me", "metadata": {"a": "b"}, "store": true, "audio": null, "functions": [], "response_format": {"type": "text"}});
    good(&router, CHAT, chat("?", harmless)).await;
    let own = json!({"chat_template_kwargs": {"add_generation_prompt": false}});
    let error = bad(&router, CHAT, chat("?", own), 400).await;
    assert!(error["message"].as_str().unwrap().contains("add_generation_prompt"), "{error}");
    let error = bad(&router, "/v1/completions", json!({"model": "tiny", "prompt": "a", "suffix": "b"}), 400).await;
    assert_eq!(error["param"], "suffix");
    for (field, value) in [
        ("background", json!(true)),
        ("reasoning", json!({"effort": "low"})),
        ("truncation", json!("auto")),
        ("text", json!({"format": {"type": "grammar"}})),
    ] {
        let error = bad(&router, "/v1/responses", json!({"model": "tiny", "input": "a", field: value}), 400).await;
        assert!(error["param"].as_str().unwrap().starts_with(field), "{error}");
    }
}

#[tokio::test]
async fn a_stop_text_is_short() {
    let (router, _server) = routes().await;
    for stop in [json!("x".repeat(1_001)), json!(["a", "é".repeat(1_001)])] {
        let error = bad(&router, CHAT, chat("?", json!({"stop": stop})), 400).await;
        assert_eq!(error["param"], "stop");
        assert!(error["message"].as_str().unwrap().contains("1001 characters; at most 1000"), "{error}");
    }
    good(&router, CHAT, chat("?", json!({"stop": "é".repeat(1_000), "n": 3}))).await;
}

#[tokio::test]
async fn values_that_ask_for_what_is_done_anyway_are_accepted() {
    let (router, _server) = routes().await;
    for (route, harmless) in [
        (
            CHAT,
            chat(
                "?",
                json!({"n": 1, "service_tier": "auto", "parallel_tool_calls": true, "tools": [], "stop": null,
            "modalities": ["text"], "reasoning_effort": null, "verbosity": "medium", "logit_bias": null,
            "top_logprobs": 0, "tool_choice": "auto",
            "max_completion_tokens": 24, "prompt_cache_key": "a", "stream_options": null}),
            ),
        ),
        (CHAT, chat("?", json!({"parallel_tool_calls": false, "stream": true, "stream_options": {}}))),
        ("/v1/completions", json!({"model": "tiny", "prompt": "a", "best_of": 1, "n": 1, "suffix": "", "user": "me"})),
        ("/v1/completions", json!({"model": "tiny", "prompt": "a", "best_of": 2, "n": 2})),
        (
            "/v1/responses",
            json!({"model": "tiny", "input": "a", "max_output_tokens": 4, "reasoning": {}, "metadata": null,
            "service_tier": "auto", "background": false, "store": true, "truncation": "disabled", "top_logprobs": 0,
            "include": ["reasoning.encrypted_content"], "text": {"format": {"type": "text"}, "verbosity": "medium"},
            "parallel_tool_calls": true, "tools": [], "user": "me", "previous_response_id": null,
            "max_tool_calls": null}),
        ),
        (
            "/v1/responses",
            json!({"model": "tiny", "input": "a", "max_output_tokens": 4, "stream": true,
            "reasoning": {"effort": "none", "summary": null}, "stream_options": {"include_obfuscation": false}}),
        ),
        ("/tokenize", json!({"messages": [{"role": "user", "content": "a"}], "add_special_tokens": true})),
    ] {
        assert_eq!(post(&router, route, harmless.clone()).await.status, StatusCode::OK, "{harmless}");
    }
}

#[tokio::test]
async fn fields_within_fields_are_refused_by_their_path() {
    let (router, _server) = routes().await;
    for (route, asked, param) in [
        (CHAT, json!({"response_format": {"type": "json_object", "schema": {}}}), "response_format.schema"),
        (CHAT, json!({"response_format": {"type": "text", "colour": 1}}), "response_format.colour"),
        (
            CHAT,
            json!({"response_format": {"type": "json_schema", "json_schema": {"schema": {}, "colour": 1}}}),
            "response_format.json_schema.colour",
        ),
        (CHAT, json!({"stream_options": {"include_usage": true}}), "stream_options"),
        (
            CHAT,
            json!({"stream": true, "stream_options": {"include_obfuscation": true}}),
            "stream_options.include_obfuscation",
        ),
        (CHAT, json!({"max_completion_tokens": 7}), "max_tokens"),
        ("/v1/completions", json!({"best_of": 3}), "best_of"),
        ("/v1/completions", json!({"stream_options": {}}), "stream_options"),
        ("/v1/responses", json!({"stream_options": {}}), "stream_options"),
        ("/v1/responses", json!({"reasoning": {"effort": "high"}}), "reasoning.effort"),
        ("/v1/responses", json!({"reasoning": {"colour": "red"}}), "reasoning.colour"),
        ("/v1/responses", json!({"include": ["message.output_text.logprobs"]}), "include"),
        ("/v1/responses", json!({"text": {"verbosity": "low"}}), "text.verbosity"),
        ("/v1/responses", json!({"text": {"colour": "red"}}), "text.colour"),
        ("/v1/responses", json!({"text": {"format": {"type": "json_object", "schema": {}}}}), "text.format.schema"),
        ("/v1/responses", json!({"conversation": {"id": "conv_x", "colour": "red"}}), "conversation"),
        ("/v1/responses", json!({"background": true}), "background"),
        ("/v1/responses", json!({"service_tier": "flex"}), "service_tier"),
    ] {
        let whole = match route {
            CHAT => chat("?", asked),
            "/v1/completions" => merged(json!({"model": "tiny", "prompt": "a"}), asked),
            _ => merged(json!({"model": "tiny", "input": "a"}), asked),
        };
        assert_eq!(bad(&router, route, whole.clone(), 400).await["param"], param, "{whole}");
    }
}

#[tokio::test]
async fn wrong_values_are_told_in_plain_words() {
    let (router, _server) = routes().await;
    for (route, asked, words) in [
        (CHAT, chat("?", json!({"stop": 5})), "`stop`: give a text, or a list of texts"),
        (CHAT, chat("?", json!({"temperature": "hot"})), "`temperature`: give a number, not the text \"hot\""),
        (CHAT, chat("?", json!({"messages": ["a"]})), "`messages[0]`: give an object, not the text \"a\""),
        (
            "/v1/completions",
            json!({"model": "tiny", "prompt": {}}),
            "`prompt`: give a text, token ids, or a list of either",
        ),
        ("/v1/responses", json!({"model": "tiny", "input": 5}), "`input`: give a text, or a list of items"),
        (
            "/v1/responses",
            json!({"model": "tiny", "input": "a", "conversation": 5}),
            "`conversation`: give a conversation's id, alone or as `id` of an object",
        ),
        (
            "/ui/api/conversations/import",
            json!({"object": "fireclay.conversation", "version": 1,
                "messages": [{"id": "a", "role": "user", "content": null}]}),
            "`messages[0].content`: give a text, or a list of parts",
        ),
    ] {
        assert_eq!(bad(&router, route, asked, 400).await["message"], words);
    }
}

#[tokio::test]
async fn settings_that_mean_nothing_are_named() {
    let (router, _server) = routes().await;
    for (field, value) in [
        ("temperature", json!(-1)),
        ("top_p", json!(0)),
        ("min_p", json!(2)),
        ("top_logprobs", json!(50)),
        ("max_tokens", json!(0)),
        ("n", json!(0)),
        ("messages", json!([])),
    ] {
        let error =
            bad(&router, CHAT, chat("?", merged(json!({"logprobs": true}), json!({field: value})).clone()), 400).await;
        assert_eq!(error["param"], field, "{error}");
    }
    let error = bad(&router, CHAT, chat("?", json!({"model": "other"})), 404).await;
    assert_eq!((error["param"].as_str(), error["code"].as_str()), (Some("model"), Some("model_not_found")));
    let long = "the kiln is hot ".repeat(4000);
    let asked = |field: &str| json!({"model": "tiny", field: long});
    for (route, asked, param) in [
        (CHAT, chat(&long, json!({})), "messages"),
        ("/v1/completions", asked("prompt"), "prompt"),
        ("/v1/responses", asked("input"), "input"),
    ] {
        let error = bad(&router, route, asked, 400).await;
        assert_eq!((&error["code"], &error["param"]), (&json!("context_length_exceeded"), &json!(param)));
    }
    let many = json!({"model": "tiny", "prompt": vec!["a"; 17]});
    assert_eq!(bad(&router, "/v1/completions", many, 400).await["param"], "prompt");
    let format = json!({"type": "json_object"});
    let beside = |more: Value| merged(json!({"response_format": format}), more);
    for (more, param, words) in [
        (beside(json!({"min_tokens": 2})), "min_tokens", "beside `response_format`"),
        (beside(json!({"ignore_eos": true})), "ignore_eos", "beside `response_format`"),
        (json!({"min_tokens": 7, "max_tokens": 6}), "min_tokens", "more than `max_tokens`, which is 6"),
        (json!({"frequency_penalty": -3e38}), "frequency_penalty", "from -100 to 100"),
        (json!({"repetition_penalty": 1e-38}), "repetition_penalty", "from 0.01 to 100"),
    ] {
        let raw = merged(json!({"model": "tiny", "prompt": "a"}), more.clone());
        for (route, asked) in [(CHAT, chat("?", more)), ("/v1/completions", raw)] {
            let error = bad(&router, route, asked, 400).await;
            assert!(error["param"] == param && error["message"].as_str().unwrap().contains(words), "{error}");
        }
    }
}

async fn raw(body: &str, kind: &str) -> Answer {
    let (router, _server) = routes().await;
    let request = Request::post(CHAT).header(header::HOST, "localhost").header(header::CONTENT_TYPE, kind);
    send(&router, request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn bodies_that_are_no_requests_are_refused() {
    for body in ["", "{", "[]", "null", "{\"model\": 1}", &"[".repeat(100_000), "\u{feff}{}"] {
        let answer = raw(body, "application/json").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    }
    let large = format!("{{\"model\": \"{}\"}}", "a".repeat(2 << 20));
    assert_eq!(raw(&large, "application/json").await.status, StatusCode::PAYLOAD_TOO_LARGE);
    // Requests that a page of another site can send without a preflight.
    assert_eq!(raw("{}", "text/plain").await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn what_is_beyond_the_queue_is_turned_away() {
    let server = start(Config { limits: Limits { streams: 2, queue: 2, ..limits() }, ..config() }).await;
    let router = server.router();
    let slow = chat("?", json!({"n": 4, "ignore_eos": true, "max_tokens": 400}));
    let taken = {
        let router = router.clone();
        tokio::spawn(async move { post(&router, CHAT, slow).await.status })
    };
    let mut refused = None;
    for _ in 0..200 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let answer = post(&router, CHAT, chat("?", json!({"max_tokens": 1}))).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("four answers take all places");
    assert_eq!(refused.headers["retry-after"], "1");
    let error = &refused.json()["error"];
    assert_eq!(
        (error["type"].as_str(), error["code"].as_str()),
        (Some("rate_limit_error"), Some("rate_limit_exceeded"))
    );
    assert_eq!(taken.await.unwrap(), StatusCode::OK);
    good(&router, CHAT, chat("?", json!({}))).await;
    assert_eq!(bad(&router, CHAT, chat("?", json!({"n": 5})), 400).await["param"], "n");
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_ended() {
    let timeout = std::time::Duration::from_millis(30);
    let server = start(Config { limits: Limits { timeout, ..limits() }, ..config() }).await;
    // Drawn, so that none can be guessed.
    let slow = chat("?", json!({"ignore_eos": true, "max_tokens": 2000, "n": 4, "temperature": 1}));
    let error = bad(&server.router(), CHAT, slow.clone(), 504).await;
    assert_eq!(error["code"], "timeout");
    let streamed = post(&server.router(), CHAT, merged(slow, json!({"stream": true}))).await;
    assert!(
        streamed.text.contains("\"code\":\"timeout\"") && streamed.text.trim_end().ends_with("[DONE]"),
        "{}",
        streamed.text
    );
}

#[tokio::test]
async fn routes_and_methods_that_are_not_there_are_told_so() {
    let (router, _server) = routes().await;
    for (method, path, status) in [
        ("GET", "/v1/nothing", 404),
        ("GET", CHAT, 405),
        ("POST", "/health", 405),
        ("GET", "/v1/conversations/x/y/z", 404),
    ] {
        let answer = send(&router, request(method, path, None, None)).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
        assert!(answer.json()["error"]["message"].is_string());
    }
}

#[tokio::test]
async fn a_path_that_is_no_text_is_refused_by_every_route() {
    let (router, _server) = routes().await;
    let document: Value = serde_json::from_str(&fireclay_serve::openapi()).unwrap();
    let mut tried = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "%FF" } else { part });
        let wrong = parts.collect::<Vec<_>>().join("/");
        for method in methods.as_object().unwrap().keys().filter(|_| wrong != *path) {
            let answer = send(&router, request(&method.to_uppercase(), &wrong, None, Some(&json!({})))).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{method} {wrong}: {}", answer.text);
            assert_eq!(answer.json()["error"]["type"], "invalid_request_error", "{method} {wrong}: {}", answer.text);
            tried += 1;
        }
    }
    assert!(tried > 15, "{tried}");
}

#[tokio::test]
async fn a_count_in_a_query_has_digits_alone() {
    let (router, _server) = routes().await;
    let made = good(&router, "/v1/conversations", json!({})).await;
    let items = format!("/v1/conversations/{}/items", made["id"].as_str().unwrap());
    for path in [items.as_str(), "/ui/api/conversations"] {
        for limit in ["%2B5", "+5", "-5", "", "5.0", "5e0", "0", "%205", "99999999999999999999", "%FF"] {
            let answer = send(&router, request("GET", &format!("{path}?limit={limit}"), None, None)).await;
            let told = (answer.status, answer.json()["error"]["param"].take());
            assert_eq!(told, (StatusCode::BAD_REQUEST, json!("limit")), "{path} {limit}");
        }
        let answer = send(&router, request("GET", &format!("{path}?limit=05"), None, None)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_query_that_means_nothing_is_refused_by_name() {
    let (router, _server) = routes().await;
    for (method, path) in [
        ("GET", "/v1/models?limit=2"),
        ("GET", "/v1/models/tiny?limit=2"),
        ("GET", "/v1/responses/resp_x?limit=2"),
        ("DELETE", "/v1/conversations/conv_x?limit=2"),
        ("GET", "/v1/conversations/conv_x/items/msg_x?limit=2"),
        ("GET", "/tokenizer_info?limit=2"),
        ("GET", "/ui/api/models?limit=2"),
    ] {
        let answer = send(&router, request(method, path, None, None)).await;
        let error = &answer.json()["error"];
        assert_eq!((answer.status, &error["param"]), (StatusCode::BAD_REQUEST, &json!("limit")), "{path}: {error}");
        assert_eq!(error["code"], "unknown_parameter");
    }
}

#[tokio::test]
async fn without_keys_only_its_own_names_are_answered() {
    let (router, server) = routes().await;
    for (host, good) in
        [("localhost:8080", true), ("127.0.0.1", true), ("LOCALHOST", true), ("evil.example", false), ("", false)]
    {
        let request = Request::get("/v1/models").header(header::HOST, host).body(Body::empty()).unwrap();
        assert_eq!(send(&router, request).await.status == StatusCode::OK, good, "{host:?}");
    }
    for (path, hosts, status) in [
        ("/health", vec![], 400),
        ("/health", vec!["localhost", "localhost"], 400),
        ("http://localhost/health", vec!["localhost"], 200),
        ("http://evil.example/health", vec!["localhost"], 421),
    ] {
        let request = hosts.iter().fold(Request::get(path), |request, host| request.header(header::HOST, *host));
        assert_eq!(send(&router, request.body(Body::empty()).unwrap()).await.status, status, "{path} {hosts:?}");
    }
    // A health check over HTTP/1.0; a browser always names a host.
    let request = Request::get("/health").version(axum::http::Version::HTTP_10).body(Body::empty()).unwrap();
    assert_eq!(send(&router, request).await.status, StatusCode::OK);
    drop(server);
    let server = start(Config { keys: keys(), ..config() }).await;
    let request = Request::get("/health").header(header::HOST, "chat.example").body(Body::empty()).unwrap();
    assert_eq!(send(&server.router(), request).await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_response_has_an_id_and_a_policy() {
    let (router, _server) = routes().await;
    for path in ["/", "/health", "/v1/models", "/nothing"] {
        let answer = send(&router, request("GET", path, None, None)).await;
        assert!(
            answer.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'self'"),
            "{path}"
        );
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert!(answer.headers["x-request-id"].to_str().unwrap().starts_with("req_"), "{path}");
    }
    let with = |id: &str| {
        Request::get("/health")
            .header(header::HOST, "localhost")
            .header("x-request-id", id)
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(send(&router, with("mine-1")).await.headers["x-request-id"], "mine-1");
    assert_ne!(send(&router, with("a b\"")).await.headers["x-request-id"], "a b\"");
}

#[tokio::test]
async fn servers_that_protect_nothing_do_not_start() {
    let open = || Config { host: "0.0.0.0".parse().unwrap(), ..config() };
    let refused = async |config: Config, models: Vec<(String, fireclay_text::TextModel)>| {
        let error = Server::bind(config, models).await.err().expect("it does not start");
        assert!(error.is_user_error(), "{error}");
        error.to_string()
    };
    let one = || vec![("tiny".to_owned(), model())];
    assert!(refused(open(), one()).await.contains("--api-key-file"));
    assert!(refused(config(), vec![]).await.contains("no model"));
    assert!(refused(config(), [one(), one()].concat()).await.contains("two models"));
    Server::bind(Config { keys: keys(), ..open() }, one()).await.unwrap();
    Server::bind(Config { no_auth: true, ..open() }, one()).await.unwrap();
}
