//! The side that asks.

use async_tungstenite::tungstenite::Error as WsError;
use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::error::ProtocolError;
use async_tungstenite::tungstenite::handshake::client::Response;
use async_tungstenite::tungstenite::http::StatusCode;
use async_tungstenite::tungstenite::http::header::{HeaderValue, LOCATION, SEC_WEBSOCKET_PROTOCOL};
use futures::{AsyncRead, AsyncWrite};
use pocketsync_core::transport::{Transport, TransportError};

use crate::{SUBPROTOCOL, WsConfig, WsUrl, error, link};

/// Opens a WebSocket to the hub at `url` over a byte stream that is already connected to it, with
/// TLS where the address asks for it.
///
/// # Errors
/// When the other side is no PocketSync hub, answers with an HTTP status, or goes away. All of it
/// may pass (a captive portal redirects, a proxy has lost its hub for a moment), so all of it is
/// retryable, except an address that cannot be put into a request.
pub async fn client<S>(stream: S, url: &WsUrl, config: WsConfig) -> Result<Transport, TransportError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut request = url
        .to_string()
        .into_client_request()
        .map_err(|error| TransportError::Misconfigured(format!("the address `{url}` is no use: {error}")))?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let (socket, _) =
        async_tungstenite::client_async_with_config(request, stream, Some(config.for_tungstenite()))
            .await
            .map_err(|error| refusal(error, url))?;
    Ok(link::transport(socket, config))
}

fn refusal(error: WsError, url: &WsUrl) -> TransportError {
    match error {
        WsError::Http(response) => TransportError::Unreachable(http_answer(&response, url)),
        WsError::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => {
            TransportError::Protocol(format!(
                "{url} is a WebSocket server that does not speak {SUBPROTOCOL}, so no PocketSync hub of this version"
            ))
        }
        WsError::Protocol(
            wrong @ (ProtocolError::HttparseError(_)
            | ProtocolError::WrongHttpVersion
            | ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingUpgradeWebSocketHeader
            | ProtocolError::SecWebSocketAcceptKeyMismatch),
        ) => TransportError::Protocol(format!("{url} is no PocketSync hub: {wrong}")),
        other => error::of_handshake(other),
    }
}

/// Says what an HTTP answer means for somebody who wanted to sync.
fn http_answer(response: &Response, url: &WsUrl) -> String {
    let status = response.status();
    let meaning = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            "something in front of the hub wants its own credentials".to_owned()
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => "there is no hub under this path".to_owned(),
        StatusCode::BAD_REQUEST | StatusCode::UPGRADE_REQUIRED => match reason(response) {
            Some(reason) => format!("it says: {reason}"),
            None => "it does not take WebSockets here".to_owned(),
        },
        status if status.is_redirection() => {
            match response.headers().get(LOCATION).and_then(|location| location.to_str().ok()) {
                Some(location) => {
                    format!("it redirects to {}; redirects are not followed", shortened(location))
                }
                None => "redirects are not followed".to_owned(),
            }
        }
        status if status.is_success() => "an ordinary web server answers there, not a hub".to_owned(),
        status if status.is_server_error() => "the hub, or what is in front of it, is in trouble".to_owned(),
        _ => "it does not let us in".to_owned(),
    };
    format!("{url} answered HTTP {status}: {meaning}")
}

/// The first line of a plain-text answer, which a PocketSync hub gives.
fn reason(response: &Response) -> Option<String> {
    let body = response.body().as_deref()?;
    let line = std::str::from_utf8(body).ok()?.lines().next()?.trim();
    (!line.is_empty() && !line.starts_with('<')).then(|| shortened(line))
}

/// Keeps a stranger's words short and printable: they end up in logs and on screens.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
