//! What a client should not do: it is told what is wrong, and the hub goes on.
#![cfg(feature = "hub")]

mod ends;

use std::time::{Duration, Instant};

use bytes::Bytes;
use ends::{hub, impatient, listen};
use futures::channel::mpsc;
use futures::{FutureExt, SinkExt, StreamExt};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use pocketsync_core::transport::Transport;
use pocketsync_http::{HttpHub, HttpHubOptions, Identity, MEDIA_TYPE};
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncReadCompatExt;

const LINK: &str = "00112233445566778899aabbccddeeff";

type Arrivals = mpsc::UnboundedReceiver<(Transport, Option<String>)>;

fn quick() -> HttpHubOptions {
    let mut options = impatient();
    options.hold_timeout = Duration::from_millis(200);
    options.header_timeout = Duration::from_millis(400);
    options.body_timeout = Duration::from_millis(400);
    options.stall_timeout = Duration::from_millis(400);
    options
}

/// A request by hand; `down` below 0 asks for no frames.
struct Post<'a> {
    link: &'a str,
    up: i64,
    down: i64,
    wait_ms: u64,
    end: bool,
    frames: &'a [&'a [u8]],
    identity: Option<&'a str>,
}

const POST: Post<'static> =
    Post { link: LINK, up: 0, down: 0, wait_ms: 0, end: false, frames: &[], identity: None };

fn body(frames: &[&[u8]]) -> Bytes {
    let mut body = Vec::new();
    for frame in frames {
        body.extend((frame.len() as u32).to_be_bytes());
        body.extend(*frame);
    }
    body.into()
}

impl Post<'_> {
    fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::post("/")
            .header("pocketsync-link", self.link)
            .header("pocketsync-up", self.up)
            .header("pocketsync-wait", self.wait_ms)
            .header(CONTENT_TYPE, MEDIA_TYPE)
            .header(ACCEPT, MEDIA_TYPE);
        if self.down >= 0 {
            request = request.header("pocketsync-down", self.down);
        }
        if self.end {
            request = request.header("pocketsync-end", "1");
        }
        if let Some(identity) = self.identity {
            request = request.extension(Identity::new(identity));
        }
        request.body(Full::new(body(self.frames))).unwrap()
    }

    async fn to(&self, hub: &HttpHub) -> Response<Full<Bytes>> {
        hub.respond(self.request()).await
    }
}

