//! Connections: [`serve`].

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

use crate::Limits;

/// Time limit for a client to send a request's head, or to begin the next one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause when no more connections can be accepted, as when file descriptors run out.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Answers connections, up to the limit, until `closing` resolves; then waits for the requests in progress, until
/// `ended` resolves.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: &Limits,
    closing: impl Future<Output = ()>,
    ended: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    tokio::pin!(closing);
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let accepted = tokio::select! {
            accepted = async { (place.await.expect("nobody closes it"), listener.accept().await) } => accepted,
            () = &mut closing => break,
        };
        let (place, stream) = match accepted {
            (place, Ok((stream, _))) => (place, stream),
            (_, Err(error)) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        // Pieces of a stream are small, and must not be delayed.
        let _ = stream.set_nodelay(true);
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(64 << 10);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(limits.reader));
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(Box::pin(stream)), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("a connection ended: {error}");
            }
            drop(place);
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = ended => {}
    }
}
