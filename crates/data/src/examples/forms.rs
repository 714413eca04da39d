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
        "the same by another name",
        r#"{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hm", "loss": false}, {"from": "human", "value": "So?"}, {"from": "gpt", "value": "Hello"}]}"#,
    ),
    (
        "conversations",
        "the answer beside the messages",
        r#"{"messages": [{"role": "user", "content": "Hi"}], "response": "Hello"}"#,
    ),
    (
        "conversations",
        "tools as strings",
        r#"{"tools": ["{\"name\": \"temp\"}"], "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}"#,
    ),
    (
        "conversations",
        "an image beside the messages",
        r#"{"image": "a.png", "conversations": [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A kiln"}]}"#,
    ),
    (
        "conversations",
        "a dialogue in one text, as in BELLE",
        r#"{"instruction": "Human:Hi\nAssistant:Hello\nHuman:And now?\nAssistant:", "output": "Cold."}"#,
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
    (
        "conversations",
        "a prompt with an earlier answer",
        r#"{"prompt": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hm"}, {"role": "user", "content": "So?"}], "completion": "Hello"}"#,
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
    (
        "conversations",
        "questions with their answers",
        r#"{"conversation": [{"system": "Be brief.", "input": "Warm?", "output": "Yes."}, {"input": "And now?", "output": "Cold."}]}"#,
    ),
    ("conversations", "the same as pairs", r#"{"conversation": [["Warm?", "Yes."], ["And now?", "Cold."]]}"#),
    ("conversations", "texts in turn", r#"{"data": ["Warm?", "Yes.", "And now?", "Cold."]}"#),
    (
        "conversations",
        "messages as JSON in a string",
        r#"{"messages": "[{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"Hello\"}]"}"#,
    ),
    (
        "conversations",
        "a role for calls",
        r#"{"messages": [{"role": "user", "content": "Warm?"}, {"role": "tool_call", "content": "{\"name\": \"temp\", \"arguments\": {}}"}, {"role": "tool_response", "content": "9"}, {"role": "assistant", "content": "9 °C"}]}"#,
    ),
    (
        "conversations",
        "history of objects",
        r#"{"query": "And now?", "response": "Cold.", "history": [{"user": "Warm?", "assistant": "Yes."}]}"#,
    ),
    (
        "conversations",
        "history of messages",
        r#"{"query": "And now?", "response": "Cold.", "history": [{"role": "user", "content": "Warm?"}, {"role": "assistant", "content": "Yes."}]}"#,
    ),
    ("conversations", "history that is text", r#"{"query": "And now?", "response": "Cold.", "history": "Warm? Yes."}"#),
    ("conversations", "Dolly", r#"{"instruction": "Add", "context": "1 2", "response": "3", "category": "sums"}"#),
    (
        "conversations",
        "a question about a passage",
        r#"{"context": "The kiln is cold.", "question": "Warm?", "answer": "No."}"#,
    ),
    ("conversations", "keys in capitals", r#"{"INSTRUCTION": "Hi", "RESPONSE": "Hello"}"#),
    ("conversations", "a problem and its solution", r#"{"problem": "1 + 2?", "solution": "1 + 2 is 3."}"#),
    ("conversations", "input and target", r#"{"input": "Hi", "target": "Hello"}"#),
    (
        "conversations",
        "an answer with its reasoning",
        r#"{"question": "Warm?", "reasoning": "It glows.", "answer": "Yes."}"#,
    ),
    (
        "conversations",
        "images beside the messages",
        r#"{"messages": [{"role": "user", "content": "<image>What?"}, {"role": "assistant", "content": "A kiln"}], "images": ["a.png"]}"#,
    ),
    ("conversations", "text for pretraining", r#"{"text": "User: Hi\nAssistant: Hello"}"#),
    (
        "conversations",
        "steps with labels",
        r#"{"prompt": "1 + 2?", "completions": ["1 + 2", "3"], "labels": [true, true]}"#,
    ),
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
    (
        "preferences",
        "other names of the answers",
        r#"{"input": "Hi", "chosen_response": "Good day.", "rejected_response": "Go."}"#,
    ),
    (
        "preferences",
        "`response_j` and `response_k`",
        r#"{"question": "Hi", "response_j": "Good day.", "response_k": "Go."}"#,
    ),
    (
        "preferences",
        "a conversation and `rejected_response`",
        r#"{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Good day."}], "rejected_response": "Go."}"#,
    ),
    (
        "preferences",
        "two answers and the number of the better one",
        r#"{"prompt": "Hi", "response_0": "Go.", "response_1": "Good day.", "better_response_id": 1}"#,
    ),
    (
        "preferences",
        "two conversations and a winner",
        r#"{"conversation_a": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Good day."}], "conversation_b": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Go."}], "winner": "model_a"}"#,
    ),
    ("prompts", "a prompt", r#"{"prompt": "Hi", "system": "Be kind."}"#),
    ("prompts", "messages", r#"{"messages": [{"role": "user", "content": "Hi"}]}"#),
    ("prompts", "an instruction", r#"{"instruction": "Add", "input": "1 2", "answer": "3"}"#),
    ("prompts", "a problem", r#"{"problem": "1 + 2?", "answer": "3"}"#),
    ("ratings", "prompt, completion and label", r#"{"prompt": "Hi", "completion": "Good day.", "label": true}"#),
    (
        "preferences",
        "OpenAI",
        r#"{"input": {"messages": [{"role": "user", "content": "Hi"}]}, "preferred_output": [{"role": "assistant", "content": "Good day."}], "non_preferred_output": [{"role": "assistant", "content": "Go."}]}"#,
    ),
    (
        "preferences",
        "HH-RLHF beside its prompt",
        r#"{"prompt": "Hi", "chosen": "\n\nHuman: Hi\n\nAssistant: Good day.", "rejected": "\n\nHuman: Hi\n\nAssistant: Go."}"#,
    ),
    (
        "preferences",
        "messages as JSON in strings",
        r#"{"prompt": "Hi", "chosen": "[{\"role\": \"assistant\", \"content\": \"Good day.\"}]", "rejected": "[{\"role\": \"assistant\", \"content\": \"Go.\"}]"}"#,
    ),
    (
        "preferences",
        "answers to another question",
        r#"{"prompt": "Hi", "chosen": [{"role": "user", "content": "Bye"}, {"role": "assistant", "content": "Good day."}], "rejected": [{"role": "user", "content": "Bye"}, {"role": "assistant", "content": "Go."}]}"#,
    ),
    ("preferences", "no worse answer", r#"{"prompt": "Hi", "chosen": "Good day.", "rejected": null}"#),
    ("ratings", "a label that is a number", r#"{"prompt": "Hi", "completion": "Good day.", "label": 1}"#),
    (
        "ratings",
        "LLaMA-Factory's `kto_tag`",
        r#"{"instruction": "Hi", "input": "", "output": "Good day.", "kto_tag": true}"#,
    ),
    (
        "ratings",
        "a conversation and a label",
        r#"{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Go."}], "label": false}"#,
    ),
];

/// The name of a file, what it holds, and its content.
const FILES: &[(&str, &str, &str)] = &[
    ("a.jsonl", "an object a line", "{\"prompt\": \"Hi\", \"completion\": \"Hello\"}\n"),
    ("a.ndjson", "the same", "{\"prompt\": \"Hi\", \"completion\": \"Hello\"}\n"),
    ("a.json", "a list", r#"[{"prompt": "Hi", "completion": "Hello"}]"#),
    ("a.json", "a list under `data`", r#"{"version": 1, "data": [{"prompt": "Hi", "completion": "Hello"}]}"#),
    ("a.json", "a list under `train`", r#"{"train": [{"prompt": "Hi", "completion": "Hello"}]}"#),
    (
        "a.json",
        "rows of the hub's server",
        r#"{"rows": [{"row_idx": 0, "row": {"prompt": "Hi", "completion": "Hello"}, "truncated_cells": []}]}"#,
    ),
    (
        "a.json",
        "several lists",
        r#"{"train": [{"prompt": "Hi", "completion": "Hello"}], "test": [{"prompt": "Hi", "completion": "Hello"}]}"#,
    ),
    (
        "a.json",
        "a key of every example",
        r#"{"system": "Be brief.", "data": [{"prompt": "Hi", "completion": "Hello"}]}"#,
    ),
    ("a.json", "columns", r#"{"prompt": {"0": "Hi"}, "completion": {"0": "Hello"}}"#),
    (
        "a.json",
        "rows without names",
        r#"{"columns": ["completion", "prompt"], "index": [0], "data": [["Hello", "Hi"]]}"#,
    ),
    ("a.csv", "a table", "prompt,completion\nHi,Hello\n"),
];

fn shown(messages: &[Message]) -> String {
    let mut shown = vec![];
    for message in messages {
        let mut text = format!("{}: {}", message.role, message.content.replace('\n', "⏎"));
        let calls = message.extra.get("tool_calls").and_then(|calls| calls.as_array());
        for call in calls.into_iter().flatten() {
            write!(text, "calls {}", call["function"]["name"].as_str().unwrap()).unwrap();
        }
        if let Some(reasoning) = message.extra.get("reasoning").and_then(|reasoning| reasoning.as_str()) {
            write!(text, " (reasoning: {reasoning})").unwrap();
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

/// An example in `a.jsonl` as the reader reads it.
fn outcome(reader: &str, example: &str) -> String {
    outcome_of_file(reader, "a.jsonl", &format!("{example}\n"))
}

/// The first example of a file as the reader reads it, and the keys that it ignores.
fn outcome_of_file(reader: &str, name: &str, content: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let paths = [path.to_string_lossy().into_owned()];
    let read = match reader {
        "conversations" => {
            read_conversations(&paths).map(|found| (shown(&found.examples[0].messages), found.ignored.to_string()))
        }
        "preferences" => read_preferences(&paths).map(|found| {
            let pair = &found.examples[0];
            let shown = format!("{} · better: {} · worse: {}", shown(&pair.prompt), pair.chosen, pair.rejected);
            (shown, found.ignored.to_string())
        }),
        "prompts" => read_tasks(&paths).map(|found| (shown(&found.examples[0].messages), found.ignored.to_string())),
        _ => read_ratings(&paths).map(|found| {
            let rating = &found.examples[0];
            let judged = if rating.good { "good" } else { "bad" };
            let shown = format!("{} · {judged}: {}", shown(&rating.prompt), rating.completion);
            (shown, found.ignored.to_string())
        }),
    };
    match read {
        Ok((shown, ignored)) => {
            let keys: Vec<&str> = ignored.split('`').skip(1).step_by(2).collect();
            if keys.is_empty() { shown } else { format!("{shown} (ignored: `{}`)", keys.join("`, `")) }
        }
        Err(error) => {
            let message = error.to_string().replace(&format!("{}:", paths[0]), &format!("{name}:"));
            format!("refused: {}", message.replace(&paths[0], name))
        }
    }
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

#[test]
fn the_docs_list_every_form_of_file() {
    let mut table = "| file | form | content | read as |\n|---|---|---|---|\n".to_owned();
    for (name, form, content) in FILES {
        let read = outcome_of_file("conversations", name, content).replace('|', "\\|");
        writeln!(table, "| `{name}` | {form} | `{}` | {read} |", content.trim_end().replace('\n', "⏎")).unwrap();
    }
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/your-own-data.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    assert!(docs.contains(&table), "docs/your-own-data.md should have this table:\n{table}");
}