async fn bytes(response: Response<Full<Bytes>>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

/// Checks a refusal, and gives its detail.
async fn refused(response: Response<Full<Bytes>>, status: StatusCode, code: &str) -> String {
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    let got = response.status();
    let problem: Json = serde_json::from_slice(&bytes(response).await).unwrap();
    assert_eq!((got, problem["code"].as_str()), (status, Some(code)), "{problem}");
    assert_eq!(problem["status"], status.as_u16());
    problem["detail"].as_str().unwrap().to_owned()
}

/// What an answer confirms, and its frames' bytes.
async fn answered(response: Response<Full<Bytes>>) -> (u64, Bytes) {
    assert_eq!(response.status(), StatusCode::OK);
    let up = response.headers()["pocketsync-up"].to_str().unwrap().parse().unwrap();
    (up, bytes(response).await)
}

async fn received(hub: &mut Transport) -> Vec<Bytes> {
    let mut frames = Vec::new();
    while let Some(Some(frame)) = hub.stream.next().now_or_never() {
        frames.push(frame.unwrap());
    }
    frames
}

async fn opened(options: HttpHubOptions) -> (HttpHub, Arrivals, Transport) {
    let (hub, mut arrivals) = hub(options);
    answered(POST.to(&hub).await).await;
    let (end, identity) = arrivals.next().await.unwrap();
    assert_eq!(identity, None);
    (hub, arrivals, end)
}

#[tokio::test]
async fn a_repeated_request_delivers_once_and_is_answered_the_same() {
    let (hub, _arrivals, mut end) = opened(quick()).await;
    let post = Post { frames: &[b"one", b"two"], ..POST };
    end.sink.send("down".into()).await.unwrap();
    let first = answered(post.to(&hub).await).await;
    assert_eq!(first, (2, body(&[b"down"])));
    for _ in 0..3 {
        assert_eq!(answered(post.to(&hub).await).await, first);
    }
    // One that carries on, and repeats a part.
    let more = Post { up: 1, frames: &[b"two", b"three"], ..POST };
    assert_eq!(answered(more.to(&hub).await).await.0, 3);
    assert_eq!(received(&mut end).await, ["one", "two", "three"]);
}

#[tokio::test]
async fn frames_down_stay_until_they_are_confirmed() {
    let (hub, _arrivals, mut end) = opened(quick()).await;
    end.sink.send("zero".into()).await.unwrap();
    end.sink.send("one".into()).await.unwrap();
    assert_eq!(answered(POST.to(&hub).await).await.1, body(&[b"zero", b"one"]));
    assert_eq!(answered(POST.to(&hub).await).await.1, body(&[b"zero", b"one"]), "the answer was lost");
    assert_eq!(answered(Post { down: 1, ..POST }.to(&hub).await).await.1, body(&[b"one"]));
    assert_eq!(answered(Post { down: 2, ..POST }.to(&hub).await).await.1, body(&[]));
}

#[tokio::test]
async fn numbers_that_cannot_be_are_refused() {
    let (hub, _arrivals, mut end) = opened(quick()).await;
    end.sink.send("zero".into()).await.unwrap();
    answered(Post { down: 1, ..POST }.to(&hub).await).await;
    let ahead = Post { down: 2, ..POST }.to(&hub).await;
    refused(ahead, StatusCode::CONFLICT, "out_of_step").await;
    let behind = Post { down: 0, ..POST }.to(&hub).await;
    assert!(refused(behind, StatusCode::CONFLICT, "out_of_step").await.contains("confirmed before"));
    let gap = Post { up: 7, down: 1, frames: &[b"x"], ..POST }.to(&hub).await;
    refused(gap, StatusCode::CONFLICT, "frames_missing").await;
    let huge = Post { up: i64::MAX, down: 1, ..POST }.to(&hub).await;
    refused(huge, StatusCode::BAD_REQUEST, "bad_message").await;
    assert!(received(&mut end).await.is_empty(), "nothing of it was delivered");
    // The link has taken no harm.
    assert_eq!(answered(Post { down: 1, frames: &[b"fine"], ..POST }.to(&hub).await).await.0, 1);
}

#[tokio::test]
async fn frames_that_come_early_wait_for_those_before_them() {
    let (hub, _arrivals, mut end) = opened(HttpHubOptions::default()).await;
    let early = Post { up: 1, down: -1, frames: &[b"one"], ..POST };
    let first = Post { up: 0, down: -1, frames: &[b"zero"], ..POST };
    let late = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        first.to(&hub).await
    };
    let (early, first) = tokio::join!(early.to(&hub), late);
    assert_eq!((answered(early).await.0, answered(first).await.0), (2, 1));
    assert_eq!(received(&mut end).await, ["zero", "one"]);
}

#[tokio::test]
async fn after_the_end_there_is_nothing() {
    let (hub, _arrivals, mut end) = opened(quick()).await;
    answered(Post { frames: &[b"last"], end: true, ..POST }.to(&hub).await).await;
    let more = Post { up: 1, frames: &[b"more"], ..POST }.to(&hub).await;
    refused(more, StatusCode::CONFLICT, "out_of_step").await;
    let earlier = Post { up: 0, end: true, ..POST }.to(&hub).await;
    answered(earlier).await;
    assert_eq!(received(&mut end).await, ["last"]);
    end.sink.close().await.unwrap();
    let last = Post { up: 1, end: true, ..POST }.to(&hub).await;
    assert_eq!(last.headers()["pocketsync-end"], "1");
    drop(end);
    let again = POST.to(&hub).await;
    refused(again, StatusCode::GONE, "link_closed").await;
}

#[tokio::test]
async fn the_last_request_is_answered_although_the_session_has_gone() {
    let (hub, _arrivals, mut end) = opened(quick()).await;
    let last = Post { frames: &[b"bye"], end: true, wait_ms: 5_000, ..POST };
    let session = async {
        while end.stream.next().await.is_some() {}
        drop(end);
    };
    let (answer, ()) = tokio::join!(last.to(&hub), session);
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["pocketsync-end"], "1");
    refused(last.to(&hub).await, StatusCode::GONE, "link_closed").await;
}

