use std::fmt::Debug;
use std::io::Write;

use fireclay_tokenizer::Message;

use super::*;
use crate::DataError;
use fireclay_corpus as corpus;

/// Reads one file called `name` that holds `bytes`.
pub(super) fn read_file<T>(
    read: impl Fn(&[String]) -> Result<T, DataError>,
    name: &str,
    bytes: impl AsRef<[u8]>,
) -> Result<T, DataError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    read(&[path.to_str().unwrap().to_owned()])
}

/// The file fails with one line that names it and holds `expected`.
#[track_caller]
pub(super) fn check_error<T: Debug>(
    read: impl Fn(&[String]) -> Result<T, DataError>,
    name: &str,
    text: &str,
    expected: &str,
) {
    let message = read_file(read, name, text).unwrap_err().to_string();
    assert!(message.contains(name) && !message.contains('\n'), "{message}");
    assert!(message.contains(expected), "{message}: expected {expected:?}");
}

pub(super) fn turns(messages: &[Message]) -> Vec<(&str, &str)> {
    messages.iter().map(|message| (message.role.as_str(), message.content.as_str())).collect()
}

/// One line is one conversation of these turns.
#[track_caller]
fn check_conversation(line: &str, expected: &[(&str, &str)]) {
    let read = read_file(read_conversations, "a.jsonl", line).unwrap();
    assert!(read.skips.is_empty() && read.examples.len() == 1, "{read:?}");
    assert_eq!(turns(&read.examples[0].messages), expected);
    assert!(read.examples[0].origin.ends_with("a.jsonl:1"), "{}", read.examples[0].origin);
}

