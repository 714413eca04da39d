//! What common data sets have that is no example of text: images, numbers of Python, halves of characters, other roles.

use super::tests::{check_error, read_file, turns};
use super::*;

const EXAMPLE: &str = r#"{"prompt": "Hi", "completion": "Hello"}"#;

/// A line beside a good one is skipped for this reason.
#[track_caller]
fn check_skipped(line: &str, reason: &str) {
    let read = read_file(read_conversations, "a.jsonl", format!("{line}\n{EXAMPLE}\n")).unwrap();
    let reasons: Vec<_> = read.skips.iter().map(|(reason, _)| reason).collect();
    assert_eq!((read.examples.len(), reasons), (1, vec![reason]), "{line}");
}

#[test]
fn an_example_with_an_image_a_video_or_a_sound_is_skipped_wherever_it_lies() {
    let media = "it comes with images, videos or sounds, which are not read, under";
    for key in ["image", "images", "video", "videos", "audio", "audios", "image_url"] {
        for value in [r#""a.bin""#, r#"["a.bin"]"#, r#"{"bytes": "x", "path": null}"#] {
            let beside = format!(r#"{{"prompt": "Hi", "completion": "x", "{key}": {value}}}"#);
            check_skipped(&beside, &format!("{media} `{key}`"));
            let inside = format!(
                r#"{{"messages": [{{"role": "user", "content": "a", "{key}": {value}}}, {{"role": "assistant", "content": "b"}}]}}"#
            );
            check_skipped(&inside, &format!("{media} `messages[].{key}`"));
            let part = format!(
                r#"{{"messages": [{{"role": "user", "content": [{{"type": "text", "text": "a", "{key}": {value}}}]}}, {{"role": "assistant", "content": "b"}}]}}"#
            );
            check_skipped(&part, &format!("{media} `messages[].content[].{key}`"));
        }
        // Columns that a row does not use.
        for value in ["null", "[]", r#""""#, r#"{"bytes": null, "path": null}"#] {
            let line = format!(
                r#"{{"messages": [{{"role": "user", "content": [{{"type": "text", "text": "a", "{key}": {value}}}], "{key}": {value}}}, {{"role": "assistant", "content": "b"}}], "{key}": {value}}}"#
            );
            let read = read_file(read_conversations, "a.jsonl", &line).unwrap();
            assert_eq!(turns(&read.examples[0].messages), [("user", "a"), ("assistant", "b")], "{line}");
        }
    }
    let pair = r#"{"prompt": [{"role": "user", "content": "a", "image": "x.png"}], "chosen": "b", "rejected": "c"}"#;
    check_error(read_preferences, "p.jsonl", pair, "under `prompt[].image`");
    let shared = r#"{"image": "1.jpg", "conversations": [{"from": "human", "value": "<image>\na"}, {"from": "gpt", "value": "b"}]}"#;
    check_skipped(shared, &format!("{media} `image`"));
}

#[test]
fn numbers_that_json_does_not_have_are_null_and_named() {
    let expected = ["NaN or Infinity, which JSON does not have, is read as null"];
    let line = r#"{"prompt": "Hi NaN", "completion": "Hello", "score": NaN, "b": [-Infinity, Infinity]}"#;
    for (name, text) in [("a.jsonl", line.to_owned()), ("a.json", format!("[{line}]")), ("a.json", line.to_owned())] {
        let read = read_file(read_conversations, name, text).unwrap();
        assert_eq!(turns(&read.examples[0].messages), [("user", "Hi NaN"), ("assistant", "Hello")], "{name}");
        let named: Vec<_> = read.ignored.iter().map(|(what, _)| what).filter(|what| !what.contains("key")).collect();
        assert_eq!(named, expected, "{name}");
    }
    check_error(read_conversations, "a.jsonl", r#"{"prompt": NaN, "completion": NaN,}"#, "expected value at column 12");
}

#[test]
fn an_example_with_half_a_character_is_skipped() {
    check_skipped(r#"{"prompt": "Hi \ud83d x", "completion": "x"}"#, reason::HALF_CHARACTER);
    let lines = r#"[{"prompt": "\udc00", "completion": "x"}, {"prompt": "\ud83d\ude00", "completion": "x", "a": NaN}]"#;
    let read = read_file(read_conversations, "a.json", lines).unwrap();
    assert_eq!((read.examples.len(), read.skips.count(reason::HALF_CHARACTER)), (1, 1));
    assert_eq!(read.examples[0].messages[0].content, "😀");
}

#[test]
fn a_value_over_several_lines_is_told_where_it_belongs() {
    let belongs = "(a list or an object that takes several lines belongs in a file called .json)";
    check_error(read_conversations, "a.jsonl", &format!("[\n{EXAMPLE}\n]"), belongs);
    check_error(read_conversations, "a.jsonl", "{\n\"prompt\": \"Hi\"\n}", belongs);
    let cut = read_file(read_conversations, "a.jsonl", "{\"prompt\": \"Hi").unwrap_err().to_string();
    assert!(!cut.contains(belongs), "{cut}");
}

#[test]
fn other_names_of_the_assistant_are_known_or_named() {
    let line = |role: &str| {
        format!(r#"{{"messages": [{{"role": "user", "content": "a"}}, {{"role": "{role}", "content": "b"}}]}}"#)
    };
    for role in ["ai", "AI", "Chatbot", "gpt-4"] {
        let read = read_file(read_conversations, "a.jsonl", line(role)).unwrap();
        assert_eq!(turns(&read.examples[0].messages), [("user", "a"), ("assistant", "b")], "{role}");
    }
    check_skipped(&line("agent"), "the assistant says nothing; the role \"agent\" is not known as the assistant's");
}

#[test]
fn flat_rows_of_openassistant_are_told_apart_from_trees() {
    let row = r#"{"message_id": "m1", "parent_id": null, "text": "Q1", "role": "prompter", "message_tree_id": "m1"}"#;
    let expected = "expected a whole tree of messages under `prompt`, found a row of one message";
    check_error(read_conversations, "a.jsonl", row, expected);
    check_error(read_preferences, "a.jsonl", row, expected);
}

#[test]
fn an_answer_may_be_a_number() {
    let check = |line: &str, right: &str, wrong: &str| {
        let task = read_file(read_tasks, "a.jsonl", line).unwrap().examples.remove(0);
        assert_eq!((task.check.is_right(right), task.check.is_right(wrong)), (Some(true), Some(false)), "{line}");
    };
    check(r#"{"prompt": "1+3?", "answer": 4}"#, "4", "5");
    check(r#"{"prompt": "1+3?", "answer": -1.5}"#, "-1.5", "1.5");
    check(r#"{"question": "1+3?", "answer": 4}"#, "It is 4.", "It is 5.");
}

#[test]
fn prompts_with_the_turns_on_lines_of_their_own_are_dialogues() {
    let asked = r"Human: Q1\nAssistant: A1\nHuman: Q2\nAssistant:";
    let expected = [("user", "Q1"), ("assistant", "A1"), ("user", "Q2")];
    for key in ["prompt", "instruction"] {
        let line = format!(r#"{{"{key}": "{asked}", "input": "", "output": "A2"}}"#);
        let read = read_file(read_conversations, "a.jsonl", &line).unwrap();
        assert_eq!(turns(&read.examples[0].messages), [&expected[..], &[("assistant", "A2")]].concat(), "{line}");
    }
    let pair = format!(r#"{{"prompt": "{asked}", "chosen": "GOOD", "rejected": "BAD"}}"#);
    let read = read_file(read_preferences, "p.jsonl", &pair).unwrap();
    assert_eq!((turns(&read.examples[0].prompt), &*read.examples[0].chosen), (expected.to_vec(), "GOOD"));
}

#[test]
fn columns_of_numbers_are_judgements() {
    for (value, good) in [("1", true), ("1.0", true), ("0", false), ("0.0", false), ("-1", false)] {
        let line = format!(r#"{{"prompt": "Q", "completion": "A", "label": {value}}}"#);
        assert_eq!(read_file(read_ratings, "r.jsonl", &line).unwrap().examples[0].good, good, "{value}");
    }
}
