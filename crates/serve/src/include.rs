//! `include`: further fields of a response's items.

use utoipa::IntoParams;

use crate::error::ApiError;
use crate::query::{Fields, FromQuery};

/// Kinds about items that never occur here, so that all there is of them is in each response.
const INCLUDED: [&str; 7] = [
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
];

/// Refuses kinds that are not done.
///
/// # Errors
/// 400.
pub fn check_include<'a>(kinds: impl IntoIterator<Item = &'a str>) -> Result<(), ApiError> {
    match kinds.into_iter().find(|kind| !INCLUDED.contains(kind)) {
        Some(kind) => Err(ApiError::unsupported("include", &format!("{kind:?} is not among what a response has here"))),
        None => Ok(()),
    }
}

/// Further fields in the answer.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct IncludeQuery {
    /// Kinds about items that never occur here.
    #[param(required = false)]
    #[expect(dead_code, reason = "it changes nothing of the answer")]
    include: Vec<String>,
}

impl FromQuery for IncludeQuery {
    const FIELDS: &'static [&'static str] = &["include"];
    const LISTS: &'static [&'static str] = &["include"];

    fn of(fields: &Fields) -> Result<Self, ApiError> {
        check_include(fields.list("include"))?;
        Ok(Self { include: fields.list("include").map(str::to_owned).collect() })
    }
}
