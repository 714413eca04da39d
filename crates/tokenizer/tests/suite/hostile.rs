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
fn what_is_nested_too_deep_to_compile_is_refused_and_all_else_compiles() {
    let many = |part: &str, times: usize| part.repeat(times);
    for deep in [
        format!("{{{{ {}1 }}}}", many("not ", 30_000)),
        format!("{{{{ {}1 }}}}", many("1 + ", 30_000)),
        format!("{{{{ 'a'{} }}}}", many("|upper", 100_000)),
        format!("{{{{ a{} }}}}", many(".b", 100_000)),
        format!("{{% if a %}}{}{{% endif %}}", many("{% elif b %}", 10_000)),
        format!("{{{{ {}1 }}}}", many("-", 900_000)),
    ] {
        let error = render(&deep).unwrap_err();
        assert!(error.contains("the most") || error.contains("more than"), "{error}");
    }
    for allowed in [
        format!("{{{{ {}1 }}}}", many("not ", 4_000)),
        format!("{{{{ {}1 }}}}", many("-", 16_000)),
        format!("{{{{ {}1{} }}}}", many("[", 100), many("]", 100)),
        format!("{{% if a %}}{}{{% endif %}}", many("{% elif b %}", 400)),
        format!("{{% raw %}}{}%}}", many("{%", 500_000)),
        format!("{{% raw %}}{}", many("{% ", 300_000)),
    ] {
        // Refused or not, it comes back.
        let _ = render(&allowed);
    }
}

#[test]
fn widths_are_bounded() {
    for wide in ["{{ [[[1]]]|tojson(indent=1000000000) }}", "{{ '{:>1000000000}'.format(1) }}"] {
        assert!(render(wide).is_err(), "{wide}");
    }
    assert_eq!(render("{{ '{:>3}'.format(1) }}{{ [1]|tojson(indent=1) }}").unwrap(), "  1[\n 1\n]");
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

#[test]
fn a_pattern_that_tries_again_to_the_end_from_every_place_is_cut_off() {
    let split = |pattern: &str| {
        let step = json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
        move |json: &mut Value| json["pre_tokenizer"] = step.clone()
    };
    let text = "a".repeat(400_000);
    let begun = Instant::now();
    let error = encode(split("(?:a|A)+[bc]"), &text).map(|ids| ids.len()).unwrap_err();
    assert!(error.contains("tokenizer.json") && error.contains("retry-limit"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    // A search that only goes far is not cut off.
    assert!(encode(split("b"), &text.repeat(25)).is_ok());
    assert!(encode(split(r"a+(?!\S)|\S+"), &text.repeat(25)).is_ok());
}

#[test]
fn steps_that_grow_a_text_without_bound_are_errors_that_name_the_file() {
    let replace =
        |pattern: &str, content: &str| json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": content});
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false});
    let sequence = |key: &str, step: Value, times: usize| json!({"type": "Sequence", key: vec![step; times]});
    let check = |part: &str, steps: Value, text: &str| {
        let begun = Instant::now();
        let error = encode(|json| json[part] = steps.clone(), text).unwrap_err();
        assert!(error.contains("tokenizer.json") && error.contains("times longer"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    };
    let text = "ab é ".repeat(10_000);
    check("normalizer", replace("a", &"x".repeat(1 << 20)), &text);
    check("normalizer", replace("", &"x".repeat(1 << 20)), &text);
    check("normalizer", sequence("normalizers", replace("a", "aa"), 60), &text);
    check("normalizer", sequence("normalizers", json!({"type": "Prepend", "prepend": "x".repeat(1 << 20)}), 60), &text);
    check("pre_tokenizer", sequence("pretokenizers", byte_level, 60), &text);
    let doubled = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
    check("decoder", sequence("decoders", doubled, 60), "a");
    let grown = encode(|json| json["normalizer"] = replace("b", &"x".repeat(99)), &text).unwrap();
    assert!(grown.len() > 10_000, "what stays within the bounds is done");
}

#[test]
fn a_long_text_in_pieces_of_a_byte_is_refused() {
    let split = |pattern: Value| {
        let step = json!({"type": "Split", "pattern": pattern, "behavior": "Removed", "invert": false});
        move |json: &mut Value| json["pre_tokenizer"] = step.clone()
    };
    for pattern in [json!({"Regex": "~"}), json!({"String": "~"})] {
        let error = encode(split(pattern.clone()), &"x~".repeat(3_000_000)).unwrap_err();
        assert!(error.contains("tokenizer.json") && error.contains("pieces"), "{error}");
        let long_pieces = format!("{}~", "x".repeat(100)).repeat(50_000);
        assert!(encode(split(pattern), &long_pieces).is_ok());
    }
}

/// Numbers that are the same each time (xorshift, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    /// Puts another value somewhere into a JSON value.
    fn change(&mut self, value: &mut Value) {
        let deeper = self.below(6) > 0;
        let inside = match value {
            Value::Object(entries) if deeper && !entries.is_empty() => {
                let at = self.below(entries.len());
                entries.values_mut().nth(at)
            }
            Value::Array(items) if deeper && !items.is_empty() => {
                let at = self.below(items.len());
                items.get_mut(at)
            }
            _ => None,
        };
        if let Some(inside) = inside {
            self.change(inside);
        } else {
            let values = [json!(null), json!(-1), json!(1e300), json!(u64::MAX), json!(""), json!("▁".repeat(99))];
            let more = [json!([]), json!({}), json!(true), json!({"type": "Unigram"}), json!([["a", -1]]), json!(0)];
            *value = [values, more].concat().swap_remove(self.below(12));
        }
    }
}

#[test]
fn three_hundred_mutated_tokenizers_are_errors_or_other_tokenizers() {
    let source = std::fs::read_to_string(format!("{FIXTURES}/tokenizer.json")).unwrap();
    let whole: Value = serde_json::from_str(&source).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let mut opened = 0;
    for index in 0..300_u64 {
        let mut dice = Dice(0x9e37_79b9 + index * 7919);
        if index % 2 == 0 {
            let mut json = whole.clone();
            dice.change(&mut json);
            std::fs::write(&path, json.to_string()).unwrap();
        } else {
            let mut bytes = source.clone().into_bytes();
            for _ in 0..=dice.below(4) {
                let at = dice.below(bytes.len());
                bytes[at] = [0, 0xff, b'9', b'"', b'{', b']'][dice.below(6)];
            }
            bytes.truncate(bytes.len() - dice.below(2) * dice.below(source.len()));
            std::fs::write(&path, bytes).unwrap();
        }
        let begun = Instant::now();
        match Tokenizer::load(&path) {
            Ok(tokenizer) => {
                opened += 1;
                let told = tokenizer.try_encode("the kiln 热 <|im_end|>").map(|ids| tokenizer.decode(&ids));
                assert!(told.is_ok() || !told.unwrap_err().to_string().contains('\n'), "{index}");
            }
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains("tokenizer.json") && !message.contains('\n'), "{index}: {message}");
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{index}: {:?}", begun.elapsed());
    }
    assert!(opened > 5 && opened < 280, "{opened} opened");
}
