//! The tokens that end turns of each kind, what is told of templates without them, and the arguments of calls.

use fireclay_tokenizer::{Message, Tokenizer};
use serde_json::{Value, json};

use crate::turns::{learned, tokenizer, tool_call, turns, unchanged};

/// A template that ends calls with one token and answers with another, and its tokenizer.
fn two_ends(template: &str) -> Tokenizer {
    tokenizer(template, |json| {
        let renamed = json.to_string().replace("<|im_start|>", "<|more|>").replace("<|im_end|>", "<|stop|>");
        *json = serde_json::from_str(&renamed).unwrap();
    })
}

/// `<|more|>` after calls, `<|stop|>` after answers.
const TWO_ENDS: &str = "\
{%- for m in messages %}
{%- if m.role == 'assistant' %}{{- 'assistant:' }}OPEN{{- m.content or '' }}
{%- for call in m.tool_calls or [] %}{{- '<call>' + call.function.name + (call.function.arguments | tojson) + '</call>' }}{%- endfor %}
{{- '<|more|>' if m.tool_calls else '<|stop|>' }}CLOSE
{%- else %}{{- m.role + ':' + m.content + '\\n' }}{%- endif %}
{%- endfor %}{%- if add_generation_prompt %}{{- 'assistant:' }}{%- endif %}";

#[test]
fn each_kind_of_turn_is_learned_with_its_own_end_which_stops_replies() {
    let marks = TWO_ENDS.replace("OPEN", "{% generation %}").replace("CLOSE", "{% endgeneration %}");
    for template in [TWO_ENDS.replace("OPEN", "").replace("CLOSE", ""), marks] {
        let tokenizer = two_ends(&template);
        let [stop, more] = ["<|stop|>", "<|more|>"].map(|token| tokenizer.token_to_id(token).unwrap());
        assert_eq!(tokenizer.turn_end_id(), Some(stop), "{template}");
        assert_eq!(tokenizer.turn_end_ids(), [stop, more]);
        assert!(tokenizer.end_ids().contains(&more) && tokenizer.stop_ids().contains(&more));
        let messages = [
            Message::new("user", "Warm?"),
            tool_call("Let me look."),
            Message::new("tool", "9"),
            tool_call(""),
            Message::new("tool", "8"),
            Message::new("assistant", "It is 9."),
        ];
        let call = "<call>temperature{\"town\": \"Bern\"}</call><|more|>";
        let expected = [format!("Let me look.{call}"), call.to_owned(), "It is 9.<|stop|>".to_owned()];
        assert_eq!(learned(&tokenizer, &messages), expected);
        assert_eq!(turns(&tokenizer, &messages), expected);
        assert_eq!(learned(&tokenizer, &messages[..2]), expected[..1]);
    }
}

/// Of Llama 3.1: with built-in tools, calls end with another token.
#[test]
fn an_end_that_a_variable_switches_on_stops_replies() {
    let template = TWO_ENDS.replace("OPEN", "").replace("CLOSE", "");
    let template = template.replace("'<|more|>' if m.tool_calls", "'<|more|>' if m.tool_calls and builtin_tools");
    let tokenizer = two_ends(&template);
    let ids = ["<|stop|>", "<|more|>"].map(|token| tokenizer.token_to_id(token).unwrap());
    assert_eq!(tokenizer.turn_end_ids(), ids);
}

#[test]
fn a_token_after_each_call_ends_no_turn() {
    let template = TWO_ENDS.replace("OPEN", "").replace("CLOSE", "").replace("</call>", "<|more|>");
    let template = template.replace("'<|more|>' if m.tool_calls else '<|stop|>'", "'<|stop|>' if not m.tool_calls");
    let tokenizer = two_ends(&template);
    assert_eq!(tokenizer.turn_end_ids(), [tokenizer.token_to_id("<|stop|>").unwrap()]);
}

