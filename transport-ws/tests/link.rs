//! What an open link promises.

mod pair;

use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use bytes::Bytes;
use futures::{AsyncWriteExt, FutureExt, SinkExt, StreamExt};
use pair::{memory, open, tcp};
use pocketsync_core::transport::{Transport, TransportError};
use pocketsync_ws::{SUBPROTOCOL, WsConfig};
use tokio::io::DuplexStream;
use tokio_util::compat::Compat;

/// A foreign WebSocket client that shook hands with our hub side.
async fn foreign(config: WsConfig) -> (WebSocketStream<Compat<DuplexStream>>, Transport) {
    let (ours, theirs) = memory(64 * 1024);
    let mut request = "ws://hub.test/".into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
    let (client, hub) =
        tokio::join!(async_tungstenite::client_async(request, ours), pocketsync_ws::accept(theirs, config));
    (client.unwrap().0, hub.unwrap())
}

fn lost(error: TransportError) {
    assert_eq!(error.code(), "lost", "{error}");
}

#[tokio::test]
async fn frames_keep_their_boundaries_and_their_order_both_ways_at_once() {
    for streams in [true, false] {
        let (device, hub) = match streams {
            true => open(memory(1000), WsConfig::default()).await.unwrap(),
            false => open(tcp().await, WsConfig::default()).await.unwrap(),
        };
        let frame = |n: usize| Bytes::from(vec![n as u8; n * n % 70_000]);
        let exchange = |mut link: Transport| async move {
            let send = async {
                for n in 0..300 {
                    link.sink.send(frame(n)).await.unwrap();
                }
            };
            let frames = link.stream.by_ref().take(300).map(Result::unwrap).collect::<Vec<Bytes>>();
            let ((), frames) = tokio::join!(send, frames);
            assert!(frames.iter().enumerate().all(|(n, got)| *got == frame(n)));
            link
        };
        let (mut device, mut hub) = tokio::join!(exchange(device), exchange(hub));
        let (closed, rest) = tokio::join!(device.sink.close(), hub.stream.next());
        assert!(closed.is_ok() && rest.is_none());
    }
}

#[tokio::test]
async fn the_largest_frame_passes_and_one_byte_more_is_refused_by_the_sender() {
    let config = WsConfig::default().max_frame_bytes(1000);
    let (mut device, mut hub) = open(memory(100), config).await.unwrap();
    assert_eq!((device.max_frame_bytes, hub.max_frame_bytes), (1000, 1000));
    let (sent, got) = tokio::join!(device.sink.send(vec![7; 1000].into()), hub.stream.next());
    sent.unwrap();
    assert_eq!(got.unwrap().unwrap().len(), 1000);
    let refused = device.sink.send(vec![7; 1001].into()).await.unwrap_err();
    assert_eq!(refused, TransportError::FrameTooLarge { bytes: 1001, limit: 1000 });
    let (sent, got) = tokio::join!(device.sink.send(Bytes::new()), hub.stream.next());
    sent.unwrap();
    assert!(got.unwrap().unwrap().is_empty(), "the link survives a refusal, and an empty frame is one");
}

#[tokio::test]
async fn an_oversized_message_is_an_error_and_the_sender_is_told() {
    let (mut client, mut hub) = foreign(WsConfig::default().max_frame_bytes(1000)).await;
    client.send(Message::binary(vec![0; 1001])).await.unwrap();
    let error = hub.stream.next().await.unwrap().unwrap_err();
    assert_eq!(error, TransportError::FrameTooLarge { bytes: 1001, limit: 1000 });
    assert!(hub.stream.next().await.is_none());
    let Some(Ok(Message::Close(Some(reason)))) = client.next().await else { panic!("no close") };
    assert_eq!(reason.code, CloseCode::Size);
}

#[tokio::test]
async fn an_oversized_message_in_fragments_is_an_error_too() {
    let (client, mut hub) = foreign(WsConfig::default().max_frame_bytes(300)).await;
    let mut raw = client.into_inner();
    for first_byte in [0x02, 0x00] {
        // 200 bytes under an empty mask, more to follow.
        raw.write_all(&[first_byte, 0x80 | 126, 0, 200, 0, 0, 0, 0]).await.unwrap();
        raw.write_all(&[1; 200]).await.unwrap();
    }
    let error = hub.stream.next().await.unwrap().unwrap_err();
    assert_eq!(error, TransportError::FrameTooLarge { bytes: 400, limit: 300 });
}

#[tokio::test]
async fn a_length_that_lies_costs_no_memory() {
    let (client, mut hub) = foreign(WsConfig::default()).await;
    let mut raw = client.into_inner();
    raw.write_all(&[0x82, 0x80 | 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])
        .await
        .unwrap();
    let error = hub.stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), "frame_too_large", "{error}");
}

