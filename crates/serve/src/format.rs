//! The requested format of an answer: `response_format` of chat and completions, `text.format` of responses.

use std::sync::Arc;
use std::time::Duration;

use fireclay_infer::{CompiledConstraint, Constraint};
use serde_json::Value;
use tokio::time::timeout;

use crate::blocking::blocking;
use crate::error::ApiError;
use crate::model::Served;
use crate::tools::Tools;

/// Longest time to compile a constraint. What takes longer goes on, and holds one of the model's few places for it.
const COMPILE_TIME: Duration = Duration::from_secs(2);

/// Constraint of a format on the answer; `None` for any text.
///
/// # Errors
/// 400 for a type that is not enforced, and for fields that are missing or unknown.
pub fn constraint(format: Option<&Value>, field: &str) -> Result<Option<Constraint>, ApiError> {
    let Some(format) = format else { return Ok(None) };
    if !format.is_object() {
        return Err(wrong(field, "give an object with a `type`"));
    }
    match format["type"].as_str() {
        Some("text") => known(format, field, &["type"]).map(|()| None),
        Some("json_object") => known(format, field, &["type"]).map(|()| Some(Constraint::json_object())),
        Some("json_schema") => schema(format, field).map(Some),
        Some(kind) => Err(ApiError::unsupported(
            field,
            &format!("{kind} is not enforced by this server; ask for text, json_object or json_schema"),
        )),
        None => Err(wrong(field, "its `type` is missing")),
    }
}

/// The field of a format that says where an answer ends; `None` for any text.
pub fn form(format: Option<&Value>) -> Option<&'static str> {
    format.filter(|format| format["type"] != "text").map(|_| "response_format")
}

/// The schema of a `json_schema` format: nested in an object, or beside the type. Its name and description are not
/// shown to the model, and every schema is enforced strictly.
fn schema(format: &Value, field: &str) -> Result<Constraint, ApiError> {
    let nested = format.get("json_schema").filter(|nested| !nested.is_null());
    let (place, holder) = match nested {
        None => {
            known(format, field, &["type", "json_schema", "name", "description", "schema", "strict"])?;
            (field.to_owned(), format)
        }
        Some(nested) => {
            known(format, field, &["type", "json_schema"])?;
            let place = format!("{field}.json_schema");
            if !nested.is_object() {
                return Err(wrong(&place, "give an object"));
            }
            known(nested, &place, &["name", "description", "schema", "strict"])?;
            (place, nested)
        }
    };
    for name in ["name", "description"] {
        if holder.get(name).is_some_and(|value| !value.is_null() && !value.is_string()) {
            return Err(wrong(&format!("{place}.{name}"), "give a text"));
        }
    }
    if holder.get("strict").is_some_and(|strict| !strict.is_null() && !strict.is_boolean()) {
        return Err(wrong(&format!("{place}.strict"), "give true or false"));
    }
    match holder.get("schema").filter(|schema| !schema.is_null()) {
        Some(schema) => Ok(Constraint::JsonSchema(schema.clone())),
        None => Err(wrong(field, "its `schema` is missing")),
    }
}

/// Refuses other fields than these.
fn known(object: &Value, field: &str, names: &[&str]) -> Result<(), ApiError> {
    let fields = object.as_object().into_iter().flatten();
    match fields.into_iter().find(|(name, value)| !value.is_null() && !names.contains(&name.as_str())) {
        Some((name, _)) => Err(wrong(&format!("{field}.{name}"), "unknown field").with_code("unknown_parameter")),
        None => Ok(()),
    }
}

/// Compiles what a reply is held to, a format or the form of its calls, on a thread for blocking work.
///
/// # Errors
/// As [`constraint`], and 400 when a schema cannot be met or enforced or takes too long, the model's tokenizer cannot
/// be constrained, or there are both a format and tools; 429 while too many others are compiled.
pub async fn compiled(
    model: &Arc<Served>,
    tools: Option<&Tools>,
    format: Option<&Value>,
    field: &'static str,
) -> Result<Option<CompiledConstraint>, ApiError> {
    let (constraint, field) = match (constraint(format, field)?, tools) {
        (Some(_), Some(_)) => {
            return Err(ApiError::unsupported(field, "with tools, whose calls are another form; leave one out"));
        }
        (format, None) => (format, field),
        (None, Some(tools)) => (tools.constraint.clone(), "tools"),
    };
    let Some(constraint) = constraint else { return Ok(None) };
    let place = timeout(COMPILE_TIME, Arc::clone(&model.compiling).acquire_owned()).await;
    let place = place.map_err(|_| ApiError::busy())?.expect("nobody closes it");
    let model = Arc::clone(model);
    // The compiler is made on first use, which is nobody's fault.
    let compiler = {
        let model = Arc::clone(&model);
        blocking(move || Ok(model.constraints().is_some())).await?
    };
    if !compiler {
        return Err(ApiError::unsupported(
            field,
            "this model's tokens are not plain bytes; ask for the form in the prompt",
        ));
    }
    let compiled = blocking(move || {
        let _place = place;
        let compiler = model.constraints().expect("it was made above");
        compiler.compile(&constraint).map_err(|error| ApiError::of_infer(&error).with_param(field))
    });
    let Ok(compiled) = timeout(COMPILE_TIME, compiled).await else {
        let seconds = COMPILE_TIME.as_secs();
        return Err(wrong(field, &format!("its schema takes longer than {seconds} s to compile; give a simpler one")));
    };
    compiled.map(Some)
}

fn wrong(field: &str, why: &str) -> ApiError {
    ApiError::invalid(format!("`{field}`: {why}")).with_param(field)
}
