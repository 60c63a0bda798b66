//! What a client makes of answers: those of a hub, and those of others who answer in its place.
#![cfg(feature = "hub")]

mod ends;

use std::time::Duration;

use async_trait::async_trait;
use ends::{url, world};
use futures::{SinkExt, StreamExt};
use pocketsync_core::transport::{Transport, TransportError};
use pocketsync_core::wire::frame::Assembler;
use pocketsync_core::wire::{ErrorCode, Message, WireError};
use pocketsync_http::{Dial, HttpConfig, HttpUrl};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

/// Gives the same answer to every request.
struct Answers(String);

#[async_trait]
impl Dial for Answers {
    type Stream = Compat<DuplexStream>;

    async fn dial(&self) -> Result<Self::Stream, TransportError> {
        let (ours, mut theirs) = tokio::io::duplex(64 << 10);
        let answer = self.0.clone();
        tokio::spawn(async move {
            let mut request = vec![0; 64 << 10];
            while let Ok(1..) = theirs.read(&mut request).await {
                theirs.write_all(answer.as_bytes()).await.unwrap();
                if !answer.contains("Content-Length") {
                    break;
                }
            }
        });
        Ok(ours.compat())
    }
}

/// An answer of a hub that refuses.
fn problem(status: u16, code: &str, more: &str) -> String {
    let body = format!(
        r#"{{"type":"about:blank","title":"No","status":{status},"code":"{code}","detail":"because"{more}}}"#
    );
    let bytes = body.len();
    format!(
        "HTTP/1.1 {status} No\r\nContent-Type: application/problem+json\r\nContent-Length: {bytes}\r\n\r\n{body}"
    )
}

async fn asked(answer: impl Into<String>) -> Transport {
    let config = HttpConfig::default().give_up_after(Duration::from_millis(300));
    let mut client = pocketsync_http::client(Answers(answer.into()), &url(), config, world()).await.unwrap();
    client.sink.feed("a frame".into()).await.unwrap();
    client
}

async fn told(answer: impl Into<String>) -> TransportError {
    let mut client = asked(answer).await;
    let error = client.stream.next().await.unwrap().unwrap_err();
    assert!(client.stream.next().await.is_none(), "an error is the end");
    assert!(client.sink.flush().await.is_err());
    error
}

#[tokio::test]
async fn others_who_answer_are_told_from_a_hub() {
    for (answer, status, meaning) in [
        ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "401", "its own credentials"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404", "no hub that takes HTTP"),
        ("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n", "426", "WebSockets only"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://portal.example/login\r\nContent-Length: 0\r\n\r\n",
            "302",
            "http://portal.example/login",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
            "200",
            "ordinary web server",
        ),
        ("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", "413", "bodies of this size"),
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "502", "in trouble"),
    ] {
        let error = told(answer).await;
        assert_eq!(error.code(), "unreachable", "{error}");
        assert!(error.is_retryable(), "a captive portal goes away by itself");
        let text = error.to_string();
        assert!(text.contains(status) && text.contains(meaning) && text.contains("hub.test"), "{text}");
    }
}

#[tokio::test]
async fn what_is_no_http_or_breaks_the_rules_is_a_protocol_error() {
    for answer in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.pocketsync.frames.v1\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.pocketsync.frames.v1\r\n\
         Pocketsync-Up: 1\r\nPocketsync-Down: 0\r\nContent-Length: 3\r\n\r\n\0\0\0",
        "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.pocketsync.frames.v1\r\n\
         Pocketsync-Up: 1\r\nPocketsync-Down: 7\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.pocketsync.frames.v1\r\n\
         Pocketsync-Up: 99\r\nPocketsync-Down: 0\r\nContent-Length: 0\r\n\r\n",
    ] {
        let error = told(answer).await;
        assert_eq!(error.code(), "protocol", "{answer}: {error}");
    }
    let huge = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.pocketsync.frames.v1\r\n\
                Pocketsync-Up: 1\r\nPocketsync-Down: 0\r\nContent-Length: 4\r\n\r\n\x7f\x7f\x7f\x7f";
    assert_eq!(told(huge).await.code(), "frame_too_large");
}

#[tokio::test]
async fn a_hub_that_has_forgotten_the_link_is_a_lost_link() {
    let error = told(problem(404, "unknown_link", "")).await;
    assert_eq!(error.code(), "lost");
    assert!(error.to_string().contains("forgotten"), "{error}");
}

#[tokio::test]
async fn a_refusal_ends_the_session_with_what_it_says() {
    let mut client = asked(problem(503, "overloaded", r#","retry_after_ms":5000"#)).await;
    let frame = client.stream.next().await.unwrap().unwrap();
    let said = Assembler::new(1_000).push(frame).unwrap();
    let error =
        WireError { code: ErrorCode::Overloaded, message: "because".to_owned(), retry_after_ms: Some(5_000) };
    assert_eq!(said, Some(Message::Error(error)));
    assert!(client.stream.next().await.unwrap().is_err());
}

#[tokio::test]
async fn nobody_there_is_told_when_connecting() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = ends::Tcp::to(listener.local_addr().unwrap());
    drop(listener);
    let error = pocketsync_http::client(nobody, &url(), HttpConfig::default(), world()).await.unwrap_err();
    assert_eq!(error.code(), "unreachable");
}

#[test]
fn good_addresses_come_apart_and_together_again() {
    for (text, tls, host, port, path, shown) in [
        ("http://localhost:9320", false, "localhost", 9320, "/", "http://localhost:9320/"),
        ("https://hub.example/a/b?c=d", true, "hub.example", 443, "/a/b?c=d", "https://hub.example/a/b?c=d"),
        ("HTTP://hub.example", false, "hub.example", 80, "/", "http://hub.example/"),
        ("http://[::1]:9320/x", false, "::1", 9320, "/x", "http://[::1]:9320/x"),
        ("https://[2001:db8::7]", true, "2001:db8::7", 443, "/", "https://[2001:db8::7]/"),
        ("http://127.0.0.1:80/", false, "127.0.0.1", 80, "/", "http://127.0.0.1/"),
    ] {
        let url: HttpUrl = text.parse().unwrap();
        assert_eq!((url.is_tls(), url.host(), url.port(), url.path()), (tls, host, port, path));
        assert_eq!(url.to_string(), shown);
        assert_eq!(shown.parse::<HttpUrl>().unwrap(), url);
    }
}

#[test]
fn bad_addresses_say_what_is_wrong() {
    for (text, expected) in [
        ("localhost:9320", "http://localhost:9320"),
        ("ws://hub.example/x", "http://hub.example/x"),
        ("wss://hub.example", "https://hub.example"),
        ("ftp://hub.example", "ftp://"),
        ("http://", "no host"),
        ("http://:9320", "no host"),
        ("http://hub.example:0", "port"),
        ("http://hub.example:", "port"),
        ("http://user:secret@hub.example", "token"),
        ("http://hub.example/#part", "fragment"),
        ("http://hub example", "not a URL"),
    ] {
        let error = text.parse::<HttpUrl>().expect_err(text);
        assert_eq!(error.code(), "misconfigured");
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
}
