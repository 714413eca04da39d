//! The grammar of replies whose calls are held to something: to the schemas of their functions, to a number, or to one
//! function. It is that of text in which the opening tag of a call is always followed by a call.

use std::fmt::Write;

use fireclay_infer::JSON_WHITE_SPACE;
use serde_json::{Map, Value, json};

use crate::calls::{CLOSE, OPEN};

/// A function that may be called.
#[derive(Clone, Debug, PartialEq)]
pub struct Callable {
    /// Its name.
    pub name: String,
    /// The schema of its arguments, of type object.
    pub schema: Map<String, Value>,
}

/// Calls that a reply may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallCount {
    /// It begins with a call.
    pub at_once: bool,
    /// It has one call at most.
    pub one: bool,
}

/// The grammar of a reply that may call these functions, in `llguidance`'s Lark.
pub fn grammar(functions: &[Callable], count: CallCount) -> String {
    let start = match (count.at_once, count.one) {
        (false, false) => "(before call)* REST?",
        (false, true) => "(before call)? REST?",
        (true, false) => "OPEN call (before call)* REST?",
        (true, true) => "OPEN call REST?",
    };
    let names: Vec<String> = (0..functions.len()).map(|index| format!("call_{index}")).collect();
    let mut grammar = format!(
        r#"start: {start}
OPEN: "{OPEN}"
before[lazy]: /(?s:.*){OPEN}/
REST: /(?s:.+)/ & ~/(?s:.*){OPEN}(?s:.*)/
call: SPACE? NAME ({}) END SPACE? "{CLOSE}"
SPACE: /[ \n]/
NAME: /\{{ ?"name" ?: ?/
ARGUMENTS: / ?, ?"arguments" ?: ?/
END: / ?\}}/
"#,
        names.join(" | ")
    );
    for (rule, Callable { name, schema }) in names.iter().zip(functions) {
        let mut schema = schema.clone();
        schema.insert("x-guidance".into(), json!({"whitespace_pattern": JSON_WHITE_SPACE}));
        let written = Value::from(name.as_str()).to_string();
        let rule = writeln!(grammar, "{rule}: {} ARGUMENTS %json {}", Value::from(written), Value::Object(schema));
        rule.expect("a string can be written to");
    }
    grammar
}

#[cfg(test)]
mod tests {
    use fireclay_infer::{Constraint, ConstraintCompiler};

    use super::*;
    use crate::calls::{Splitter, split};

    /// Whether a reply is allowed up to its end, and may end there.
    fn check(count: CallCount, text: &str, expect: bool) {
        let schema = |value: Value| value.as_object().unwrap().clone();
        let degrees = json!({"type": "object", "properties": {"degrees": {"$ref": "#/$defs/whole"}},
            "required": ["degrees"], "additionalProperties": false, "$defs": {"whole": {"type": "integer"}}});
        let functions = [
            Callable { name: "heat".into(), schema: schema(degrees) },
            Callable { name: "heat \"up\"".into(), schema: schema(json!({"type": "object"})) },
        ];
        let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let compiler = ConstraintCompiler::new(bytes.iter().map(|byte| Some(&byte[..])));
        let compiled = compiler.compile(&Constraint::Lark(grammar(&functions, count))).unwrap();
        assert_eq!(compiled.accepts(text.bytes().map(u32::from)).unwrap(), expect, "{count:?} {text:?}");
    }

    const ANY: CallCount = CallCount { at_once: false, one: false };
    const ONE: CallCount = CallCount { at_once: false, one: true };
    const AT_ONCE: CallCount = CallCount { at_once: true, one: false };

    const HEAT: &str = "<tool_call>\n{\"name\": \"heat\", \"arguments\": {\"degrees\": 1200}}\n</tool_call>";
    const UP: &str = "<tool_call>{\"name\":\"heat \\\"up\\\"\", \"arguments\": {\"}\": [1, {}]} }</tool_call>";

    #[test]
    fn what_follows_an_opening_tag_is_a_call() {
        for text in ["No.", "a < b </tool_call> <tool_cal", HEAT, UP, &format!("Well. {HEAT}\nAnd {UP} so."), "\n{}"] {
            check(ANY, text, true);
        }
        for text in [
            "<tool_call>",
            "<tool_call>Hm",
            &HEAT.replace("1200", "1.5"),
            &HEAT.replace("degrees", "kelvin"),
            &HEAT.replace("heat", "cool"),
            &HEAT.replace("</tool_call>", ""),
            &format!("{UP}<tool_call>{{}}"),
        ] {
            check(ANY, text, false);
        }
    }

    #[test]
    fn calls_are_counted() {
        check(ONE, &format!("So. {HEAT} Now."), true);
        check(ONE, "So.", true);
        check(ONE, &format!("{HEAT}{UP}"), false);
        check(AT_ONCE, &format!("{HEAT}{UP}"), true);
        check(AT_ONCE, "So.", false);
        check(CallCount { at_once: true, one: true }, HEAT, true);
        check(CallCount { at_once: true, one: true }, &format!("{HEAT}{UP}"), false);
    }

    #[test]
    fn what_the_grammar_allows_is_read_as_calls() {
        let (text, calls) = split(Some(Splitter::default()), &format!("{HEAT} {UP}"));
        let names: Vec<&str> = calls.iter().filter_map(|call| call["function"]["name"].as_str()).collect();
        assert_eq!((text, names), (None, vec!["heat", "heat \"up\""]));
    }
}
