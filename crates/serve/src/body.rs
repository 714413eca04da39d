//! JSON bodies: [`Json`], which refuses unknown fields by name.

use std::fmt;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::error::ApiError;

/// Time limit for a client to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Fields of a request's body. Null fields count as absent, because clients send them, and so do empty lists for
/// unsupported fields.
pub trait Body: DeserializeOwned {
    /// Unsupported fields of similar APIs, with the reason or a replacement, and a JSON list of the values that ask for
    /// what the server does anyway.
    const REFUSED: &'static [(&'static str, &'static str, &'static str)] = &[];
    /// Fields that are accepted because they do not change the answer.
    const WITHOUT_EFFECT: &'static [&'static str] = &[];
    /// Whether null takes something away; elsewhere it is the same as no field.
    const NULL_REMOVES: bool = false;
}

/// The body of a request with `Content-Type: application/json`. Requiring this type prevents pages of other sites from
/// sending requests through a browser.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: Body> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let message = "send the body as JSON, with the header Content-Type: application/json";
            return Err(ApiError::refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        let read = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, state)).await;
        let read =
            read.map_err(|_| ApiError::refused(StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive"))?;
        let bytes = read.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let message = "the body is larger than the server allows (its option --max-body)";
                ApiError::refused(StatusCode::PAYLOAD_TOO_LARGE, message)
            }
            _ => ApiError::invalid("the body could not be read"),
        })?;
        Ok(Self(parse(&bytes)?))
    }
}

/// A body's object.
struct BodyFields {
    object: Map<String, Value>,
    /// The last field that occurs more than once.
    twice: Option<String>,
}

impl<'a> Deserialize<'a> for BodyFields {
    fn deserialize<D: Deserializer<'a>>(body: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'a> Visitor<'a> for Read {
            type Value = BodyFields;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<BodyFields, A::Error> {
                let mut fields = BodyFields { object: Map::new(), twice: None };
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if fields.object.insert(name.clone(), value).is_some() {
                        fields.twice = Some(name);
                    }
                }
                Ok(fields)
            }
        }
        body.deserialize_map(Read)
    }
}

/// Deserialises a body's object.
fn parse<T: Body>(bytes: &[u8]) -> Result<T, ApiError> {
    let BodyFields { mut object, twice } = serde_json::from_slice(bytes).map_err(|error| {
        if error.is_data() {
            return ApiError::invalid("the body must be a JSON object");
        }
        let (line, column) = (error.line(), error.column());
        let what = if error.is_eof() { "it ends too early" } else { "it is wrong" };
        ApiError::invalid(format!("the body is not JSON: {what}, at line {line}, column {column}"))
    })?;
    if let Some(field) = twice {
        return Err(ApiError::invalid(format!("`{field}` occurs twice in the body")).with_param(field));
    }
    object.retain(|field, value| (T::NULL_REMOVES || !value.is_null()) && !T::WITHOUT_EFFECT.contains(&field.as_str()));
    for (field, why, accepted) in T::REFUSED {
        let Some(value) = object.get(*field) else { continue };
        let accepted: Vec<Value> = serde_json::from_str(accepted).expect("the accepted values are JSON");
        if !accepted.contains(value) && value.as_array().is_none_or(|list| !list.is_empty()) {
            return Err(ApiError::unsupported(field, why));
        }
        object.shift_remove(*field);
    }
    of_object(object)
}

/// Deserialises an object; the error names the invalid value and its place.
pub fn of_object<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(Value::Object(object)).map_err(|error| {
        let (path, message) = (error.path().to_string(), error.inner().to_string());
        if let Some(field) = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
            let ends = path == field || path.ends_with(&format!(".{field}"));
            let place = match (path.as_str(), ends) {
                (".", _) => field.to_owned(),
                (path, true) => path.to_owned(),
                (path, false) => format!("{path}.{field}"),
            };
            let near = nearest(field, &message).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return ApiError::invalid(format!("unknown field `{place}`{near}"))
                .with_param(place)
                .with_code("unknown_parameter");
        }
        if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            return ApiError::invalid(format!("the field `{field}` is missing")).with_param(field);
        }
        ApiError::invalid(format!("`{path}`: {}", plain(&message))).with_param(path)
    })
}

