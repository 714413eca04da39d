//! Keys of `generation_config.json`, and the ids in `config.json`, that generation here does not follow: a warning of
//! one line names each.

use std::path::Path;

use serde_json::{Map, Value};

/// Keys that change which tokens `transformers` generates and that this library does not have, each with the values
/// that change nothing, besides `null`, `false`, 0 (unless it is an id) and what is empty.
const UNSUPPORTED: &[(&str, &[f64])] = &[
    ("no_repeat_ngram_size", &[]),
    ("encoder_no_repeat_ngram_size", &[]),
    ("encoder_repetition_penalty", &[1.0]),
    ("suppress_tokens", &[]),
    ("begin_suppress_tokens", &[]),
    ("bad_words_ids", &[]),
    ("sequence_bias", &[]),
    ("forced_bos_token_id", &[-1.0]),
    ("forced_eos_token_id", &[-1.0]),
    ("forced_decoder_ids", &[]),
    ("force_words_ids", &[]),
    ("constraints", &[]),
    ("num_beams", &[1.0]),
    ("penalty_alpha", &[]),
    ("dola_layers", &[]),
    ("min_length", &[]),
    ("min_new_tokens", &[]),
    ("stop_strings", &[]),
    ("exponential_decay_length_penalty", &[]),
    ("guidance_scale", &[1.0]),
    ("watermarking_config", &[]),
    ("token_healing", &[]),
    ("typical_p", &[1.0]),
    ("top_h", &[1.0]),
    ("epsilon_cutoff", &[]),
    ("eta_cutoff", &[]),
];

/// A warning for each key of a `generation_config.json` that generation here does not have.
pub(super) fn unsupported(path: &Path, object: &Map<String, Value>) -> Vec<String> {
    let set = |(key, off): &(&str, &[f64])| {
        let value = object.get(*key)?;
        let changes_nothing = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(entries) => entries.is_empty(),
            Value::String(text) => text.is_empty(),
            number => {
                // 0 is the id of a token.
                let zero_is_off = !key.ends_with("_token_id");
                number.as_f64().is_some_and(|number| number == 0.0 && zero_is_off || off.contains(&number))
            }
        };
        let shown: String = value.to_string().chars().take(60).collect();
        (!changes_nothing).then(|| {
            format!("{}: {key} is {shown} and is ignored: generation here has no such setting", path.display())
        })
    };
    UNSUPPORTED.iter().filter_map(set).collect()
}

/// A warning for each id of a `generation_config.json` or `config.json` that is none, or that no token of the model
/// has.
pub(super) fn ids(path: &Path, object: &Map<String, Value>, vocabulary: Option<u64>) -> Vec<String> {
    let path = path.display();
    let mut complaints = vec![];
    for key in ["bos_token_id", "eos_token_id", "pad_token_id"] {
        let values = match object.get(key) {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(values)) => values,
            Some(value) => std::slice::from_ref(value),
        };
        // Some files write −1 for none.
        for value in values.iter().filter(|value| **value != -1) {
            match (value.as_u64(), vocabulary) {
                (None, _) => complaints.push(format!("{path}: {key} has {value}, which is ignored; give a token id")),
                // Nothing that is generated depends on the padding.
                (Some(id), Some(size)) if id >= size && key != "pad_token_id" => complaints.push(format!(
                    "{path}: {key} has {id}, which is ignored: the model has only {size} tokens; give an id below that"
                )),
                _ => {}
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn a_setting_that_generation_does_not_have_is_named_once() {
        let path = Path::new("generation_config.json");
        for (key, value) in [
            ("no_repeat_ngram_size", json!(2)),
            ("suppress_tokens", json!([72, 54])),
            ("begin_suppress_tokens", json!([72])),
            ("num_beams", json!(3)),
            ("min_new_tokens", json!(5)),
            ("min_length", json!(5)),
            ("forced_bos_token_id", json!(0)),
            ("forced_eos_token_id", json!([7])),
            ("guidance_scale", json!(1.5)),
            ("stop_strings", json!("###")),
        ] {
            let complaints = unsupported(path, &object(&json!({key: value, "top_k": 5})));
            let [line] = &complaints[..] else { panic!("{key}: {complaints:?}") };
            assert!(line.starts_with(&format!("generation_config.json: {key} is ")) && !line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn a_setting_that_changes_nothing_is_not_named() {
        let path = Path::new("generation_config.json");
        let off = json!({
            "no_repeat_ngram_size": 0, "suppress_tokens": null, "begin_suppress_tokens": [], "num_beams": 1,
            "min_length": 0, "typical_p": 1.0, "encoder_repetition_penalty": 1.0, "sequence_bias": {},
            "max_new_tokens": 2048, "max_length": 4096, "transformers_version": "5.24.0"
        });
        assert_eq!(unsupported(path, &object(&off)), Vec::<String>::new());
    }

    #[test]
    fn an_id_that_is_none_or_beyond_the_vocabulary_is_named() {
        let path = Path::new("generation_config.json");
        for (value, words) in [
            (json!(72.0), "eos_token_id has 72.0, which is ignored"),
            (json!("258"), "eos_token_id has \"258\", which is ignored"),
            (json!([258, 99_999]), "eos_token_id has 99999, which is ignored: the model has only 259 tokens"),
            (json!([258, [3]]), "eos_token_id has [3], which is ignored"),
            (json!(-2), "eos_token_id has -2, which is ignored"),
        ] {
            let complaints = ids(path, &object(&json!({"eos_token_id": value})), Some(259));
            let [line] = &complaints[..] else { panic!("{value}: {complaints:?}") };
            assert!(line.contains(words) && !line.contains('\n'), "{line}");
        }
        let good = json!({"eos_token_id": [258, -1], "bos_token_id": 0, "pad_token_id": 259});
        assert_eq!(ids(path, &object(&good), Some(259)), Vec::<String>::new());
        assert_eq!(ids(path, &object(&json!({"eos_token_id": null})), None), Vec::<String>::new());
    }
}
