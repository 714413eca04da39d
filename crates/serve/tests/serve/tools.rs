use std::fs;
use std::path::Path;

use axum::Router;
use fireclay_model::{DecoderConfig, InferenceDecoder, WeightStorage, huggingface};
use fireclay_serve::Server;
use fireclay_text::TextModel;
use fireclay_tokenizer::{ChatTemplate, Message, Tokenizer};
use serde_json::{Value, json};

use crate::{CONTEXT, bad, chat, config, good, merged, model, post, request, send};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";

/// `ChatML` that shows tools and calls as Hermes and Qwen do.
const TEMPLATE: &str = r"{%- if tools -%}
{{- '<|im_start|>system\nYou may call ' + (tools | tojson) + '<|im_end|>\n' -}}
{%- endif -%}
{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\n' + (message['content'] or '') -}}
{%- if message['tool_calls'] -%}
{%- for call in message['tool_calls'] -%}
{{- '<tool_call>' + (call['function'] | tojson) + '</tool_call>' -}}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\n' -}}
{%- endif -%}";

pub(crate) const QUESTION: &str = "Is the kiln hot?";
pub(crate) const CALLING: &str = concat!(
    "Let me see.<tool_call>{\"name\": \"heat\", \"arguments\": ",
    r#"{"of": "kiln", "at": 1.10, "id": 12345678901234567890123}"#,
    "}</tool_call>"
);
/// Its arguments, as it writes them.
const ARGUMENTS: &str = r#"{"of": "kiln", "at": 1.10, "id": 12345678901234567890123}"#;
/// A question much longer than the others, so that its answer has other positions.
pub(crate) const TWICE_ASKED: &str = concat!(
    "What is hot? What is in the kiln? The clay is. What is hot? What is in the kiln? The clay is. ",
    "What is hot? What is in the kiln? The clay is. What is hot? What is in the kiln? The clay is. ",
    "What is hot? What is in the kiln? The clay is. What is hot? What is in the kiln? The clay is. "
);
const CALLING_FIRST: &str =
    "<tool_call>{\"name\": \"heat\"}</tool_call>So it is.<tool_call>{\"name\": \"heat\"}</tool_call>";
pub(crate) const RESULT: &str = "1200 degrees";
const ANSWER: &str = "The kiln is hot.";

fn tools() -> Value {
    json!([{"type": "function", "function": {"name": "heat", "parameters": {"type": "object"}}}])
}

/// A function whose argument the model would not write by itself.
fn strict() -> Value {
    let parameters = json!({"type": "object", "properties": {"of": {"enum": ["clay", "oven"]}}, "required": ["of"],
        "additionalProperties": false});
    json!([{"type": "function", "function": {"name": "heat", "parameters": parameters, "strict": true}}])
}

/// A question longer than all others, in which [`strict`] tools are shown.
fn strictly_asked() -> String {
    TWICE_ASKED.repeat(2)
}

/// The conversation after the call, for chat completions.
fn after(call: &Value) -> Value {
    json!([{"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "Let me see.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": RESULT}])
}

/// A decoder whose next token depends on the position alone: a GPT-2 whose embedding of a position is far longer than
/// all else, and points at the token that is to follow. Each reply is given with the length of the prompt before it.
fn scripted(tokenizer: &Tokenizer, replies: &[(usize, &str)]) -> InferenceDecoder {
    let device = fireclay_model::device::parse("cpu").unwrap();
    let width = 64;
    let fresh = DecoderConfig::gpt2(tokenizer.vocab_size(), width, 1, 4, CONTEXT).init(7, &device);
    let dir = tempfile::tempdir().unwrap();
    huggingface::save(&fresh, dir.path()).unwrap();
    let file = dir.path().join("model.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    let [tokens, positions] = ["wte.weight", "wpe.weight"].map(|name| start_of(&bytes, name));
    let row = width * size_of::<f32>();
    for &(prompt, reply) in replies {
        let ids = tokenizer.encode_with_specials(&format!("{reply}<|im_end|>"));
        for (position, id) in (prompt - 1..).zip(ids) {
            let from = tokens + id as usize * row;
            let longer: Vec<u8> = bytes[from..from + row]
                .chunks_exact(4)
                .flat_map(|number| (100.0 * f32::from_le_bytes(number.try_into().unwrap())).to_le_bytes())
                .collect();
            let to = positions + position * row;
            bytes[to..to + row].copy_from_slice(&longer);
        }
    }
    fs::write(&file, bytes).unwrap();
    InferenceDecoder::new(fireclay_model::load(dir.path(), &device).unwrap(), WeightStorage::F32)
}

/// Offset of a tensor's numbers in the bytes of a safetensors file.
fn start_of(bytes: &[u8], name: &str) -> usize {
    let begin = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..begin]).unwrap();
    let (_, tensor) = header.as_object().unwrap().iter().find(|(key, _)| key.ends_with(name)).unwrap();
    assert_eq!(tensor["dtype"], "F32");
    begin + tensor["data_offsets"][0].as_u64().unwrap() as usize
}

/// A server with [`calling_model`].
pub(crate) async fn calling() -> (Router, Server) {
    let models = vec![("tiny".into(), calling_model())];
    let server = Server::bind(config(), models).await.unwrap_or_else(|error| panic!("{error}"));
    (server.router(), server)
}

/// A model that calls the tool when it is asked [`QUESTION`], and says [`ANSWER`] once it has the result.
pub(crate) fn calling_model() -> TextModel {
    let tokenizer = model().tokenizer().unwrap().with_chat_template(ChatTemplate::new(TEMPLATE).unwrap());
    let length = |messages: &Value, tools: &Value| {
        let messages: Vec<Message> = messages
            .as_array()
            .unwrap()
            .iter()
            .map(|m| Message::from_object(m.as_object().unwrap().clone()).unwrap())
            .collect();
        let mut options = tokenizer.render_options();
        (options.add_generation_prompt, options.tools) = (true, tools.as_array().cloned());
        tokenizer.encode_with_specials(&tokenizer.render_chat_with(&messages, &options).unwrap().text).len()
    };
    let call = json!({"id": "call_x", "type": "function", "function": {"name": "heat", "arguments": ARGUMENTS}});
    let asked = |question: &str, tools: &Value| length(&json!([{"role": "user", "content": question}]), tools);
    let mut shown = strict();
    shown[0]["function"].as_object_mut().unwrap().shift_remove("strict");
    let replies = [
        (asked(QUESTION, &tools()), CALLING),
        (length(&after(&call), &tools()), ANSWER),
        (asked(TWICE_ASKED, &tools()), CALLING_FIRST),
        (asked(&strictly_asked(), &shown), CALLING),
    ];
    let decoder = scripted(&tokenizer, &replies);
    TextModel { decoder, tokenizer: Some(tokenizer), dir: Path::new("no-such-folder").into() }
}

pub(crate) fn with_tools(more: Value) -> Value {
    chat(QUESTION, merged(json!({"tools": tools(), "max_tokens": 200}), more))
}

/// Checks a call, and gives it back.
fn checked(call: &Value) -> Value {
    assert!(call["id"].as_str().unwrap().starts_with("call_"), "{call}");
    assert_eq!((call["type"].as_str(), call["function"]["name"].as_str()), (Some("function"), Some("heat")));
    assert_eq!(call["function"]["arguments"], ARGUMENTS, "to the letter");
    call.clone()
}

#[tokio::test]
async fn a_tool_is_called_and_its_result_answered() {
    let (router, _server) = calling().await;
    let first = good(&router, CHAT, with_tools(json!({}))).await;
    let (choice, plain) = (&first["choices"][0], good(&router, CHAT, chat(QUESTION, json!({}))).await);
    assert!(first["usage"]["prompt_tokens"].as_u64() > plain["usage"]["prompt_tokens"].as_u64(), "tools are shown");
    assert_eq!(
        (choice["finish_reason"].as_str(), choice["message"]["content"].as_str()),
        (Some("tool_calls"), Some("Let me see."))
    );
    let calls = choice["message"]["tool_calls"].as_array().unwrap();
    assert_eq!(calls.len(), 1);
    let messages = after(&checked(&calls[0]));
    let second = good(&router, CHAT, with_tools(json!({"messages": messages}))).await;
    let choice = &second["choices"][0];
    assert_eq!((choice["finish_reason"].as_str(), choice["message"]["content"].as_str()), (Some("stop"), Some(ANSWER)));
    assert_eq!(choice["message"].get("tool_calls"), None);
}

#[tokio::test]
async fn a_streamed_call_is_that_of_the_whole_reply() {
    let (router, _server) = calling().await;
    let events = post(&router, CHAT, with_tools(json!({"stream": true}))).await.events();
    let deltas = || events.iter().map(|event| &event["choices"][0]["delta"]);
    let words: String = deltas().filter_map(|delta| delta["content"].as_str()).collect();
    assert_eq!(words, "Let me see.");
    let calls: Vec<&Value> = deltas().filter_map(|delta| delta["tool_calls"].as_array()).flatten().collect();
    assert_eq!((calls.len(), &calls[0]["index"]), (1, &json!(0)));
    checked(calls[0]);
    assert!(deltas().filter(|delta| delta["content"].is_string()).count() > 3, "text comes in pieces: {events:?}");
    let told = post(&router, CHAT, with_tools(json!({"stream": true, "logprobs": true}))).await.events();
    let told: usize =
        told.iter().filter_map(|event| event["choices"][0]["logprobs"]["content"].as_array()).map(Vec::len).sum();
    let whole = good(&router, CHAT, with_tools(json!({"logprobs": true}))).await;
    assert_eq!(told, whole["choices"][0]["logprobs"]["content"].as_array().unwrap().len());
    assert_eq!(events.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
}

#[tokio::test]
async fn a_response_has_a_call_as_an_item_and_goes_on_with_its_result() {
    let (router, _server) = calling().await;
    let flat = json!([{"type": "function", "name": "heat", "parameters": {"type": "object"}}]);
    let asked = |input: Value, more: Value| {
        merged(
            json!({"model": "tiny", "input": input, "tools": flat, "temperature": 0, "max_output_tokens": 200}),
            more,
        )
    };
    let first = good(&router, RESPONSES, asked(QUESTION.into(), json!({}))).await;
    assert_eq!((first["status"].as_str(), first["output"].as_array().unwrap().len()), (Some("completed"), 2));
    assert_eq!(first["output"][0]["content"][0]["text"], "Let me see.");
    let call = &first["output"][1];
    assert_eq!((call["type"].as_str(), call["name"].as_str()), (Some("function_call"), Some("heat")));
    assert_eq!(call["arguments"], ARGUMENTS, "to the letter");
    let result = json!([{"type": "function_call_output", "call_id": call["call_id"], "output": RESULT}]);
    let second = good(&router, RESPONSES, asked(result, json!({"previous_response_id": first["id"]}))).await;
    assert_eq!(second["output"][0]["content"][0]["text"], ANSWER);

    let events = post(&router, RESPONSES, asked(QUESTION.into(), json!({"stream": true}))).await.events();
    let mut kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let pieces = kinds.iter().filter(|kind| **kind == "response.output_text.delta").count();
    assert!(pieces > 3, "text comes in pieces: {kinds:?}");
    kinds.dedup();
    let expect = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(kinds, expect);
    let of_kind = |kind: &str| events.iter().find(|event| event["type"] == kind).unwrap();
    let delta = of_kind("response.function_call_arguments.delta");
    assert_eq!((&delta["delta"], &delta["output_index"]), (&call["arguments"], &json!(1)));
    let items: Vec<&Value> = events.iter().filter(|e| e["type"] == "response.output_item.done").collect();
    let output = &of_kind("response.completed")["response"]["output"];
    assert_eq!((&items[0]["item"], &items[1]["item"]), (&output[0], &output[1]));
    assert_eq!(delta["item_id"], output[1]["id"]);
}

#[tokio::test]
async fn a_tool_that_cannot_be_is_refused_by_its_place() {
    let (router, _server) = calling().await;
    for (more, param) in [
        (json!({"tools": [{"type": "web_search"}]}), "tools[0].type"),
        (json!({"tools": [{"type": "function", "function": {}}]}), "tools[0].function.name"),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f", "strict": "yes"}}]}),
            "tools[0].function.strict",
        ),
        (json!({"tools": [], "tool_choice": "required"}), "tool_choice"),
        (json!({"tool_choice": {"type": "function", "function": {"name": "cool"}}}), "tool_choice"),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f", "strict": true,
                "parameters": {"type": "object", "dependentSchemas": {}}}}]}),
            "tools",
        ),
        (json!({"response_format": {"type": "json_object"}}), "response_format"),
    ] {
        assert_eq!(bad(&router, CHAT, with_tools(more), 400).await["param"], param);
    }
}

