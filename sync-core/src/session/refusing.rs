//! Changes that one side may not make: the other says so, and takes the rest.

use super::fitness::Fitness;
use super::inbound::{BATCH_BYTES, BATCH_PUSHES, NO_RIGHT_TO_WRITE};
use super::outbound::cost;
use super::{Asked, Event, Phase, Session};
use crate::clock::Now;
use crate::store::{Committed, Judgement, RefusalReason, RefusedParts, StoreRequest};
use crate::wire::{Body, ErrorCode, Message, PushSeen, Refusal, Refused};

/// The first protocol version whose sides can be told what of a push is refused.
const REFUSED_PROTOCOL: u16 = 3;

const NOT_ALL_OF_IT: &str =
    "changes in tables that it may not write, or of others; a newer version would be told which";

impl Session {
    /// Asks the store which of the waiting changes the other side may not make.
    pub(super) fn judge_inbound(&mut self) {
        let Phase::Live(link) = &self.phase else { return };
        if self.permit.is_unlimited() || self.inbound.queue.is_empty() {
            return;
        }
        let mut changesets = Vec::new();
        let mut bytes = 0;
        for PushSeen { push, .. } in self.inbound.queue.iter().take(BATCH_PUSHES) {
            let changeset = match push.body.open(self.config.max_message_bytes) {
                Ok(changeset) => changeset,
                // When it is its turn.
                Err(_) if !changesets.is_empty() => break,
                Err(error) => {
                    let message = format!("a changeset cannot be read: {error}");
                    return self.fail(ErrorCode::BadMessage, message);
                }
            };
            bytes += cost(&push.body);
            changesets.push(changeset);
            if bytes >= BATCH_BYTES {
                break;
            }
        }
        let (scope, peer) = (self.scope.clone(), link.peer);
        self.inbound.judging = Some(changesets.len());
        let permit = self.permit.clone();
        self.ask(Asked::Judge, StoreRequest::Judge { scope, peer, permit, changesets });
    }

    pub(super) fn handle_judged(&mut self, now: Now, judgement: Option<Judgement>) {
        let Phase::Live(link) = &self.phase else { return };
        let Some(asked) = self.inbound.judging.take() else { return };
        let rights = link.rights;
        let is_told = link.protocol >= REFUSED_PROTOCOL && (rights.read || rights.write);
        match judgement {
            None => self.inbound.judged = asked,
            // What came before is good, and is taken first.
            Some(judgement) if judgement.at > 0 => self.inbound.judged = judgement.at,
            Some(judgement) if is_told => return self.refuse(judgement),
            Some(_) => {
                let why = if rights.write { NOT_ALL_OF_IT } else { NO_RIGHT_TO_WRITE };
                self.inbound.refused = Some(why);
                self.inbound.queue.clear();
                return self.refuse_once_told();
            }
        }
        self.pump_inbound(now);
    }

    /// Tells the other side which changes of its next push it may not make. Nothing of the push is taken, so that
    /// whoever does not hear of it finds out again.
    fn refuse(&mut self, judgement: Judgement) {
        self.acknowledge();
        let Phase::Live(link) = &self.phase else { return };
        let Some(front) = self.inbound.queue.front() else { return };
        let from = front.push.from.clone();
        let compress = link.outbound.compresses();
        let refusals = judgement.refused.into_iter().map(|refused| Refusal {
            reason: refused.reason.into(),
            parts: Body::seal(&refused.parts, compress),
        });
        let refused = Refused {
            from: from.clone(),
            refusals: refusals.collect(),
            states: link.rights.read.then(|| Body::seal(&judgement.states, compress)),
        };
        let inbound = &mut self.inbound;
        inbound.queue.clear();
        inbound.pending_bytes = 0;
        inbound.expected = Some(from);
        inbound.again = true;
        self.send(&Message::Refused(refused));
    }

    /// Ends the session of a side that may not write what it wrote, and cannot be told so change by change, once it
    /// holds all that it may read: it will try again in every session, and would never get further than the first
    /// pieces.
    pub(super) fn refuse_once_told(&mut self) {
        if let Some(why) = self.inbound.refused
            && self.has_told()
        {
            self.fail(ErrorCode::Forbidden, why);
        }
    }

    /// The other side does not take some of our changes, and tells what stands in their place. Only who admitted us
    /// may: what a guest says of our rows is no more than a push, and goes by its rights.
    pub(super) fn handle_refused(&mut self, now: Now, message: Refused) {
        let Phase::Live(link) = &mut self.phase else { return };
        if !self.is_initiator {
            return self.fail(ErrorCode::BadMessage, "a refusal by who was admitted");
        }
        let fitness = Fitness::new(&self.config, link, now);
        let Refused { from, refusals, states } = message;
        if link.protocol < REFUSED_PROTOCOL
            || link.outbound.again_from.is_some()
            || !link.outbound.has_begun_at(&from)
        {
            return self.fail(ErrorCode::BadMessage, "a refusal of what was not sent");
        }
        let max = self.config.max_message_bytes;
        let read = |body: &Body| body.open(max);
        let refused = refusals.iter().map(|refusal| {
            let reason = RefusalReason::from(refusal.reason);
            read(&refusal.parts).map(|parts| RefusedParts { reason, parts })
        });
        let refused: Result<Vec<RefusedParts>, _> = refused.collect();
        let states = states.as_ref().map(read).transpose();
        let (refused, states) = match (refused, states) {
            (Ok(refused), Ok(states)) => (refused, states),
            (Err(error), _) | (_, Err(error)) => {
                let message = format!("a refusal cannot be read: {error}");
                return self.fail(ErrorCode::BadMessage, message);
            }
        };
        if let Some(Err((code, why))) = states.as_ref().map(|states| fitness.check(states)) {
            return self.fail(code, why);
        }
        link.outbound.again_from = Some(from);
        let rows = refused.iter().map(|refused| refused.parts.row_count()).sum();
        let (scope, peer) = (self.scope.clone(), link.peer);
        self.event(Event::Refused { rows });
        self.ask(Asked::Refuse, StoreRequest::Refuse { scope, peer, refused, states });
    }

    /// What was refused is out of our state: the rest is pushed again.
    pub(super) fn handle_taken_out(&mut self, now: Now, committed: Option<Committed>) {
        let Phase::Live(link) = &mut self.phase else { return };
        if let Some(from) = link.outbound.again_from.take() {
            link.outbound.begin_again(from);
        }
        if let Some(committed) = committed {
            self.event(Event::Applied(committed));
        }
        self.pump_outbound(now);
    }
}
