//! Every form of example in common use, and whether it is read or refused. The table of docs/your-own-data.md is
//! generated from this list, and a test compares them.

use std::fmt::Write;

use fireclay_tokenizer::Message;

use super::{read_conversations, read_preferences, read_ratings, read_tasks};

/// The reader, the name of the form, and an example.
const FORMS: &[(&str, &str, &str)] = &[
    (
        "conversations",
        "messages",
        r#"{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}"#,
    ),
    (
        "conversations",
        "`conversations` with role and content",
        r#"{"conversations": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}"#,
    ),
    (
        "conversations",
        "ShareGPT",
        r#"{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}"#,
    ),
    (
        "conversations",
        "ShareGPT with capitals",
        r#"{"conversations": [{"from": "Human", "value": "Hi"}, {"from": "GPT", "value": "Hello"}]}"#,
    ),
    (
        "conversations",
        "ShareGPT with tools",
        r#"{"conversations": [{"from": "human", "value": "Warm?"}, {"from": "function_call", "value": "{\"name\": \"temp\", \"arguments\": {}}"}, {"from": "observation", "value": "9"}, {"from": "gpt", "value": "9 °C"}], "tools": "[{\"name\": \"temp\"}]"}"#,
    ),
    (
        "conversations",
        "a key of ShareGPT and one of OpenAI",
        r#"{"conversations": [{"from": "human", "content": "Hi"}, {"role": "assistant", "value": "Hello"}]}"#,
    ),
    (
        "conversations",
        "OpenAI's `function_call`",
        r#"{"messages": [{"role": "user", "content": "Warm?"}, {"role": "assistant", "content": null, "function_call": {"name": "temp", "arguments": "{}"}}, {"role": "function", "name": "temp", "content": "9"}, {"role": "assistant", "content": "9 °C"}]}"#,
    ),
    (
        "conversations",
        "a list of messages",
        r#"[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]"#,
    ),
    (
        "conversations",
        "other names of roles",
        r#"{"messages": [{"role": "Human", "content": "Hi"}, {"role": "GPT", "content": "Hello"}]}"#,
    ),
    (
        "conversations",
        "content as parts of text",
        r#"{"messages": [{"role": "user", "content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]}, {"role": "assistant", "content": "Hello"}]}"#,
    ),
    (
        "conversations",
        "content with an image",
        r#"{"messages": [{"role": "user", "content": [{"type": "image", "url": "a.png"}]}, {"role": "assistant", "content": "A kiln"}]}"#,
    ),
    (
        "conversations",
        "tools and a call, content null",
        r#"{"tools": [{"name": "temp"}], "messages": [{"role": "user", "content": "Warm?"}, {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "temp", "arguments": {}}}]}]}"#,
    ),
    (
        "conversations",
        "columns that a row does not use",
        r#"{"messages": [{"role": "user", "content": "Hi", "tool_calls": null}, {"role": "assistant", "content": "Hello", "name": null}], "conversations": null, "instruction": null}"#,
    ),
    (
        "conversations",
        "an answer that is not to be learned",
        r#"{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hm", "weight": 0}, {"role": "user", "content": "So?"}, {"role": "assistant", "content": "Hello"}]}"#,
    ),
    (
        "conversations",
        "an answer with half a weight",
        r#"{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hm", "weight": 0.5}]}"#,
    ),
    ("conversations", "prompt and completion", r#"{"prompt": "Hi", "completion": "Hello"}"#),
    (
        "conversations",
        "the same as messages",
        r#"{"prompt": [{"role": "user", "content": "Hi"}], "completion": [{"role": "assistant", "content": "Hello"}]}"#,
    ),
    ("conversations", "question and answer", r#"{"question": "Hi", "answer": "Hello"}"#),
    ("conversations", "Alpaca", r#"{"instruction": "Add", "input": "1 2", "output": "3"}"#),
    (
        "conversations",
        "with system and history",
        r#"{"instruction": "And now?", "output": "Cold.", "system": "Be brief.", "history": [["Warm?", "Yes."]]}"#,
    ),
    (
        "conversations",
        "two system messages",
        r#"{"system": "A", "messages": [{"role": "system", "content": "B"}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}"#,
    ),
    (
        "conversations",
        "content that is a number",
        r#"{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": 42}]}"#,
    ),
    ("conversations", "no messages", r#"{"messages": null}"#),
    ("preferences", "prompt and two answers", r#"{"prompt": "Hi", "chosen": "Good day.", "rejected": "Go."}"#),
    (
        "preferences",
        "a question instead",
        r#"{"question": "Hi", "chosen": "Good day.", "rejected": "Go.", "system": "Be kind."}"#,
    ),
    (
        "preferences",
        "an instruction with input",
        r#"{"instruction": "Add", "input": "1 2", "chosen": "3", "rejected": "4"}"#,
    ),
    (
        "preferences",
        "answers as one message each",
        r#"{"prompt": "Hi", "chosen": {"role": "assistant", "content": "Good day."}, "rejected": {"role": "assistant", "content": "Go."}}"#,
    ),
    (
        "preferences",
        "a conversation and two answers",
        r#"{"conversations": [{"from": "human", "value": "Hi"}], "chosen": {"from": "gpt", "value": "Good day."}, "rejected": {"from": "gpt", "value": "Go."}}"#,
    ),
    (
        "preferences",
        "two whole conversations",
        r#"{"chosen": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Good day."}], "rejected": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Go."}]}"#,
    ),
    (
        "preferences",
        "HH-RLHF",
        r#"{"chosen": "\n\nHuman: Hi\n\nAssistant: Good day.", "rejected": "\n\nHuman: Hi\n\nAssistant: Go."}"#,
    ),
    ("prompts", "a prompt", r#"{"prompt": "Hi", "system": "Be kind."}"#),
    ("prompts", "messages", r#"{"messages": [{"role": "user", "content": "Hi"}]}"#),
    ("prompts", "an instruction", r#"{"instruction": "Add", "input": "1 2", "answer": "3"}"#),
    ("ratings", "prompt, completion and label", r#"{"prompt": "Hi", "completion": "Good day.", "label": true}"#),
    ("ratings", "a label that is a number", r#"{"prompt": "Hi", "completion": "Good day.", "label": 1}"#),
];

fn shown(messages: &[Message]) -> String {
    let mut shown = vec![];
    for message in messages {
        let mut text = format!("{}: {}", message.role, message.content.replace('\n', "⏎"));
        let calls = message.extra.get("tool_calls").and_then(|calls| calls.as_array());
        for call in calls.into_iter().flatten() {
            write!(text, "calls {}", call["function"]["name"].as_str().unwrap()).unwrap();
        }
        if !message.is_learned() {
            text.push_str(" (not learned)");
        }
        if let Some(tools) = message.extra.get("tools").and_then(|tools| tools.as_array()) {
            shown.push(format!("tools: {}", tools.len()));
        }
        shown.push(text);
    }
    shown.join(" · ")
}

/// An object as the reader reads it.
fn outcome(reader: &str, example: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, format!("{example}\n")).unwrap();
    let paths = [path.to_string_lossy().into_owned()];
    let read = match reader {
        "conversations" => read_conversations(&paths).map(|found| shown(&found.examples[0].messages)),
        "preferences" => read_preferences(&paths).map(|found| {
            let pair = &found.examples[0];
            format!("{} · better: {} · worse: {}", shown(&pair.prompt), pair.chosen, pair.rejected)
        }),
        "prompts" => read_tasks(&paths).map(|found| shown(&found.examples[0].messages)),
        _ => read_ratings(&paths).map(|found| {
            let rating = &found.examples[0];
            format!("{} · {}: {}", shown(&rating.prompt), if rating.good { "good" } else { "bad" }, rating.completion)
        }),
    };
    read.unwrap_or_else(|error| {
        let message = error.to_string().replace(&format!("{}:", paths[0]), "a.jsonl:").replace(&paths[0], "a.jsonl");
        format!("refused: {message}")
    })
}

fn table() -> String {
    let mut table = "| for | form | example | read as |\n|---|---|---|---|\n".to_owned();
    for (reader, form, example) in FORMS {
        writeln!(table, "| {reader} | {form} | `{example}` | {} |", outcome(reader, example).replace('|', "\\|"))
            .unwrap();
    }
    table
}

#[test]
fn the_docs_list_every_form_and_what_becomes_of_it() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/your-own-data.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let table = table();
    assert!(docs.contains(&table), "docs/your-own-data.md should have this table:\n{table}");
}

/// Reads an example of conversations, and returns the keys that were ignored.
fn ignored(example: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, format!("{example}\n{example}\n")).unwrap();
    let found = read_conversations(&[path.to_string_lossy().into_owned()]).unwrap();
    found.ignored.iter().map(|(what, ignored)| format!("{what} {}", ignored.count)).collect()
}

#[test]
fn keys_that_nobody_reads_are_counted_and_named_once() {
    let check = |example: &str, expected: &[&str]| assert_eq!(ignored(example), expected, "{example}");
    check(
        r#"{"prompt": "Hi", "completion": "Hello", "source": "x", "score": 3}"#,
        &["the key `score` is ignored 2", "the key `source` is ignored 2"],
    );
    check(r#"{"prompt": "Hi", "completion": "Hello", "source": null, "flag": false, "list": []}"#, &[]);
    check(r#"{"prompt": "Hi", "completion": "Hello", "system": "S", "history": [["a", "b"]], "tools": []}"#, &[]);
    let odd = r#"{"messages": [{"role": "critic", "content": "Hm"}, {"role": "assistant", "content": "Hello"}]}"#;
    check(odd, &["the role \"critic\" goes to the chat template as it is 2"]);
}

#[test]
fn what_stands_beside_the_messages_is_part_of_the_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let text = r#"{"tools": "[{\"name\": \"t\"}]", "chat_template_kwargs": {"enable_thinking": false}, "system": "S", "prompt": "Hi", "completion": "Hello"}"#;
    std::fs::write(&path, text).unwrap();
    let found = read_conversations(&[path.to_string_lossy().into_owned()]).unwrap();
    let first = &found.examples[0].messages[0];
    assert_eq!((first.role.as_str(), first.content.as_str()), ("system", "S"));
    assert_eq!(first.extra["tools"], serde_json::json!([{"name": "t"}]));
    assert_eq!(first.extra["chat_template_kwargs"], serde_json::json!({"enable_thinking": false}));
}
