//! Templates and tokenizers of strangers: each is refused in time, and none ends the process.

use std::time::{Duration, Instant};

use fireclay_tokenizer::{ChatTemplate, Message, RenderOptions, Tokenizer};
use serde_json::{Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

/// Renders a template, which must come to an end soon, refused or not.
fn render(template: &str) -> Result<String, String> {
    let begun = Instant::now();
    let messages = [Message::new("user", "Hi"), Message::new("assistant", "Hello")];
    let template = ChatTemplate::new(template).map_err(|error| error.to_string())?;
    let rendered = template.render(&messages, &RenderOptions::default()).map_err(|error| error.to_string());
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    rendered
}

#[test]
fn work_without_end_is_cut_off() {
    for template in [
        "{% for a in range(100000) %}{% for b in range(100000) %}{{ a }}{% endfor %}{% endfor %}",
        "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}",
        "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
        "{{ range(1000000000) | list }}",
        "{{ 'x' | center(1000000000) }}{{ 'x'.ljust(1000000000) }}",
    ] {
        let error = render(template).unwrap_err();
        assert!(error.starts_with("the chat template could not render"), "{template}: {error}");
    }
}

#[test]
fn values_that_hold_themselves_or_nest_without_end_are_refused() {
    for template in [
        "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
        "{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns | tojson }}",
        "{% set ns = namespace(a=1) %}{% set x = {'k': ns} %}{% set ns.a = x %}{{ ns == ns }}",
        "{% set ns = namespace(a=[]) %}{% for i in range(100000) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a }}",
        "{% set ns = namespace(a={}) %}{% for i in range(100000) %}{% set ns.a = {'k': ns.a} %}{% endfor %}{{ ns.a | tojson }}",
        "{% set ns = namespace(a=[]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a | length }}",
    ] {
        assert!(render(template).is_err(), "{template}");
    }
    let sliced = "{% set ns = namespace(a=[1, 2]) %}{% for i in range(100000) %}{% set ns.a = ns.a[::-1] %}{% endfor %}{{ ns.a }}";
    assert!(render(sliced).is_ok());
    let nested = format!("{{{{ {}1{} }}}}", "[".repeat(20_000), "]".repeat(20_000));
    assert!(render(&nested).is_err());
    let unrolled = "{% set a = [a] %}".repeat(20_000);
    assert!(render(&format!("{unrolled}{{{{ a }}}}")).is_err());
    assert!(ChatTemplate::new(&"x".repeat(2 << 20)).is_err());
}

#[test]
fn what_templates_in_use_keep_is_not_refused() {
    let template = "{% set ns = namespace(n=0, all=[]) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}\
         {% set ns.all = ns.all + [m] %}{% endfor %}{% set first, last = ns.all[0], ns.all[-1] %}{% set x = 'a' if ns.n == 2 else 'b' %}\
         {{- ns.n ~ first.content ~ last.content ~ x }}";
    assert_eq!(render(template).unwrap(), "2HiHelloa");
}

#[test]
fn a_long_conversation_has_the_work_that_it_needs() {
    let messages: Vec<Message> = (0..20_000)
        .map(|n| Message::new(if n % 2 == 0 { "user" } else { "assistant" }, format!("message number {n} of them")))
        .collect();
    let template = ChatTemplate::new(fireclay_tokenizer::CHATML).unwrap();
    let text = template.render(&messages, &RenderOptions::default()).unwrap();
    assert!(text.ends_with("message number 19999 of them<|im_end|>\n"));
}

/// Loads the fixtures' tokenizer with changes, and encodes a text with it.
fn encode(change: impl Fn(&mut Value), text: &str) -> Result<Vec<u32>, String> {
    let json = std::fs::read_to_string(format!("{FIXTURES}/tokenizer.json")).unwrap();
    let mut json: Value = serde_json::from_str(&json).unwrap();
    change(&mut json);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();
    let tokenizer = Tokenizer::load(folder.path()).map_err(|error| error.to_string())?;
    tokenizer.try_encode(text).map_err(|error| error.to_string())
}

#[test]
fn tokenizers_that_make_the_library_panic_are_errors_that_name_the_file() {
    let huge = |json: &mut Value| json["model"]["vocab"]["q"] = json!(4_000_000_000_u32);
    let error = encode(huge, "x").unwrap_err();
    assert!(error.contains("tokenizer.json") && error.contains("4000000000"), "{error}");
    let catastrophic = |json: &mut Value| {
        json["pre_tokenizer"] =
            json!({"type": "Split", "pattern": {"Regex": "(a*)*(b*)*(a*)*c"}, "behavior": "Isolated", "invert": false});
    };
    if let Err(error) = encode(catastrophic, &"a".repeat(40_000)) {
        assert!(error.contains("tokenizer.json") && !error.contains('\n'), "{error}");
    }
}
