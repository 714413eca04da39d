use std::time::Instant;

use serde_json::json;

use super::super::{Constraint, ConstraintCompiler};
use super::*;

fn compiler() -> ConstraintCompiler {
    // Pieces of characters and of escapes, from which the lexer has the most states.
    let pieces = ["é", "€", "ह", "ퟡ", "😀", "\u{10ffff}", "\\u00e9", "\\u0", "\\ud83d\\ude00", "\\ud83d", "éé", "\\n"];
    let bytes: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    let words = bytes.into_iter().chain(pieces.iter().map(|piece| piece.as_bytes().to_vec()));
    let words: Vec<Vec<u8>> = words.collect();
    ConstraintCompiler::new(words.iter().map(|word| Some(&word[..])))
}

/// Checks that a schema is refused at once, by this keyword.
fn refused(keyword: &str, schema: Value) {
    let begun = Instant::now();
    let message = compiler().compile(&Constraint::JsonSchema(schema)).unwrap_err().to_string();
    assert!(message.contains(&format!("`{keyword}`")) && !message.contains('\n'), "{keyword}: {message}");
    assert!(begun.elapsed().as_secs_f64() < 3.0, "{keyword}: {:?}", begun.elapsed());
}

fn accepted(schema: Value) {
    let shown: String = schema.to_string().chars().take(200).collect();
    compiler().compile(&Constraint::JsonSchema(schema)).unwrap_or_else(|error| panic!("{shown}: {error}"));
}

fn patterns(number: usize) -> Vec<Value> {
    (1..=number).map(|count| json!({"type": "string", "pattern": format!("a{{{count}}}")})).collect()
}

#[test]
fn patterns_that_one_text_must_meet_are_counted_wherever_they_are() {
    let many = patterns(23);
    refused("pattern", json!({"allOf": many}));
    let nested: Vec<Value> = many.iter().map(|schema| json!({"properties": {"a": schema}})).collect();
    refused("pattern", json!({"type": "object", "allOf": nested}));
    let items: Vec<Value> = many.iter().map(|schema| json!({"type": "array", "items": schema})).collect();
    refused("pattern", json!({"allOf": items}));
    let mut chain: Map<String, Value> = Map::new();
    for (index, schema) in many.iter().enumerate() {
        let next = json!({"allOf": [schema, {"$ref": format!("#/$defs/d{}", index + 1)}]});
        chain.insert(format!("d{index}"), next);
    }
    chain.insert("d23".into(), json!({"type": "string"}));
    refused("pattern", json!({"$ref": "#/$defs/d0", "$defs": chain}));
    let options: Vec<Value> = (0..5).map(|i| json!({"anyOf": &many[4 * i..4 * i + 4]})).collect();
    refused("pattern", json!({"type": "string", "allOf": options}));
    let named = json!({"properties": {"aa": many[0]}, "patternProperties": {"^a": {"allOf": many}}});
    refused("pattern", named);
}

#[test]
fn patterns_of_different_texts_are_free() {
    let properties: Map<String, Value> =
        (0..40).map(|i| (format!("k{i}"), json!({"type": "string", "pattern": format!("^{i}[a-z]{{2}}$")}))).collect();
    accepted(json!({"type": "object", "properties": properties, "additionalProperties": false,
        "required": ["k0"], "description": "many"}));
    accepted(
        json!({"anyOf": (0..40).map(|i| json!({"type": "string", "pattern": format!("^{i}$")})).collect::<Value>()}),
    );
    accepted(json!({"type": "string", "pattern": "^[a-z]+@", "format": "email", "minLength": 5, "maxLength": 50}));
    accepted(json!({"type": "string", "allOf": [{"pattern": "[a-z]"}, {"pattern": "[A-Z]"}], "minLength": 8}));
}

#[test]
fn multiples_are_few_enough_to_tell_apart() {
    for multiple in [json!(999_983), json!(20_011), json!(1.000_1), json!(1e-9), json!(0), json!(-3)] {
        refused("multipleOf", json!({"type": "number", "multipleOf": multiple}));
    }
    let primes = [97, 89, 83].map(|prime| json!({"type": "integer", "multipleOf": prime}));
    refused("multipleOf", json!({"allOf": primes}));
    accepted(json!({"type": "array", "prefixItems": primes}));
    accepted(json!({"allOf": &primes[..2]}));
    let many: Vec<Value> = (0..6).map(|i| json!({"type": "integer", "multipleOf": 9_000 + i})).collect();
    refused("multipleOf", json!({"type": "array", "prefixItems": many}));
    for multiple in [json!(9_973), json!(10_000), json!(0.01), json!(0.5), json!(2.5), json!(99.99)] {
        accepted(json!({"type": "number", "multipleOf": multiple}));
    }
    accepted(json!({"type": "array", "prefixItems": [{"multipleOf": 0.01}, {"multipleOf": 60}, {"multipleOf": 25}]}));
}

