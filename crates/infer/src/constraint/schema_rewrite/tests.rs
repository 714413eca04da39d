use serde_json::json;

use super::super::{Constraint, ConstraintCompiler, check_schema};
use super::*;

/// A token for each byte of text.
fn compiler() -> ConstraintCompiler {
    let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
    ConstraintCompiler::new(bytes.iter().map(|byte| Some(&byte[..])))
}

fn check(constraint: &Constraint, text: &str, expect: bool) {
    let compiled = compiler().compile(constraint).unwrap_or_else(|error| panic!("{constraint:?}: {error}"));
    assert_eq!(compiled.accepts(text.bytes().map(u32::from)), Ok(expect), "{constraint:?}: {text}");
}

/// Checks which of these texts a schema allows, also as a part and in a grammar.
fn check_texts(schema: &Value, allowed: &[&str], refused: &[&str]) {
    let referred = json!({"$ref": "#/components/a", "components": {"a": schema}});
    let grammar = format!("start: %json {schema}");
    for constraint in [
        Constraint::JsonSchema(schema.clone()),
        Constraint::JsonSchema(json!({"allOf": [schema]})),
        Constraint::JsonSchema(referred),
        Constraint::Lark(grammar),
    ] {
        for (texts, expect) in [(allowed, true), (refused, false)] {
            for text in texts {
                check(&constraint, text, expect);
            }
        }
    }
}

fn check_refused(keyword: &str, schema: &Value) {
    let message = compiler().compile(&Constraint::JsonSchema(schema.clone())).unwrap_err().to_string();
    assert!(message.contains(keyword) && !message.contains('\n'), "{schema}: {message}");
}

/// Bounds near the limits of 64 bits and around 0.
fn extremes() -> Vec<Value> {
    let mut bounds = vec![json!(-1e21), json!(1e21), json!(-1e300), json!(0.5), json!(-0.5), json!(u64::MAX)];
    for power in [0, 53, 63] {
        for offset in [-1, 0, 1] {
            let bound = (1_i128 << power) + offset;
            bounds.extend(i64::try_from(-bound).map(Value::from));
            bounds.extend(i64::try_from(bound).map(Value::from).or_else(|_| u64::try_from(bound).map(Value::from)));
        }
    }
    bounds.extend([json!(10_i64.pow(18) - 1), json!(-10_i64.pow(18))]);
    bounds
}

/// The value of a JSON number as an integer, where it is one.
fn whole(number: &Value) -> Option<i128> {
    let number = number.as_number().unwrap();
    integer(number).or_else(|| number.as_f64().filter(|value| value.fract() == 0.0).map(|value| value as i128))
}

#[test]
fn ranges_near_the_limits_are_exact_or_refused_and_never_overflow_the_stack() {
    let compiler = compiler();
    for least in &extremes() {
        for most in &extremes() {
            for (low, high, kind) in [
                ("minimum", "maximum", "integer"),
                ("exclusiveMinimum", "exclusiveMaximum", "integer"),
                ("minimum", "maximum", "number"),
            ] {
                let schema = json!({"type": kind, low: least, high: most});
                let Ok(compiled) = compiler.compile(&Constraint::JsonSchema(schema.clone())) else { continue };
                let near = |bound: &Value| whole(bound).map_or(vec![], |bound| vec![bound - 1, bound, bound + 1]);
                for text in near(least).into_iter().chain(near(most)).chain([0]) {
                    let accepted = compiled.clone().accepts(text.to_string().bytes().map(u32::from)).unwrap();
                    let step = i128::from(low == "exclusiveMinimum");
                    let above = whole(least).is_none_or(|least| text >= least + step);
                    let below = whole(most).is_none_or(|most| text <= most - step);
                    assert!(!accepted || above && below, "{schema}: {text}");
                }
            }
        }
    }
}

#[test]
fn one_sided_ranges_hold_or_are_refused_by_name() {
    for bound in extremes() {
        for keyword in BOUNDS {
            for kind in ["integer", "number"] {
                let schema = json!({"type": kind, keyword: bound});
                if let Err(error) = compiler().compile(&Constraint::JsonSchema(schema.clone())) {
                    let message = error.to_string();
                    assert!(message.contains(&format!("`{keyword}`")), "{schema}: {message}");
                    assert!(bound.as_f64().unwrap().abs() >= 1e18, "{schema}: {message}");
                }
            }
        }
    }
}