#[tokio::test]
async fn links_that_nobody_knows_and_names_that_are_none() {
    let (hub, mut arrivals) = hub(quick());
    for (up, down) in [(1, 0), (0, 1), (0, -1)] {
        refused(Post { up, down, ..POST }.to(&hub).await, StatusCode::NOT_FOUND, "unknown_link").await;
    }
    for link in ["", "0", "zz112233445566778899aabbccddeeff", "00112233445566778899aabbccddeeff00"] {
        refused(Post { link, ..POST }.to(&hub).await, StatusCode::BAD_REQUEST, "bad_message").await;
    }
    assert!(arrivals.next().now_or_never().is_none(), "no session was made for any of it");
    // A link whose session vanished is forgotten, and one that idles.
    answered(POST.to(&hub).await).await;
    drop(arrivals.next().await.unwrap());
    refused(Post { down: 0, up: 1, ..POST }.to(&hub).await, StatusCode::NOT_FOUND, "unknown_link").await;
    answered(POST.to(&hub).await).await;
    let (mut end, _) = arrivals.next().await.unwrap();
    let began = Instant::now();
    assert_eq!(end.stream.next().await.unwrap().unwrap_err().code(), "lost");
    assert!(began.elapsed() >= Duration::from_millis(900));
    refused(Post { up: 1, ..POST }.to(&hub).await, StatusCode::NOT_FOUND, "unknown_link").await;
}

#[tokio::test]
async fn a_link_belongs_to_the_identity_that_opened_it() {
    let (hub, mut arrivals) = hub(quick());
    let mine = Post { identity: Some("alice"), ..POST };
    answered(mine.to(&hub).await).await;
    let (_end, identity) = arrivals.next().await.unwrap();
    assert_eq!(identity.as_deref(), Some("alice"));
    for identity in [Some("mallory"), None] {
        let theirs = Post { identity, frames: &[b"forged"], ..POST };
        refused(theirs.to(&hub).await, StatusCode::FORBIDDEN, "forbidden").await;
    }
}

