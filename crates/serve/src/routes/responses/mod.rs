//! `/v1/responses`: turns that continue an earlier one by its id.

mod request;
mod out;
mod output;
mod turn;

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::oneshot;

use crate::app::App;
use crate::auth::Account;
use crate::body::Json;
use crate::error::ApiError;
use crate::include::IncludeQuery;
use crate::item_list::ItemsQuery;
use crate::path::Path;
use crate::query::Query;
use crate::sse;
use out::Out;
pub use request::ResponseRequest;
use turn::Turn;

/// Answer, and go on where an earlier response or a conversation ended
#[utoipa::path(post, path = "/v1/responses", tag = "responses", request_body = ResponseRequest,
    responses((status = 200, description = "A response, or with `stream` server-sent events about it"),
        (status = "4XX", description = "An error object"), (status = "5XX", description = "An error object")))]
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Json(asked): Json<ResponseRequest>,
) -> Result<Response, ApiError> {
    asked.check()?;
    let (sender, receiver) = oneshot::channel();
    // A separate task, so that a stored turn is completed in the database even if the client disconnects.
    tokio::spawn(async move {
        let stream = asked.stream;
        match Turn::begin(app, account, asked).await {
            Err(error) => drop(sender.send(Err(error))),
            Ok((turn, generation)) if stream => {
                let response = sse::stream(move |events| turn.run(generation, Out::Stream { events, sent: 0 }));
                drop(sender.send(Ok(response)));
            }
            Ok((turn, generation)) => drop(turn.run(generation, Out::Whole(Some(sender))).await),
        }
    });
    receiver.await.map_err(|_| ApiError::defect())?
}

/// Read a response
#[utoipa::path(get, path = "/v1/responses/{response}", tag = "responses",
    params(("response" = String, Path, description = "Its id"), IncludeQuery),
    responses((status = 200, description = "A response"), (status = 404, description = "An error object")))]
pub async fn read(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
    Query(_): Query<IncludeQuery>,
) -> Result<Response, ApiError> {
    let response = app.store.response(&account, &id).await?;
    let message = app.store.settled(&account, &response.message).await?;
    Ok(axum::Json(turn::object(&response.id, response.body, &message)).into_response())
}

/// List what was said before a response: the input of its request, and the earlier turns that the model read
#[utoipa::path(get, path = "/v1/responses/{response}/input_items", tag = "responses",
    params(("response" = String, Path, description = "Its id"), ItemsQuery),
    responses((status = 200, description = "A list of items"), (status = "4XX", description = "An error object")))]
pub async fn input_items(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
    Query(query): Query<ItemsQuery>,
) -> Result<Response, ApiError> {
    let response = app.store.response(&account, &id).await?;
    let mut messages = app.store.path_to(&account, &response.message).await?;
    messages.retain(|message| message.id != response.message);
    Ok(axum::Json(query.page(&messages)?).into_response())
}

/// Delete a response; a conversation that was made with its own id keeps the reply
#[utoipa::path(delete, path = "/v1/responses/{response}", tag = "responses",
    params(("response" = String, Path, description = "Its id")),
    responses((status = 200, description = "It is deleted"), (status = 404, description = "An error object")))]
pub async fn delete(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    if let Some(conversation) = app.store.delete_response(&account, &id).await? {
        app.running.stop_all(&conversation);
    }
    Ok(axum::Json(json!({"id": id, "object": "response.deleted", "deleted": true})).into_response())
}
