//! Default sampling settings of a model: the sampling keys of `generation_config.json`.

use std::io::ErrorKind;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::generation_keys;

/// The sampling settings of a `generation_config.json`, under the names that `transformers` gives them. `None`: the
/// file does not have the setting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SamplingDefaults {
    /// Whether to sample; `false` always takes the most probable token.
    pub do_sample: Option<bool>,
    /// Divisor of the logits; 0 takes the most probable token.
    pub temperature: Option<f64>,
    /// Keeps the fewest most probable tokens whose probabilities reach this sum, above 0 and up to 1.
    pub top_p: Option<f64>,
    /// Keeps this number of the most probable tokens; 0 keeps all.
    pub top_k: Option<usize>,
    /// Keeps tokens at least this many times as probable as the most probable one, from 0 to 1.
    pub min_p: Option<f64>,
    /// Penalty of tokens that already occurred, a divisor of positive logits; 1 changes nothing.
    pub repetition_penalty: Option<f64>,
}

impl SamplingDefaults {
    /// Writes the keys to a `generation_config.json`. A setting that only matters when tokens are sampled also writes
    /// `do_sample: true`, for without it `transformers` ignores them.
    pub fn write_into(&self, object: &mut Map<String, Value>) {
        let Self { do_sample, temperature, top_p, top_k, min_p, repetition_penalty } = self;
        let draws = temperature.is_some() || top_p.is_some() || top_k.is_some() || min_p.is_some();
        let entries = [
            ("do_sample", json!(do_sample.or(draws.then_some(true)))),
            ("temperature", json!(temperature)),
            ("top_p", json!(top_p)),
            ("top_k", json!(top_k)),
            ("min_p", json!(min_p)),
            ("repetition_penalty", json!(repetition_penalty)),
        ];
        for (key, value) in entries {
            if !value.is_null() {
                object.insert(key.into(), value);
            }
        }
    }

    /// Reads the keys of an object. Returns a warning of one line for each invalid value, which counts as absent.
    fn read(path: &Path, object: &Map<String, Value>) -> (Self, Vec<String>) {
        let mut complaints = vec![];
        let defaults = Self {
            do_sample: read_key(path, object, "do_sample", "true or false", Value::as_bool, &mut complaints),
            temperature: read_key(
                path,
                object,
                "temperature",
                "a number from 0",
                number(|x| x >= 0.0),
                &mut complaints,
            ),
            top_p: read_key(
                path,
                object,
                "top_p",
                "a number above 0 and up to 1",
                number(|x| x > 0.0 && x <= 1.0),
                &mut complaints,
            ),
            top_k: read_key(path, object, "top_k", "a whole number", count, &mut complaints),
            min_p: read_key(
                path,
                object,
                "min_p",
                "a number from 0 to 1",
                number(|x| (0.0..=1.0).contains(&x)),
                &mut complaints,
            ),
            repetition_penalty: read_key(
                path,
                object,
                "repetition_penalty",
                "a positive number",
                number(|x| x > 0.0),
                &mut complaints,
            ),
        };
        (defaults, complaints)
    }
}

/// Reads the sampling settings of a model directory's `generation_config.json`: none if there is no such file. An
/// invalid value is not an error: it counts as absent, and a warning of one line names it. Further warnings name
/// settings that generation here does not have, and ids in this file or in `config.json` that no token has.
#[must_use]
pub fn load_sampling(dir: impl AsRef<Path>) -> (SamplingDefaults, Vec<String>) {
    if dir.as_ref().is_file() {
        // A GGUF file has no sampling settings.
        return Default::default();
    }
    let model = dir.as_ref().join("config.json");
    // The reader of the model reports a damaged one.
    let object: Map<String, Value> =
        std::fs::read(&model).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let vocabulary = object.get("vocab_size").and_then(Value::as_u64);
    let mut complaints = generation_keys::ids(&model, &object, vocabulary);
    let path = dir.as_ref().join("generation_config.json");
    let mut ignored = |why: String| complaints.push(format!("{}: {why}; it is ignored", path.display()));
    let mut defaults = SamplingDefaults::default();
    match std::fs::read(&path).map(|bytes| serde_json::from_slice(&bytes)) {
        Ok(Ok(Value::Object(object))) => {
            let (read, mut wrong) = SamplingDefaults::read(&path, &object);
            defaults = read;
            complaints.append(&mut wrong);
            complaints.extend(generation_keys::ids(&path, &object, vocabulary));
            complaints.extend(generation_keys::unsupported(&path, &object));
        }
        Ok(Ok(_)) => ignored("not a JSON object".into()),
        Ok(Err(error)) => ignored(format!("not valid JSON ({error})")),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => ignored(error.to_string()),
    }
    (defaults, complaints)
}

