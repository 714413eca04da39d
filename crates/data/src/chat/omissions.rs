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
    /// Number of messages of which the chat template shows the calls, but not the words beside them.
    pub words: u64,
    /// Special tokens of the chat template that messages spell out, with the number of examples that have them: they
    /// may have been rendered before.
    pub spelled: BTreeMap<String, u64>,
}

impl Omissions {
    /// Those of conversations, with the counts of tools and of words beside calls that the chat template omits.
    pub(super) fn new(examples: &[&[Message]], (tools, words): (u64, u64), tokenizer: &Tokenizer) -> Self {
        let mut fields = BTreeMap::new();
        let unread: Vec<_> = examples.par_iter().map(|messages| tokenizer.unread_fields(messages)).collect();
        for field in unread.into_iter().flatten() {
            *fields.entry(field.to_owned()).or_default() += 1;
        }
        // The first example decides, so that many cost little more than few.
        let mut named = examples.iter().filter(|messages| messages.iter().any(Message::has_name)).peekable();
        if named.peek().is_some_and(|messages| tokenizer.omits_names(messages)) {
            fields.insert("name".into(), named.count() as u64);
        }
        let roles = tokenizer.hidden_roles(examples.iter().copied());
        Self { fields, roles, tools, words, spelled: spelled(examples, tokenizer) }
    }

    /// Those of prompts.
    pub(super) fn of_prompts(prompts: &[&[Message]], tokenizer: &Tokenizer) -> Self {
        let with_tools =
            prompts.par_iter().filter(|messages| messages.iter().any(|message| message.extra.contains_key("tools")));
        let tools = with_tools.filter(|messages| tokenizer.omits_tools(messages)).count();
        let words: usize = prompts.par_iter().map(|messages| tokenizer.omitted_words(messages)).sum();
        Self::new(prompts, (tools as u64, words as u64), tokenizer)
    }
}

/// The special tokens around a user's message that messages spell out, with the number of examples that do.
fn spelled(examples: &[&[Message]], tokenizer: &Tokenizer) -> BTreeMap<String, u64> {
    let ids = tokenizer.encode_prompt(&[Message::new("user", "x")]).unwrap_or_default();
    let tokens: BTreeSet<String> =
        ids.into_iter().filter(|id| tokenizer.is_special(*id)).map(|id| tokenizer.decode(&[id])).collect();
    // What opens a reply may be a part of answers.
    let tokens = tokens.into_iter().filter(|token| !token.trim().is_empty() && !token.contains("think"));
    let counted = tokens.map(|token| {
        let has = |messages: &&&[Message]| messages.iter().any(|message| message.content.contains(&token));
        let count = examples.par_iter().filter(has).count() as u64;
        (token, count)
    });
    counted.filter(|(_, count)| *count > 0).collect()
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
            let expected = Omissions {
                fields: fields.clone(),
                roles: BTreeSet::from(["system".into()]),
                tools: 1,
                ..Omissions::default()
            };
            assert_eq!(found, expected);
        }
        // The built-in template shows messages of every role.
        for found in of_every_kind(&tokenizer()) {
            assert_eq!(
                found,
                Omissions { fields: fields.clone(), roles: BTreeSet::new(), tools: 1, ..Omissions::default() }
            );
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

    #[test]
    fn messages_that_spell_out_tokens_of_the_template_are_counted() {
        let conversation = |asked: &str| Conversation {
            messages: vec![Message::new("user", asked), Message::new("assistant", "Yes.")],
            origin: "a.jsonl:1".into(),
        };
        let rendered = conversation("<|im_start|>user\nHot?<|im_end|>\n<|im_start|>assistant\n");
        let chats = EncodedChats::new(&[conversation("<b>Hot?</b>"), rendered], &tokenizer(), 200).unwrap();
        let expected = ["<|im_end|>", "<|im_start|>"].map(|token| (token.to_owned(), 1));
        assert_eq!(chats.omissions().spelled, expected.into());
    }

    /// A conversation with words beside a call, and one without calls.
    fn calls() -> [Vec<Message>; 2] {
        let mut calling = Message::new("assistant", "Let me see.");
        calling.extra.insert("tool_calls".into(), json!([{"function": {"name": "heat", "arguments": {"of": "it"}}}]));
        let hot = Message::new("assistant", "Hot.");
        let asked = || Message::new("user", "Hot?");
        [vec![asked(), calling, Message::new("tool", "hot"), hot.clone()], vec![asked(), hot]]
    }

    /// Shows calls without the words beside them, with `end` behind, and a note after the last answer.
    fn of_calls(end: &str) -> Tokenizer {
        let template = format!(
            "{{%- for m in messages -%}}{{{{- m.role + ': ' -}}}}{{%- if m.tool_calls -%}}{{%- for c in m.tool_calls \
             -%}}{{{{- c.function.name + (c.function.arguments | tojson) -}}}}{{%- endfor -%}}{{{{- {end:?} -}}}}\
             {{%- else -%}}{{{{- m.content + '<|im_end|>' -}}}}{{%- endif -%}}{{%- endfor -%}}\
             {{{{- 'assistant: ' if add_generation_prompt else 'note' if messages[-1].role == 'assistant' -}}}}"
        );
        tokenizer().with_chat_template(ChatTemplate::new(&template).unwrap())
    }

    #[test]
    fn words_beside_calls_that_the_template_leaves_out_are_counted() {
        let conversations = calls().map(|messages| Conversation { messages, origin: "a.jsonl:1".into() });
        let tokenizer = of_calls("<|im_end|>");
        assert_eq!(EncodedChats::new(&conversations, &tokenizer, 200).unwrap().omissions().words, 1);
        let prompts = calls().map(|mut messages| {
            messages.pop();
            messages
        });
        let prompts: Vec<&[Message]> = prompts.iter().map(Vec::as_slice).collect();
        assert_eq!(Omissions::of_prompts(&prompts, &tokenizer).words, 1);
    }

    #[test]
    fn a_conversation_with_a_call_that_has_no_end_is_skipped() {
        let conversations = calls().map(|messages| Conversation { messages, origin: "a.jsonl:1".into() });
        let chats = EncodedChats::new(&conversations, &of_calls(""), 200).unwrap();
        assert_eq!((chats.len(), chats.skips().count(super::super::encode::TORN)), (1, 1), "{}", chats.skips());
    }
}
