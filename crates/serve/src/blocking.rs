//! Work that would block the threads that answer requests: [`blocking`].

use fireclay_tokenizer::TokenizerError;

use crate::error::ApiError;

/// Runs CPU-bound work on a thread for blocking work.
///
/// # Errors
/// The error of `work`; that of a tokenizer that failed; 500 when it panicked.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            let payload = error.try_into_panic().ok();
            let of_tokenizer = payload.and_then(|payload| payload.downcast::<TokenizerError>().ok());
            Err(of_tokenizer.map_or_else(ApiError::defect, |error| ApiError::of_tokenizer(&error)))
        }
    }
}
