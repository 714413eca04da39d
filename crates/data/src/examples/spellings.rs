//! One example in several spellings: dialogues in one text, messages as JSON in a string, answers that repeat the
//! prompt, and what is missing.

use super::tests::{check_error, read_file, turns};
use super::*;

/// The prompt's turns and both answers of a line of preferences.
#[track_caller]
fn check_pair(line: &str, prompt: &[(&str, &str)]) {
    let read = read_file(read_preferences, "p.jsonl", line).unwrap();
    let [pair] = &read.examples[..] else { panic!("{read:?}") };
    assert_eq!((turns(&pair.prompt), &*pair.chosen, &*pair.rejected), (prompt.to_vec(), "good", "bad"), "{line}");
    assert!(read.ignored.is_empty(), "{}", read.ignored);
}

/// A line of preferences of this prompt and, without their last messages, these answers; both JSON.
fn pair(prompt: &str, answer: &str) -> String {
    let of = |last: &str| answer.replace("ANSWER", last);
    format!(r#"{{"prompt": {prompt}, "chosen": {}, "rejected": {}}}"#, of("good"), of("bad"))
}

/// A line is skipped for this reason, beside a good one.
#[track_caller]
fn check_skipped<T: std::fmt::Debug>(
    read: impl Fn(&[String]) -> Result<Examples<T>, crate::DataError>,
    good: &str,
    line: &str,
    reason: &str,
) {
    let read = read_file(read, "s.jsonl", format!("{good}\n{line}\n")).unwrap();
    assert_eq!((read.examples.len(), read.skips.count(reason), read.skips.total()), (1, 1, 1), "{line}: {read:?}");
}

const HI: [(&str, &str); 1] = [("user", "Hi")];
const GOOD_PAIR: &str = r#"{"prompt": "Hi", "chosen": "good", "rejected": "bad"}"#;

#[test]
fn answers_that_are_dialogues_are_read_as_such_beside_a_prompt() {
    let dialogue = r#""\n\nHuman: Hi\n\nAssistant: ANSWER""#;
    let windows = dialogue.replace("\\n", "\\r\\n");
    for prompt in [r#""Hi""#, r#""\n\nHuman: Hi\n\nAssistant:""#, r#"[{"role": "user", "content": "Hi"}]"#] {
        check_pair(&pair(prompt, dialogue), &HI);
        check_pair(&pair(prompt, &windows), &HI);
        check_pair(&pair(prompt, r#""\n\nAssistant: ANSWER""#), &HI);
    }
    let longer = r#""\n\nHuman: a\n\nAssistant: b\n\nHuman: Hi\n\nAssistant: ANSWER""#;
    let all = [("user", "a"), ("assistant", "b"), ("user", "Hi")];
    check_pair(&pair(r#""a""#, longer), &all);
    check_pair(&pair(r#""Hi""#, longer), &all);
    check_pair(&pair(r#""\n\nHuman: a\n\nAssistant: b\n\nHuman: Hi""#, longer), &all);
    check_pair(&pair(r#""Hi""#, r#""Human: Hi\n\nAssistant: ANSWER""#), &HI);
    // Text that only mentions a mark is an answer, and so is a dialogue about something else.
    let told = read_file(read_preferences, "p.jsonl", pair(r#""Hi""#, r#""Human: x\n\nAssistant: ANSWER""#)).unwrap();
    assert_eq!(told.examples[0].chosen, "Human: x\n\nAssistant: good");
    let read =
        read_file(read_preferences, "p.jsonl", pair(r#""Hi""#, r#""ANSWER\n\nHuman: x\n\nAssistant: y""#)).unwrap();
    assert_eq!(read.examples[0].chosen, "good\n\nHuman: x\n\nAssistant: y");
}

#[test]
fn answers_that_repeat_the_prompt_but_for_white_space_or_go_back_before_it_ask_once() {
    let message = |role: &str, content: &str| format!(r#"{{"role": "{role}", "content": "{content}"}}"#);
    let answer = message("assistant", "ANSWER");
    let one = format!("[{}, {answer}]", message("user", "Hi"));
    for prompt in [r#""Hi""#, r#""Hi ""#, r#"" Hi\n""#] {
        let read = read_file(read_preferences, "p.jsonl", pair(prompt, &one)).unwrap();
        let pair = &read.examples[0];
        assert_eq!((pair.prompt.len(), pair.prompt[0].content.trim(), &*pair.chosen), (1, "Hi", "good"), "{prompt}");
    }
    let (a, b) = (message("user", "a"), message("assistant", "b"));
    let all = [("user", "a"), ("assistant", "b"), ("user", "Hi")];
    check_pair(
        &pair(r#""Hi""#, &format!("[{a}, {b}, {}, {answer}]", message("user", "Hi "))).replace("Hi \"", "Hi\""),
        &all,
    );
    // Earlier turns in the prompt, the last question in the answers.
    check_pair(&pair(&format!("[{a}, {b}]"), &one), &all);
    let other = format!("[{}, {answer}]", message("user", "Bye"));
    check_skipped(read_preferences, GOOD_PAIR, &pair(r#""Hi""#, &other), reason::OTHER_QUESTION);
    let other = r#""\n\nHuman: Bye\n\nAssistant: ANSWER""#;
    check_skipped(read_preferences, GOOD_PAIR, &pair(r#""Hi""#, other), reason::OTHER_QUESTION);
}

#[test]
fn answers_of_conversations_and_ratings_repeat_their_prompt_too() {
    let answers = [
        r#""\n\nHuman: Hi\n\nAssistant: Hello""#,
        r#"[{"role": "user", "content": " Hi"}, {"role": "assistant", "content": "Hello"}]"#,
        r#""[{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"Hello\"}]""#,
        r#""{\"from\": \"gpt\", \"value\": \"Hello\"}""#,
        r#""Hello""#,
    ];
    let prompts = [r#""Hi""#, r#""\n\nHuman: Hi\n\nAssistant:""#, r#""[{\"role\": \"user\", \"content\": \"Hi\"}]""#];
    for answer in answers {
        for prompt in prompts {
            let line = format!(r#"{{"prompt": {prompt}, "completion": {answer}, "label": true}}"#);
            let read = read_file(read_conversations, "a.jsonl", &line).unwrap();
            assert_eq!(turns(&read.examples[0].messages), [("user", "Hi"), ("assistant", "Hello")], "{line}");
            let read = read_file(read_ratings, "a.jsonl", &line).unwrap();
            assert_eq!(
                (turns(&read.examples[0].prompt), &*read.examples[0].completion),
                (HI.to_vec(), "Hello"),
                "{line}"
            );
        }
    }
    let bye = r#"[{"role": "user", "content": "Bye"}, {"role": "assistant", "content": "Hello"}]"#;
    let other = &format!(r#"{{"prompt": "Hi", "completion": {bye}, "label": true}}"#);
    let good = r#"{"prompt": "Hi", "completion": "Hello", "label": true}"#;
    check_skipped(read_conversations, good, other, reason::OTHER_QUESTION);
    let task = read_file(read_tasks, "a.jsonl", r#"{"prompt": "\n\nHuman: Hi\n\nAssistant:"}"#).unwrap();
    assert_eq!(turns(&task.examples[0].messages), HI);
}

#[test]
fn messages_as_json_in_a_string_are_messages_and_other_json_is_text() {
    let written = r#""[{\"role\": \"assistant\", \"content\": \"ANSWER\"}]""#;
    check_pair(&pair(r#""Hi""#, written), &HI);
    check_pair(&pair(r#""[{\"role\": \"user\", \"content\": \"Hi\"}]""#, written), &HI);
    let whole = r#""[{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"ANSWER\"}]""#;
    check_pair(&pair("null", whole), &HI);
    check_pair(&pair(r#""Hi""#, whole), &HI);
    for text in [r#"[{"role": "pirate", "content": "x"}]"#, r#"{"role": "user"}"#, "[1, 2]", "[]", "{", r#"["user"]"#] {
        let line = format!(r#"{{"prompt": "Hi", "completion": {text:?}}}"#);
        let read = read_file(read_conversations, "a.jsonl", &line).unwrap();
        assert_eq!(turns(&read.examples[0].messages), [("user", "Hi"), ("assistant", text)], "{line}");
    }
    let python = r#"{"prompt": "[{'role': 'user', 'content': 'Hi'}]", "chosen": "good", "rejected": "bad"}"#;
    check_skipped(read_preferences, GOOD_PAIR, python, reason::PYTHON);
}

#[test]
fn pairs_of_openai_are_read_with_their_tools() {
    let user = r#"{"role": "user", "content": "Hi"}"#;
    let input = format!(r#"{{"messages": [{user}], "tools": [{{"name": "t"}}], "parallel_tool_calls": true}}"#);
    let answer = |text: &str| format!(r#"[{{"role": "assistant", "content": "{text}"}}]"#);
    let (good, bad) = (answer("good"), answer("bad"));
    let line = format!(r#"{{"input": {input}, "preferred_output": {good}, "non_preferred_output": {bad}}}"#);
    let read = read_file(read_preferences, "p.jsonl", line).unwrap();
    let pair = &read.examples[0];
    assert_eq!((turns(&pair.prompt), &*pair.chosen, &*pair.rejected), (HI.to_vec(), "good", "bad"));
    assert_eq!(pair.prompt[0].extra["tools"], serde_json::json!([{"name": "t"}]));
    let ignored: Vec<_> = read.ignored.iter().map(|(what, _)| what).collect();
    assert_eq!(ignored, ["the key `parallel_tool_calls` is ignored"]);
}

#[test]
fn rows_without_a_prompt_or_an_answer_are_skipped() {
    for line in [
        r#"{"prompt": "Hi", "chosen": "good", "rejected": null}"#,
        r#"{"prompt": "Hi", "chosen": null, "rejected": "bad"}"#,
        r#"{"prompt": "Hi", "chosen_response": "good", "rejected_response": null}"#,
        r#"{"prompt": "Hi", "response_0": null, "response_1": "good", "better_response_id": 1}"#,
    ] {
        check_skipped(read_preferences, GOOD_PAIR, line, reason::EMPTY_ANSWER);
    }
    let no_prompt = r#"{"prompt": null, "chosen": "good", "rejected": "bad"}"#;
    check_skipped(read_preferences, GOOD_PAIR, no_prompt, reason::EMPTY_PROMPT);
    let good = r#"{"prompt": "Hi", "completion": "Hello", "label": true}"#;
    let (asked, answered) = (
        r#"{"prompt": "Hi", "completion": null, "label": true}"#,
        r#"{"prompt": null, "completion": "Hello", "label": true}"#,
    );
    check_skipped(read_conversations, good, asked, reason::NO_ANSWER);
    check_skipped(read_conversations, good, answered, reason::EMPTY_PROMPT);
    check_skipped(read_ratings, good, asked, reason::EMPTY_ANSWER);
    check_skipped(read_ratings, good, answered, reason::EMPTY_PROMPT);
    check_skipped(read_tasks, r#"{"prompt": "Hi"}"#, r#"{"prompt": null}"#, reason::EMPTY_PROMPT);
    check_skipped(read_conversations, good, r#"{"instruction": "Double", "instances": []}"#, reason::NO_ANSWER);
    let null = r#"{"instruction": "Double", "instances": [{"input": "2", "output": null}]}"#;
    check_skipped(read_conversations, good, null, reason::EMPTY_ANSWER);
}

#[test]
fn an_input_without_an_instruction_is_the_prompt() {
    let read =
        read_file(read_conversations, "a.jsonl", r#"{"instruction": "", "input": "Hi", "output": "Hello"}"#).unwrap();
    assert_eq!(turns(&read.examples[0].messages), [("user", "Hi"), ("assistant", "Hello")]);
}

#[test]
fn roles_are_known_with_white_space_around_them() {
    let line = r#"{"messages": [{"role": " user", "content": "Hi"}, {"role": "Assistant ", "content": "Hello"}]}"#;
    let read = read_file(read_conversations, "a.jsonl", line).unwrap();
    assert_eq!(turns(&read.examples[0].messages), [("user", "Hi"), ("assistant", "Hello")]);
    assert!(read.ignored.is_empty());
}

#[test]
fn judgements_that_contradict_each_other_are_refused() {
    let line = |tag: &str| format!(r#"{{"prompt": "Hi", "completion": "Hello", "label": true, "kto_tag": {tag}}}"#);
    check_error(read_ratings, "r.jsonl", &line("false"), "expected one judgement, found `label` and `kto_tag`, which");
    for agreed in ["true", "1", "null"] {
        assert!(read_file(read_ratings, "r.jsonl", line(agreed)).unwrap().examples[0].good);
    }
}

#[test]
fn checks_that_tell_no_answers_apart_are_refused() {
    for pattern in ["", ".*", "(?s).*", "a*", "^"] {
        let line = format!(r#"{{"prompt": "Hi", "regex": {pattern:?}}}"#);
        check_error(read_tasks, "t.jsonl", &line, "found one that matches every text; leave the key out");
    }
    for pattern in ["^$", "^.+$", r"^\s*$"] {
        read_file(read_tasks, "t.jsonl", format!(r#"{{"prompt": "Hi", "regex": {pattern:?}}}"#)).unwrap();
    }
    check_error(
        read_tasks,
        "t.jsonl",
        r#"{"prompt": "Hi", "answer": " "}"#,
        "the right text under `answer`, found none",
    );
}

#[test]
fn a_margin_that_32_bits_cannot_hold_is_refused() {
    let line = r#"{"prompt": "Hi", "chosen": "good", "rejected": "bad", "margin": 1e308}"#;
    check_error(read_preferences, "p.jsonl", line, "expected a number of 32 bits under `margin`, found 1e308");
}

#[test]
fn numbers_of_more_than_64_bits_stay_in_arguments_and_are_named_elsewhere() {
    let arguments = r#"{"x": 79228162514264337593543950336, "y": -0}"#;
    let line = |call: &str| {
        format!(r#"{{"messages": [{{"role": "user", "content": "Q"}}, {{"role": "assistant", {call}}}]}}"#)
    };
    let call = format!(r#"{{"name": "t", "arguments": {arguments}}}"#);
    for call in [
        format!(r#""tool_calls": [{call}]"#),
        format!(r#""tool_calls": {:?}"#, format!("[{call}]")),
        format!(r#""tool_calls": [{{"name": "t", "arguments": {arguments:?}}}]"#),
    ] {
        let read = read_file(read_conversations, "a.jsonl", line(&call)).unwrap();
        assert_eq!(read.examples[0].messages[1].extra["tool_calls"][0]["arguments"], arguments, "{call}");
        assert!(read.ignored.is_empty(), "{}", read.ignored);
    }
    let id =
        r#"{"prompt": "Hi", "completion": "Hello", "tools": [{"name": "t", "most": 79228162514264337593543950336}]}"#;
    let read = read_file(read_conversations, "a.jsonl", id).unwrap();
    let named: Vec<_> = read.ignored.iter().map(|(what, _)| what).collect();
    assert_eq!(named, ["a whole number of more than 64 bits is rounded"]);
}

#[test]
fn every_document_of_a_yaml_file_is_read() {
    let text = "---\nconversations:\n- [a, b]\n---\n---\ncategories: [x]\nauthor: y\nconversations:\n- [c, d]\n";
    let read = read_file(read_conversations, "a.yml", text).unwrap();
    let said: Vec<_> = read.examples.iter().map(|example| turns(&example.messages)).collect();
    assert_eq!(said, [[("user", "a"), ("assistant", "b")], [("user", "c"), ("assistant", "d")]]);
    assert!(read.examples[1].origin.ends_with("a.yml:9"), "{}", read.examples[1].origin);
    let named: Vec<_> = read.ignored.iter().map(|(what, _)| what).collect();
    assert_eq!(named, ["the key `author` beside the examples is ignored"]);
    let twice = "conversations:\n- [a, b]\nconversations:\n- [c, d]\n";
    check_error(read_conversations, "a.yml", twice, "the key `conversations` twice");
    check_error(
        read_conversations,
        "a.yml",
        "conversations:\n- [a, b]\n---\nx: 1\n",
        "expected the key `conversations`",
    );
}