#[tokio::test]
async fn a_call_is_held_to_a_strict_schema_and_to_the_choice() {
    let (router, _server) = calling().await;
    let asked = |more: Value| {
        merged(
            with_tools(json!({"tools": strict()})),
            merged(chat(&strictly_asked(), json!({"max_tokens": 200})), more),
        )
    };
    let message = async |more: Value| good(&router, CHAT, asked(more)).await["choices"][0]["message"].take();
    let is_held = |call: &Value| {
        let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        assert!([json!({"of": "clay"}), json!({"of": "oven"})].contains(&arguments), "{call}");
    };
    let free = message(json!({})).await;
    assert!(free["content"].as_str().unwrap().starts_with("Let me see."), "{free}");
    is_held(&free["tool_calls"][0]);
    let named = json!({"type": "function", "function": {"name": "heat"}});
    for choice in [json!({"tool_choice": "required", "parallel_tool_calls": false}), json!({"tool_choice": named})] {
        let calling = message(choice).await;
        assert_eq!(calling["tool_calls"].as_array().map(Vec::len), Some(1), "{calling}");
        is_held(&calling["tool_calls"][0]);
        assert!(!calling["content"].as_str().unwrap_or_default().contains("Let me see."), "{calling}");
    }
    let flat = merged(strict()[0]["function"].clone(), json!({"type": "function"}));
    let asked = json!({"model": "tiny", "input": "?", "tools": [flat], "tool_choice": "required",
        "parallel_tool_calls": false, "temperature": 0, "max_output_tokens": 200});
    let response = good(&router, RESPONSES, asked).await;
    assert_eq!(
        (&response["output"][0]["type"], &response["output"][0]["name"]),
        (&json!("function_call"), &json!("heat"))
    );
    assert_eq!((&response["parallel_tool_calls"], &response["tool_choice"]), (&json!(false), &json!("required")));
}

