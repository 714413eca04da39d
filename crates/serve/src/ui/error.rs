use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::json::Json;
use crate::store::StoreError;

#[derive(Clone, Debug)]
pub struct ApiError {
    pub status: StatusCode,
    pub message: String,
}

impl ApiError {
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, message)
    }

    pub fn refused(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::refused(StatusCode::NOT_FOUND, message)
    }

    pub fn busy() -> Self {
        Self::refused(StatusCode::TOO_MANY_REQUESTS, "the server answers as many requests as it can; try again")
    }

    pub fn defect() -> Self {
        Self::refused(StatusCode::INTERNAL_SERVER_ERROR, "an internal error; the server's log has more")
    }
    pub fn object(&self) -> serde_json::Value {
        json!({"error": {"message": self.message, "type": "invalid_request_error", "param": null, "code": null}})
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { .. } => Self::not_found(error.to_string()),
            StoreError::Invalid(_) => Self::invalid(error.to_string()),
            _ => Self::defect(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.object())).into_response()
    }
}