/// The known field of serde's message that is most similar to an unknown one, if one is.
fn nearest<'a>(unknown: &str, message: &'a str) -> Option<&'a str> {
    const SIMILAR: f64 = 0.84;
    let known = message.split('`').skip(3).step_by(2);
    let scored = known.map(|known| (strsim::jaro_winkler(unknown, known), known));
    scored.filter(|(score, _)| *score >= SIMILAR).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

/// A message of serde about a value in plain words.
fn plain(message: &str) -> String {
    let unknown = message.strip_prefix("unknown variant `").and_then(|rest| rest.split_once("`, expected "));
    if let Some((found, expected)) = unknown {
        return format!("give {}, not {found:?}", expected.trim_start_matches("one of ").replace('`', ""));
    }
    let wrong = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    let Some((found, expected)) = wrong.and_then(|rest| rest.rsplit_once(", expected ")) else {
        return message.to_owned();
    };
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" => "a text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    let found = match found.split_once(' ') {
        None if found == "map" => "an object".to_owned(),
        None if found == "sequence" => "a list".to_owned(),
        Some(("string", text)) => format!("the text {text}"),
        Some(("integer" | "boolean", value)) => value.replace('`', ""),
        Some(("floating", point)) => point.trim_start_matches("point ").replace('`', ""),
        _ => found.to_owned(),
    };
    format!("give {expected}, not {found}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what is refused is tested")]
    struct Example {
        number: u32,
        inner: Option<Inner>,
        choice: Option<Choice>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Choice {
        Up,
        Down,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what is refused is tested")]
    struct Inner {
        word: String,
    }

    impl Body for Example {
        const REFUSED: &'static [(&'static str, &'static str, &'static str)] =
            &[("audio", "there is no sound here", "[{}, 1]")];
        const WITHOUT_EFFECT: &'static [&'static str] = &["user"];
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (body, param, expect) in [
            ("{\"numbr\": 1}", Some("numbr"), "unknown field `numbr`; did you mean `number`?"),
            ("{\"number\": 1, \"inner\": {\"wrd\": \"a\"}}", Some("inner.wrd"), "unknown field"),
            ("{}", Some("number"), "missing"),
            ("{\"number\": -1}", Some("number"), "`number`: give a whole number of 0 or more, not -1"),
            ("{\"number\": 1.5}", Some("number"), "`number`: give a whole number of 0 or more, not 1.5"),
            ("{\"number\": \"x\"}", Some("number"), "`number`: give a whole number of 0 or more, not the text \"x\""),
            ("{\"number\": 1, \"inner\": {\"word\": 2}}", Some("inner.word"), "`inner.word`: give a text, not 2"),
            ("{\"number\": 1, \"inner\": true}", Some("inner"), "`inner`: give an object, not true"),
            ("{\"number\": {}}", Some("number"), "`number`: give a whole number of 0 or more, not an object"),
            ("{\"number\": 1, \"choice\": \"left\"}", Some("choice"), "`choice`: give up or down, not \"left\""),
            ("{\"number\": 1, \"audio\": 2}", Some("audio"), "`audio` is not supported: there is no sound here"),
            ("[1]", None, "must be a JSON object"),
            ("{\"number\": 1, \"number\": 2}", Some("number"), "`number` occurs twice in the body"),
            ("{\"number\": 1", None, "not JSON: it ends too early, at line 1, column 12"),
            ("{\"number\": x", None, "not JSON: it is wrong, at line 1, column 12"),
        ] {
            let object = parse::<Example>(body.as_bytes()).unwrap_err().object();
            assert!(object["error"]["message"].as_str().unwrap().contains(expect), "{object}");
            assert_eq!(object["error"]["param"].as_str(), param, "{object}");
        }
        let given = "{\"number\": 1, \"user\": \"me\", \"audio\": 1, \"inner\": null, \"strange\": null}";
        assert_eq!(parse::<Example>(given.as_bytes()).unwrap().number, 1);
    }
}
