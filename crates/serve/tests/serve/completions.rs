use fireclay_infer::score;
use serde_json::{Value, json};

use crate::{CONTEXT, bad, engine_says, good, merged, model, post, routes};

const PATH: &str = "/v1/completions";

fn asked(prompt: impl Into<Value>, more: Value) -> Value {
    merged(json!({"model": "tiny", "prompt": prompt.into(), "max_tokens": 8, "temperature": 0}), more)
}

fn numbers(list: &Value) -> Vec<Option<f64>> {
    list.as_array().unwrap().iter().map(Value::as_f64).collect()
}

fn close(found: &[Option<f64>], expect: &[f32]) {
    assert_eq!(found.len(), expect.len() + 1, "one a token");
    assert_eq!(found[0], None, "nothing stands before the first token");
    for (found, expect) in found[1..].iter().zip(expect) {
        assert!((found.unwrap() - f64::from(*expect)).abs() < 1e-4, "{found:?} {expect}");
    }
}

#[tokio::test]
async fn a_text_is_continued_as_generate_does() {
    let (router, _server) = routes().await;
    let (completion, text) = engine_says(model().encode("the kiln").unwrap(), 8, false);
    let answer = good(&router, PATH, asked("the kiln", json!({}))).await;
    assert_eq!(answer["choices"][0]["text"], text);
    assert_eq!(answer["choices"][0]["logprobs"], Value::Null);
    assert_eq!(answer["usage"]["completion_tokens"], completion.ids.len());
    let echoed = good(&router, PATH, asked("the kiln", json!({"echo": true}))).await;
    assert_eq!(echoed["choices"][0]["text"], format!("the kiln{text}"));
    for more in [json!({}), json!({"echo": true}), json!({"logprobs": 1})] {
        let whole = good(&router, PATH, asked("the kiln", more.clone())).await;
        let streamed = post(&router, PATH, asked("the kiln", merged(more, json!({"stream": true})))).await;
        let pieces: String =
            streamed.events().iter().map(|event| event["choices"][0]["text"].as_str().unwrap().to_owned()).collect();
        assert_eq!(whole["choices"][0]["text"], pieces);
    }
}

