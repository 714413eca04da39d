//! The requested format of an answer: `response_format` of chat and completions, `text.format` of responses.

use std::sync::Arc;

use fireclay_infer::{CompiledConstraint, Constraint};
use serde_json::{Map, Value};

use crate::blocking::blocking;
use crate::error::ApiError;
use crate::model::Served;

/// Fields of a `json_schema` format. Name and description are not shown to the model, and every schema is enforced
/// strictly.
const OF_SCHEMA: [&str; 4] = ["name", "description", "schema", "strict"];

/// Constraint of a format on the answer; `None` for any text.
///
/// # Errors
/// 400 for a type that is not enforced, and for fields that are missing or unknown.
pub fn constraint(format: Option<&Value>, field: &str) -> Result<Option<Constraint>, ApiError> {
    let Some(format) = format else { return Ok(None) };
    match format["type"].as_str() {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(Constraint::json_object())),
        Some("json_schema") => schema(format, field).map(Some),
        Some(kind) => Err(ApiError::unsupported(
            field,
            &format!("{kind} is not enforced by this server; ask for text, json_object or json_schema"),
        )),
        None => Err(wrong(field, "its `type` is missing")),
    }
}

/// The schema of a `json_schema` format: nested in an object, or beside the type.
fn schema(format: &Value, field: &str) -> Result<Constraint, ApiError> {
    let nested = format.get("json_schema");
    let holder: Option<&Map<String, Value>> = nested.unwrap_or(format).as_object();
    let holder = holder.ok_or_else(|| wrong(field, "`json_schema` must be an object"))?;
    let known = |name: &str| OF_SCHEMA.contains(&name) || (nested.is_none() && name == "type");
    if let Some(name) = holder.keys().find(|name| !known(name)) {
        return Err(wrong(field, &format!("unknown field `{name}`")).with_code("unknown_parameter"));
    }
    match holder.get("schema").filter(|schema| !schema.is_null()) {
        Some(schema) => Ok(Constraint::JsonSchema(schema.clone())),
        None => Err(wrong(field, "its `schema` is missing")),
    }
}

/// Compiles the constraint of a format, on a thread for blocking work.
///
/// # Errors
/// As [`constraint`], and 400 when the schema cannot be met or enforced, or the model's tokenizer cannot be
/// constrained.
pub async fn compiled(
    model: &Arc<Served>,
    format: Option<&Value>,
    field: &'static str,
) -> Result<Option<CompiledConstraint>, ApiError> {
    let Some(constraint) = constraint(format, field)? else { return Ok(None) };
    let model = Arc::clone(model);
    let compiled = blocking(move || {
        let compiler = model.constraints().ok_or_else(|| {
            ApiError::unsupported(field, "this model's tokens are not plain bytes; ask for JSON in the prompt")
        })?;
        compiler.compile(&constraint).map_err(|error| ApiError::of_infer(&error).with_param(field))
    });
    compiled.await.map(Some)
}

fn wrong(field: &str, why: &str) -> ApiError {
    ApiError::invalid(format!("`{field}`: {why}")).with_param(field)
}
