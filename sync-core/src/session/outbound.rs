//! Our own log, going out.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Asked, Event, Phase, Session};
use crate::clock::Now;
use crate::conflict::Seen;
use crate::lineage::Cursor;
use crate::store::{Extracted, StoreRequest};
use crate::wire::{Ack, Body, ErrorCode, MAX_PIECE_BYTES, Message, Push, PushSeen};

/// The first push of a session is no larger than this, and no smaller than [`FIRST_CHUNK_MIN`].
const FIRST_CHUNK_MAX: usize = 16 << 10;
const FIRST_CHUNK_MIN: usize = 1 << 10;

/// The first protocol version whose pushes say what the sender knew.
const SEEN_PROTOCOL: u16 = 2;

/// What a push counts for in the window: its body, and its header roughly.
pub(super) fn cost(body: &Body) -> usize {
    64 + match body {
        Body::Empty => 0,
        Body::Plain(bytes) | Body::Lz4(bytes) => bytes.len(),
    }
}

/// How far our log was sent, and how far it arrived.
#[derive(Debug)]
pub(super) struct Outbound {
    /// The end of the last push: where the next begins.
    sent: Cursor,
    /// At or after `sent`: the peer needs nothing of what lies between, because it came from there.
    covered: Cursor,
    /// The last position that the peer acknowledged in this session. The first is news even where it
    /// is the one that the session began at: the store may know less, if an earlier session broke
    /// before its acknowledgement came.
    acked: Option<Cursor>,
    /// Where the first of the pushes under way begins.
    begins: Cursor,
    /// The ends and costs of the pushes under way.
    in_flight: VecDeque<(Cursor, usize)>,
    in_flight_bytes: usize,
    window: usize,
    chunk: usize,
    compress: bool,
    extracting: bool,
    /// The store is taking out what the peer refused: nothing is sent until then, and then from here on.
    pub(super) again_from: Option<Cursor>,
    /// Whether our log may hold more than was extracted.
    wanted: bool,
    /// Whether the peer was told that it holds whole transactions at `sent`.
    whole: bool,
    /// The acknowledgement that the store does not know of yet, and when it was last told one.
    unreported: Option<Cursor>,
    reporting: bool,
    reported_at: Option<Duration>,
}

impl Outbound {
    pub(super) fn new(from: Cursor, window: usize, compress: bool, frame_bytes: usize) -> Self {
        Outbound {
            sent: from.clone(),
            begins: from.clone(),
            covered: from,
            acked: None,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            window,
            chunk: frame_bytes.saturating_mul(4).clamp(FIRST_CHUNK_MIN, FIRST_CHUNK_MAX),
            compress,
            extracting: false,
            again_from: None,
            wanted: true,
            whole: false,
            unreported: None,
            reporting: false,
            reported_at: None,
        }
    }

    /// A push from where we begin is under way already. Gives what it counts for.
    pub(super) fn went_ahead(&mut self, push: &Push) -> usize {
        let bytes = cost(&push.body);
        self.in_flight.push_back((push.to.clone(), bytes));
        self.in_flight_bytes += bytes;
        (self.sent, self.covered, self.whole) = (push.to.clone(), push.to.clone(), push.last);
        bytes
    }

    fn has_room(&self) -> bool {
        self.in_flight.is_empty() || self.in_flight_bytes < self.window
    }

    /// Whether everything that was wanted is out and acknowledged.
    fn is_settled(&self) -> bool {
        self.in_flight.is_empty() && !self.extracting && !self.wanted && self.again_from.is_none()
    }

    /// Whether a push that is under way begins there.
    pub(super) fn has_begun_at(&self, from: &Cursor) -> bool {
        let mut ends = self.in_flight.iter().map(|(to, _)| to);
        !self.in_flight.is_empty() && (self.begins == *from || ends.any(|to| to == from))
    }