/// The arguments of a call as templates of several kinds show them.
#[test]
fn arguments_in_a_string_are_an_object_to_templates_that_write_json() {
    let shown = |arguments: &str, given: Value| {
        let template = format!(
            "{{%- for m in messages %}}{{{{ m.content }}}}{{%- for c in m.tool_calls or [] %}}{arguments}{{%- endfor \
             %}}{{%- endfor %}}"
        );
        let mut call = tool_call("");
        call.extra["tool_calls"][0]["function"]["arguments"] = given;
        tokenizer(&template, unchanged).render_chat(&[call], false).unwrap()
    };
    let text = || Value::from("{\"a\":1}");
    let object = || json!({"a": 1});
    let writes = "{{ c.function.arguments | tojson }}";
    assert_eq!([shown(writes, text()), shown(writes, object())], ["{\"a\": 1}", "{\"a\": 1}"]);
    assert_eq!(shown(writes, "no JSON".into()), "\"no JSON\"");
    let prints = "{{ c.function.arguments }}";
    assert_eq!([shown(prints, text()), shown(prints, object())], ["{\"a\":1}", "{'a': 1}"]);
    let tells = "{{ c.function.arguments if c.function.arguments is string else c.function.arguments | tojson }}";
    assert_eq!([shown(tells, text()), shown(tells, object())], ["{\"a\":1}", "{\"a\": 1}"]);
    let joins = "{{ '<' + c.function.arguments + '>' }}";
    assert_eq!([shown(joins, text()), shown(joins, object())], ["<{\"a\":1}>", "<{\"a\": 1}>"]);
    let walks = "{% for key, value in c.function.arguments.items() %}{{ key }}={{ value }}{% endfor %}";
    assert_eq!([shown(walks, text()), shown(walks, object())], ["a=1", "a=1"]);
}

/// Complaints about a template that puts `between` between turns and `after` after each answer, and opens a reply with
/// `opening`.
fn complaints(between: &str, after: &str, opening: &str) -> Vec<String> {
    let template = format!(
        "{{%- for m in messages %}}{{%- if not loop.first %}}{{{{ {between:?} }}}}{{%- endif %}}\
         {{{{- m.role + ': ' + m.content }}}}{{%- if m.role == 'assistant' %}}{{{{ {after:?} }}}}{{%- endif %}}\
         {{%- endfor %}}{{%- if add_generation_prompt %}}{{{{ {opening:?} }}}}{{%- endif %}}"
    );
    tokenizer(&template, unchanged).chat_complaints()
}

#[test]
fn a_template_that_separates_turns_is_told_by_its_separator() {
    let check = |between: &str, after: &str, opening: &str, expected: &[&str]| {
        let found = complaints(between, after, opening);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(&format!("the chat template {expected}")), "{found}");
        }
    };
    let none = "ends no turn with a token: answers are learned without an end";
    check("\n", "", "\nassistant: ", &[none]);
    check("\n", "", "", &[none]);
    check("\n###\n", "", "\n###\nassistant: ", &["separates turns by \"###\" and puts nothing after the last one"]);
    check("<|im_end|>", "", "<|im_end|>assistant: ", &["separates turns by \"<|im_end|>\" and puts nothing after"]);
    check("\n", "###", "\nassistant: ", &["ends a turn with \"###\", which is not a special token"]);
    check("\n", "<|im_end|>", "\nassistant: ", &[]);
}

#[test]
fn whole_numbers_of_more_than_64_bits_are_shown_as_written_or_told() {
    let shown = |arguments: &str| {
        let template = format!(
            "{{%- for m in messages %}}{{{{ m.content }}}}{{%- for c in m.tool_calls or [] %}}{arguments}{{%- endfor \
             %}}<|im_end|>{{%- endfor %}}"
        );
        let mut call = tool_call("");
        call.extra["tool_calls"][0]["function"]["arguments"] = r#"{"x": 79228162514264337593543950336}"#.into();
        let tokenizer = tokenizer(&template, unchanged);
        let messages = [Message::new("user", "Q"), call];
        let text = tokenizer.render_chat(&messages, false).unwrap();
        (text.contains("79228162514264337593543950336"), tokenizer.rounds_arguments(&messages))
    };
    assert_eq!(shown("{{ c.function.arguments }}"), (true, false));
    assert_eq!(shown("{{ c.function.arguments | tojson }}"), (false, true));
}
