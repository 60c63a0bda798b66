//! What hostile clients do. Each checks what the hub says to it.

use std::time::{Duration, Instant, SystemTime};

use futures::{AsyncReadExt, AsyncWriteExt};
use pocketsync::change::{CellChange, Changeset, RowChange, TableChanges};
use pocketsync::clock::{Hlc, Version};
use pocketsync::id::{RowId, SiteId};
use pocketsync::lineage::Cursor;
use pocketsync::merge::Life;
use pocketsync::store::RefusalReason;
use pocketsync::wire::{Body, ErrorCode, MAX_COMPRESSED_BYTES, Message, Push};
use pocketsync::{Bytes, Scope, Value};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncReadCompatExt;

use crate::stage::{Raw, Stage, lineage, scope, site};

fn now_ms() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64
}

/// Rows by somebody, under these ids.
fn rows(by: SiteId, ids: impl Iterator<Item = RowId>, title: &Value) -> Changeset {
    let version = Version::new(Hlc::from_ms(now_ms()), by);
    let row = |id| {
        let cells = vec![CellChange { column: 0, version, value: title.clone() }];
        RowChange { id, life: Life::born(version), cells }
    };
    let rows = ids.map(row).collect();
    Changeset {
        tables: vec![TableChanges { name: "note".to_owned(), columns: vec!["title".to_owned()], rows }],
    }
}

fn named(id: &str) -> RowId {
    RowId::Natural([Value::text(id)].into())
}

fn push(from: u64, body: Body) -> Message {
    let (from, to) = (lineage().cursor_at(from), lineage().cursor_at(from + 1));
    Message::Push(Push { from, to, last: true, body })
}

fn address(stage: &Stage) -> String {
    stage.hub.address().to_owned()
}

/// Tokens that are none, and good ones in the wrong place.
pub(crate) async fn bad_tokens(stage: &Stage) {
    for n in 0..200 {
        let mut raw = Raw::connect(stage).await;
        raw.say(&Raw::hello(&format!("pocketsync_{n:064}"), site(n), scope())).await;
        assert_eq!(raw.end().await.unwrap().code, ErrorCode::Unauthorized);
        let mut raw = Raw::connect(stage).await;
        raw.say(&Raw::hello(&stage.token("mallory"), site(n), Scope::new("payroll").unwrap())).await;
        assert_eq!(raw.end().await.unwrap().code, ErrorCode::Forbidden);
    }
}