#[tokio::test]
async fn a_text_message_is_an_error_and_the_sender_is_told() {
    let (mut client, mut hub) = foreign(WsConfig::default()).await;
    client.send(Message::text("hello")).await.unwrap();
    let error = hub.stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), "protocol", "{error}");
    assert!(hub.stream.next().await.is_none(), "an error is the end");
    let Some(Ok(Message::Close(Some(reason)))) = client.next().await else { panic!("no close") };
    assert_eq!(reason.code, CloseCode::Unsupported);
}

#[tokio::test]
async fn pings_are_answered_and_are_no_frames() {
    let (mut client, mut hub) = foreign(WsConfig::default()).await;
    client.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();
    client.send(Message::binary("frame")).await.unwrap();
    assert_eq!(hub.stream.next().await.unwrap().unwrap(), "frame");
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong(Bytes::from_static(b"there?")));
}

#[tokio::test]
async fn garbage_instead_of_a_message_is_a_protocol_error() {
    let (client, mut hub) = foreign(WsConfig::default()).await;
    let mut raw = client.into_inner();
    raw.write_all(&[0xff; 64]).await.unwrap();
    let error = hub.stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), "protocol", "{error}");
}

#[tokio::test]
async fn a_close_ends_the_stream_and_whoever_still_sends_hears_of_it() {
    let (mut device, mut hub) = open(tcp().await, WsConfig::default()).await.unwrap();
    device.sink.send("last words".into()).await.unwrap();
    device.sink.close().await.unwrap();
    assert_eq!(hub.stream.next().await.unwrap().unwrap(), "last words");
    assert!(hub.stream.next().await.is_none());
    assert!(hub.stream.next().await.is_none(), "and stays ended");
    lost(hub.sink.send("too late".into()).await.unwrap_err());
    hub.sink.close().await.unwrap();
    assert!(device.stream.next().await.is_none(), "the close was answered");
}

#[tokio::test]
async fn a_close_that_complains_is_an_error_with_its_reason() {
    for (code, expected) in [(CloseCode::Policy, "protocol"), (CloseCode::Restart, "lost")] {
        let (mut client, mut hub) = foreign(WsConfig::default()).await;
        client.close(Some(CloseFrame { code, reason: "maintenance".into() })).await.unwrap();
        let error = hub.stream.next().await.unwrap().unwrap_err();
        assert_eq!(error.code(), expected);
        assert!(error.to_string().contains("maintenance"), "{error}");
    }
}

#[tokio::test]
async fn a_socket_that_just_ends_is_a_lost_link() {
    let (device, mut hub) = open(tcp().await, WsConfig::default()).await.unwrap();
    drop(device);
    lost(hub.stream.next().await.unwrap().unwrap_err());
    assert!(hub.stream.next().await.is_none());
}

#[tokio::test]
async fn a_socket_that_ends_inside_a_frame_is_a_lost_link() {
    let (client, mut hub) = foreign(WsConfig::default()).await;
    let mut raw = client.into_inner();
    raw.write_all(&[0x82, 0x80 | 100, 0, 0, 0, 0, 1, 2, 3]).await.unwrap();
    drop(raw);
    lost(hub.stream.next().await.unwrap().unwrap_err());
}

#[tokio::test]
async fn waits_that_are_given_up_lose_no_frame() {
    let (mut device, mut hub) = open(memory(64), WsConfig::default()).await.unwrap();
    let frames: Vec<Bytes> = (0..50u8).map(|n| Bytes::from(vec![n; 150])).collect();
    let mut got = Vec::new();
    for frame in &frames {
        // The pipe holds less than a frame: the send cannot finish, and is dropped half way.
        assert!(device.sink.feed(frame.clone()).now_or_never().unwrap().is_ok());
        assert!(device.sink.flush().now_or_never().is_none());
        // So is a receive that has seen part of a frame.
        assert!(hub.stream.next().now_or_never().is_none());
        let flush = async { device.sink.flush().await.unwrap() };
        got.push(tokio::join!(flush, hub.stream.next()).1.unwrap().unwrap());
    }
    assert_eq!(got, frames);
}

#[tokio::test]
async fn a_slow_reader_holds_up_the_sender() {
    let (mut device, mut hub) = open(memory(1024), WsConfig::default()).await.unwrap();
    let mut sent = 0;
    while futures::future::poll_fn(|cx| device.sink.poll_ready_unpin(cx)).now_or_never().is_some() {
        let _ = device.sink.send(vec![0; 10_000].into()).now_or_never();
        sent += 1;
        assert!(sent < 30, "hundreds of kilobytes were taken in for a reader that reads nothing");
    }
    let flush = async { device.sink.flush().await.unwrap() };
    let read = async {
        for _ in 0..sent {
            hub.stream.next().await.unwrap().unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(5), async { tokio::join!(flush, read) }).await.unwrap();
}
