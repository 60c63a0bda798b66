//! Reading messages from untrusted bytes.

use std::marker::PhantomData;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::{
    Body, EarlyPush, Hello, MIN_FRAME_BYTES, Message, Push, PushSeen, Refusal, Refused, Welcome, WireError,
};
use crate::codec::{DecodeError, Reader};
use crate::conflict::Seen;
use crate::lineage::{Cursor, Lineage};
use crate::store::{Holding, MAX_HOLDINGS};

/// How long a token may be.
pub const MAX_TOKEN_BYTES: usize = 8 << 10;

/// How long [`Cursor::within`] may be.
pub const MAX_WITHIN_BYTES: usize = 4 << 10;

/// How long the text of a [`WireError`] may be.
pub const MAX_ERROR_BYTES: usize = 4 << 10;

/// How many reasons a [`Refused`] may name.
pub const MAX_REFUSALS: usize = 16;

/// The first byte of a [`Push`]: its place among the messages.
const PUSH: u8 = 2;

/// The first byte of a [`PushSeen`].
const PUSH_SEEN: u8 = 8;

impl Message {
    /// Reads a message, all of `bytes`. The changes of a push are not copied but share the memory.
    ///
    /// # Errors
    /// When the bytes are not a message, or a part of it is out of bounds.
    pub fn decode(bytes: &Bytes) -> Result<Message, DecodeError> {
        let message = match bytes.split_first() {
            Some((&PUSH, rest)) => Message::Push(decode_push(bytes, rest)?),
            Some((&PUSH_SEEN, rest)) => {
                let mut input = Reader::new(rest);
                let seen = Seen::from_bytes(input.length_prefixed()?)?;
                let push = decode_push(bytes, input.slice(input.remaining())?)?;
                Message::PushSeen(PushSeen { seen, push })
            }
            _ => {
                let (message, rest) = postcard::take_from_bytes(bytes).map_err(malformed)?;
                Reader::new(rest).finish()?;
                message
            }
        };
        check(&message)?;
        Ok(message)
    }
}

/// A push up to its body, which is the last part.
#[derive(Deserialize)]
struct PushHead {
    from: Cursor,
    to: Cursor,
    last: bool,
}

fn decode_push(whole: &Bytes, bytes: &[u8]) -> Result<Push, DecodeError> {
    let (PushHead { from, to, last }, rest) = postcard::take_from_bytes(bytes).map_err(malformed)?;
    let mut input = Reader::new(rest);
    let tag = input.byte()?;
    let mut rest = || -> Result<Bytes, DecodeError> { Ok(whole.slice_ref(input.length_prefixed()?)) };
    let body = match tag {
        0 => Body::Empty,
        1 => Body::Plain(rest()?),
        2 => Body::Lz4(rest()?),
        tag => return Err(DecodeError::UnknownTag { what: "body", tag }),
    };
    input.finish()?;
    Ok(Push { from, to, last, body })
}

fn malformed(error: postcard::Error) -> DecodeError {
    match error {
        postcard::Error::DeserializeUnexpectedEnd => DecodeError::Truncated,
        postcard::Error::DeserializeBadVarint => DecodeError::OutOfRange,
        _ => DecodeError::Invalid("the parts of a message"),
    }
}

/// Reads holdings without making room for more than there may be.
pub(super) fn holdings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Holding>, D::Error> {
    deserializer.deserialize_seq(Bounded { most: MAX_HOLDINGS, of: PhantomData })
}

/// The same for refusals.
pub(super) fn refusals<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Refusal>, D::Error> {
    deserializer.deserialize_seq(Bounded { most: MAX_REFUSALS, of: PhantomData })
}

struct Bounded<T> {
    most: usize,
    of: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Bounded<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a list of at most {}", self.most)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = seq.next_element()? {
            if list.len() == self.most {
                return Err(A::Error::custom("a list is too long"));
            }
            list.push(element);
        }
        Ok(list)
    }
}

fn check(message: &Message) -> Result<(), DecodeError> {
    match message {
        Message::Hello(hello) => check_hello(hello),
        Message::Welcome(welcome) => check_welcome(welcome),
        Message::Push(push)
        | Message::PushSeen(PushSeen { push, .. })
        | Message::Early(EarlyPush { informed: PushSeen { push, .. }, .. }) => {
            check_cursor(&push.from)?;
            check_cursor(&push.to)?;
            ensure(push.from.seq <= push.to.seq, "a push that goes back")
        }
        Message::Ack(ack) => check_cursor(&ack.cursor),
        Message::Error(WireError { message, .. }) => {
            ensure(message.len() <= MAX_ERROR_BYTES, "the text of an error is too long")
        }
        Message::Refused(Refused { from, .. }) => check_cursor(from),
        Message::Ping(_) | Message::Pong(_) | Message::Bye => Ok(()),
    }
}

fn check_hello(hello: &Hello) -> Result<(), DecodeError> {
    ensure(hello.min_protocol <= hello.protocol, "no protocol version")?;
    let token_len = hello.token.as_ref().map_or(0, String::len);
    ensure(token_len <= MAX_TOKEN_BYTES, "the token is too long")?;
    check_lineage(&hello.lineage)?;
    check_cursor(&hello.head)?;
    hello.holdings.iter().try_for_each(check_holding)?;
    check_frame_bytes(hello.max_frame_bytes)
}

fn check_welcome(welcome: &Welcome) -> Result<(), DecodeError> {
    check_lineage(&welcome.lineage)?;
    check_cursor(&welcome.head)?;
    check_holding(&welcome.holding)?;
    check_cursor(&welcome.resumes)?;
    check_frame_bytes(welcome.max_frame_bytes)
}

fn check_holding(holding: &Holding) -> Result<(), DecodeError> {
    check_cursor(&holding.cursor)?;
    check_lineage(&holding.lineage)
}

fn check_cursor(cursor: &Cursor) -> Result<(), DecodeError> {
    ensure(cursor.within.len() <= MAX_WITHIN_BYTES, "the mark of a cursor is too long")?;
    ensure(cursor.seq > 0 || cursor.within.is_empty(), "a cursor inside nothing")
}

fn check_lineage(lineage: &Lineage) -> Result<(), DecodeError> {
    let openings = lineage.incarnations();
    ensure(openings.len() <= Lineage::MAX, "a lineage is too long")?;
    ensure(openings.is_sorted_by(|a, b| a.first_seq < b.first_seq), "a lineage out of order")?;
    ensure(openings.iter().all(|opening| opening.first_seq > 0), "an opening before the first number")
}

fn check_frame_bytes(max_frame_bytes: u32) -> Result<(), DecodeError> {
    ensure(max_frame_bytes as usize >= MIN_FRAME_BYTES, "frames too small")
}

fn ensure(condition: bool, otherwise: &'static str) -> Result<(), DecodeError> {
    if condition { Ok(()) } else { Err(DecodeError::Invalid(otherwise)) }
}
