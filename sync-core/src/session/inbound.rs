//! The other side's log, coming in.

use std::collections::VecDeque;
use std::sync::Arc;

use super::fitness::Fitness;
use super::outbound::cost;
use super::{Asked, Event, Phase, Session};
use crate::change::RowChange;
use crate::clock::Now;
use crate::lineage::{Cursor, Lineage};
use crate::store::{Chunk, ChunkOutcome, StoreRequest};
use crate::wire::{Ack, ErrorCode, Message, PushSeen};

/// About how many bytes of changes go to the store in one request.
pub(super) const BATCH_BYTES: usize = 1 << 20;
/// How many pushes go to the store in one request.
pub(super) const BATCH_PUSHES: usize = 64;

pub(super) const NO_RIGHT_TO_WRITE: &str = "no right to write";

/// Pushes between the wire and the store.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    /// Where the next push begins; runs ahead of the store. `None` until the handshake is done.
    pub(super) expected: Option<Cursor>,
    /// Whether a push came in this session.
    begun: bool,
    lineage: Arc<Lineage>,
    /// Pushes from before the handshake was done.
    early: VecDeque<PushSeen>,
    /// Pushes that the store has not been given.
    pub(super) queue: VecDeque<PushSeen>,
    /// What was received and is not acknowledged.
    pub(super) pending_bytes: usize,
    applying: Option<Batch>,
    caught_up: bool,
    /// It may not write what it sent, and cannot be told so change by change. What it sends from now on is not looked
    /// at.
    pub(super) refused: Option<&'static str>,
    /// How many pushes the store is asked about, if it is.
    pub(super) judging: Option<usize>,
    /// How many pushes of the queue hold nothing that the other side may not do.
    pub(super) judged: usize,
    /// A push was refused; it is to come again, and what was under way behind it is passed over.
    pub(super) again: bool,
    /// An acknowledgement that waits for what the merge wrote of its own.
    unsaid: Option<Cursor>,
}

/// What the store is merging.
#[derive(Debug)]
struct Batch {
    /// Whether each chunk completes its group.
    lasts: Vec<bool>,
    bytes: usize,
    rows: usize,
}

impl Session {
    /// Begins to read the other side's log after `held`. Pushes may have come in already.
    pub(super) fn begin_inbound(&mut self, now: Now, held: Cursor, lineage: Lineage) {
        self.inbound.lineage = Arc::new(lineage);
        self.inbound.expected = Some(held);
        // What came while the store was asked about the introduction.
        for informed in std::mem::take(&mut self.inbound.early) {
            self.handle_push(now, informed);
        }
    }

    pub(super) fn handle_push(&mut self, now: Now, informed: PushSeen) {
        if self.is_over() || self.inbound.refused.is_some() {
            return;
        }
        let inbound = &mut self.inbound;
        if inbound.again {
            if inbound.expected.as_ref() != Some(&informed.push.from) {
                return;
            }
            inbound.again = false;
        }
        let waiting =
            inbound.pending_bytes + inbound.early.iter().map(|early| cost(&early.push.body)).sum::<usize>();
        if waiting > 0 && waiting >= self.config.window_bytes {
            let limit = self.config.window_bytes;
            return self.fail(ErrorCode::TooLarge, format!("more than {limit} bytes came unacknowledged"));
        }
        let push = &informed.push;
        if push.to.seq < push.from.seq {
            return self.fail(ErrorCode::BadMessage, "a push that ends before it begins");
        }
        let Some(expected) = &mut inbound.expected else {
            inbound.early.push_back(informed);
            return;
        };
        // A sender that tells again what we have lost begins earlier; the store knows how far back
        // it may.
        let begins_again = !inbound.begun && push.from.seq < expected.seq;
        if push.from != *expected && !begins_again {
            let expected = expected.seq;
            let message = format!("a push begins at {} where {expected} was expected", push.from.seq);
            return self.fail(ErrorCode::Gap, message);
        }
        *expected = push.to.clone();
        inbound.begun = true;
        inbound.pending_bytes += cost(&push.body);
        inbound.queue.push_back(informed);
        self.pump_inbound(now);
    }

