//! What two replicas say to each other.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::conflict::Seen;
use crate::id::{Scope, SiteId};
use crate::lineage::{Cursor, Lineage};
use crate::store::{Holding, Knowledge};

/// One message. Cut into frames by [`frame`](super::frame).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Message {
    /// The initiator introduces itself. The first message.
    Hello(Hello),
    /// The acceptor's answer.
    Welcome(Welcome),
    /// A piece of the sender's log.
    Push(Push),
    /// How far the receiver holds the sender's log durably.
    Ack(Ack),
    /// The sender gives up, and says why. The last message.
    Error(WireError),
    /// Are you there?
    Ping(u64),
    /// Yes. Repeats the number of the ping.
    Pong(u64),
    /// The sender goes, in peace. The last message.
    Bye,
    /// A piece of the sender's log, and what the sender knew. Since protocol version 2.
    PushSeen(PushSeen),
    /// Changes of the receiver that the sender does not take. Since protocol version 3.
    Refused(Refused),
    /// A piece of the sender's log, before the receiver has answered the introduction. Since protocol version 4.
    Early(EarlyPush),
}

/// The initiator's introduction.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// The newest protocol version that the initiator speaks.
    pub protocol: u16,
    /// The oldest protocol version that the initiator speaks.
    pub min_protocol: u16,
    /// The logical database.
    pub scope: Scope,
    /// The proof of who asks, so that every transport has it.
    pub token: Option<String>,
    /// The initiator's site.
    pub site: SiteId,
    /// The initiator's openings.
    pub lineage: Lineage,
    /// The end of the initiator's log.
    pub head: Cursor,
    /// What the initiator holds of replicas that it has met; the acceptor looks for itself.
    #[serde(deserialize_with = "super::decode::holdings")]
    pub holdings: Vec<Holding>,
    /// The largest frame that the initiator takes.
    pub max_frame_bytes: u32,
    /// How many bytes of pushes the initiator takes before it has acknowledged any.
    pub window_bytes: u32,
    /// Whether the initiator reads compressed pushes.
    pub compression: bool,
    /// The initiator's wall clock in milliseconds since 1970, for the log only.
    pub wall_ms: u64,
}

/// The acceptor's answer to [`Hello`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Welcome {
    /// The protocol version that both will speak.
    pub protocol: u16,
    /// The acceptor's site.
    pub site: SiteId,
    /// The acceptor's openings.
    pub lineage: Lineage,
    /// The end of the acceptor's log.
    pub head: Cursor,
    /// What the acceptor holds of the initiator.
    pub holding: Holding,
    /// Where the acceptor begins to send.
    pub resumes: Cursor,
    /// The largest frame that the acceptor takes.
    pub max_frame_bytes: u32,
    /// How many bytes of pushes the acceptor takes before it has acknowledged any.
    pub window_bytes: u32,
    /// Whether the acceptor reads compressed pushes.
    pub compression: bool,
    /// The acceptor's wall clock in milliseconds since 1970.
    pub wall_ms: u64,
    /// How far in the future, in milliseconds, the acceptor takes versions.
    pub max_drift_ms: u64,
    /// Whether `wall_ms` is to be trusted over the initiator's own clock (a hub's is).
    pub keeps_time: bool,
}

/// A piece of the sender's log: everything in `(from, to]`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Push {
    /// Where it begins. Taken only where it is the receiver's position.
    pub from: Cursor,
    /// Where it ends.
    pub to: Cursor,
    /// Whether the receiver holds whole transactions with it.
    pub last: bool,
    /// The changes.
    pub body: Body,
}

/// A piece of the sender's log, some of it the sender's own.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PushSeen {
    /// What the sender knew of the receiver's log when it made its own of these changes.
    pub seen: Seen,
    /// The piece.
    pub push: Push,
}

/// What the sender believes that the receiver lacks, sent along with its [`Hello`]. Both sides go by the [`Welcome`] whether it is
/// taken: [`is_taken`](Self::is_taken).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EarlyPush {
    /// For whom.
    pub peer: SiteId,
    /// The most of its own that the sender had offered to anyone before.
    pub offered: Knowledge,
    /// The piece. Its body is not compressed: what the receiver reads is not known yet.
    pub informed: PushSeen,
}

impl EarlyPush {
    /// Whether the side that answers the introduction like this takes it, where the introduction `told` how far the
    /// answering side's log was held. It is the one that is meant and stands where this begins, neither of the two has
    /// lost anything that the other had, and nobody has heard more of the sender than the sender said.
    pub fn is_taken(&self, told: &Cursor, site: SiteId, holding: &Holding, resumes: &Cursor) -> bool {
        let Knowledge { counter, hlc } = holding.knowledge;
        site == self.peer
            && holding.cursor == self.informed.push.from
            && resumes == told
            && counter <= self.offered.counter
            && hlc <= self.offered.hlc
    }
}

/// A push of the receiver's that was not taken, because the receiver may not make some of the changes in it. Neither
/// was what came after it. It is expected again, from the same position and without those changes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Refused {
    /// Where the push begins.
    pub from: Cursor,
    /// What may not be, by reason. There may be more in the push, of which the sender tells when it comes again.
    #[serde(deserialize_with = "super::decode::refusals")]
    pub refusals: Vec<Refusal>,
    /// What the sender holds of those rows: all of those whose life is refused, and the refused columns of others.
    /// `None` where the receiver may not read.
    pub states: Option<Body>,
}

