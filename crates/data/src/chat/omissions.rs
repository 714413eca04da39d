//! What the chat template leaves out of examples that are learned from all the same.

use std::collections::{BTreeMap, BTreeSet};

use fireclay_tokenizer::{Message, Tokenizer};
use rayon::prelude::*;

/// Parts of examples that the chat template does not show. Examples whose calls it leaves out are skipped instead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Omissions {
    /// Fields of messages, and variables of the template, that neither this library nor the chat template reads, with
    /// the number of examples that have them.
    pub fields: BTreeMap<String, u64>,
    /// Roles, other than the assistant's, of which the chat template shows nothing.
    pub roles: BTreeSet<String>,
    /// Number of examples whose tools the chat template omits.
    pub tools: u64,
}

impl Omissions {
    /// Those of conversations, of which `tools` have tools that the chat template omits.
    pub(super) fn new(examples: &[&[Message]], tools: u64, tokenizer: &Tokenizer) -> Self {
        let mut fields = BTreeMap::new();
        for field in examples.iter().flat_map(|messages| tokenizer.unread_fields(messages)) {
            *fields.entry(field.to_owned()).or_default() += 1;
        }
        // The first example decides, so that many cost little more than few.
        let mut named = examples.iter().filter(|messages| messages.iter().any(Message::has_name)).peekable();
        if named.peek().is_some_and(|messages| tokenizer.omits_names(messages)) {
            fields.insert("name".into(), named.count() as u64);
        }
        Self { fields, roles: tokenizer.hidden_roles(examples.iter().copied()), tools }
    }

    /// Those of prompts.
    pub(super) fn of_prompts(prompts: &[&[Message]], tokenizer: &Tokenizer) -> Self {
        let with_tools =
            prompts.par_iter().filter(|messages| messages.iter().any(|message| message.extra.contains_key("tools")));
        let tools = with_tools.filter(|messages| tokenizer.omits_tools(messages)).count();
        Self::new(prompts, tools as u64, tokenizer)
    }
}

#[cfg(test)]
mod tests {
    use fireclay_tokenizer::{BpeConfig, ChatTemplate};
    use serde_json::json;

    use super::super::{EncodedChats, encode_preferences, encode_ratings, encode_tasks};
    use super::*;
    use crate::examples::{AnswerCheck, Conversation, Preference, Rating, Task};

    fn tokenizer() -> Tokenizer {
        let config = BpeConfig { vocab_size: 259, ..BpeConfig::default() };
        Tokenizer::train_bpe(["any text".to_owned()].into_iter(), &config).unwrap()
    }

    /// Shows what the user and the assistant say, and nothing else.
    fn deaf() -> Tokenizer {
        let template = "{%- for m in messages -%}{%- if m.role in ['user', 'assistant'] -%}\
                        {{- m.role + ': ' + (m.content or '') + '<|im_end|>' -}}{%- endif -%}{%- endfor -%}\
                        {%- if add_generation_prompt -%}{{- 'assistant: ' -}}{%- endif -%}";
        tokenizer().with_chat_template(ChatTemplate::new(template).unwrap())
    }

    /// A prompt with a system message, tools, a variable, a name and a field that no template knows.
    fn prompt() -> Vec<Message> {
        let mut system = Message::new("system", "Be brief.");
        system.extra.insert("tools".into(), json!([{"name": "heat"}]));
        system.extra.insert("chat_template_kwargs".into(), json!({"loud": true}));
        let mut asked = Message::new("user", "Hot?");
        asked.extra.insert("name".into(), "Ann".into());
        asked.extra.insert("mood".into(), "cold".into());
        vec![system, asked]
    }

    /// What is left out of two examples of each kind, one of which has it.
    fn of_every_kind(tokenizer: &Tokenizer) -> [Omissions; 4] {
        let prompts = [prompt(), vec![Message::new("user", "Well?")]];
        let origin = || "a.jsonl:1".to_owned();
        let conversations = prompts.clone().map(|mut messages| {
            messages.push(Message::new("assistant", "Yes."));
            Conversation { messages, origin: origin() }
        });
        let pairs = prompts.clone().map(|prompt| Preference {
            prompt,
            chosen: "Yes.".into(),
            rejected: "No.".into(),
            margin: None,
            kind: None,
            origin: origin(),
        });
        let ratings =
            prompts.clone().map(|prompt| Rating { prompt, completion: "Yes.".into(), good: true, origin: origin() });
        let tasks = prompts.map(|messages| Task {
            messages,
            topic: None,
            check: AnswerCheck::OPEN,
            reference: None,
            origin: origin(),
        });
        [
            EncodedChats::new(&conversations, tokenizer, 200).unwrap().omissions().clone(),
            encode_preferences(&pairs, tokenizer, 200).unwrap().omissions,
            encode_ratings(&ratings, tokenizer, 200).unwrap().omissions,
            encode_tasks(&tasks, tokenizer, 200).unwrap().omissions,
        ]
    }

    #[test]
    fn what_the_template_leaves_out_is_named_in_every_kind_of_example() {
        let fields: BTreeMap<String, u64> = ["loud", "mood", "name"].map(|field| (field.to_owned(), 1)).into();
        for found in of_every_kind(&deaf()) {
            let expected = Omissions { fields: fields.clone(), roles: BTreeSet::from(["system".into()]), tools: 1 };
            assert_eq!(found, expected);
        }
        // The built-in template shows messages of every role.
        for found in of_every_kind(&tokenizer()) {
            assert_eq!(found, Omissions { fields: fields.clone(), roles: BTreeSet::new(), tools: 1 });
        }
        let all = "{{ tools }}{{ loud }}{%- for m in messages -%}{{- m.role ~ m.name ~ m.mood ~ m.content ~ \
                   '<|im_end|>' -}}{%- endfor -%}";
        let all = tokenizer().with_chat_template(ChatTemplate::new(all).unwrap());
        for found in of_every_kind(&all) {
            assert_eq!(found, Omissions::default());
        }
    }

    #[test]
    fn a_prompt_whose_calls_are_left_out_is_skipped_in_every_kind_of_example() {
        let mut calling = Message::new("assistant", "Let me see.");
        calling.extra.insert("tool_calls".into(), json!([{"function": {"name": "heat", "arguments": {}}}]));
        let calls = vec![Message::new("user", "Hot?"), calling, Message::new("tool", "hot")];
        let plain = vec![Message::new("user", "Well?")];
        let tasks = [calls, plain].map(|messages| Task {
            messages,
            topic: None,
            check: AnswerCheck::OPEN,
            reference: None,
            origin: "a.jsonl:1".into(),
        });
        let pairs = tasks.clone().map(|task| Preference {
            prompt: task.messages,
            chosen: "Yes.".into(),
            rejected: "No.".into(),
            margin: None,
            kind: None,
            origin: task.origin,
        });
        let skips = [
            encode_tasks(&tasks, &tokenizer(), 200).unwrap().skips,
            encode_preferences(&pairs, &tokenizer(), 200).unwrap().skips,
        ];
        for skips in skips {
            assert_eq!(
                skips.count("the chat template leaves out the tool calls; use one that shows them"),
                1,
                "{skips}"
            );
            assert_eq!(skips.total(), 1);
        }
    }
}
