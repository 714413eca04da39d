//! Constrained completions match their constraint.

use fireclay_infer::{
    Completion, Constraint, ConstraintCompiler, Engine, EngineConfig, Event, FinishReason, InferError, Request,
    SamplingConfig, Utf8Guard,
};
use fireclay_model::{Decoder, DecoderConfig};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{device, engine};

/// Tokens of several bytes, as a trained vocabulary has them.
const PIECES: [&str; 24] = [
    "{\"", "\":", "\",", "\", \"", "\"}", "},", "[[", "]]", "], ", "true", "false", "null", ", ", ": ", "  ", "\n",
    "10", "0.", "-1", "热", "é", "the", " a", "name",
];
const END: u32 = 256 + PIECES.len() as u32;

/// The bytes of every token: one for each byte, the pieces, and one that ends a text.
fn vocabulary() -> Vec<Option<Vec<u8>>> {
    let pieces = PIECES.iter().map(|piece| Some(piece.as_bytes().to_vec()));
    (0..=255).map(|byte| Some(vec![byte])).chain(pieces).chain([None]).collect()
}

fn compiler() -> ConstraintCompiler {
    ConstraintCompiler::new(vocabulary().iter().map(Option::as_deref))
}

fn text(completion: &Completion) -> String {
    let vocabulary = vocabulary();
    let bytes = completion.ids_before_stop().iter().filter_map(|&id| vocabulary[id as usize].clone());
    String::from_utf8(bytes.collect::<Vec<_>>().concat()).expect("valid UTF-8")
}

/// A decoder without opinions.
fn decoder() -> Decoder {
    DecoderConfig::modern(END as usize + 1, 16, 1, 2, 512).init(5, &device())
}

fn sampling(seed: u64) -> SamplingConfig {
    let token = |text: &str| u32::from(text.as_bytes()[0]);
    // A model without opinions seldom ends a string; and its exponents are beyond the range of f64.
    let likely = ["\"", "}", "]", ","].map(|text| (token(text), 4.0));
    let unlikely = ["e", "E"].map(|text| (token(text), -12.0));
    let logit_bias: BTreeMap<u32, f32> = likely.into_iter().chain(unlikely).collect();
    SamplingConfig { logit_bias, max_tokens: 480, eos: vec![END], seed, ..SamplingConfig::default() }
}

fn request(compiler: &ConstraintCompiler, constraint: &Constraint, sampling: SamplingConfig) -> Request {
    let constraint = compiler.compile(constraint).unwrap_or_else(|error| panic!("{constraint:?}: {error}"));
    Request { constraint: Some(constraint), ..Request::new(vec![u32::from(b'x')], sampling) }
}

fn finish(engine: &mut Engine) -> Vec<Completion> {
    let mut completions = BTreeMap::new();
    while engine.is_busy() {
        for event in engine.step() {
            match event {
                Event::Token(..) => {}
                Event::Finished(id, completion) => drop(completions.insert(id, completion)),
                Event::Failed(_, error) => panic!("{error}"),
            }
        }
    }
    completions.into_values().collect()
}

/// A random schema that can be met. `depth` levels may follow.
fn schema(rng: &mut ChaCha8Rng, depth: usize) -> Value {
    let kinds = if depth == 0 { 6 } else { 9 };
    match rng.random_range(0..kinds) {
        0 => json!({"type": if rng.random_range(0..2) == 0 { "boolean" } else { "null" }}),
        1 => integer(rng),
        2 => number(rng),
        3 => string(rng),
        4 => {
            let values = [json!("red"), json!("dark \"red\""), json!(7), json!(null), json!(false), json!("热")];
            json!({"enum": values[..rng.random_range(1..=values.len())]})
        }
        5 => json!({"const": if rng.random_range(0..2) == 0 { "fixed" } else { "a\\b" }}),
        6 => {
            let least = rng.random_range(0..3);
            let items = schema(rng, depth - 1);
            json!({"type": "array", "items": items, "minItems": least, "maxItems": least + rng.random_range(0..4)})
        }
        7 => {
            let options: Vec<Value> = (0..rng.random_range(2..4)).map(|_| schema(rng, depth - 1)).collect();
            json!({"anyOf": options})
        }
        _ => object(rng, depth),
    }
}