    /// What was pushed after this was not taken, and is pushed anew.
    pub(super) fn begin_again(&mut self, from: Cursor) {
        self.in_flight.clear();
        self.in_flight_bytes = 0;
        (self.begins, self.sent, self.covered) = (from.clone(), from.clone(), from);
        (self.whole, self.wanted) = (false, true);
        // It arrived, and was answered. Where much is refused, more at a time makes fewer rounds.
        self.chunk = self.chunk.saturating_mul(2);
    }

    pub(super) fn compresses(&self) -> bool {
        self.compress
    }

    pub(super) fn in_flight_bytes(&self) -> usize {
        self.in_flight_bytes
    }
}

/// A commit of the store, encoded, for every session that stands where it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LivePush<'a> {
    pub(crate) from: &'a Cursor,
    pub(crate) to: &'a Cursor,
    pub(crate) plain: &'a Body,
    pub(crate) compressed: &'a Body,
}

impl Session {
    pub(super) fn want_extract(&mut self) {
        if let Phase::Live(link) = &mut self.phase {
            link.outbound.wanted = true;
        }
    }

    /// Asks the store for more where more is wanted and the window has room.
    pub(super) fn pump_outbound(&mut self, now: Now) {
        self.report_acks(now);
        let Phase::Live(link) = &mut self.phase else { return };
        let out = &mut link.outbound;
        if !link.rights.read || !out.wanted || out.extracting || out.again_from.is_some() || !out.has_room() {
            return;
        }
        out.wanted = false;
        out.extracting = true;
        let request = StoreRequest::Extract {
            scope: self.scope.clone(),
            peer: link.peer,
            after: out.sent.clone(),
            max_bytes: out.chunk.min(self.config.chunk_bytes).min(out.window.max(1)).min(MAX_PIECE_BYTES),
            not_after: link.takes.map(|takes| takes.at(now)),
        };
        self.ask(Asked::Extract, request);
    }

    pub(super) fn handle_extracted(&mut self, now: Now, extracted: Extracted) {
        let Phase::Live(link) = &mut self.phase else { return };
        let out = &mut link.outbound;
        out.extracting = false;
        if out.again_from.is_some() {
            out.wanted = true;
            return;
        }
        out.wanted |= !extracted.last;
        let Extracted { to, last, changeset, seen } = extracted;
        if to == out.sent && changeset.is_empty() && (!last || out.whole) {
            if !last {
                return self.fail_store_reply("progress in an extract that is not the last");
            }
            if out.is_settled() {
                self.event(Event::UpToDate);
                self.refuse_once_told();
            }
        } else {
            let body = Body::seal(&changeset, out.compress);
            self.push(to, last, body, seen);
        }
        if let Phase::Live(link) = &self.phase
            && !link.outbound.wanted
        {
            self.acknowledge();
        }
        self.pump_outbound(now);
    }

    /// Tells a peer that may not read that it has all that it is going to get, or it would wait for it.
    pub(super) fn tell_nothing(&mut self) {
        if let Phase::Live(link) = &self.phase
            && !link.rights.read
        {
            let stands = link.outbound.sent.clone();
            self.push(stands, true, Body::Empty, Seen::default());
        }
    }

    /// Whether the other side holds all that it may be told.
    pub(super) fn has_told(&self) -> bool {
        matches!(&self.phase, Phase::Live(link) if !link.rights.read || link.outbound.is_settled())
    }

    /// Whether the other side is told of changes.
    pub(super) fn may_tell(&self) -> bool {
        matches!(&self.phase, Phase::Live(link) if link.rights.read)
    }

    fn push(&mut self, to: Cursor, last: bool, body: Body, seen: Seen) {
        let Phase::Live(link) = &mut self.phase else { return };
        let seen = if link.protocol < SEEN_PROTOCOL { Seen::default() } else { seen };
        let out = &mut link.outbound;
        let bytes = cost(&body);
        out.in_flight.push_back((to.clone(), bytes));
        out.in_flight_bytes += bytes;
        out.whole = last;
        out.covered = to.clone();
        let from = std::mem::replace(&mut out.sent, to.clone());
        self.event(Event::Sent { bytes });
        let push = Push { from, to, last, body };
        let message = match seen.is_unknown() {
            true => Message::Push(push),
            false => Message::PushSeen(PushSeen { seen, push }),
        };
        self.send(&message);
    }