/// The sites of others, claimed; writes and rows in the name of others.
pub(crate) async fn forged_sites(stage: &Stage, honest: SiteId) {
    for n in 0..100 {
        let mut raw = Raw::connect(stage).await;
        raw.say(&Raw::hello(&stage.token("mallory"), honest, scope())).await;
        assert_eq!(raw.end().await.unwrap().code, ErrorCode::SiteTaken);
        let mut raw = Raw::join(stage, "mallory", site(1_000)).await;
        let forged = match n % 2 {
            0 => rows(honest, [named("forged")].into_iter(), &Value::text("by somebody else")),
            _ => {
                let id = RowId::Surrogate { site: honest, counter: 1 << 40 };
                rows(site(1_000), [id].into_iter(), &Value::text("in the name of somebody else"))
            }
        };
        raw.say(&push(0, Body::seal(&forged, false))).await;
        loop {
            match raw.hear().await.expect("the session goes on") {
                Message::Refused(refused) => {
                    assert_eq!(RefusalReason::from(refused.refusals[0].reason), RefusalReason::Relay);
                    break;
                }
                Message::Push(_) | Message::PushSeen(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Frames, messages and rows that are too large.
pub(crate) async fn oversize(stage: &Stage) {
    for n in 0..20 {
        let mut raw = Raw::connect(stage).await;
        raw.frame(Bytes::from(vec![1; 2 << 20])).await;
        // What does not fit into the hub's frames ends the WebSocket, without a word of a session that was none.
        assert_eq!(raw.end().await, None);
        // A message of many frames, from somebody who has not said who it is.
        let mut raw = Raw::connect(stage).await;
        while raw.frame(Bytes::from(vec![0; 64 << 10])).await {
            tokio::task::yield_now().await;
        }
        let ended = raw.end().await;
        assert!(ended.is_none_or(|error| error.code == ErrorCode::TooLarge));
        let mut raw = Raw::join(stage, "mallory", site(2_000 + n)).await;
        let large = rows(site(2_000 + n), [named("large")].into_iter(), &Value::Blob(vec![7; 100 << 10]));
        raw.say(&push(0, Body::seal(&large, false))).await;
        let error = raw.end().await.unwrap();
        assert_eq!(error.code, ErrorCode::TooLarge);
        assert!(error.message.contains("65536"), "{error}");
    }
}

/// Rows as fast as they go, and coming back at once.
pub(crate) async fn flood(stage: &Stage) {
    let us = site(3_000);
    let began = Instant::now();
    let (mut refused, mut taken) = (0, 0);
    while refused < 20 && began.elapsed() < Duration::from_secs(20) {
        let mut raw = Raw::connect(stage).await;
        raw.say(&Raw::hello(&stage.token("mallory"), us, scope())).await;
        let mut from = match raw.hear().await {
            Some(Message::Welcome(welcome)) => welcome.holding.cursor.seq,
            Some(Message::Error(error)) => {
                assert_eq!(error.code, ErrorCode::Overloaded);
                assert!(error.retry_after_ms.is_some_and(|ms| ms > 0), "{error}");
                refused += 1;
                continue;
            }
            other => panic!("{other:?}"),
        };
        // The same rows again and again, so that nobody's file grows.
        let ids = || (0..500).map(|n| named(&format!("flood {n}")));
        while raw.say(&push(from, Body::seal(&rows(us, ids(), &Value::Integer(from as i64)), true))).await {
            from += 1;
            taken += 500;
            let heard = tokio::time::timeout(Duration::from_millis(20), raw.hear()).await;
            if let Ok(Some(Message::Error(error))) = heard {
                assert_eq!(error.code, ErrorCode::Overloaded, "{error}");
                refused += 1;
                break;
            }
        }
    }
    assert!(refused >= 20, "{taken} rows, and nobody says that it is too much");
}

/// Bytes without a meaning, in frames and on bare sockets.
pub(crate) async fn garbage(stage: &Stage) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    for n in 0..200usize {
        let noise: Vec<u8> = (0..n + 1).map(|_| random()).collect();
        let mut raw = Raw::connect(stage).await;
        let mut frame = vec![1];
        frame.extend(&noise);
        raw.frame(frame.into()).await;
        let code = raw.end().await.unwrap().code;
        assert!(matches!(code, ErrorCode::BadMessage | ErrorCode::TooLarge | ErrorCode::Protocol), "{code}");
        let mut socket = TcpStream::connect(address(stage)).await.unwrap().compat();
        if socket.write_all(&noise).await.is_ok() {
            let _gone = socket.close().await;
            let mut answer = Vec::new();
            let _reset = socket.read_to_end(&mut answer).await;
        }
    }
}

/// What a session has said, said again.
pub(crate) async fn replay(stage: &Stage) {
    let us = site(4_000);
    let hello = Raw::hello(&stage.token("mallory"), us, scope());
    let first = push(0, Body::seal(&rows(us, [named("mine")].into_iter(), &Value::text("once")), false));
    for n in 0..100 {
        let mut raw = Raw::connect(stage).await;
        raw.say(&hello).await;
        assert!(matches!(raw.hear().await, Some(Message::Welcome(_))));
        raw.say(&first).await;
        loop {
            match raw.hear().await {
                Some(Message::Ack(ack)) => {
                    assert!(ack.cursor == lineage().cursor_at(1));
                    break;
                }
                // The hub stands elsewhere: it has had this.
                Some(Message::Error(error)) => {
                    assert!(n > 0 && error.code == ErrorCode::Gap, "{error}");
                    break;
                }
                Some(_) => {}
                None => panic!("nobody answers"),
            }
        }
    }
}

/// Sessions that neither read nor answer any more. Answers when the hub has let go of the last one.
pub(crate) async fn half_open(stage: &Stage) {
    let mut silent = Vec::new();
    for n in 0..100 {
        silent.push(Raw::join(stage, "mallory", site(5_000 + n)).await);
    }
    // They do not answer when they are asked whether they are there.
    tokio::time::sleep(Duration::from_secs(8)).await;
    for raw in &mut silent {
        let error = raw.end().await;
        assert!(error.is_none_or(|error| error.code == ErrorCode::Timeout));
    }
}

/// A thousand connections that say nothing: half of them bare, half after the upgrade.
pub(crate) async fn silence(stage: &Stage) {
    let mut bare = Vec::new();
    let mut upgraded = Vec::new();
    for _ in 0..500 {
        bare.push(TcpStream::connect(address(stage)).await.unwrap());
        upgraded.push(Raw::connect(stage).await);
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    for raw in &mut upgraded {
        assert_eq!(raw.end().await.unwrap().code, ErrorCode::Timeout);
    }
    drop(bare);
}

/// Pushes that are small and stand for much.
pub(crate) async fn bombs(stage: &Stage) {
    for (n, claimed) in
        [(64 << 20) - 1024, 1 << 30, MAX_COMPRESSED_BYTES + 1, MAX_COMPRESSED_BYTES].into_iter().enumerate()
    {
        for m in 0..5 {
            let us = site(6_000 + n as u32 * 10 + m);
            let mut raw = Raw::join(stage, "mallory", us).await;
            raw.say(&push(0, Body::Lz4(bomb(claimed)))).await;
            let error = raw.end().await.unwrap();
            assert!(matches!(error.code, ErrorCode::BadMessage | ErrorCode::TooLarge), "{error}");
        }
    }
}

/// An LZ4 block of so many zeros, behind their number.
fn bomb(len: usize) -> Bytes {
    let mut bytes = Vec::new();
    let mut rest = len;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    // One zero, and then the byte before it, again and again; five bytes stand as they are at the end.
    let copied = len - 6 - 4 - 15;
    bytes.extend([0x1f, 0, 1, 0]);
    bytes.extend(std::iter::repeat_n(255, copied / 255));
    bytes.push((copied % 255) as u8);
    bytes.extend([0x50, 0, 0, 0, 0, 0]);
    bytes.into()
}

/// Positions that cannot be.
pub(crate) async fn lies(stage: &Stage) {
    for n in 0..50 {
        let us = site(7_000 + n);
        let mut raw = Raw::join(stage, "mallory", us).await;
        let far = Cursor::at(u64::MAX - 1, lineage().cursor_at(1).stamp);
        let lie = match n % 3 {
            0 => Message::Ack(pocketsync::wire::Ack { cursor: far }),
            1 => Message::Push(Push { from: far.clone(), to: far, last: true, body: Body::Empty }),
            _ => {
                Message::Refused(pocketsync::wire::Refused { from: far, refusals: Vec::new(), states: None })
            }
        };
        raw.say(&lie).await;
        let code = raw.end().await.unwrap().code;
        assert!(matches!(code, ErrorCode::BadMessage | ErrorCode::Gap), "{code}");
    }
}