/// The value under `key` as `parse` reads it; `null` counts as absent.
fn read_key<T>(
    path: &Path,
    object: &Map<String, Value>,
    key: &str,
    expected: &str,
    parse: impl FnOnce(&Value) -> Option<T>,
    complaints: &mut Vec<String>,
) -> Option<T> {
    let value = object.get(key).filter(|value| !value.is_null())?;
    let parsed = parse(value);
    if parsed.is_none() {
        complaints.push(format!("{}: {key} is {value} and is ignored; give {expected}", path.display()));
    }
    parsed
}

/// A number that passes the test also as an f32, the type in which it is used.
fn number(test: fn(f64) -> bool) -> impl FnOnce(&Value) -> Option<f64> {
    move |value| {
        value.as_f64().filter(|&number| {
            let used = f64::from(number as f32);
            test(number) && test(used) && used.is_finite()
        })
    }
}

fn count(value: &Value) -> Option<usize> {
    usize::try_from(value.as_u64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &Value) -> (SamplingDefaults, Vec<String>) {
        SamplingDefaults::read(Path::new("generation_config.json"), value.as_object().unwrap())
    }

    fn written(defaults: &SamplingDefaults) -> Value {
        let mut object = Map::new();
        defaults.write_into(&mut object);
        Value::Object(object)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let all = SamplingDefaults {
            do_sample: Some(true),
            temperature: Some(0.7),
            top_p: Some(0.8),
            top_k: Some(20),
            min_p: Some(0.05),
            repetition_penalty: Some(1.1),
        };
        let json = json!({
            "do_sample": true, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "min_p": 0.05, "repetition_penalty": 1.1
        });
        assert_eq!(written(&all), json);
        assert_eq!(read(&json), (all, vec![]));
        assert_eq!(written(&SamplingDefaults::default()), json!({}));
    }

    #[test]
    fn a_setting_of_drawing_says_that_tokens_are_drawn() {
        let warm = SamplingDefaults { temperature: Some(0.7), ..SamplingDefaults::default() };
        assert_eq!(written(&warm), json!({"do_sample": true, "temperature": 0.7}));
        let greedy = SamplingDefaults { do_sample: Some(false), ..warm };
        assert_eq!(written(&greedy), json!({"do_sample": false, "temperature": 0.7}));
        let penalised = SamplingDefaults { repetition_penalty: Some(1.1), ..SamplingDefaults::default() };
        assert_eq!(written(&penalised), json!({"repetition_penalty": 1.1}));
    }

    #[test]
    fn a_value_that_means_nothing_is_named_and_counts_as_absent() {
        let check = |key: &str, value: Value| {
            let mut object = json!({"top_k": 5, "temperature": 0.5});
            object[key] = value;
            let (defaults, complaints) = read(&object);
            assert!(complaints.len() == 1 && !complaints[0].contains('\n'), "{complaints:?}");
            assert!(complaints[0].starts_with(&format!("generation_config.json: {key} is ")), "{complaints:?}");
            assert!(written(&defaults).get(key).is_none_or(|value| key == "do_sample" && *value == true));
        };
        check("temperature", json!("hot"));
        check("temperature", json!(-0.1));
        check("temperature", json!(1e300));
        check("top_p", json!(0.0));
        check("top_p", json!(1.5));
        check("top_k", json!(2.5));
        check("top_k", json!(-1));
        check("min_p", json!(-0.1));
        check("min_p", json!(2));
        check("repetition_penalty", json!(0));
        check("repetition_penalty", json!(1e-60));
        check("do_sample", json!("yes"));
    }

    #[test]
    fn null_is_absent() {
        assert_eq!(read(&json!({"temperature": null, "do_sample": null})), Default::default());
    }
}