    /// Sends a commit at once if the peer has everything before it, else through the next extract.
    pub(crate) fn push_live(&mut self, now: Now, live: LivePush<'_>) {
        let Phase::Live(link) = &mut self.phase else { return };
        let out = &mut link.outbound;
        if !link.rights.read {
            return;
        }
        let idle = !out.extracting && !out.wanted && out.again_from.is_none();
        let stands = out.covered == *live.from && out.whole && idle;
        if stands && out.has_room() {
            let body = if out.compress { live.compressed } else { live.plain }.clone();
            self.push(live.to.clone(), true, body, Seen::default());
        } else {
            out.wanted = true;
            self.pump_outbound(now);
        }
    }

    /// Passes over a commit that came from the peer itself.
    pub(crate) fn skip_live(&mut self, from: &Cursor, to: &Cursor) {
        let Phase::Live(link) = &mut self.phase else { return };
        let out = &mut link.outbound;
        if out.covered == *from && !out.extracting && !out.wanted && out.again_from.is_none() {
            out.covered = to.clone();
        }
    }

    /// Tells the peer a position that moved without anything for it. Says whether there was one.
    pub(super) fn push_position(&mut self) -> bool {
        let Phase::Live(link) = &self.phase else { return false };
        let out = &link.outbound;
        let busy = out.extracting || out.wanted || out.again_from.is_some();
        if out.covered == out.sent || !out.whole || busy || !out.has_room() {
            return false;
        }
        let to = out.covered.clone();
        self.push(to, true, Body::Empty, Seen::default());
        true
    }

    pub(super) fn handle_ack(&mut self, now: Now, ack: Ack) {
        let Phase::Live(link) = &mut self.phase else { return };
        let out = &mut link.outbound;
        // Two pushes may end at one position, the second only to say that it is whole; an
        // acknowledgement of the position counts for both.
        let Some(index) = out.in_flight.iter().rposition(|(to, _)| *to == ack.cursor) else {
            if ack.cursor.seq > out.sent.seq {
                self.fail(ErrorCode::BadMessage, "an acknowledgement of what was not sent");
            }
            return;
        };
        for (_, bytes) in out.in_flight.drain(..=index) {
            out.in_flight_bytes -= bytes;
        }
        out.begins = ack.cursor.clone();
        out.chunk = out.chunk.saturating_mul(2);
        let settled = out.is_settled();
        if out.acked.as_ref() != Some(&ack.cursor) {
            out.acked = Some(ack.cursor.clone());
            out.unreported = Some(ack.cursor.clone());
            self.event(Event::Acked { cursor: ack.cursor });
        }
        // The store hears of it before the application does.
        self.pump_outbound(now);
        if settled {
            self.event(Event::UpToDate);
            self.refuse_once_told();
        }
    }

    pub(super) fn acks_reported(&mut self, now: Now) {
        if let Phase::Live(link) = &mut self.phase {
            link.outbound.reporting = false;
        }
        self.report_acks(now);
    }

    /// Tells the store how far the peer is, one report at a time and not too often.
    fn report_acks(&mut self, now: Now) {
        let every = self.config.report_acks_every;
        let Phase::Live(link) = &mut self.phase else { return };
        let out = &mut link.outbound;
        if out.reporting || out.reported_at.is_some_and(|at| now.mono < at.saturating_add(every)) {
            return;
        }
        let Some(cursor) = out.unreported.take() else { return };
        out.reporting = true;
        out.reported_at = Some(now.mono);
        let request = StoreRequest::Acked { scope: self.scope.clone(), peer: link.peer, cursor };
        self.ask(Asked::Acked, request);
    }
}
