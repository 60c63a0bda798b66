//! Running the hub's side on one byte stream.

use std::convert::Infallible;

use futures::{AsyncRead, AsyncWrite};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use pocketsync_core::transport::TransportError;
use smol_hyper::rt::FuturesIo;

use super::HttpHub;
use super::stall::Guarded;
use crate::timer::RuntimeTimer;

/// The largest header of a request. It is also what hyper reads ahead.
const MAX_HEADER_BYTES: usize = 32 << 10;

impl HttpHub {
    /// Answers the requests on a byte stream that was just accepted, TLS already taken off, until
    /// either side ends it. A WebSocket goes on living after this has completed.
    ///
    /// Whoever sends a request slowly, or does not take its answer, is dropped after the time-outs of
    /// [`HttpHubOptions`](super::HttpHubOptions).
    ///
    /// # Errors
    /// When the client breaks HTTP, is too slow, or goes away in the middle of a request.
    pub async fn serve<S>(&self, stream: S) -> Result<(), TransportError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let options = &self.shared.options;
        let runtime = &self.shared.runtime;
        let stream = Guarded::new(stream, options.stall_timeout, runtime.clone());
        let service = service_fn(|request: Request<Incoming>| async {
            Ok::<_, Infallible>(self.respond(request).await)
        });
        http1::Builder::new()
            .timer(RuntimeTimer(runtime.clone()))
            .header_read_timeout(options.header_timeout)
            .max_buf_size(MAX_HEADER_BYTES)
            .serve_connection(FuturesIo::new(stream), service)
            .with_upgrades()
            .await
            .map_err(|error| match error.is_parse() || error.is_timeout() {
                true => TransportError::Protocol(error.to_string()),
                false => TransportError::lost(error.to_string()),
            })
    }
}
