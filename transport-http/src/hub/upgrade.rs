//! WebSockets on the same address.

use bytes::Bytes;
use futures::FutureExt;
use http::header::{HeaderMap, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use pocketsync_core::transport::TransportError;
use pocketsync_ws::WsConfig;

use super::opening::opening;
use super::upgraded::UpgradedIo;
use super::{Identity, Shared, plain, refused};
use crate::problem::Problem;

/// Whether the client would like a WebSocket.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
    headers.get_all(UPGRADE).iter().any(|value| {
        value.to_str().is_ok_and(|value| {
            value.split(',').any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
        })
    })
}

/// Agrees to a WebSocket. The session begins when the connection is free of HTTP, which is after the
/// answer was sent: until then its frames wait.
pub(super) async fn answer<B>(shared: &Shared, request: &mut Request<B>) -> Response<Full<Bytes>> {
    let agreed = match pocketsync_ws::agree(request) {
        Ok(agreed) => agreed,
        Err(refusal) => {
            let (parts, text) = refusal.into_parts();
            let mut response = plain(parts.status, "");
            *response.body_mut() = Full::new(text.into());
            return response;
        }
    };
    let config = WsConfig::default().max_frame_bytes(shared.options.max_frame_bytes);
    let upgrade = hyper::upgrade::on(&mut *request);
    let open = async move {
        let upgraded = upgrade.await.map_err(|error| TransportError::lost(error.to_string()))?;
        Ok(pocketsync_ws::upgraded(UpgradedIo(upgraded), config).await)
    };
    let transport = opening(open.boxed(), shared.options.max_frame_bytes);
    let identity = request.extensions().get::<Identity>().map(|identity| identity.as_str().to_owned());
    if let Err(stopped) = shared.acceptor.accept(transport, identity).await {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "closing", stopped.to_string());
        return refused(&problem.retry_after(shared.options.busy_retry_after));
    }
    let (parts, ()) = agreed.into_parts();
    Response::from_parts(parts, Full::default())
}
