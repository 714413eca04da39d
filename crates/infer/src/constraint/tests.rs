use serde_json::json;

use super::*;

/// A token for each byte of text, and a token that ends it.
fn compiler() -> ConstraintCompiler {
    let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
    ConstraintCompiler::new(bytes.iter().map(|byte| Some(&byte[..])).chain([None]))
}

const END: u32 = 256;

/// The bytes that may follow `text`, and whether it may end there; `None` if it is not a valid prefix.
fn following(constraint: &Constraint, text: &str) -> Option<(String, bool)> {
    let mut compiled = compiler().compile(constraint).unwrap();
    for byte in text.bytes() {
        compiled.prepare().unwrap();
        if compiled.ended || !compiled.mask.as_ref().unwrap().get(byte.into()) {
            return None;
        }
        compiled.follow(byte.into()).unwrap();
    }
    if compiled.ended {
        return Some((String::new(), true));
    }
    let mut logits = vec![0.0; 257];
    assert!(compiled.mask(&mut logits, [END].into_iter(), false).unwrap());
    let allowed = (0..=127u8).filter(|&byte| logits[usize::from(byte)] == 0.0).map(char::from).collect();
    Some((allowed, logits[END as usize] == 0.0))
}

fn check(constraint: &Constraint, text: &str, expect: Option<(&str, bool)>) {
    let expect = expect.map(|(allowed, end)| (allowed.to_owned(), end));
    assert_eq!(following(constraint, text), expect, "{constraint:?} after {text:?}");
}

#[test]
fn each_kind_of_constraint_allows_what_can_follow() {
    let choices = Constraint::Choices(vec!["yes".into(), "no \"way\"".into(), "yesterday".into()]);
    check(&choices, "", Some(("ny", false)));
    check(&choices, "yes", Some(("t", true)));
    check(&choices, "no \"way\"", Some(("", true)));
    check(&choices, "ye ", None);
    let regex = Constraint::Regex("[ab]{2,3}/x".into());
    check(&regex, "ab", Some(("/ab", false)));
    check(&regex, "aba/x", Some(("", true)));
    let lark = Constraint::Lark("start: \"(\" start \")\" | \"x\"".into());
    check(&lark, "((", Some(("(x", false)));
    check(&lark, "((x", Some((")", false)));
    check(&lark, "((x))", Some(("", true)));
    let schema = json!({"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"],
        "additionalProperties": false});
    check(&Constraint::JsonSchema(schema.clone()), "{\"on\":t", Some(("r", false)));
    check(&Constraint::JsonSchema(schema), "{\"off", None);
    check(&Constraint::JsonSchema(json!(true)), "tru", Some(("e", false)));
}

#[test]
fn only_a_whole_text_is_accepted() {
    let choices = Constraint::Choices(vec!["yes".into(), "yesterday".into()]);
    for (text, expect) in
        [("yes", true), ("yesterday", true), ("yester", false), ("", false), ("yesterdays", false), ("no", false)]
    {
        let compiled = compiler().compile(&choices).unwrap();
        assert_eq!(compiled.accepts(text.bytes().map(u32::from)).unwrap(), expect, "{text:?}");
    }
}

#[test]
fn a_text_that_may_end_goes_on_while_it_is_too_short() {
    let mut compiled = compiler().compile(&Constraint::Regex("a+".into())).unwrap();
    compiled.prepare().unwrap();
    compiled.follow(b'a'.into()).unwrap();
    let mut logits = vec![0.0; 257];
    compiled.mask(&mut logits, [END].into_iter(), true).unwrap();
    assert_eq!((logits[usize::from(b'a')], logits[END as usize]), (0.0, f32::NEG_INFINITY));
}

#[test]
fn what_cannot_be_met_or_compiled_is_refused() {
    let compiler = compiler();
    let check = |constraint: Constraint, expect: &str| {
        let message = compiler.compile(&constraint).unwrap_err().to_string();
        assert!(message.contains(expect) && !message.contains('\n') && message.len() < 500, "{message}");
    };
    check(Constraint::JsonSchema(json!({"type": "integer", "minimum": 3, "maximum": 2})), "nsatisfiable");
    check(Constraint::JsonSchema(json!({"type": "strange"})), "strange");
    check(Constraint::JsonSchema(json!({"type": "object", "dependentSchemas": {}})), "dependentSchemas");
    check(Constraint::JsonSchema(json!(17)), "object or boolean");
    check(Constraint::Regex("(".into()), "");
    check(Constraint::Regex(String::new()), "");
    check(Constraint::Lark("start: missing".into()), "missing");
    check(Constraint::Choices(vec![]), "at least one");
    check(Constraint::Choices(vec!["a".repeat(300_000)]), "bytes");
}

#[test]
fn constraints_of_strangers_are_bounded_in_time() {
    let compiler = compiler();
    let deep = (0..100).fold(json!({"type": "null"}), |inner, _| json!({"type": "array", "items": inner}));
    let many: Vec<Value> = (0..3000).map(|i| json!({"type": "object", "properties": {format!("k{i}"): {}}})).collect();
    let hard = [
        Constraint::Regex("((a{0,900}){0,900}){0,900}b".into()),
        Constraint::Regex("(.*a.{40})+".into()),
        Constraint::Lark(format!("start: {}\"x\"{}", "(".repeat(5000), ")".repeat(5000))),
        Constraint::JsonSchema(deep),
        Constraint::JsonSchema(json!({"anyOf": many})),
        Constraint::JsonSchema(json!({"type": "string", "pattern": "^(([a-z]+)+)+$", "maxLength": 100_000})),
    ];
    for constraint in hard {
        let begin = std::time::Instant::now();
        if let Ok(mut compiled) = compiler.compile(&constraint) {
            // Any tokens that it allows first.
            for _ in 0..200 {
                let id = compiled.mask.as_ref().and_then(SimpleVob::first_bit_set).unwrap() as u32;
                if compiled.follow(id).is_err() || compiled.ended || compiled.prepare().is_err() {
                    break;
                }
            }
        }
        let seconds = begin.elapsed().as_secs_f64();
        assert!(seconds < 20.0, "{seconds:.1} s for {}", constraint.size());
    }
}