/// Changes that are refused for one reason.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// The reason, by the number of a [`RefusalReason`](crate::store::RefusalReason).
    pub reason: u16,
    /// The births, deaths and cells, with the versions that they were pushed with and NULL for values.
    pub parts: Body,
}

/// An encoded changeset, encoded once however many receivers there are.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Body {
    /// No changes.
    Empty,
    /// A changeset as it is.
    Plain(Bytes),
    /// A changeset in LZ4 block format, behind its uncompressed length as a varint.
    Lz4(Bytes),
}

/// How far the receiver holds the sender's log durably, staged pieces included.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Ack {
    /// The position.
    pub cursor: Cursor,
}

/// Why the sender gives up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct WireError {
    /// What kind.
    pub code: ErrorCode,
    /// What happened, for a person.
    pub message: String,
    /// When to come back, in milliseconds, where the sender knows.
    pub retry_after_ms: Option<u64>,
}

/// The kinds of [`WireError`], by stable number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(into = "u16", from = "u16")]
#[non_exhaustive]
pub enum ErrorCode {
    /// Bytes that are no message, or a message out of place.
    BadMessage,
    /// No protocol version in common.
    Protocol,
    /// The token is missing, wrong or expired.
    Unauthorized,
    /// The token is good but not for this.
    Forbidden,
    /// A message, a row or a count is over a limit.
    TooLarge,
    /// A version is too far in the future: the sender's clock is wrong.
    ClockAhead,
    /// A push did not begin where the receiver stands.
    Gap,
    /// Nothing was heard in time.
    Timeout,
    /// The receiver has too much to do.
    Overloaded,
    /// The receiver's store failed.
    Store,
    /// The receiver is going down.
    Closing,
    /// Another connection came under the same site. Whoever did not make it has a clone.
    Replaced,
    /// The site belongs to somebody else, who used it first.
    SiteTaken,
    /// The scope holds as much as it may.
    Quota,
    /// A kind that this build does not know.
    Other(u16),
}

impl ErrorCode {
    /// A stable name for programs and people.
    pub const fn name(self) -> &'static str {
        match self {
            ErrorCode::BadMessage => "bad_message",
            ErrorCode::Protocol => "protocol",
            ErrorCode::Unauthorized => "unauthorized",
            ErrorCode::Forbidden => "forbidden",
            ErrorCode::TooLarge => "too_large",
            ErrorCode::ClockAhead => "clock_ahead",
            ErrorCode::Gap => "gap",
            ErrorCode::Timeout => "timeout",
            ErrorCode::Overloaded => "overloaded",
            ErrorCode::Store => "store",
            ErrorCode::Closing => "closing",
            ErrorCode::Replaced => "replaced",
            ErrorCode::SiteTaken => "site_taken",
            ErrorCode::Quota => "quota",
            ErrorCode::Other(_) => "other",
        }
    }

    /// Whether connecting again later may succeed without anyone doing anything.
    pub const fn is_retryable(self) -> bool {
        !matches!(
            self,
            ErrorCode::Protocol
                | ErrorCode::Unauthorized
                | ErrorCode::Forbidden
                | ErrorCode::TooLarge
                | ErrorCode::SiteTaken
                | ErrorCode::Quota
        )
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ErrorCode::Other(code) => write!(f, "error {code}"),
            known => f.write_str(known.name()),
        }
    }
}

impl From<ErrorCode> for u16 {
    fn from(code: ErrorCode) -> u16 {
        match code {
            ErrorCode::BadMessage => 1,
            ErrorCode::Protocol => 2,
            ErrorCode::Unauthorized => 3,
            ErrorCode::Forbidden => 4,
            ErrorCode::TooLarge => 5,
            ErrorCode::ClockAhead => 6,
            ErrorCode::Gap => 7,
            ErrorCode::Timeout => 8,
            ErrorCode::Overloaded => 9,
            ErrorCode::Store => 10,
            ErrorCode::Closing => 11,
            ErrorCode::Replaced => 12,
            ErrorCode::SiteTaken => 13,
            ErrorCode::Quota => 14,
            ErrorCode::Other(code) => code,
        }
    }
}

impl From<u16> for ErrorCode {
    fn from(code: u16) -> ErrorCode {
        match code {
            1 => ErrorCode::BadMessage,
            2 => ErrorCode::Protocol,
            3 => ErrorCode::Unauthorized,
            4 => ErrorCode::Forbidden,
            5 => ErrorCode::TooLarge,
            6 => ErrorCode::ClockAhead,
            7 => ErrorCode::Gap,
            8 => ErrorCode::Timeout,
            9 => ErrorCode::Overloaded,
            10 => ErrorCode::Store,
            11 => ErrorCode::Closing,
            12 => ErrorCode::Replaced,
            13 => ErrorCode::SiteTaken,
            14 => ErrorCode::Quota,
            code => ErrorCode::Other(code),
        }
    }
}