fn object(rng: &mut ChaCha8Rng, depth: usize) -> Value {
    let names = ["id", "name", "tags", "größe", "a b", "x\"y"];
    let (mut properties, mut required) = (Map::new(), vec![]);
    for name in &names[..rng.random_range(0..=names.len())] {
        properties.insert((*name).into(), schema(rng, depth - 1));
        if rng.random_range(0..3) > 0 {
            required.push(*name);
        }
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn integer(rng: &mut ChaCha8Rng) -> Value {
    let least = rng.random_range(-500..500);
    match rng.random_range(0..4) {
        0 => json!({"type": "integer"}),
        1 => json!({"type": "integer", "minimum": least}),
        2 => json!({"type": "integer", "minimum": least, "exclusiveMaximum": least + rng.random_range(1..900)}),
        _ => json!({"type": "integer", "multipleOf": rng.random_range(2..12), "minimum": 0, "maximum": 5000}),
    }
}

fn number(rng: &mut ChaCha8Rng) -> Value {
    let least = f64::from(rng.random_range(-90..90)) / 4.0;
    match rng.random_range(0..3) {
        0 => json!({"type": "number"}),
        1 => json!({"type": "number", "maximum": least}),
        _ => json!({"type": "number", "exclusiveMinimum": least, "maximum": least + 2.5}),
    }
}

fn string(rng: &mut ChaCha8Rng) -> Value {
    let least = rng.random_range(0..4);
    match rng.random_range(0..4) {
        0 => json!({"type": "string"}),
        1 => json!({"type": "string", "minLength": least, "maxLength": least + rng.random_range(0..6)}),
        2 => json!({"type": "string", "pattern": "^[A-Z][a-z]{1,4}(-[0-9]+)?$"}),
        _ => json!({"type": "string", "format": "uuid"}),
    }
}

/// Whether a schema validates a value.
fn validate(schema: &Value, value: &Value) -> Result<(), String> {
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.enable_format_assertions();
    compiler.add_resource("schema.json", schema.clone()).map_err(|error| error.to_string())?;
    let index = compiler.compile("schema.json", &mut schemas).map_err(|error| error.to_string())?;
    schemas.validate(value, index).map_err(|error| format!("{error:#}"))
}

/// Completions of `count` random schemas, many at once: each that is finished parses and validates.
fn check_schemas(count: u64) {
    let (compiler, decoder) = (compiler(), decoder());
    let mut engine = engine(&decoder, EngineConfig { streams: 32, ..EngineConfig::default() });
    let schemas: Vec<Value> = (0..count).map(|seed| schema(&mut ChaCha8Rng::seed_from_u64(seed), 3)).collect();
    for (schema, seed) in schemas.iter().zip(0..) {
        engine.add(request(&compiler, &Constraint::JsonSchema(schema.clone()), sampling(seed))).unwrap();
    }
    let mut finished = 0;
    for (schema, completion) in schemas.iter().zip(finish(&mut engine)) {
        if completion.finish_reason != FinishReason::Stop {
            continue;
        }
        finished += 1;
        let text = text(&completion);
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text} of {schema}"));
        validate(schema, &value).unwrap_or_else(|error| panic!("{error}: {text} of {schema}"));
    }
    assert!(finished as f64 > 0.95 * count as f64, "{finished} of {count} are finished");
}

#[test]
fn a_thousand_random_schemas_are_kept() {
    check_schemas(1000);
}

#[test]
fn a_schema_may_refer_to_itself() {
    let schema = json!({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object",
        "properties": {"left": {"$ref": "#/$defs/leaf"}, "value": {"type": "integer"}}, "required": ["value"],
        "additionalProperties": false}, "leaf": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/tree"}]}}});
    let compiler = compiler();
    let mut engine = engine(&decoder(), EngineConfig::default());
    for seed in 0..60 {
        engine.add(request(&compiler, &Constraint::JsonSchema(schema.clone()), sampling(seed))).unwrap();
    }
    let mut completions = finish(&mut engine);
    completions.retain(|completion| completion.finish_reason == FinishReason::Stop);
    let texts: Vec<String> = completions.iter().map(text).collect();
    assert!(texts.len() > 50, "{} of 60 are finished", texts.len());
    for text in &texts {
        validate(&schema, &serde_json::from_str(text).unwrap()).unwrap_or_else(|error| panic!("{error}: {text}"));
    }
    assert!(texts.iter().any(|text| text.matches("left").count() > 1), "{texts:?}");
}

#[test]
fn choices_regexes_and_grammars_are_kept() {
    let compiler = compiler();
    let mut engine = engine(&decoder(), EngineConfig::default());
    let mut complete = |constraint: &Constraint, config: SamplingConfig| {
        let completion =
            engine.complete(request(&compiler, constraint, config), &mut |_, _| std::ops::ControlFlow::Continue(()));
        let completion = completion.unwrap();
        assert_eq!(completion.finish_reason, FinishReason::Stop);
        text(&completion)
    };
    let choices = ["热 and cold", "warm"];
    let constraint = Constraint::Choices(choices.map(String::from).to_vec());
    let chosen: Vec<String> = (0..20).map(|seed| complete(&constraint, sampling(seed))).collect();
    assert!(choices.iter().all(|choice| chosen.iter().any(|text| text == choice)), "{chosen:?}");
    assert!(chosen.iter().all(|text| choices.contains(&text.as_str())), "{chosen:?}");
    let digits = complete(&Constraint::Regex("[0-9]{6}".into()), sampling(1));
    assert!(digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit()), "{digits}");
    // Nothing ends the text but the constraint itself; and a text that may end early goes on if it is told to.
    let config = SamplingConfig { eos: vec![], ..sampling(2) };
    assert_eq!(complete(&Constraint::Lark("start: \"ab\" \"c\"+ \"d\"".into()), config)[..3], *"abc");
    let config = SamplingConfig { min_tokens: 5, logit_bias: [(END, 20.0)].into(), ..sampling(3) };
    assert_eq!(complete(&Constraint::Regex("a{1,9}".into()), config), "aaaaa");
}

#[test]
fn a_constraint_and_a_neighbour_leave_each_other_alone() {
    let (compiler, decoder) = (compiler(), decoder());
    let constraint = Constraint::JsonSchema(json!({"type": "array", "items": {"type": "string"}, "minItems": 2}));
    let constrained = || request(&compiler, &constraint, sampling(7));
    let free = Request::new(vec![1, 2, 3], SamplingConfig { max_tokens: 30, seed: 4, ..SamplingConfig::default() });
    let alone = |request: Request| {
        let mut engine = engine(&decoder, EngineConfig::default());
        engine.add(request).unwrap();
        finish(&mut engine).remove(0)
    };
    let expected = [alone(constrained()), alone(free.clone())];
    let mut engine = engine(&decoder, EngineConfig::default());
    engine.add(constrained()).unwrap();
    engine.add(free).unwrap();
    for (found, expected) in finish(&mut engine).iter().zip(&expected) {
        assert_eq!((&found.ids, &found.logprobs), (&expected.ids, &expected.logprobs));
    }
}

#[test]
fn a_character_is_finished_though_few_tokens_are_left() {
    let guard = Utf8Guard::new(vocabulary().iter().map(Option::as_deref));
    let compiler = compiler();
    let mut engine = engine(&decoder(), EngineConfig::default());
    for seed in 0..40 {
        let config = SamplingConfig { max_tokens: 4, ..sampling(seed) };
        let request = request(&compiler, &Constraint::Regex("[α-ω]{9}".into()), config);
        engine.add(Request { guard: Some(Arc::new(guard.clone())), ..request }).unwrap();
    }
    for completion in finish(&mut engine) {
        assert_eq!((completion.finish_reason, text(&completion).chars().count()), (FinishReason::Length, 2));
    }
}

#[test]
fn what_no_token_can_spell_is_refused() {
    let only_a = ConstraintCompiler::new([Some(&b"a"[..]), None]);
    let error = only_a.compile(&Constraint::Regex("b".into())).unwrap_err();
    assert!(matches!(error, InferError::Constraint { .. }) && error.to_string().contains("no text"), "{error}");
    assert!(only_a.compile(&Constraint::Regex("a+".into())).is_ok());
}
