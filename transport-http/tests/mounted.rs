//! The hub inside of an application's own axum server, with the application's own authentication.
#![cfg(feature = "axum")]

mod ends;

use std::net::SocketAddr;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use ends::{Tcp, hub, impatient, world};
use futures::{SinkExt, StreamExt};
use pocketsync_http::{Dial, HttpConfig, HttpUrl, Identity};
use pocketsync_ws::WsConfig;
use tokio::net::TcpListener;

/// The application knows its users by a cookie.
async fn authenticate(mut request: Request, next: Next) -> Response {
    let user = request.uri().query().and_then(|query| query.strip_prefix("user=")).map(str::to_owned);
    match user {
        Some(user) => {
            request.extensions_mut().insert(Identity::new(user));
            next.run(request).await
        }
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn serve(routes: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    address
}

#[tokio::test]
async fn http_and_websockets_are_served_beside_the_applications_own_routes() {
    let (hub, mut arrivals) = hub(impatient());
    let sync = hub.router().layer(middleware::from_fn(authenticate));
    let own = axum::routing::get(|| async { "the application" });
    let address = serve(Router::new().route("/", own).nest("/sync", sync)).await;

    let url: HttpUrl = "http://app.test/sync?user=alice".parse().unwrap();
    let mut device =
        pocketsync_http::client(Tcp::to(address), &url, HttpConfig::default(), world()).await.unwrap();
    let (sent, arrival) = tokio::join!(device.sink.send("over HTTP".into()), arrivals.next());
    sent.unwrap();
    let (mut end, identity) = arrival.unwrap();
    assert_eq!(identity.as_deref(), Some("alice"));
    assert_eq!(end.stream.next().await.unwrap().unwrap(), "over HTTP");
    end.sink.send("and back".into()).await.unwrap();
    assert_eq!(device.stream.next().await.unwrap().unwrap(), "and back");

    let socket = Tcp::to(address).dial().await.unwrap();
    let url = "ws://app.test/sync?user=bob".parse().unwrap();
    let (device, arrival) =
        tokio::join!(pocketsync_ws::client(socket, &url, WsConfig::default()), arrivals.next());
    let (mut device, (mut end, identity)) = (device.unwrap(), arrival.unwrap());
    assert_eq!(identity.as_deref(), Some("bob"));
    device.sink.send("over a WebSocket".into()).await.unwrap();
    assert_eq!(end.stream.next().await.unwrap().unwrap(), "over a WebSocket");
    end.sink.send("and back".into()).await.unwrap();
    assert_eq!(device.stream.next().await.unwrap().unwrap(), "and back");
    device.sink.close().await.unwrap();
    assert!(end.stream.next().await.is_none());

    // Whom the application does not know, the hub never sees.
    let url: HttpUrl = "http://app.test/sync".parse().unwrap();
    let mut stranger =
        pocketsync_http::client(Tcp::to(address), &url, HttpConfig::default(), world()).await.unwrap();
    let (_sent, heard) = tokio::join!(stranger.sink.send("let me in".into()), stranger.stream.next());
    let error = heard.unwrap().unwrap_err();
    assert!(error.to_string().contains("401") && error.is_retryable(), "{error}");
}