    /// Gives the store what has come, unless it is busy with earlier pushes.
    pub(super) fn pump_inbound(&mut self, now: Now) {
        let Phase::Live(link) = &self.phase else { return };
        let peer = link.peer;
        let fitness = Fitness::new(&self.config, link, now);
        let inbound = &mut self.inbound;
        if inbound.applying.is_some()
            || inbound.judging.is_some()
            || inbound.expected.is_none()
            || inbound.refused.is_some()
        {
            return;
        }
        let mut allowed = if self.permit.is_unlimited() { BATCH_PUSHES } else { inbound.judged };
        let mut batch = Batch { lasts: Vec::new(), bytes: 0, rows: 0 };
        let mut chunks = Vec::new();
        let mut weight = 0;
        let mut refused = None;
        while weight < BATCH_BYTES && chunks.len() < BATCH_PUSHES {
            let Some(PushSeen { push, .. }) = inbound.queue.front() else { break };
            if allowed == 0 && !push.body.is_empty() {
                break;
            }
            let changeset = match push.body.open(self.config.max_message_bytes) {
                Ok(changeset) => changeset,
                Err(error) => {
                    refused = Some((ErrorCode::BadMessage, format!("a changeset cannot be read: {error}")));
                    break;
                }
            };
            if let Err(unfit) = fitness.check(&changeset) {
                refused = Some(unfit);
                break;
            }
            let Some(PushSeen { push, seen }) = inbound.queue.pop_front() else { break };
            allowed = allowed.saturating_sub(1);
            inbound.judged = inbound.judged.saturating_sub(1);
            batch.lasts.push(push.last);
            batch.bytes += cost(&push.body);
            batch.rows += changeset.row_count();
            weight += changeset.rows().map(RowChange::weight).sum::<usize>();
            chunks.push(Chunk {
                peer,
                lineage: Arc::clone(&inbound.lineage),
                from: push.from,
                to: push.to,
                last: push.last,
                changeset,
                seen,
            });
        }
        // What came before the push that is refused is good, and is taken first: a link that
        // breaks at the same push every time makes progress up to there.
        if !chunks.is_empty() {
            inbound.applying = Some(batch);
            let scope = self.scope.clone();
            self.ask(Asked::Apply, StoreRequest::Apply { scope, chunks });
        } else if let Some((code, message)) = refused {
            self.fail(code, message);
        } else {
            self.judge_inbound();
        }
    }

    pub(super) fn handle_applied(&mut self, now: Now, outcomes: Vec<ChunkOutcome>) {
        let Some(batch) = self.inbound.applying.take() else { return };
        if outcomes.len() != batch.lasts.len() {
            return self.fail_store_reply("one outcome a chunk");
        }
        self.inbound.pending_bytes -= batch.bytes;
        self.event(Event::Received { bytes: batch.bytes, rows: batch.rows });
        let mut durable = None;
        let mut gap = None;
        let mut answered = self.inbound.unsaid.is_some();
        for (outcome, last) in outcomes.into_iter().zip(batch.lasts) {
            let complete = match outcome {
                ChunkOutcome::Staged { held } => {
                    durable = Some(held);
                    false
                }
                ChunkOutcome::Applied { held, committed } => {
                    durable = Some(held);
                    if let Some(committed) = committed {
                        // What the merge wrote of its own is news for the peer.
                        if committed.derived {
                            answered = true;
                            self.want_extract();
                        }
                        self.event(Event::Applied(committed));
                    }
                    last
                }
                ChunkOutcome::Gap { held } => {
                    gap = Some(held);
                    break;
                }
            };
            if complete != self.inbound.caught_up {
                self.inbound.caught_up = complete;
                self.event(if complete { Event::CaughtUp } else { Event::CatchingUp });
            }
        }
        if let Some(cursor) = durable {
            // Whoever hears that all of its own has arrived may go: it hears of the answer before.
            self.inbound.unsaid = Some(cursor);
            if !answered || !self.may_tell() {
                self.acknowledge();
            }
        }
        if let Some(held) = gap {
            self.acknowledge();
            let message = format!("a push does not begin where the store stands, at {}", held.seq);
            return self.fail(ErrorCode::Gap, message);
        }
        self.pump_inbound(now);
        self.pump_outbound(now);
    }

    /// Says how far the other side's log is held, if that is not said yet.
    pub(super) fn acknowledge(&mut self) {
        if let Some(cursor) = self.inbound.unsaid.take() {
            self.send(&Message::Ack(Ack { cursor }));
        }
    }
}
