//! Conversations by templates, many at once, for `scripts/compare_templates.py`: reads a JSON object a line from
//! standard input (`template`, `messages`, perhaps `tools`, `variables`, `add_generation_prompt`), and writes one with
//! `text` or `error` for each.

use std::io::{BufRead, Write};

use fireclay_tokenizer::{ChatTemplate, Message, RenderOptions, TokenizerError};
use serde_json::{Map, Value, json};

#[derive(serde::Deserialize)]
struct Task {
    template: String,
    messages: Vec<Message>,
    #[serde(default)]
    tools: Option<Vec<Value>>,
    #[serde(default)]
    variables: Map<String, Value>,
    #[serde(default)]
    add_generation_prompt: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let result = match render(serde_json::from_str(&line?)?) {
            Ok(text) => json!({"text": text}),
            Err(error) => json!({"error": error.to_string()}),
        };
        writeln!(out, "{result}")?;
    }
    Ok(())
}

fn render(task: Task) -> Result<String, TokenizerError> {
    let options = RenderOptions {
        add_generation_prompt: task.add_generation_prompt,
        tools: task.tools,
        variables: task.variables,
        ..RenderOptions::default()
    };
    ChatTemplate::new(&task.template)?.render(&task.messages, &options)
}
