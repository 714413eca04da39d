//! Forms of preference pairs, and what is kept of them.

use super::tests::{check_error, read_file, turns};
use super::*;

/// Content of a line: the prompt's turns, the chosen and the rejected answer.
#[track_caller]
fn check_preference(line: &str, prompt: &[(&str, &str)], chosen: &str, rejected: &str) {
    let read = read_file(read_preferences, "p.jsonl", line).unwrap();
    let [pair] = &read.examples[..] else { panic!("{read:?}") };
    assert_eq!(turns(&pair.prompt), prompt);
    assert_eq!((pair.chosen.as_str(), pair.rejected.as_str()), (chosen, rejected));
}

#[test]
fn every_form_of_preference_is_recognised() {
    let hi = [("user", "Hi")];
    check_preference(r#"{"prompt": "Hi", "chosen": "good", "rejected": "bad"}"#, &hi, "good", "bad");
    let message = |role: &str, content: &str| format!(r#"{{"role": "{role}", "content": "{content}"}}"#);
    let (user, good, bad) = (message("user", "Hi"), message("assistant", "good"), message("assistant", "bad"));
    let lines = [
        format!(r#"{{"prompt": [{user}], "chosen": [{good}], "rejected": [{bad}]}}"#),
        format!(r#"{{"prompt": [{user}], "chosen": "good", "rejected": "bad"}}"#),
        // The answers repeat the prompt, as in UltraFeedback.
        format!(r#"{{"prompt": "Hi", "chosen": [{user}, {good}], "rejected": [{user}, {bad}]}}"#),
        format!(r#"{{"chosen": [{user}, {good}], "rejected": [{user}, {bad}]}}"#),
        r#"{"chosen": "\n\nHuman: Hi\n\nAssistant: good", "rejected": "\n\nHuman: Hi\n\nAssistant: bad"}"#.into(),
        r#"{"prompt": "\n\nHuman: Hi\n\nAssistant:", "chosen": " good", "rejected": " bad"}"#.replace("\" ", "\""),
    ];
    for line in lines {
        check_preference(&line, &hi, "good", "bad");
    }
    // A system message in the prompt, in the answers, or in both.
    let system = message("system", "Be kind.");
    for line in [
        format!(r#"{{"prompt": "Hi", "chosen": [{system}, {user}, {good}], "rejected": [{system}, {user}, {bad}]}}"#),
        format!(r#"{{"prompt": [{system}, {user}], "chosen": [{user}, {good}], "rejected": [{user}, {bad}]}}"#),
        format!(r#"{{"prompt": [{system}, {user}], "chosen": [{system}, {user}, {good}], "rejected": "bad"}}"#),
    ] {
        check_preference(&line, &[("system", "Be kind."), ("user", "Hi")], "good", "bad");
    }
    let dialogue = "\\n\\nHuman: a\\n\\nAssistant: b\\n\\nHuman: c\\n\\nAssistant:";
    check_preference(
        &format!(r#"{{"chosen": "{dialogue} d", "rejected": "{dialogue} e"}}"#),
        &[("user", "a"), ("assistant", "b"), ("user", "c")],
        "d",
        "e",
    );
}

#[test]
fn margins_and_kinds_are_kept() {
    let line = r#"{"prompt": "Hi", "chosen": "good", "rejected": "bad", "margin": 1.5, "kind": "rude"}"#;
    let pair = read_file(read_preferences, "p.jsonl", line).unwrap().examples.remove(0);
    assert_eq!((pair.margin, pair.kind.as_deref()), (Some(1.5), Some("rude")));
    let [good, bad] = pair.ratings();
    assert_eq!((good.completion.as_str(), good.good, bad.completion.as_str(), bad.good), ("good", true, "bad", false));
    assert_eq!((&good.prompt, &bad.prompt, &bad.origin), (&pair.prompt, &pair.prompt, &pair.origin));
    check_error(
        read_preferences,
        "p.jsonl",
        &line.replace("1.5", "\"x\""),
        "expected a number under `margin`, found a string",
    );
    check_error(read_preferences, "p.jsonl", r#"{"chosen": "a", "rejected": "b"}"#, "as there is no `prompt`");
    check_error(read_preferences, "p.jsonl", r#"{"prompt": "a", "rejected": "b"}"#, "expected `chosen` and `rejected`");
}
