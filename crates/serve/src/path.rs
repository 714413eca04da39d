//! Parameters in the paths of addresses: [`Path`], whose refusals are error objects.

use axum::extract::{FromRequestParts, Path as Parameters};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// The parameters of a request's path.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let parameters = Parameters::from_request_parts(parts, state).await;
        let Parameters(parameters) =
            parameters.map_err(|_| ApiError::invalid("the path of the address is not percent-encoded UTF-8"))?;
        Ok(Self(parameters))
    }
}