#[test]
fn a_range_of_64_bits_is_accepted() {
    let wide = json!({"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX});
    let digits = "9223372036854774784";
    check_texts(&wide, &["0", "-17", digits, &format!("-{digits}")], &["9223372036854775808", "-9223372036854775809"]);
    let unsigned = json!({"type": "integer", "minimum": 0, "maximum": u64::MAX});
    check_texts(&unsigned, &["0", digits], &["-1", "99999999999999999999"]);
    for bounds in [(i64::MIN, i64::MIN), (i64::MIN, i64::MIN + 1), (i64::MAX, i64::MAX)] {
        check_refused("imum", &json!({"type": "integer", "minimum": bounds.0, "maximum": bounds.1}));
    }
    check_refused("`maximum`", &json!({"type": "integer", "minimum": -1e21, "maximum": -1e21}));
    check_refused("minimum", &json!({"type": "integer", "minimum": (1_i64 << 53) + 1, "maximum": (1_i64 << 53) + 1}));
    assert!(check_schema(&json!({"properties": {"a": {"minimum": 1e19}}})).is_err());
}

#[test]
fn exclusive_bounds_are_excluded() {
    let rate = json!({"type": "number", "exclusiveMinimum": 0, "maximum": 0.1});
    check_texts(&rate, &["0.1", "0.001", "0.00000001"], &["0", "0.0", "-0", "0.11"]);
    let below = json!({"type": "number", "minimum": -0.5, "exclusiveMaximum": 0});
    check_texts(&below, &["-0.5", "-0.01"], &["-0", "0", "-0.0"]);
    let three = json!({"type": "number", "minimum": 3, "exclusiveMinimum": true, "maximum": 3.5});
    check_texts(&three, &["3.1", "3.5"], &["3", "3.0", "3.6"]);
    let between = json!({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5});
    check_texts(&between, &["4"], &["3", "5"]);
    let joined = json!({"type": "number", "allOf": [{"exclusiveMinimum": 0}, {"maximum": 0.5}]});
    check_texts(&joined, &["0.5", "0.1"], &["0"]);
    let tiny = json!({"type": "number", "minimum": 1e-300});
    check_texts(&tiny, &["1", "0.5"], &["0"]);
    let names = json!({"type": "object", "properties": {"exclusiveMinimum": true}, "additionalProperties": false});
    check_texts(&names, &["{\"exclusiveMinimum\":1}"], &["{\"minimum\":1}"]);
}

#[test]
fn a_constant_is_written_as_it_is_or_refused() {
    check_texts(&json!({"const": (1_i64 << 53) - 1}), &["9007199254740991"], &["9007199254740992"]);
    check_texts(&json!({"enum": [1, -2.5]}), &["1", "-2.5"], &["2"]);
    check_refused("`const`", &json!({"const": (1_i64 << 53) + 1}));
    check_refused("`const`", &json!({"const": i64::MIN}));
    check_refused("`enum`", &json!({"enum": [1, {"a": [1e22]}]}));
    check_refused("`const`", &json!({"properties": {"a": {"const": u64::MAX}}}));
}

#[test]
fn dates_and_names_of_hosts_are_real() {
    let quoted = |texts: &[&str]| texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>();
    let check_format = |format: &str, allowed: &[&str], refused: &[&str]| {
        let (allowed, refused) = (quoted(allowed), quoted(refused));
        let (allowed, refused): (Vec<&str>, Vec<&str>) =
            (allowed.iter().map(String::as_str).collect(), refused.iter().map(String::as_str).collect());
        check_texts(&json!({"type": "string", "format": format}), &allowed, &refused);
        check_texts(&json!({"type": "string", "format": format, "pattern": "."}), &allowed, &refused);
    };
    let dates = ["2024-02-29", "2000-02-29", "2023-12-31", "0001-01-01", "1900-02-28", "0900-04-30"];
    check_format(
        "date",
        &dates,
        &["2023-02-29", "1900-02-29", "0000-01-01", "0000-02-29", "2023-04-31", "x2023-01-01"],
    );
    check_format("date-time", &["1998-12-31T23:59:59.5Z", "2024-02-29t00:00:00+02:00"], &["1998-12-31T23:59:60Z"]);
    check_format("time", &["23:59:59Z"], &["23:59:60Z", "24:00:00Z", "23:59:59"]);
    let (label, long) = ("a".repeat(63), "a".repeat(64));
    let most = [&label[..], &label, &label, &label[..61]].join(".");
    check_format("hostname", &["a-b.example", &label, &most], &[&long, &format!("{most}a"), "-a", "a."]);
}

#[test]
fn a_pattern_that_is_malformed_is_refused_with_the_reason() {
    check_refused("unclosed group", &json!({"type": "string", "pattern": "(a"}));
    let message = compiler().compile(&Constraint::Regex("a[".into())).unwrap_err().to_string();
    assert!(message.contains("unclosed character class"), "{message}");
}

#[test]
fn numbers_of_parts_near_the_limits_are_compiled_or_refused() {
    for most in [0, 1, 1 << 32, u64::MAX] {
        for least in [0, 1, 1 << 32, u64::MAX] {
            for (low, high) in
                [("minItems", "maxItems"), ("minProperties", "maxProperties"), ("minLength", "maxLength")]
            {
                // Whether it is compiled or refused: the process goes on.
                drop(compiler().compile(&Constraint::JsonSchema(json!({low: least, high: most}))));
            }
        }
    }
    for pattern in ["a{4294967296}", "a{18446744073709551616}", "a{1,99999999999}"] {
        drop(compiler().compile(&Constraint::JsonSchema(json!({"type": "string", "pattern": pattern}))));
    }
}
