//! Frames and messages: any cut arrives whole, and what should not be accepted is not.

use crate::generators::{changeset, hlc, site};
use bytes::Bytes;
use pocketsync_core::clock::Hlc;
use pocketsync_core::codec::DecodeError;
use pocketsync_core::conflict::{Seen, SeenStep};
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::{Cursor, Incarnation, Lineage, Stamp};
use pocketsync_core::store::{Holding, Knowledge};
use pocketsync_core::wire::frame::{Assembler, FrameError, cut};
use pocketsync_core::wire::{
    Ack, Body, EarlyPush, ErrorCode, Hello, MAX_HOLDINGS, MAX_REFUSALS, MAX_TOKEN_BYTES, MAX_WITHIN_BYTES,
    Message, Push, PushSeen, Refusal, Refused, Welcome, WireError,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

fn cursor() -> impl Strategy<Value = Cursor> {
    prop_oneof![
        1 => Just(Cursor::ZERO),
        3 => (1u64.., any::<u64>(), vec(any::<u8>(), 0..40))
            .prop_map(|(seq, stamp, within)| Cursor { seq, stamp: Stamp(stamp), within }),
    ]
}

fn lineage() -> impl Strategy<Value = Lineage> {
    btree_map(1u64.., any::<u64>(), 0..Lineage::MAX).prop_map(|openings| {
        let opening = |(first_seq, stamp)| Incarnation { first_seq, stamp: Stamp(stamp) };
        Lineage::new(openings.into_iter().map(opening).collect())
    })
}

fn holding() -> impl Strategy<Value = Holding> {
    (site(), cursor(), lineage(), any::<u64>(), hlc()).prop_map(|(replica, cursor, lineage, counter, hlc)| {
        Holding { replica, cursor, lineage, knowledge: Knowledge { counter, hlc } }
    })
}

fn hello() -> impl Strategy<Value = Message> {
    let who = ("[a-z]{1,20}", option::of("\\PC{0,40}"), site(), lineage(), cursor());
    (who, vec(holding(), 0..4), 256u32.., any::<(u32, bool, u64)>()).prop_map(
        |((scope, token, site, lineage, head), holdings, max_frame_bytes, rest)| {
            Message::Hello(Hello {
                protocol: 1,
                min_protocol: 1,
                scope: Scope::new(scope).unwrap(),
                token,
                site,
                lineage,
                head,
                holdings,
                max_frame_bytes,
                window_bytes: rest.0,
                compression: rest.1,
                wall_ms: rest.2,
            })
        },
    )
}

fn welcome() -> impl Strategy<Value = Message> {
    let numbers = (256u32.., any::<(u16, u32, bool, u64, u64, bool)>());
    (site(), lineage(), cursor(), holding(), cursor(), numbers).prop_map(
        |(site, lineage, head, holding, resumes, (max_frame_bytes, rest))| {
            Message::Welcome(Welcome {
                protocol: rest.0,
                site,
                lineage,
                head,
                holding,
                resumes,
                max_frame_bytes,
                window_bytes: rest.1,
                compression: rest.2,
                wall_ms: rest.3,
                max_drift_ms: rest.4,
                keeps_time: rest.5,
            })
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        1 => Just(Body::Empty),
        2 => vec(any::<u8>(), 0..3000).prop_map(|bytes| Body::Plain(bytes.into())),
        2 => vec(any::<u8>(), 0..300).prop_map(|bytes| Body::Lz4(bytes.into())),
    ]
}

fn seen() -> impl Strategy<Value = Seen> {
    let step = (1u64..1 << 40, option::of(0..u64::MAX), vec((site(), hlc()), 0..3));
    vec(step, 0..5).prop_map(|steps| {
        let (mut seen, mut clock, count) = (Seen::default(), 0, steps.len());
        for (n, (ahead, position, peers)) in steps.into_iter().enumerate() {
            clock += ahead;
            let until = if n + 1 == count { Hlc::MAX } else { Hlc::from_bits(clock) };
            seen.push(SeenStep { until, position, peers });
        }
        seen
    })
}

fn push_seen() -> impl Strategy<Value = Message> {
    (seen(), push()).prop_map(|(seen, push)| match push {
        Message::Push(push) => Message::PushSeen(PushSeen { seen, push }),
        other => other,
    })
}

fn push() -> impl Strategy<Value = Message> {
    (cursor(), cursor(), any::<bool>(), body()).prop_map(|(a, b, last, body)| {
        let (from, to) = if a.seq <= b.seq { (a, b) } else { (b, a) };
        Message::Push(Push { from, to, last, body })
    })
}

fn early() -> impl Strategy<Value = Message> {
    (site(), any::<u64>(), hlc(), push_seen()).prop_map(|(peer, counter, hlc, push)| match push {
        Message::PushSeen(informed) => {
            Message::Early(EarlyPush { peer, offered: Knowledge { counter, hlc }, informed })
        }
        other => other,
    })
}

fn refused() -> impl Strategy<Value = Message> {
    let refusal = (any::<u16>(), body()).prop_map(|(reason, parts)| Refusal { reason, parts });
    (cursor(), vec(refusal, 0..MAX_REFUSALS), option::of(body()))
        .prop_map(|(from, refusals, states)| Message::Refused(Refused { from, refusals, states }))
}

fn message() -> impl Strategy<Value = Message> {
    let error = (any::<u16>(), "\\PC{0,40}", option::of(any::<u64>()))
        .prop_map(|(code, message, retry_after_ms)| WireError { code: code.into(), message, retry_after_ms });
    prop_oneof![
        hello(),
        welcome(),
        push(),
        push_seen(),
        early(),
        refused(),
        cursor().prop_map(|cursor| Message::Ack(Ack { cursor })),
        error.prop_map(Message::Error),
        any::<u64>().prop_map(Message::Ping),
        any::<u64>().prop_map(Message::Pong),
        Just(Message::Bye),
    ]
}

fn encoded(message: &Message) -> Vec<u8> {
    let frames = cut(message, usize::MAX);
    assert_eq!(frames.len(), 1);
    frames[0][1..].to_vec()
}

fn decoded(bytes: Vec<u8>) -> Result<Message, DecodeError> {
    Message::decode(&Bytes::from(bytes))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn messages_survive_their_frames(
        messages in vec(message(), 1..4),
        max_frame_bytes in prop_oneof![Just(0usize), 256..600usize, Just(1 << 20)],
    ) {
        let mut assembler = Assembler::new(1 << 20);
        for message in messages {
            let frames = cut(&message, max_frame_bytes);
            let (last, rest) = frames.split_last().unwrap();
            for frame in rest {
                prop_assert!(frame.len() <= max_frame_bytes.max(256));
                prop_assert_eq!(assembler.push(frame.clone()), Ok(None));
            }
            prop_assert_eq!(assembler.push(last.clone()), Ok(Some(message)));
        }
    }

    /// The special way for pushes reads what serde writes, as serde would.
    #[test]
    fn a_message_is_read_as_postcard_reads_it(message in message()) {
        let bytes = encoded(&message);
        prop_assert_eq!(&postcard::to_allocvec(&message).unwrap(), &bytes);
        prop_assert_eq!(&postcard::from_bytes::<Message>(&bytes).unwrap(), &message);
        prop_assert_eq!(decoded(bytes), Ok(message));
    }

    #[test]
    fn every_prefix_of_a_message_is_an_error(message in message(), extra in any::<u8>()) {
        let mut bytes = encoded(&message);
        let step = (bytes.len() / 100).max(1);
        for len in (0..bytes.len()).step_by(step) {
            prop_assert!(decoded(bytes[..len].to_vec()).is_err(), "{} of {} bytes", len, bytes.len());
        }
        bytes.push(extra);
        prop_assert_eq!(decoded(bytes), Err(DecodeError::TrailingBytes(1)));
    }

    #[test]
    fn damaged_messages_never_panic(
        message in message(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encoded(&message);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = decoded(bytes);
    }

    #[test]
    fn arbitrary_frames_never_panic(frames in vec(vec(any::<u8>(), 0..64), 1..20)) {
        let mut assembler = Assembler::new(256);
        for mut frame in frames {
            if let Some(header) = frame.first_mut() {
                *header &= 1;
            }
            if assembler.push(frame.into()).is_err() {
                break;
            }
        }
    }

    #[test]
    fn changes_arrive_through_frames(changeset in changeset(), compress in any::<bool>()) {
        let body = Body::seal(&changeset, compress);
        let push = Push { from: Cursor::ZERO, to: Cursor::at(1, Stamp(1)), last: true, body };
        let mut assembler = Assembler::new(1 << 20);
        let mut arrived = None;
        for frame in cut(&Message::Push(push), 256) {
            prop_assert!(arrived.is_none());
            arrived = assembler.push(frame).unwrap();
        }
        let Some(Message::Push(push)) = arrived else { panic!("no push arrived") };
        let opened = push.body.open(1 << 20).unwrap();
        if !changeset.is_empty() {
            prop_assert_eq!(opened, changeset);
        }
    }
}

#[test]
fn malformed_frames_are_refused() {
    let push = |bytes: &'static [u8]| Assembler::new(1024).push(Bytes::from_static(bytes));
    assert_eq!(push(b""), Err(FrameError::Empty));
    assert_eq!(push(b"\x01"), Err(FrameError::Empty));
    assert_eq!(push(b"\x00"), Err(FrameError::Empty));
    assert_eq!(push(b"\x03\x07"), Err(FrameError::UnknownHeader(3)));
    assert_eq!(push(b"\x81\x07"), Err(FrameError::UnknownHeader(0x81)));
    assert_eq!(push(b"\x01\x07"), Ok(Some(Message::Bye)));
    assert_eq!(push(b"\x01\x08"), Err(FrameError::Message(DecodeError::Truncated)));
    assert_eq!(push(b"\x01\x09"), Err(FrameError::Message(DecodeError::Truncated)));
    assert_eq!(push(b"\x01\x0a"), Err(FrameError::Message(DecodeError::Truncated)));
    assert_eq!(push(b"\x01\x0b"), Err(FrameError::Message(DecodeError::Invalid("the parts of a message"))));
}

#[test]
fn a_message_over_the_limit_is_refused_before_it_is_complete() {
    let mut assembler = Assembler::new(1000);
    let frame = || Bytes::from([vec![0], vec![9; 400]].concat());
    assert_eq!(assembler.push(frame()), Ok(None));
    assert_eq!(assembler.push(frame()), Ok(None));
    assert_eq!(assembler.push(frame()), Err(FrameError::TooLarge { max_bytes: 1000 }));
    let single = Bytes::from(vec![1; 1002]);
    assert_eq!(Assembler::new(1000).push(single), Err(FrameError::TooLarge { max_bytes: 1000 }));
}

#[test]
fn the_changes_of_a_single_frame_are_not_copied() {
    let body = Body::Plain(Bytes::from(vec![7; 4000]));
    let push = Push { from: Cursor::ZERO, to: Cursor::ZERO, last: true, body };
    let frame = cut(&Message::Push(push), 1 << 20).remove(0);
    let Ok(Some(Message::Push(arrived))) = Assembler::new(1 << 20).push(frame.clone()) else { panic!() };
    let Body::Plain(body) = arrived.body else { panic!() };
    assert!(frame.as_ptr_range().contains(&body.as_ptr()));
}

fn plain_hello() -> Hello {
    Hello {
        protocol: 1,
        min_protocol: 1,
        scope: Scope::new("s").unwrap(),
        token: None,
        site: SiteId::NIL,
        lineage: Lineage::default(),
        head: Cursor::ZERO,
        holdings: Vec::new(),
        max_frame_bytes: 256,
        window_bytes: 0,
        compression: false,
        wall_ms: 0,
    }
}

#[test]
fn what_is_out_of_bounds_is_refused() {
    type Change = fn(&mut Hello);
    let taken: [Change; 4] = [
        |_| (),
        |hello| hello.holdings = vec![Holding::none(SiteId::NIL); MAX_HOLDINGS],
        |hello| hello.token = Some("t".repeat(MAX_TOKEN_BYTES)),
        |hello| hello.head = Cursor { within: vec![1; MAX_WITHIN_BYTES], ..Cursor::at(1, Stamp(1)) },
    ];
    for change in taken {
        let mut hello = plain_hello();
        change(&mut hello);
        let message = Message::Hello(hello);
        assert_eq!(decoded(encoded(&message)), Ok(message));
    }
    let refused: [Change; 6] = [
        |hello| hello.holdings = vec![Holding::none(SiteId::NIL); MAX_HOLDINGS + 1],
        |hello| hello.token = Some("t".repeat(MAX_TOKEN_BYTES + 1)),
        |hello| hello.head = Cursor { within: vec![1; MAX_WITHIN_BYTES + 1], ..Cursor::at(1, Stamp(1)) },
        |hello| hello.head = Cursor { within: vec![1], ..Cursor::ZERO },
        |hello| hello.max_frame_bytes = 255,
        |hello| hello.min_protocol = 2,
    ];
    for change in refused {
        let mut hello = plain_hello();
        change(&mut hello);
        assert!(decoded(encoded(&Message::Hello(hello.clone()))).is_err(), "{hello:?}");
    }
    let back =
        Push { from: Cursor::at(2, Stamp(1)), to: Cursor::at(1, Stamp(1)), last: true, body: Body::Empty };
    assert!(decoded(encoded(&Message::Push(back))).is_err());
    let long = WireError { code: ErrorCode::Gap, message: "x".repeat(5000), retry_after_ms: None };
    assert!(decoded(encoded(&Message::Error(long))).is_err());
}

/// Lineages that [`Lineage::new`] would not make, as a hostile peer can write them.
#[test]
fn a_lineage_out_of_order_is_refused() {
    let hello_with = |openings: &[(u64, u64)]| {
        let lineage = postcard::to_allocvec(openings).unwrap();
        let plain = encoded(&Message::Hello(plain_hello()));
        // variant, two protocol versions, scope, no token, site; then the empty lineage.
        let at = 1 + 2 + 2 + 1 + 16;
        assert_eq!(plain[at], 0);
        decoded([&plain[..at], &lineage, &plain[at + 1..]].concat())
    };
    assert!(hello_with(&[(1, 5), (9, 6)]).is_ok());
    for openings in [&[(9, 5), (1, 6)][..], &[(1, 5), (1, 6)], &[(0, 5), (3, 6)]] {
        assert!(hello_with(openings).is_err(), "{openings:?}");
    }
    let long: Vec<_> = (1..=Lineage::MAX as u64 + 1).map(|first_seq| (first_seq, 7)).collect();
    assert!(hello_with(&long).is_err());
}

#[test]
fn a_hostile_scope_is_refused() {
    let plain = encoded(&Message::Hello(plain_hello()));
    assert_eq!(&plain[3..5], b"\x01s");
    assert!(decoded([&plain[..3], b"\x00", &plain[5..]].concat()).is_err());
    assert!(decoded([&plain[..3], b"\x01\n", &plain[5..]].concat()).is_err());
}