#[tokio::test]
async fn an_echo_with_log_probabilities_is_what_score_says() {
    let (router, _server) = routes().await;
    let text = "the kiln is hot, 热 and the clay is in the kiln";
    let ids = model().encode(text).unwrap();
    let expect = score(&model().decoder, &ids).unwrap();
    for prompt in [Value::from(text), Value::from(ids.clone())] {
        for max_tokens in [0, 1] {
            let more = json!({"echo": true, "logprobs": 1, "max_tokens": max_tokens});
            let answer = good(&router, PATH, asked(prompt.clone(), more)).await;
            let logprobs = &answer["choices"][0]["logprobs"];
            let all = numbers(&logprobs["token_logprobs"]);
            close(&all[..ids.len()], &expect);
            assert_eq!(all.len() - ids.len(), max_tokens);
            assert_eq!(answer["usage"]["completion_tokens"].as_u64().unwrap() as usize, max_tokens);
            assert!(answer["choices"][0]["text"].as_str().unwrap().starts_with(text));
            for (token, top) in expect.iter().zip(&logprobs["top_logprobs"].as_array().unwrap()[1..]) {
                let best = top.as_object().unwrap().values().filter_map(Value::as_f64).fold(f64::MIN, f64::max);
                assert!(best >= f64::from(*token) - 1e-6, "{top} {token}");
            }
            // As an evaluation harness finds where an answer begins.
            let offsets = logprobs["text_offset"].as_array().unwrap();
            for (offset, token) in offsets.iter().zip(logprobs["tokens"].as_array().unwrap()) {
                let (offset, token) = (offset.as_u64().unwrap() as usize, token.as_str().unwrap());
                let rest: String = text.chars().skip(offset).collect();
                assert!(
                    token.starts_with("bytes:") || offset >= text.chars().count() || rest.starts_with(token),
                    "{token:?} at {offset}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_token_that_ends_the_text_has_its_log_probability_too() {
    let (router, _server) = routes().await;
    let end = model().tokenizer().unwrap().eos_id().unwrap();
    let more = json!({"echo": true, "logprobs": 1, "max_tokens": 1, "logit_bias": {end.to_string(): 100}});
    let answer = good(&router, PATH, asked("the kiln", more)).await;
    assert_eq!(
        (answer["choices"][0]["text"].as_str(), answer["choices"][0]["finish_reason"].as_str()),
        (Some("the kiln"), Some("stop"))
    );
    let told = answer["choices"][0]["logprobs"]["token_logprobs"].as_array().unwrap().len();
    assert_eq!(
        told,
        model().encode("the kiln").unwrap().len() + 1,
        "a harness leaves out the last and finds the prompt's"
    );
}

#[tokio::test]
async fn a_prompt_that_fills_the_context_is_scored() {
    let (router, _server) = routes().await;
    let ids: Vec<u32> = model().tokenizer().unwrap().encode(&"the kiln is hot. ".repeat(CONTEXT))[..CONTEXT].to_vec();
    let expect = score(&model().decoder, &ids).unwrap();
    let answer = good(&router, PATH, asked(ids.clone(), json!({"echo": true, "logprobs": 0, "max_tokens": 1}))).await;
    close(&numbers(&answer["choices"][0]["logprobs"]["token_logprobs"]), &expect);
    let mut longer = ids;
    longer.push(1);
    let error = bad(&router, PATH, asked(longer, json!({"echo": true, "logprobs": 0})), 400).await;
    assert_eq!(error["code"], "context_length_exceeded");
}

#[tokio::test]
async fn several_prompts_are_answered_in_order() {
    let (router, _server) = routes().await;
    let texts = ["the kiln", "what is", "clay"];
    let lists: Vec<Vec<u32>> = texts.iter().map(|text| model().encode(text).unwrap()).collect();
    let more = json!({"n": 2, "temperature": 1.0, "seed": 3});
    let together = good(&router, PATH, asked(json!(texts), more.clone())).await;
    assert_eq!(together["choices"].as_array().unwrap().len(), 6);
    for (index, text) in texts.iter().enumerate() {
        let alone = good(&router, PATH, asked(*text, more.clone())).await;
        for choice in 0..2 {
            let place = 2 * index + choice;
            assert_eq!(together["choices"][place]["text"], alone["choices"][choice]["text"]);
            assert_eq!(together["choices"][place]["index"], place);
        }
    }
    let read: usize = lists.iter().map(Vec::len).sum();
    assert_eq!(together["usage"]["prompt_tokens"], read);
    let of_lists = good(&router, PATH, asked(json!(lists), json!({"echo": true, "max_tokens": 0}))).await;
    let echoed: Vec<&str> =
        of_lists["choices"].as_array().unwrap().iter().map(|choice| choice["text"].as_str().unwrap()).collect();
    assert_eq!(echoed, texts);
}

#[tokio::test]
async fn prompts_that_mean_nothing_are_refused() {
    let (router, _server) = routes().await;
    for prompt in [json!([]), json!([[]]), json!([100_000]), json!({"a": 1}), json!([1.5]), json!(["a", 1])] {
        let error = bad(&router, PATH, asked(prompt, json!({})), 400).await;
        assert_eq!(error["param"], "prompt");
    }
    assert_eq!(bad(&router, PATH, asked("a", json!({"n": 0})), 400).await["param"], "n");
    assert_eq!(bad(&router, PATH, asked("a", json!({"n": 1000})), 400).await["param"], "n");
    assert_eq!(bad(&router, PATH, asked("a", json!({"stop": ""})), 400).await["param"], "stop");
    assert_eq!(
        bad(&router, PATH, asked("a", json!({"stream": true, "echo": true, "logprobs": 1})), 400).await["param"],
        "stream"
    );
}