#[test]
fn texts_are_short_enough_for_the_lexer_or_without_bounds() {
    let string = |more: Value| {
        let mut schema = json!({"type": "string"});
        schema.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        schema
    };
    refused("maxLength", string(json!({"maxLength": 20_000})));
    refused("minLength", string(json!({"minLength": 4_001})));
    refused(
        "maxLength",
        json!({"properties": {"a": string(json!({"maxLength": 3_000})),
        "b": {"items": string(json!({"maxLength": 2_000}))}}}),
    );
    for pattern in ["^.{1,20000}$", "^(.[a-z]{70}){70}$", r"^(\w[^\]\[]){3000}$"] {
        refused("pattern", string(json!({"pattern": pattern})));
    }
    for same in [string(json!({"maxLength": 2_500})), string(json!({"pattern": r"^\x{9999}[{9999}]\{9999}a{30}$"}))] {
        accepted(json!({"type": "object", "properties": {"a": same, "b": same}, "additionalProperties": false}));
    }
}

#[test]
fn the_longest_text_that_is_accepted_can_be_written() {
    for schema in [
        json!({"type": "string", "minLength": 4_000}),
        json!({"type": "string", "minLength": 3_999, "maxLength": 4_000}),
        json!({"type": "string", "pattern": "^.{4000}$"}),
        json!({"type": "array", "prefixItems": [{"type": "string", "minLength": 1_900, "maxLength": 2_000},
            {"type": "string", "minLength": 1_900, "maxLength": 1_999}], "minItems": 2, "items": false}),
    ] {
        let texts = if schema["type"] == "array" { vec!["a".repeat(1_950); 2] } else { vec!["a".repeat(4_000)] };
        let text = if schema["type"] == "array" { json!(texts) } else { json!(texts[0]) };
        let compiled = compiler().compile(&Constraint::JsonSchema(schema.clone())).unwrap();
        assert_eq!(compiled.accepts(text.to_string().bytes().map(u32::from)), Ok(true), "{schema}");
    }
}

#[test]
fn objects_have_few_enough_names() {
    let names = |number: usize| -> Map<String, Value> { (0..number).map(|i| (format!("k{i}"), json!(true))).collect() };
    refused("properties", json!({"type": "object", "properties": names(2_001)}));
    accepted(json!({"type": "object", "properties": names(2_001), "additionalProperties": false}));
    let patterns: Map<String, Value> = (0..51).map(|i| (format!("^k{i}$"), json!(true))).collect();
    refused("patternProperties", json!({"type": "object", "patternProperties": patterns}));
}

#[test]
fn the_compilers_own_options_are_not_a_strangers() {
    let options = json!({"lenient": true, "item_separator": ";"});
    refused("x-guidance", json!({"type": "object", "x-guidance": options}));
    refused("x-guidance", json!({"properties": {"a": {"anyOf": [{"x-guidance": options}]}}}));
    accepted(json!({"type": "object", "properties": {"x-guidance": {"type": "integer"}}}));
}

#[test]
fn a_long_chain_of_references_does_not_overflow_the_stack() {
    let compiler = compiler();
    for link in [
        |next: String| json!({"$ref": next}),
        |next: String| json!({"items": {"$ref": next}}),
        |next: String| json!({"allOf": [{"properties": {"a": {"$ref": next}}}, {"properties": {"b": {}}}]}),
    ] {
        let (mut definitions, mut size) = (Map::new(), 0);
        while size < 250_000 {
            let index = definitions.len();
            let schema = link(format!("#/$defs/{}", index + 1));
            size += schema.to_string().len() + index.to_string().len() + 4;
            definitions.insert(index.to_string(), schema);
        }
        definitions.insert(definitions.len().to_string(), json!({"type": "string"}));
        // Whether it is compiled or refused: the process goes on.
        drop(compiler.compile(&Constraint::JsonSchema(json!({"$ref": "#/$defs/0", "$defs": definitions}))));
    }
}