#[tokio::test]
async fn bodies_that_are_too_large_or_no_frames_are_refused() {
    let mut options = quick();
    options.max_frame_bytes = 1_000;
    options.max_body_bytes = 3_000;
    let (hub, _arrivals, mut end) = opened(options).await;
    let large = Post { frames: &[&[7; 1_001]], ..POST }.to(&hub).await;
    refused(large, StatusCode::PAYLOAD_TOO_LARGE, "too_large").await;
    let many = Post { frames: &[&[7; 1_000][..]; 4], ..POST }.to(&hub).await;
    refused(many, StatusCode::PAYLOAD_TOO_LARGE, "too_large").await;
    for noise in [&b"x"[..], &[0, 0, 0, 9, 1], &[255; 400]] {
        let mut request = POST.request();
        *request.body_mut() = Full::new(Bytes::copy_from_slice(noise));
        let response = hub.respond(request).await;
        assert!(response.status().is_client_error(), "{noise:?}");
    }
    let mut request = Post { frames: &[b"x"], ..POST }.request();
    request.headers_mut().insert(CONTENT_TYPE, "text/plain".parse().unwrap());
    refused(hub.respond(request).await, StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad_message").await;
    let mut request = POST.request();
    *request.method_mut() = Method::DELETE;
    assert_eq!(hub.respond(request).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(received(&mut end).await.is_empty());
}

#[tokio::test]
async fn a_hub_takes_no_more_than_it_can_hold() {
    let mut options = quick();
    options.max_links = 2;
    options.max_buffered_bytes = 100_000;
    options.max_link_bytes = 30_000;
    let (hub, mut arrivals) = hub(options);
    let names = ["aa", "bb", "cc"].map(|digits| digits.repeat(16));
    for name in &names[..2] {
        answered(Post { link: name, ..POST }.to(&hub).await).await;
    }
    let third = Post { link: &names[2], ..POST }.to(&hub).await;
    assert_eq!(third.headers()[RETRY_AFTER], "5");
    refused(third, StatusCode::SERVICE_UNAVAILABLE, "overloaded").await;

    // A session that does not read: what it has not taken is bounded, and the client hears how much.
    let frame = [7; 10_000];
    let flood = Post { link: &names[0], frames: &[&frame[..]; 2], ..POST };
    assert_eq!(answered(flood.to(&hub).await).await.0, 2);
    let more = Post { up: 2, link: &names[0], frames: &[&frame[..]; 2], ..POST };
    assert_eq!(answered(more.to(&hub).await).await.0, 2, "not taken, and no error");
    let mut end = arrivals.next().await.unwrap().0;
    assert_eq!(received(&mut end).await.len(), 2);
    assert_eq!(answered(more.to(&hub).await).await.0, 4, "once there is room, they are");

    // What waits to go down is bounded as well.
    let mut sent = 0;
    while end.sink.feed(Bytes::from_static(&[1; 1_000])).now_or_never().is_some() {
        sent += 1;
        assert!(sent < 100, "a hub that buffers for a client that does not read");
    }
}

#[tokio::test]
async fn a_link_has_a_few_requests_under_way_and_no_more() {
    let (hub, _arrivals, _end) = opened(quick()).await;
    let poll = Post { wait_ms: 5_000, ..POST };
    let (first, second) = (poll.to(&hub), poll.to(&hub));
    let mut first = Box::pin(first);
    assert!(first.as_mut().now_or_never().is_none(), "a poll is held");
    let mut second = Box::pin(second);
    assert!(second.as_mut().now_or_never().is_none());
    assert!(answered(first.await).await.1.is_empty(), "the newer one took its place");

    let push = || Post { up: 9, down: -1, frames: &[b"early"], ..POST };
    let mut held = Vec::new();
    for _ in 0..3 {
        let hub = hub.clone();
        let mut asking = Box::pin(async move { push().to(&hub).await });
        assert!(asking.as_mut().now_or_never().is_none());
        held.push(asking);
    }
    let fifth = push().to(&hub).await;
    assert!(fifth.headers().contains_key(RETRY_AFTER));
    refused(fifth, StatusCode::TOO_MANY_REQUESTS, "too_many_requests").await;
    // Requests that are dropped count no more.
    held.clear();
    assert_eq!(answered(Post { down: -1, frames: &[b"fine"], ..POST }.to(&hub).await).await.0, 1);
}

/// Sends bytes on a fresh connection, and reads until the hub closes it.
async fn raw(address: std::net::SocketAddr, pieces: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    for piece in pieces {
        // The hub may have closed it already.
        let _gone = stream.write_all(piece).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the hub kept the connection: {}", String::from_utf8_lossy(&answer));
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn whoever_is_slow_or_speaks_no_http_is_let_go_and_the_hub_stays() {
    let (hub, _arrivals, _end) = opened(quick()).await;
    let address = listen(&hub).await;
    // Nothing at all; a header that never ends; noise; a flood of header.
    assert_eq!(raw(address, &[]).await, "");
    raw(address, &[b"POST / HTTP/1.1\r\n", b"Host: hub\r\n", b"X: "]).await;
    let noise = raw(address, &[&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3], b"\r\n\r\n"]).await;
    assert!(noise.is_empty() || noise.starts_with("HTTP/1.1 400"), "{noise}");
    let flood = vec![b'a'; 200_000];
    raw(address, &[b"GET / HTTP/1.1\r\nX: ", &flood]).await;
    // A body that never ends.
    let head = format!(
        "POST / HTTP/1.1\r\nHost: hub\r\nPocketsync-Link: {LINK}\r\nPocketsync-Up: 0\r\nContent-Length: 100\r\n\r\n"
    );
    let slow = raw(address, &[head.as_bytes(), b"\0\0\0"]).await;
    assert!(slow.starts_with("HTTP/1.1 408"), "{slow}");
    // A length that lies costs no memory: it is refused from the header.
    let lie = head.replace("Content-Length: 100", "Content-Length: 99999999999");
    let lie = raw(address, &[lie.as_bytes()]).await;
    assert!(lie.starts_with("HTTP/1.1 413"), "{lie}");
    // Chunks that go on and on.
    let chunked = head.replace("Content-Length: 100", "Transfer-Encoding: chunked");
    let chunk = [b"40000\r\n".to_vec(), vec![7; 0x40000], b"\r\n".to_vec()].concat();
    let chunks: Vec<&[u8]> = std::iter::once(chunked.as_bytes()).chain([&chunk[..]; 10]).collect();
    raw(address, &chunks).await;

    let fine = raw(address, &[b"GET /health HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n"]).await;
    assert!(fine.starts_with("HTTP/1.1 200"), "{fine}");
    let metrics =
        bytes(hub.respond(Request::get("/metrics").body(Full::<Bytes>::default()).unwrap()).await).await;
    let metrics = String::from_utf8(metrics.to_vec()).unwrap();
    assert!(metrics.contains("pocketsync_http_buffered_bytes 0\n"), "what was begun is let go of: {metrics}");
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_is_let_go() {
    let (hub, _arrivals, mut end) = opened(quick()).await;
    end.sink.send(vec![7; 500_000].into()).await.unwrap();
    let (mut ours, theirs) = tokio::io::duplex(1_000);
    let served = tokio::spawn(async move { hub.serve(theirs.compat()).await });
    let head = format!(
        "POST / HTTP/1.1\r\nHost: hub\r\nPocketsync-Link: {LINK}\r\nPocketsync-Up: 0\r\nPocketsync-Down: 0\r\n\r\n"
    );
    ours.write_all(head.as_bytes()).await.unwrap();
    let outcome = tokio::time::timeout(Duration::from_secs(5), served).await.unwrap().unwrap();
    assert_eq!(outcome.unwrap_err().code(), "lost");
}