#[tokio::test]
async fn a_forced_call_that_is_cut_off_is_not_sent_as_text() {
    let (router, _server) = calling().await;
    for limit in [1, 4, 12] {
        let asked = with_tools(json!({"tool_choice": "required", "max_tokens": limit}));
        let choice = good(&router, CHAT, asked.clone()).await["choices"][0].take();
        assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("length"), &json!("")));
        let events = post(&router, CHAT, merged(asked, json!({"stream": true}))).await.events();
        let deltas = events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str());
        assert_eq!(deltas.collect::<String>(), "");
        let flat = merged(tools()[0]["function"].clone(), json!({"type": "function"}));
        let asked = json!({"model": "tiny", "input": QUESTION, "tools": [flat], "tool_choice": "required",
            "temperature": 0, "max_output_tokens": limit});
        let whole = good(&router, RESPONSES, asked.clone()).await;
        assert_eq!((&whole["status"], &whole["output"][0]["content"][0]["text"]), (&json!("incomplete"), &json!("")));
        let events = post(&router, RESPONSES, merged(asked, json!({"stream": true}))).await.events();
        assert!(events.iter().all(|event| event["type"] != "response.output_text.delta"), "{events:?}");
    }
    let error = bad(&router, CHAT, with_tools(json!({"tool_choice": "required", "ignore_eos": true})), 400).await;
    assert_eq!(error["param"], "ignore_eos");
}

