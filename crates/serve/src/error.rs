//! Errors: those of starting a server, and those that clients get, in `OpenAI`'s shape.

use std::borrow::Cow;
use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fireclay_infer::InferError;
use fireclay_text::TextError;
use fireclay_tokenizer::TokenizerError;
use serde_json::{Value, json};

use crate::store::StoreError;

/// Error of starting or running a server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A model cannot be used.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The conversations' database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An engine cannot be started.
    #[error("the engine of {model} does not start: {reason}")]
    Engine {
        /// The model's name.
        model: String,
        /// The problem.
        reason: String,
    },
    /// The settings contradict each other or are unsafe.
    #[error("{0}")]
    Setting(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another --host or --port")]
    Listen {
        /// Host and port.
        address: String,
        /// The system's error.
        source: std::io::Error,
    },
}

impl ServeError {
    /// Whether the caller can fix it.
    pub fn is_user_error(&self) -> bool {
        match self {
            Self::Setting(_) | Self::Listen { .. } => true,
            Self::Store(error) => error.is_user_error(),
            Self::Text(_) | Self::Engine { .. } => false,
        }
    }
}

/// An error response: a status, and `{"error": {"message", "type", "param", "code"}}`.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// The answer's status.
    pub status: StatusCode,
    message: String,
    kind: &'static str,
    param: Option<String>,
    code: Option<Cow<'static, str>>,
}

/// Seconds after which a refused client may try again (`Retry-After`).
const RETRY_AFTER: &str = "1";

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), kind, param: None, code: None }
    }

    /// 400: the request is at fault.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    /// 400: a field that is not served here, by its name.
    pub fn unsupported(field: &str, why: &str) -> Self {
        Self::invalid(format!("`{field}` is not supported: {why}")).with_param(field).with_code("unsupported_parameter")
    }

    /// The request is at fault, with another status.
    pub fn refused(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, "invalid_request_error", message)
    }

    /// 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::refused(StatusCode::NOT_FOUND, message).with_code("not_found")
    }

    /// 401.
    pub fn unauthorized() -> Self {
        let message = "give a valid API key: Authorization: Bearer KEY";
        Self::new(StatusCode::UNAUTHORIZED, "authentication_error", message).with_code("invalid_api_key")
    }

    /// 429: everything is taken.
    pub fn busy() -> Self {
        let message = "the server answers as many requests as it can, and its queue is full; try again";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", message).with_code("rate_limit_exceeded")
    }

    /// 503: the server is going down.
    pub fn ending() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", "the server is shutting down").with_code("shutdown")
    }

    /// 504: it took too long.
    pub fn timeout() -> Self {
        let message = "the reply took longer than the server allows; ask for fewer tokens";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "server_error", message).with_code("timeout")
    }

    /// 503: what was written was not read in time.
    pub fn slow_reader() -> Self {
        let message = "the reply was read more slowly than it was written, and was ended; read faster, or ask for fewer \
                       answers at once";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", message).with_code("slow_reader")
    }

    /// 500, without detail: that is in the log.
    pub fn defect() -> Self {
        let message = "an internal error; the server's log has more under this request's id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", message)
    }

    /// Names the field that is wrong.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Adds a machine-readable code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// An error of the engine.
    pub fn of_infer(error: &InferError) -> Self {
        match error {
            InferError::NotFinite { .. } => {
                tracing::error!("{error}");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the model's numbers are not finite")
            }
            InferError::PromptTooLong { .. } => Self::invalid(error.to_string()).with_code("context_length_exceeded"),
            InferError::Setting { setting, .. } => Self::invalid(error.to_string()).with_param(*setting),
            error => Self::invalid(error.to_string()),
        }
    }

    /// An error of a template or tokenizer on a request.
    pub fn of_text(error: &TextError) -> Self {
        match error {
            TextError::Infer(error) => Self::of_infer(error),
            // Paths of the server are not disclosed.
            TextError::NoChatTemplate { .. } => {
                Self::invalid("this model has no chat template; use /v1/completions").with_param("model")
            }
            TextError::Tokenizer(error) => Self::of_tokenizer(error),
            error => Self::invalid(error.to_string()),
        }
    }

    /// An error of a tokenizer on a request.
    pub fn of_tokenizer(error: &TokenizerError) -> Self {
        match error {
            TokenizerError::Io { .. } | TokenizerError::NotFound { .. } => {
                tracing::error!("{error}");
                Self::defect()
            }
            error => Self::invalid(error.to_string()),
        }
    }

    /// The JSON object of the response.
    pub fn object(&self) -> Value {
        let Self { message, kind, param, code, .. } = self;
        json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { .. } => Self::not_found(error.to_string()),
            StoreError::Invalid(_) => Self::invalid(error.to_string()),
            StoreError::Busy(_) => {
                Self::refused(StatusCode::CONFLICT, error.to_string()).with_code("conversation_busy")
            }
            error => {
                tracing::error!("{error}");
                Self::defect()
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = axum::body::Body::from(self.object().to_string());
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        if self.status == StatusCode::GATEWAY_TIMEOUT {
            // A retry would take as long again, and in a conversation store the messages twice.
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
