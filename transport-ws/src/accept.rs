//! The side that answers.

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::Error as WsError;
use async_tungstenite::tungstenite::error::ProtocolError;
use async_tungstenite::tungstenite::handshake::server::{
    Callback, ErrorResponse, Request, Response, create_response,
};
use async_tungstenite::tungstenite::http::header::{CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use async_tungstenite::tungstenite::http::{self, StatusCode};
use async_tungstenite::tungstenite::protocol::Role;
use futures::{AsyncRead, AsyncWrite, AsyncWriteExt};
use pocketsync_core::transport::{Transport, TransportError};

use crate::{SUBPROTOCOL, WsConfig, error, link};

/// What a browser or a health check is told.
const PLAIN_HTTP: &str = "HTTP/1.1 426 Upgrade Required\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade, close\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    \r\n\
    This is a PocketSync hub. It speaks WebSocket, not web pages.\n";

/// Answers a client's request for a WebSocket on a byte stream that was just accepted, TLS already
/// taken off. Who the client is, and what it may do, the session's `Hello` tells.
///
/// Waits as long as the client takes: put a time limit around it.
///
/// # Errors
/// When the client speaks something else (plain HTTP gets an answer that says what this is), asks
/// for another subprotocol, or goes away.
pub async fn accept<S>(mut stream: S, config: WsConfig) -> Result<Transport, TransportError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = Some(config.for_tungstenite());
    let handshake = async_tungstenite::accept_hdr_async_with_config(&mut stream, ChooseSubprotocol, limits)
        .await
        .map(drop);
    if let Err(error) = handshake {
        if is_plain_http(&error) {
            // The client may be gone already; the error that follows is the same.
            let _ = stream.write_all(PLAIN_HTTP.as_bytes()).await;
            let _ = stream.close().await;
        }
        return Err(refusal(error));
    }
    // The handshake took the stream by reference, to answer plain HTTP. Nothing is lost with what
    // it borrowed: a client that sends before our answer was refused above.
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, limits).await;
    Ok(link::transport(socket, config))
}

/// Decides about a request for a WebSocket that an HTTP server has read, and gives the answer to send:
/// one that agrees, or one that says what is wrong. After the first, the connection goes to
/// [`upgraded`].
///
/// # Errors
/// The answer to send where the request asks for another protocol, or in a wrong way.
pub fn agree<B>(request: &http::Request<B>) -> Result<http::Response<()>, Box<http::Response<String>>> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.version_mut() = request.version();
    *head.headers_mut() = request.headers().clone();
    let refusal = |status, text: String| {
        let mut response = http::Response::new(text);
        *response.status_mut() = status;
        Box::new(response)
    };
    let response = create_response(&head).map_err(|error| {
        refusal(StatusCode::BAD_REQUEST, format!("this is no request for a WebSocket: {error}\n"))
    })?;
    ChooseSubprotocol
        .on_request(&head, response)
        .map_err(|error| refusal(error.status(), error.into_body().unwrap_or_default()))
}

/// Makes a transport of a connection that an HTTP server has let go of after the answer that
/// [`agree`] gave.
pub async fn upgraded<S>(stream: S, config: WsConfig) -> Transport
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = Some(config.for_tungstenite());
    link::transport(WebSocketStream::from_raw_socket(stream, Role::Server, limits).await, config)
}

fn is_plain_http(error: &WsError) -> bool {
    use ProtocolError::{
        InvalidSecWebSocketKey, MissingConnectionUpgradeHeader, MissingSecWebSocketKey,
        MissingSecWebSocketVersionHeader, MissingUpgradeWebSocketHeader, WrongHttpMethod, WrongHttpVersion,
    };
    matches!(
        error,
        WsError::Protocol(
            InvalidSecWebSocketKey
                | MissingConnectionUpgradeHeader
                | MissingSecWebSocketKey
                | MissingSecWebSocketVersionHeader
                | MissingUpgradeWebSocketHeader
                | WrongHttpMethod
                | WrongHttpVersion
        )
    )
}

fn refusal(error: WsError) -> TransportError {
    match error {
        error if is_plain_http(&error) => {
            TransportError::Protocol(format!("an HTTP request that asks for no WebSocket: {error}"))
        }
        WsError::Http(_) => {
            TransportError::Protocol(format!("a WebSocket client that does not offer {SUBPROTOCOL}"))
        }
        other => error::of_handshake(other),
    }
}

struct ChooseSubprotocol;

impl Callback for ChooseSubprotocol {
    fn on_request(self, request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
        let offered = request
            .headers()
            .get_all(SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|name| name.trim() == SUBPROTOCOL);
        if offered {
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
            return Ok(response);
        }
        let mut refusal = ErrorResponse::new(Some(format!(
            "a PocketSync hub; it speaks the WebSocket subprotocol {SUBPROTOCOL}\n"
        )));
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        refusal.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        Err(refusal)
    }
}
