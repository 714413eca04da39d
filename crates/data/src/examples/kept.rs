//! Every part of a file is learned, refused or named: nothing is lost in silence, and examples that are switched off
//! are not learned.

use serde_json::json;

use super::tests::{check_error, read_file, turns};
use super::*;

const EXAMPLE: &str = r#"{"prompt": "Hi", "completion": "Hello"}"#;
const MESSAGES: &str = r#"[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]"#;

/// The conversations of a file, and what was named: reasons to skip, then what is ignored.
fn conversations(name: &str, text: &str) -> (Vec<Conversation>, Vec<String>) {
    let read = read_file(read_conversations, name, text).unwrap();
    let named = read.skips.iter().chain(read.ignored.iter()).map(|(what, _)| what.to_owned()).collect();
    (read.examples, named)
}

/// A file of one object is this one example.
#[track_caller]
fn check_own_form(text: &str, named: &[&str]) {
    let (examples, found) = conversations("a.json", text);
    assert_eq!(examples.len(), 1, "{text}");
    assert_eq!(turns(&examples[0].messages), [("user", "Hi"), ("assistant", "Hello")], "{text}");
    assert_eq!(found, named, "{text}");
}

#[test]
fn an_example_in_a_file_of_its_own_wins_over_a_list_beside_it() {
    check_own_form(
        &format!(r#"{{"messages": {MESSAGES}, "examples": [{EXAMPLE}]}}"#),
        &["the key `examples` is ignored"],
    );
    check_own_form(
        r#"{"prompt": "Hi", "completion": "Hello", "test": [{"input": "1", "output": "2"}]}"#,
        &["the key `test` is ignored"],
    );
    check_own_form(
        r#"{"Prompt": "Hi", "completion": "Hello", "data": [{"input": "1", "output": "2"}]}"#,
        &["the key `data` is ignored"],
    );
    check_own_form(&format!(r#"{{"data": [{EXAMPLE}], "conversations": {MESSAGES}}}"#), &["the key `data` is ignored"]);
    let pair = r#"{"prompt": "Hi", "chosen": "a", "rejected": "b", "examples": [{"prompt": "P"}]}"#;
    assert_eq!(read_file(read_preferences, "a.json", pair).unwrap().examples[0].chosen, "a");
    let task = r#"{"prompt": "Hi", "examples": [{"input": "1"}]}"#;
    assert_eq!(turns(&read_file(read_tasks, "a.json", task).unwrap().examples[0].messages), [("user", "Hi")]);
    // A number of messages is no conversation.
    check_own_form(
        &format!(r#"{{"messages": 2, "data": [{EXAMPLE}]}}"#),
        &["the key `messages` beside the examples is ignored"],
    );
}

#[test]
fn what_lies_beside_a_list_of_examples_is_refused_or_named() {
    let check = |text: &str, expected: &str| check_error(read_conversations, "a.json", text, expected);
    let several = "expected one list of examples in a file, found `train` and";
    let other = r#"{"prompt": "b", "completion": "e"}"#;
    check(&format!(r#"{{"train": [{EXAMPLE}], "dev": [{other}]}}"#), &format!("{several} `dev`; split the file"));
    check(&format!(r#"{{"train": [{EXAMPLE}], "test": [{MESSAGES}]}}"#), &format!("{several} `test`; split the file"));
    check(&format!(r#"{{"train": [{MESSAGES}], "a": [{EXAMPLE}], "b": [{{"text": "c"}}]}}"#), "`a` and `b`");
    check(
        &format!(r#"{{"system": "S", "tools": [{{"name": "t"}}], "data": [{EXAMPLE}]}}"#),
        "expected `system` and `tools` in each example, found `system` and `tools` beside `data`; write it into",
    );
    check_own_form(
        &format!(r#"{{"version": 1, "license": "x", "test": [], "data": [{EXAMPLE}]}}"#),
        &["the key `license` beside the examples is ignored", "the key `version` beside the examples is ignored"],
    );
    let of_hub = r#"{"features": [{"name": "prompt"}], "rows": [{"row_idx": 0, "row": {"prompt": "Hi", "completion": "Hello"}}], "num_rows_total": 1}"#;
    check_own_form(of_hub, &[]);
    check_own_form(&format!(r#"{{"train": [{MESSAGES}]}}"#), &[]);
}

#[test]
fn an_example_that_is_switched_off_is_skipped_and_counted() {
    let check = |line: &str, reason: &str| {
        let lines = format!("{line}\n{EXAMPLE}\n");
        let (examples, named) = conversations("a.jsonl", &lines);
        assert_eq!((examples.len(), named), (1, vec![reason.to_owned()]), "{line}");
    };
    check(r#"{"prompt": "Hi", "completion": "x", "train": false}"#, "it is switched off by `train`");
    check(r#"{"prompt": "Hi", "completion": "x", "weight": 0.0}"#, "it is switched off by `weight`");
    check(&format!(r#"{{"messages": {MESSAGES}, "trainable": 0}}"#), "it is switched off by `trainable`");
    check(&format!(r#"{{"messages": {MESSAGES}, "loss": false}}"#), "it is switched off by `loss`");
    let bad = "the answer is rated as bad, which only KTO learns from, by";
    check(r#"{"prompt": "Hi", "completion": "x", "label": false}"#, &format!("{bad} `label` false"));
    let rename = "; rename the key if it is no judgement";
    for value in ["0", "0.0", "-1"] {
        let line = format!(r#"{{"prompt": "Hi", "completion": "x", "label": {value}}}"#);
        check(&line, &format!("{bad} `label` {value}{rename}"));
    }
    check(r#"{"prompt": "Hi", "completion": "x", "kto_tag": 0}"#, &format!("{bad} `kto_tag` 0{rename}"));
    let pairs = "{\"prompt\": \"P\", \"chosen\": \"a\", \"rejected\": \"b\", \"weight\": 0}\n\
                 {\"prompt\": \"P\", \"chosen\": \"a\", \"rejected\": \"b\", \"weight\": 1}\n";
    let read = read_file(read_preferences, "a.jsonl", pairs).unwrap();
    assert_eq!((read.examples.len(), read.skips.count("it is switched off by `weight`")), (1, 1));
    // Other numbers and lists say something else.
    check_own_form(
        r#"{"prompt": "Hi", "completion": "Hello", "train": true, "weight": 0.5, "loss": 0.0, "label": true}"#,
        &["the key `label` is ignored", "the key `loss` is ignored", "the key `weight` is ignored"],
    );
}

#[test]
fn every_mark_of_a_message_says_whether_it_is_learned() {
    let learned = |mark: &str| {
        let line = format!(
            r#"{{"messages": [{{"role": "user", "content": "a"}}, {{"role": "assistant", "content": "b", {mark}}}]}}"#
        );
        read_file(read_conversations, "a.jsonl", line).map(|read| read.examples[0].messages[1].is_learned())
    };
    for mark in super::turn::MARKS {
        for (value, expected) in [("0", false), ("false", false), ("1", true), ("true", true), ("null", true)] {
            assert_eq!(learned(&format!(r#""{mark}": {value}"#)).unwrap(), expected, "{mark} {value}");
        }
        let refused = learned(&format!(r#""{mark}": 0.5"#)).unwrap_err().to_string();
        assert!(refused.contains(&format!("as `messages[1].{mark}`, found 0.5")), "{refused}");
    }
    assert!(!learned(r#""train": true, "loss": false"#).unwrap());
    let (examples, _) = conversations(
        "a.jsonl",
        r#"{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b", "loss": false}]}"#,
    );
    assert!(!examples[0].messages[1].is_learned());
    assert_eq!(examples[0].messages[1].extra.keys().collect::<Vec<_>>(), ["train"]);
}

#[test]
fn answers_inside_a_prompt_carry_no_loss() {
    let line = r#"{"prompt": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "OLD"}, {"role": "assistant", "content": "MARKED", "weight": 1}, {"role": "user", "content": "Q"}], "completion": [{"role": "assistant", "content": "A"}]}"#;
    let (examples, named) = conversations("a.jsonl", line);
    let answers = examples[0].messages.iter().filter(|message| message.role == "assistant");
    let learned: Vec<_> = answers.map(|message| (message.content.as_str(), message.is_learned())).collect();
    assert_eq!(learned, [("OLD", false), ("MARKED", true), ("A", true)]);
    assert!(named.is_empty(), "{named:?}");
    let begun = r#"{"prompt": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "Sure: "}], "completion": "rest"}"#;
    check_error(read_conversations, "a.jsonl", begun, reason::NOTHING_TO_ANSWER);
}

/// The arguments of the first call in the second message.
#[track_caller]
fn check_call(message: &str, expected: &serde_json::Value) {
    let user = r#"{"role": "user", "content": "Q"}"#;
    let (examples, named) = conversations("a.jsonl", &format!(r#"{{"messages": [{user}, {message}]}}"#));
    let call = &examples[0].messages[1].extra["tool_calls"][0];
    let function = call.get("function").unwrap_or(call);
    assert_eq!((&function["name"], &function["arguments"]), (&json!("t"), expected), "{message}");
    assert!(named.is_empty() && function.as_object().unwrap().len() == 2, "{message}: {named:?}");
}

#[test]
fn calls_are_read_in_every_spelling() {
    let x = &json!({"x": 1});
    for key in ["arguments", "parameters", "args", "input"] {
        check_call(&format!(r#"{{"from": "function_call", "value": "{{\"name\":\"t\",\"{key}\":{{\"x\":1}}}}"}}"#), x);
        check_call(&format!(r#"{{"role": "assistant", "tool_calls": [{{"name": "t", "{key}": {{"x": 1}}}}]}}"#), x);
    }
    check_call(r#"{"from": "function_call", "value": "{\"name\":\"t\"}"}"#, &json!({}));
    check_call(r#"{"from": "gpt", "value": "b", "tool_calls": "[{\"name\":\"t\",\"arguments\":{\"x\":1}}]"}"#, x);
    let function = r#"{"function": {"name": "t", "arguments": {"x": 1}}}"#;
    check_call(&format!(r#"{{"role": "assistant", "content": "b", "tool_calls": {function}}}"#), x);
    check_call(&format!(r#"{{"role": "assistant", "content": "b", "tool_calls": {function:?}}}"#), x);
    check_call(&format!(r#"{{"role": "assistant", "content": "b", "tool_calls": [{function:?}]}}"#), x);
    let call = r#"{"name": "t", "arguments": {"x": 1}}"#;
    check_call(&format!(r#"{{"role": "assistant", "content": "b", "function_call": {call}}}"#), x);
    check_call(&format!(r#"{{"role": "assistant", "content": "b", "function_call": {call:?}}}"#), x);
    check_call(&format!(r#"{{"role": "tool_call", "content": {call}}}"#), x);
    check_call(r#"{"role": "assistant", "tool_calls": [{"function": {"name": "t", "arguments": ""}}]}"#, &json!("{}"));
}

#[test]
fn calls_that_cannot_be_read_are_refused_or_counted() {
    let line = |message: &str| format!(r#"{{"messages": [{{"role": "user", "content": "Q"}}, {message}]}}"#);
    let refuse = |message: &str, expected: &str| check_error(read_conversations, "a.jsonl", &line(message), expected);
    refuse(r#"{"role": "assistant", "tool_calls": "look it up"}"#, "as `messages[1].tool_calls`, found other text");
    refuse(r#"{"role": "assistant", "tool_calls": [{"function": {}}]}"#, "as `messages[1].tool_calls`, found");
    refuse(r#"{"role": "assistant", "content": "", "function_call": "auto"}"#, "`messages[1].function_call`, found");
    refuse(r#"{"from": "function_call", "value": "{\"name\":\"t\",\"kwargs\":{}}"}"#, "found `name`, `kwargs`");
    let broken = line(r#"{"role": "assistant", "tool_calls": [{"function": {"name": "t", "arguments": "{a:1"}}]}"#);
    let (examples, named) = conversations("a.jsonl", &format!("{broken}\n{EXAMPLE}\n"));
    assert_eq!((examples.len(), named), (1, vec![reason::BROKEN_ARGUMENTS.to_owned()]));
}

#[test]
fn functions_are_tools() {
    let functions = r#"[{"name": "t", "parameters": {}}]"#;
    let (examples, named) =
        conversations("a.jsonl", &format!(r#"{{"messages": {MESSAGES}, "functions": {functions}}}"#));
    let expected = json!([{"type": "function", "function": {"name": "t", "parameters": {}}}]);
    assert_eq!(examples[0].messages[0].extra["tools"], expected);
    assert!(named.is_empty(), "{named:?}");
}

#[test]
fn fields_of_an_answer_that_is_learned_as_text_are_counted() {
    let message = |field: &str| format!(r#"[{{"role": "assistant", "content": "A"{field}}}]"#);
    let check = |field: &str, skip: Option<&str>, ignored: &str| {
        let other = r#"[{"role": "assistant", "content": "B"}]"#;
        let pair = |chosen: &str, rejected: &str| {
            format!(r#"{{"prompt": "Q", "chosen": {chosen}, "rejected": {rejected}}}"#) + "\n"
        };
        let plain = pair(&message(""), other);
        let marked = message(field);
        let pairs = format!("{}{}{plain}", pair(&marked, other), pair(other, &marked));
        let rating = |answer: &str| format!(r#"{{"prompt": "Q", "completion": {answer}, "label": true}}"#) + "\n";
        let ratings = format!("{0}{0}{1}", rating(&marked), rating(other));
        let pairs = read_file(read_preferences, "a.jsonl", pairs).unwrap();
        let ratings = read_file(read_ratings, "a.jsonl", ratings).unwrap();
        let count = if skip.is_some() { 1 } else { 3 };
        assert_eq!((pairs.examples.len(), ratings.examples.len()), (count, count), "{field}");
        for (skips, found) in [(pairs.skips, pairs.ignored), (ratings.skips, ratings.ignored)] {
            assert_eq!(skip.map_or(0, |skip| skips.count(skip)), skips.total(), "{field}: {skips}");
            let named: Vec<_> = found.iter().map(|(what, _)| what).collect();
            assert_eq!(named.concat(), ignored, "{field}");
        }
    };
    for key in ["reasoning_content", "reasoning", "thinking"] {
        check(&format!(r#", "{key}": "hm""#), Some(reason::REASONING), "");
        check(&format!(r#", "{key}": """#), None, "");
    }
    check(r#", "weight": 0"#, Some(reason::OFF), "");
    check(r#", "train": false"#, Some(reason::OFF), "");
    check(r#", "loss": false"#, Some(reason::OFF), "");
    check(r#", "weight": 1, "train": true"#, None, "");
    check(r#", "name": "Ada""#, None, "the field `name` of an answer is ignored");
}

#[test]
fn an_answer_that_nobody_rated_is_skipped() {
    let lines = "{\"prompt\": \"Q\", \"completion\": \"A\", \"label\": null}\n\
                 {\"prompt\": \"Q\", \"completion\": \"A\", \"label\": false}\n";
    let read = read_file(read_ratings, "a.jsonl", lines).unwrap();
    assert_eq!((read.examples.len(), read.skips.count(reason::NOT_RATED)), (1, 1));
}

#[test]
fn the_context_of_a_task_goes_before_its_prompt() {
    let check = |line: &str| {
        let read = read_file(read_tasks, "a.jsonl", line).unwrap();
        assert_eq!(turns(&read.examples[0].messages), [("user", "C\n\nQ")], "{line}");
        assert!(read.ignored.is_empty(), "{line}: {}", read.ignored);
    };
    check(r#"{"context": "C", "question": "Q", "answer": "It is #### 7"}"#);
    check(r#"{"context": "C", "prompt": "Q"}"#);
    check(r#"{"context": "C", "problem": "Q"}"#);
    check(r#"{"context": "C", "messages": [{"role": "user", "content": "Q"}]}"#);
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
    check(r#"{"prompt": "Hi", "completion": "Hello", "source": null, "list": []}"#, &[]);
    check(
        r#"{"prompt": "Hi", "completion": "Hello", "enable_thinking": false}"#,
        &["the key `enable_thinking` is ignored 2"],
    );
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

#[test]
fn what_an_answer_refuses_is_learned_after_its_other_words() {
    let answer = |message: &str| {
        let line = format!(r#"{{"messages": [{{"role": "user", "content": "a"}}, {message}]}}"#);
        let (mut examples, named) = conversations("a.jsonl", &line);
        assert_eq!((examples.len(), named), (1, vec![]), "{line}");
        examples.remove(0).messages.remove(1)
    };
    for (message, expected) in [
        (r#"{"role": "assistant", "content": null, "refusal": "No."}"#, "No."),
        (r#"{"role": "assistant", "refusal": "No."}"#, "No."),
        (r#"{"role": "assistant", "content": "Well. ", "refusal": "No."}"#, "Well. No."),
        (r#"{"role": "assistant", "content": "Yes.", "refusal": ""}"#, "Yes."),
        (r#"{"role": "assistant", "content": "Yes.", "refusal": null}"#, "Yes."),
    ] {
        assert_eq!(answer(message), fireclay_tokenizer::Message::new("assistant", expected), "{message}");
    }
}
