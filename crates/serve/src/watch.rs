//! A page that shows a run while it trains: [`Watched`]. The caller supplies the report; here it is cached briefly, so
//! that many viewers cost no more than one.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::HeaderValue;
use serde_json::json;
use tokio::sync::Mutex;

use crate::blocking::blocking;
use crate::error::ApiError;

/// Time for which a report is reused.
const FRESH: Duration = Duration::from_secs(2);

type Make = dyn Fn() -> Result<String, String> + Send + Sync;

/// A run, and the function that makes its report.
pub struct Watched {
    name: String,
    /// The report's style sheet.
    pub(crate) style: &'static str,
    make: Arc<Make>,
    last: Mutex<Option<Report>>,
}

/// A report as browsers get it.
#[derive(Clone)]
pub(crate) struct Report {
    made: Instant,
    pub body: Arc<str>,
    /// Changes with the body.
    pub tag: HeaderValue,
}

impl Watched {
    /// A run of this name. `make` returns its report, as HTML that needs no script and no style but `style`, or a
    /// message why there is none yet. It is called on a thread for blocking work.
    pub fn new(
        name: String,
        style: &'static str,
        make: impl Fn() -> Result<String, String> + Send + Sync + 'static,
    ) -> Self {
        Self { name, style, make: Arc::new(make), last: Mutex::new(None) }
    }

    /// The run's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The last report, or a new one where that is old.
    pub(crate) async fn report(&self) -> Result<Report, ApiError> {
        let mut last = self.last.lock().await;
        if let Some(report) = last.as_ref().filter(|report| report.made.elapsed() < FRESH) {
            return Ok(report.clone());
        }
        let make = Arc::clone(&self.make);
        let body = match blocking(move || Ok(make())).await? {
            Ok(html) => json!({"name": self.name, "html": html}),
            Err(reason) => json!({"name": self.name, "waiting": reason}),
        };
        let body = body.to_string();
        let tag = format!("\"{}\"", &blake3::hash(body.as_bytes()).to_hex()[..32]);
        let tag = HeaderValue::from_str(&tag).expect("a hash is a header's value");
        let report = Report { made: Instant::now(), body: body.into(), tag };
        *last = Some(report.clone());
        Ok(report)
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watched").field("name", &self.name).finish_non_exhaustive()
    }
}