#[tokio::test]
async fn items_of_calls_are_listed_paged_read_and_deleted_by_their_own_ids() {
    let (router, _server) = calling().await;
    let conversation = good(&router, "/v1/conversations", json!({})).await;
    let path = format!("/v1/conversations/{}", conversation["id"].as_str().unwrap());
    let flat = json!([{"type": "function", "name": "heat", "parameters": {"type": "object"}}]);
    let asked = json!({"model": "tiny", "input": TWICE_ASKED, "tools": flat, "temperature": 0,
        "max_output_tokens": 200, "conversation": conversation["id"]});
    let events = post(&router, RESPONSES, merged(asked, json!({"stream": true}))).await.events();
    let response = &events.last().unwrap()["response"];
    let output = response["output"].as_array().unwrap();
    let kinds: Vec<&str> = output.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["function_call", "message", "function_call"], "in the order in which the model wrote them");
    let done = events.iter().filter(|event| event["type"] == "response.output_item.done");
    assert_eq!(done.map(|event| &event["item"]).collect::<Vec<_>>(), output.iter().collect::<Vec<_>>());
    let get = async |path: &str| send(&router, request("GET", path, None, None)).await;
    let kept = get(&format!("{RESPONSES}/{}", response["id"].as_str().unwrap())).await.json();
    assert_eq!(kept, *response);

    let result = json!({"type": "function_call_output", "call_id": output[0]["call_id"], "output": RESULT});
    let added = good(&router, &format!("{path}/items"), json!({"items": [result]})).await;
    let all = get(&format!("{path}/items?order=asc")).await.json()["data"].as_array().unwrap().clone();
    assert_eq!((&all[1..4], &all[4]), (&output[..], &added["data"][0]));
    let ids: Vec<&str> = all.iter().map(|item| item["id"].as_str().unwrap()).collect();
    for (id, prefix) in ids.iter().zip(["msg_", "fc_", "msg_", "fc_", "fco_"]) {
        assert!(id.starts_with(prefix), "{ids:?}");
    }
    for order in ["asc", "desc"] {
        let (mut paged, mut query) = (vec![], String::new());
        loop {
            let page = get(&format!("{path}/items?order={order}&limit=1{query}")).await.json();
            paged.push(page["data"][0].clone());
            assert_eq!((&page["first_id"], page["data"].as_array().unwrap().len()), (&page["last_id"], 1));
            query = format!("&after={}", page["last_id"].as_str().unwrap());
            if page["has_more"] == false {
                break;
            }
        }
        if order == "desc" {
            paged.reverse();
        }
        assert_eq!(paged, all);
    }
    for item in &all {
        assert_eq!(get(&format!("{path}/items/{}", item["id"].as_str().unwrap())).await.json(), *item);
    }
    // Each alone, the others keep their ids; the last of a message takes the message.
    for gone in [1, 2, 3, 4] {
        let item = format!("{path}/items/{}", ids[gone]);
        let deleted = send(&router, request("DELETE", &item, None, None)).await;
        assert_eq!(deleted.json()["id"], conversation["id"]);
        assert_eq!(get(&item).await.status, 404);
        let left = get(&format!("{path}/items?order=asc")).await.json()["data"].as_array().unwrap().clone();
        let expect: Vec<&Value> = all.iter().take(1).chain(&all[gone + 1..]).collect();
        assert_eq!(left.iter().collect::<Vec<_>>(), expect);
    }
    for unknown in ["fc_x", "msg_", "strange", ids[1]] {
        assert_eq!(get(&format!("{path}/items/{unknown}")).await.status, 404, "{unknown}");
    }
}