#[test]
fn every_form_of_conversation_is_recognised_by_its_keys() {
    let expected = [("user", "Hi"), ("assistant", "Hello")];
    check_conversation(
        r#"{"id": 3, "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}"#,
        &expected,
    );
    check_conversation(
        r#"{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}"#,
        &expected,
    );
    check_conversation(
        r#"{"conversations": [{"from": "system", "value": "Be kind"}, {"from": "user", "value": "Hi"}, {"from": "assistant", "value": "Hello"}]}"#,
        &[("system", "Be kind"), ("user", "Hi"), ("assistant", "Hello")],
    );
    check_conversation(r#"{"prompt": "Hi", "completion": "Hello"}"#, &expected);
    check_conversation(r#"{"prompt": "Hi", "response": "Hello"}"#, &expected);
    check_conversation(
        r#"{"prompt": [{"role": "user", "content": "Hi"}], "completion": [{"role": "assistant", "content": "Hello"}]}"#,
        &expected,
    );
    check_conversation(r#"{"instruction": "Hi", "input": "", "output": "Hello"}"#, &expected);
    check_conversation(r#"{"instruction": "Hi", "output": "Hello"}"#, &expected);
    check_conversation(
        r#"{"instruction": "Add", "input": "1 2", "output": "3"}"#,
        &[("user", "Add\n\n1 2"), ("assistant", "3")],
    );
}

#[test]
fn each_instance_of_a_seed_task_is_a_conversation() {
    let line = r#"{"instruction": "Double", "instances": [{"input": "2", "output": "4"}, {"input": "", "output": "0"}, {"input": "x", "output": " "}]}"#;
    let read = read_file(read_conversations, "a.json", line).unwrap();
    assert_eq!(turns(&read.examples[0].messages), [("user", "Double\n\n2"), ("assistant", "4")]);
    assert_eq!(turns(&read.examples[1].messages), [("user", "Double"), ("assistant", "0")]);
    assert_eq!((read.examples.len(), read.skips.count(reason::EMPTY_ANSWER)), (2, 1));
}

#[test]
fn messages_keep_their_other_fields_and_may_call_tools_without_words() {
    let line = r#"{"messages": [{"role": "user", "content": "Rain?"}, {"role": "assistant", "content": null, "tool_calls": [{"name": "weather"}]}]}"#;
    let read = read_file(read_conversations, "a.jsonl", line).unwrap();
    assert!(read.examples[0].messages[1].extra.contains_key("tool_calls"));
    assert_eq!(read.examples[0].messages[1].content, "");
}

const TWO: &str = "{\"prompt\": \"a\", \"completion\": \"b\"}\n\n{\"prompt\": \"c\", \"completion\": \"d\"}\n";

#[test]
fn files_may_be_lines_or_an_array_and_compressed() {
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let array = "[{\"prompt\": \"a\",\n \"completion\": \"b\"},\n{\"prompt\": \"c\", \"completion\": \"d\"}]";
    let pretty =
        "\u{FEFF}{\n  \"prompt\": \"a\",\n  \"completion\": \"b\"\n}\n{\"prompt\": \"c\", \"completion\": \"d\"}";
    let files: [(&str, Vec<u8>, u64); 6] = [
        ("a.jsonl", TWO.into(), 3),
        ("a.jsonl.gz", gzip(TWO), 3),
        ("a.json.zst", zstd::encode_all(TWO.as_bytes(), 0).unwrap(), 3),
        ("a.json", array.into(), 3),
        ("a.json.gz", gzip(array), 3),
        ("a.json", pretty.into(), 5),
    ];
    for (name, bytes, second_line) in files {
        let read = read_file(read_conversations, name, &bytes).unwrap();
        let said: Vec<_> = read.examples.iter().map(|example| example.messages[0].content.as_str()).collect();
        assert_eq!(said, ["a", "c"], "{name}");
        assert!(read.examples[1].origin.ends_with(&format!("{name}:{second_line}")), "{}", read.examples[1].origin);
    }
}

#[test]
fn folders_are_read_in_order_and_other_files_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("b.jsonl", TWO), ("README.md", "no"), ("a.yml", "conversations:\n- [x, y]\n")] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let paths = [dir.path().to_str().unwrap().to_owned()];
    let said: Vec<_> =
        read_conversations(&paths).unwrap().examples.into_iter().map(|c| c.messages[0].content.clone()).collect();
    assert_eq!(said, ["x", "a", "c"]);
    // Only conversations are written as YAML; so the folder has one file of ratings, of another form.
    let refused = read_ratings(&paths).unwrap_err().to_string();
    assert!(
        refused.contains(
            "b.jsonl:1: expected `prompt` (or `question`, `instruction`), `completion` (or \
        `response`, `output`) and `label`, found"
        ),
        "{refused}"
    );
    std::fs::remove_file(dir.path().join("b.jsonl")).unwrap();
    let refused = read_ratings(&paths).unwrap_err().to_string();
    assert!(
        refused.contains("supported are .jsonl, .json (each also .gz, .zst, .lz4, .br or in a .zip) and .parquet"),
        "{refused}"
    );
    check_error(read_tasks, "a.txt", "x", "supported are .jsonl, .json");
}

#[test]
fn dialogues_in_yaml_alternate_and_scalars_are_text() {
    let yaml = "categories:\n- test\nconversations:\n- - Hi\n  - Hello, \"you\"\n  - How many?\n  - 22\n- Nobody \
                answers this\n- - 'yes: it''s'\n  - yes\n";
    let read = read_file(read_conversations, "a.yml", yaml).unwrap();
    let expected = [("user", "Hi"), ("assistant", "Hello, \"you\""), ("user", "How many?"), ("assistant", "22")];
    assert_eq!(turns(&read.examples[0].messages), expected);
    assert_eq!(turns(&read.examples[1].messages), [("user", "yes: it's"), ("assistant", "yes")]);
    assert!(read.examples[1].origin.ends_with("a.yml:9"), "{}", read.examples[1].origin);
    assert!(read.skips.to_string().starts_with("1 skipped: the assistant says nothing (first: "), "{}", read.skips);
    assert!(read.skips.to_string().ends_with("a.yml:8)"), "{}", read.skips);
    check_error(read_conversations, "a.yml", "x: [1, 2", "unsupported YAML: while parsing a flow sequence");
    check_error(read_conversations, "a.yml", "\nx: 1", "a.yml:2: unsupported YAML: expected the key `conversations`");
    check_error(
        read_conversations,
        "a.yml",
        "conversations:\n- - a\n  - b: c",
        "a.yml:3: unsupported YAML: expected a sentence",
    );
    check_error(read_conversations, "a.yml", "conversations: &a\n- *a", "an alias");
    let deep = |levels| format!("conversations: {}", "[".repeat(levels));
    check_error(read_conversations, "a.yml", &deep(9), "nested too deep");
    check_error(read_conversations, "a.yml", &deep(100_000), "recursion limit exceeded");
}

#[test]
fn wrong_forms_are_errors_that_tell_the_line_and_the_keys() {
    let check = |line: &str, expected: &str| {
        check_error(read_conversations, "a.jsonl", &format!("{TWO}{line}\n"), "a.jsonl:4: ");
        check_error(read_conversations, "a.jsonl", &format!("{TWO}{line}\n"), expected);
    };
    check("{\"prompt\": ", "not a JSON object: the line ends early");
    check("[1]", "not a JSON object: found an array");
    check("{\"id\": 1, \"text\": 2}", "expected `messages`, `conversations`, ");
    check("{\"id\": 1, \"text\": 2}", "found `id`, `text`");
    check("{\"messages\": 3}", "expected an array under `messages`, found a number");
    check("{\"messages\": [\"x\"]}", "expected an object with `role` and `content` as `messages[0]`, found a string");
    check("{\"messages\": [{\"content\": \"x\"}]}", "expected `role` in `messages[0]`, found `content`");
    check(
        "{\"messages\": [{\"role\": \"user\", \"content\": 1}]}",
        "a string as `messages[0].content`, found a number",
    );
    check(
        "{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image\"}]}]}",
        "parts of text in `messages[0].content`, found a part of type \"image\"",
    );
    check(
        "{\"conversations\": [{\"from\": \"dog\", \"value\": \"x\"}]}",
        "human, gpt, system, tool, function_call or observation as `conversations[0].from`, found \"dog\"",
    );
    check("{\"conversations\": [{\"from\": \"gpt\"}]}", "a string as `conversations[0].value`, found `from`");
    check(
        "{\"prompt\": \"x\", \"completion\": 1}",
        "a string or an array of messages under `completion`, found a number",
    );
    check("{\"prompt\": \"x\", \"completion\": \"y\", \"prompt\": \"z\"}", "not a JSON object: the key `prompt` twice");
    check(
        "{\"messages\": [{\"role\": \"user\", \"content\": \"x\", \"content\": \"y\"}]}",
        "not a JSON object: the key `content` twice",
    );
    check("{\"message_tree_id\": \"x\", \"prompt\": {\"role\": \"prompter\"}}", "a tree of messages");
    check_error(read_conversations, "a.json", "[{},\n{\"a\": }]", "a.json:2: not a JSON object");
    check_error(read_conversations, "a.jsonl", "\n\n", "holds no text");
    check_error(read_conversations, "a.json", "[]", "holds no text");
}

#[test]
fn a_file_of_which_everything_is_skipped_is_an_error() {
    let lines = "{\"prompt\": \"a\", \"completion\": \"\"}\n{\"prompt\": \"a\", \"completion\": \" \"}\n";
    check_error(
        read_conversations,
        "a.jsonl",
        lines,
        "a.jsonl: none of the 2 examples can be used: an answer is empty (first: ",
    );
}

/// A good line, then one that is skipped for `reason`.
#[track_caller]
fn check_skip<T>(read: impl Fn(&[String]) -> Result<Examples<T>, DataError>, good: &str, bad: &str, reason: &str) {
    let read = read_file(read, "s.jsonl", format!("{good}\n{bad}\n")).unwrap();
    assert_eq!((read.examples.len(), read.skips.total(), read.skips.count(reason)), (1, 1, 1), "{}", read.skips);
    assert!(read.skips.to_string().ends_with("s.jsonl:2)"), "{}", read.skips);
}

#[test]
fn what_cannot_be_learned_from_is_counted() {
    let good = r#"{"prompt": "Hi", "chosen": "good", "rejected": "bad"}"#;
    let check = |bad: &str, reason: &str| check_skip(read_preferences, good, bad, reason);
    check(r#"{"prompt": "Hi", "chosen": "same", "rejected": " same"}"#, reason::EQUAL);
    check(r#"{"prompt": "Hi", "chosen": "x", "rejected": ""}"#, reason::EMPTY_ANSWER);
    let call =
        r#"{"role": "assistant", "content": "Look", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}"#;
    check(&format!(r#"{{"prompt": "Hi", "chosen": [{call}], "rejected": "x"}}"#), reason::CALLS);
    check(r#"{"prompt": "Hi", "chosen": [], "rejected": []}"#, reason::NOT_AN_ANSWER);
    check(r#"{"prompt": " ", "chosen": "x", "rejected": "y"}"#, reason::EMPTY_PROMPT);
    check(r#"{"chosen": "Human: a\n\nAssistant: b", "rejected": "Human: c\n\nAssistant: d"}"#, reason::OTHER_PROMPTS);
    check(
        r#"{"chosen": "Human: a\n\nAssistant: b\n\nHuman: c", "rejected": "Human: a\n\nAssistant: d"}"#,
        reason::NOT_AN_ANSWER,
    );
    check(r#"{"chosen": "Assistant: b", "rejected": "Assistant: d"}"#, reason::EMPTY_PROMPT);

    let good = r#"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"#;
    check_skip(read_conversations, good, r#"{"messages": [{"role": "user", "content": "a"}]}"#, reason::NO_ANSWER);
    check_skip(read_conversations, good, r#"{"messages": []}"#, reason::NO_ANSWER);

    let good = r#"{"prompt": "Hi", "completion": "Hello", "label": true}"#;
    check_skip(read_ratings, good, r#"{"prompt": "Hi", "completion": "", "label": true}"#, reason::EMPTY_ANSWER);
    check_skip(read_ratings, good, r#"{"prompt": "", "completion": "x", "label": true}"#, reason::EMPTY_PROMPT);

    let tasks = |bad: &str, reason| check_skip(read_tasks, r#"{"prompt": "Hi"}"#, bad, reason);
    tasks(r#"{"prompt": ""}"#, reason::EMPTY_PROMPT);
    tasks(
        r#"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"#,
        reason::NOTHING_TO_ANSWER,
    );
}

/// A root with three ranked answers; the best one goes on twice, once unanswered, the second one once.
const TREE: &str = r#"{"message_tree_id": "t", "prompt": {"text": "p", "role": "prompter", "replies": [
    {"text": "second", "role": "assistant", "rank": 1, "replies": [
        {"text": "q", "role": "prompter", "replies": [{"text": "r", "role": "assistant"}]}]},
    {"text": "best", "role": "assistant", "rank": 0, "replies": [
        {"text": "more", "role": "prompter", "replies": [
            {"text": "deleted", "role": "assistant", "rank": 0, "deleted": true},
            {"text": "kept", "role": "assistant", "rank": 2}, {"text": "worse", "role": "assistant", "rank": 3}]},
        {"text": "unanswered", "role": "prompter", "replies": []}]},
    {"text": "third", "role": "assistant", "rank": 3, "replies": []}]}}"#;

#[test]
fn a_tree_gives_its_best_paths() {
    let read = read_file(read_conversations, "t.jsonl", TREE.replace('\n', "")).unwrap();
    let [path] = &read.examples[..] else { panic!("{read:?}") };
    assert_eq!(turns(&path.messages), [("user", "p"), ("assistant", "best"), ("user", "more"), ("assistant", "kept")]);
    assert_eq!((read.skips.count(reason::DELETED), read.skips.count(reason::UNANSWERED)), (1, 1));
}

#[test]
fn a_tree_gives_each_better_answer_against_each_worse_one() {
    let read = read_file(read_preferences, "t.jsonl", TREE.replace('\n', "")).unwrap();
    let pairs = read.examples.iter().map(|pair| {
        (turns(&pair.prompt).len(), pair.chosen.as_str(), pair.rejected.as_str(), pair.kind.as_deref().unwrap())
    });
    let pairs: Vec<_> = pairs.collect();
    assert_eq!(
        pairs,
        [
            (1, "best", "second", "1 rank lower"),
            (1, "best", "third", "3 ranks lower"),
            (1, "second", "third", "2 ranks lower"),
            (3, "kept", "worse", "1 rank lower"),
        ]
    );
    assert_eq!(turns(&read.examples[3].prompt), [("user", "p"), ("assistant", "best"), ("user", "more")]);
}

#[test]
fn tasks_are_judged_as_their_keys_say() {
    let check = |line: &str, right: &str, wrong: &str| {
        let task = read_file(read_tasks, "t.jsonl", line).unwrap().examples.remove(0);
        assert_eq!(turns(&task.messages), [("user", "Q")]);
        assert_eq!((task.check.is_right(right), task.check.is_right(wrong)), (Some(true), Some(false)), "{task:?}");
        task.reference
    };
    let reference = check(r#"{"question": "Q", "answer": "3 + 4 is 7.\n#### 7"}"#, "It is 7", "#### 8");
    assert_eq!(reference.as_deref(), Some("3 + 4 is 7.\n#### 7"));
    check(r#"{"prompt": "Q", "answer": "yes"}"#, " yes", "no");
    check(r#"{"messages": [{"role": "user", "content": "Q"}], "regex": "^\\d+$"}"#, "12", "12a");
    check(r#"{"prompt": [{"role": "user", "content": "Q"}], "json": true}"#, "[1]", "[1");
    let open = read_file(read_tasks, "t.jsonl", r#"{"prompt": "Q"}"#).unwrap().examples.remove(0);
    assert_eq!((open.check, open.reference), (AnswerCheck::OPEN, None));
    let wrong = |line: &str, expected: &str| check_error(read_tasks, "t.jsonl", line, expected);
    wrong(r#"{"question": "Q", "answer": "7"}"#, "expected an `answer` that ends with `#### number`");
    wrong("{\"question\": \"Q\", \"answer\": \"#### seven\"}", "ends with `#### number`");
    wrong(r#"{"question": "Q"}"#, "expected the key `answer` with a string, found `question`");
    wrong(r#"{"prompt": "Q", "regex": "("}"#, "a regular expression under `regex`, found unclosed group");
    wrong(
        r#"{"prompt": "Q", "regex": "a", "answer": "b"}"#,
        "at most one of `answer`, `regex` and `json`, found `answer`, `regex`",
    );
    wrong(r#"{"text": "Q"}"#, "expected `question` with `answer`, or `prompt` or `messages`");
}

#[test]
fn ratings_are_thumbs() {
    let lines = "{\"prompt\": \"Q\", \"completion\": \"A\", \"label\": true}\n{\"prompt\": [{\"role\": \"user\", \"content\": \"Q\"}], \"completion\": [{\"role\": \"assistant\", \"content\": \"B\"}], \"label\": false}";
    let read = read_file(read_ratings, "r.jsonl", lines).unwrap().examples;
    let seen: Vec<_> = read.iter().map(|r| (r.prompt[0].content.as_str(), r.completion.as_str(), r.good)).collect();
    assert_eq!(seen, [("Q", "A", true), ("Q", "B", false)]);
    check_error(
        read_ratings,
        "r.jsonl",
        r#"{"prompt": "Q", "completion": "A", "label": 2}"#,
        "expected true or false, or 1 and 0 or -1 under `label`, found a number",
    );
}

#[test]
fn benchmarks_are_recognised_and_checked() {
    let read = |text: &str| read_file(|paths| read_benchmark(&paths[0]), "b.jsonl", text);
    let choice = r#"{"query": "q", "choices": ["a", "b"], "gold": 1}"#;
    let expected = MultipleChoice { query: "q".into(), choices: vec!["a".into(), "b".into()], gold: 1 };
    assert_eq!(read(choice).unwrap(), Benchmark::MultipleChoice(vec![expected]));
    let schema = r#"{"context_options": ["a", "b"], "continuation": "c", "gold": 0}"#;
    let expected = Schema { context_options: vec!["a".into(), "b".into()], continuation: "c".into(), gold: 0 };
    assert_eq!(read(schema).unwrap(), Benchmark::Schema(vec![expected]));
    let completion = r#"{"context": "a", "continuation": "b"}"#;
    let expected = Continuation { context: "a".into(), continuation: "b".into() };
    assert_eq!(read(completion).unwrap(), Benchmark::Completion(vec![expected]));

    let wrong = |line: &str, expected: &str| {
        check_error(|paths| read_benchmark(&paths[0]), "b.jsonl", &format!("{choice}\n{line}"), "b.jsonl:2: expected ");
        check_error(|paths| read_benchmark(&paths[0]), "b.jsonl", &format!("{choice}\n{line}"), expected);
    };
    wrong(&choice.replace('1', "2"), "`gold` below 2, the number of choices, found 2");
    wrong(&choice.replace('1', "-1"), "a whole number from 0 on under `gold`, found a number");
    wrong(&choice.replace(", \"b\"", ""), "at least two strings under `choices`, found 1");
    wrong(completion, "the key `choices` with an array, found `context`, `continuation`");
    check_error(|paths| read_benchmark(&paths[0]), "b.jsonl", "{}", "found no keys");
}

#[test]
fn what_the_corpus_generates_becomes_examples() {
    let conversation =
        corpus::conversations(&corpus::ConversationConfig::default(), crate::Split::Train).next().unwrap();
    let converted = Conversation::from(conversation.clone());
    assert_eq!(converted.messages.len(), conversation.messages.len());
    assert_eq!(converted.messages[1], Message::new("assistant", &conversation.messages[1].content));
    for pair in corpus::preferences(&corpus::PromptConfig::default(), crate::Split::Train).take(50) {
        let kind = serde_json::to_value(pair.corruption).unwrap();
        let converted = Preference::from(pair.clone());
        assert_eq!(kind.as_str(), converted.kind.as_deref());
        assert_eq!((converted.chosen, converted.rejected), (pair.chosen, pair.rejected));
    }
    let config = corpus::PromptConfig::default();
    for prompt in corpus::prompts(&config, crate::Split::Train).take(100) {
        let task = Task::from(prompt.clone());
        for answer in [prompt.reference.as_str(), "", "42"] {
            assert_eq!(task.check.is_right(answer), prompt.check.answer_is_right(answer));
        }
        assert_eq!(task.reference, Some(prompt.reference));
    }
}
