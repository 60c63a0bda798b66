//! Who is let in, and what the others are told.

mod pair;

use futures::{AsyncReadExt, AsyncWriteExt};
use pair::{memory, url};
use pocketsync_core::transport::TransportError;
use pocketsync_ws::WsConfig;

/// What a device says when the other side answers its request with `answer`.
async fn answered(answer: &str) -> TransportError {
    let (ours, mut theirs) = memory(64 * 1024);
    let serve = async {
        let mut request = [0; 4096];
        let read = theirs.read(&mut request).await.unwrap();
        assert!(std::str::from_utf8(&request[..read]).unwrap().starts_with("GET /sync HTTP/1.1\r\n"));
        theirs.write_all(answer.as_bytes()).await.unwrap();
        drop(theirs);
    };
    let hub = url();
    let (outcome, ()) = tokio::join!(pocketsync_ws::client(ours, &hub, WsConfig::default()), serve);
    outcome.unwrap_err()
}

/// What the hub makes of `request`, and its answer.
async fn asked(request: &[u8]) -> (TransportError, String) {
    let (mut ours, theirs) = memory(128 * 1024);
    let ask = async {
        ours.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        let _ =
            tokio::time::timeout(std::time::Duration::from_millis(200), ours.read_to_end(&mut answer)).await;
        drop(ours);
        String::from_utf8(answer).unwrap()
    };
    let (outcome, answer) = tokio::join!(pocketsync_ws::accept(theirs, WsConfig::default()), ask);
    (outcome.unwrap_err(), answer)
}

#[tokio::test]
async fn http_answers_say_their_status_and_what_it_means() {
    for (answer, status, meaning) in [
        ("HTTP/1.1 401 Unauthorized\r\n\r\n", "401", "credentials"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404", "no hub under this path"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://portal.example/login\r\n\r\n",
            "302",
            "http://portal.example/login",
        ),
        ("HTTP/1.1 200 OK\r\n\r\n<html>", "200", "ordinary web server"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n<html>", "502", "trouble"),
        ("HTTP/1.1 400 Bad Request\r\n\r\nspeak pocketsync.9\n", "400", "speak pocketsync.9"),
    ] {
        let error = answered(answer).await;
        assert_eq!(error.code(), "unreachable", "{error}");
        assert!(error.is_retryable(), "a captive portal goes away by itself");
        let text = error.to_string();
        assert!(text.contains(status) && text.contains(meaning) && text.contains("hub.test"), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_is_no_hub_is_told_from_one() {
    for answer in ["SSH-2.0-OpenSSH_9.2\r\n", "* OK IMAP4rev1 ready\r\n"] {
        let error = answered(answer).await;
        assert_eq!(error.code(), "protocol");
        assert!(error.to_string().contains("no PocketSync hub"), "{error}");
    }
}

#[tokio::test]
async fn a_websocket_server_without_our_subprotocol_is_refused_by_the_device() {
    let (ours, theirs) = memory(4096);
    let hub = url();
    let (outcome, _other) = tokio::join!(
        pocketsync_ws::client(ours, &hub, WsConfig::default()),
        async_tungstenite::accept_async(theirs)
    );
    let error = outcome.unwrap_err();
    assert_eq!(error.code(), "protocol");
    assert!(error.to_string().contains("pocketsync.1"), "{error}");
}

#[tokio::test]
async fn a_websocket_client_without_our_subprotocol_is_refused_by_the_hub() {
    let (ours, theirs) = memory(4096);
    let (outcome, refused) = tokio::join!(
        pocketsync_ws::accept(theirs, WsConfig::default()),
        async_tungstenite::client_async("ws://hub.test/", ours)
    );
    let error = outcome.unwrap_err();
    assert_eq!(error.code(), "protocol");
    assert!(error.to_string().contains("pocketsync.1"), "{error}");
    assert!(refused.unwrap_err().to_string().contains("400"));
}

#[tokio::test]
async fn a_client_that_offers_several_subprotocols_gets_ours() {
    let (ours, theirs) = memory(4096);
    let request =
        async_tungstenite::tungstenite::ClientRequestBuilder::new("ws://hub.test/".parse().unwrap())
            .with_sub_protocol("pocketsync.2")
            .with_sub_protocol("pocketsync.1");
    let (hub, client) = tokio::join!(
        pocketsync_ws::accept(theirs, WsConfig::default()),
        async_tungstenite::client_async(request, ours)
    );
    hub.unwrap();
    assert_eq!(client.unwrap().1.headers()["sec-websocket-protocol"], "pocketsync.1");
}

#[tokio::test]
async fn a_browser_is_told_what_this_is() {
    let requests: [&[u8]; 2] =
        [b"GET / HTTP/1.1\r\nHost: hub.test\r\n\r\n", b"POST /x HTTP/1.1\r\nHost: hub.test\r\n\r\n"];
    for request in requests {
        let (error, answer) = asked(request).await;
        assert_eq!(error.code(), "protocol");
        assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
        assert!(answer.contains("This is a PocketSync hub"), "{answer}");
    }
}

#[tokio::test]
async fn noise_and_floods_end_the_handshake() {
    for noise in [vec![0x16, 3, 1, 2, 0, 1], vec![b'\n'; 0], vec![b'a'; 100_000]] {
        let (error, answer) = asked(&noise).await;
        assert!(matches!(error.code(), "protocol" | "lost"), "{error}");
        assert!(answer.is_empty(), "{answer}");
    }
}

#[tokio::test]
async fn a_handshake_cut_short_is_a_lost_link() {
    let (ours, theirs) = memory(4096);
    drop(theirs);
    let error = pocketsync_ws::client(ours, &url(), WsConfig::default()).await.unwrap_err();
    assert_eq!(error.code(), "lost", "{error}");
    let error = answered("HTTP/1.1 101 Swit").await;
    assert_eq!(error.code(), "lost", "{error}");
}
