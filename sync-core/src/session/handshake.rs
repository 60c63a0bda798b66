//! Who are you, what do you hold of me, and where do we go on?
//!
//! ```text
//! initiator                                acceptor
//! Identify ── Hello ─────────────────────▶ Admit, Identify, Meet
//! Meet ◀──────────────────────── Welcome ──
//! Push, Ack … ◀──────────────────────────▶ Push, Ack …
//! ```
//!
//! What the initiator may push along with its hello is told in [`early`](super::early).
//!
//! Nothing of a handshake is stored but what [`Meet`] finds out, so a link that breaks between any
//! two of its messages leaves no trace.

use std::sync::Arc;
use std::time::Duration;

use super::early::{Ahead, Answer, EARLY_MAX_BYTES, EARLY_PROTOCOL};
use super::outbound::Outbound;
use super::{AdmitRequest, Admitted, Asked, Event, Link, Output, Phase, Rights, Session, SessionEnd};
use crate::clock::{Hlc, Now};
use crate::id::SiteId;
use crate::lineage::{Cursor, Lineage};
use crate::store::{ClockReading, Identity, Meet, Met, Peer, Resume, StoreRequest};
use crate::wire::frame::Assembler;
use crate::wire::{EarlyPush, ErrorCode, Hello, Message, PROTOCOL, Welcome, WireError};

/// The oldest protocol version that this build speaks.
const MIN_PROTOCOL: u16 = 1;

/// The largest message before the other side is admitted.
pub(super) const HANDSHAKE_MAX_BYTES: usize = 256 << 10;

/// What the initiator remembers of its [`Hello`].
#[derive(Debug)]
pub(super) struct Greeted {
    pub(super) site: SiteId,
    pub(super) at: Duration,
    pub(super) ahead: Option<Ahead>,
}

/// What an introduction brought, until the store has made something of it.
#[derive(Debug)]
pub(super) struct Introduced {
    /// Who we introduced ourselves as, or are known as to the store.
    us: SiteId,
    peer: SiteId,
    lineage: Lineage,
    pub(super) protocol: u16,
    window_bytes: u32,
    compression: bool,
    clock: Option<ClockReading>,
    takes: Option<Takes>,
    rights: Rights,
    /// What the hello told is held of the acceptor.
    told: Cursor,
    /// Initiator: what it pushed with its hello, if the acceptor takes it.
    pub(super) ahead: Option<EarlyPush>,
}

/// Up to which version the other side takes ours, by its own word and by how long ago that was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Takes {
    wall_ms: u64,
    since: Duration,
}

impl Takes {
    pub(super) fn at(self, now: Now) -> Hlc {
        let ms = u64::try_from(now.mono.saturating_sub(self.since).as_millis()).unwrap_or(u64::MAX);
        Hlc::from_ms(self.wall_ms.saturating_add(ms))
    }
}

impl Session {
    pub(super) fn handle_identity(&mut self, now: Now, identity: Identity) {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Identifying => self.prepare_greeting(now, identity),
            Phase::Recognizing(hello, rights) => self.meet_initiator(*hello, rights, identity.site),
            other => self.phase = other,
        }
    }

    pub(super) fn introduce(&mut self, now: Now, identity: Identity) {
        self.send(&Message::Hello(Hello {
            protocol: PROTOCOL,
            min_protocol: MIN_PROTOCOL,
            scope: self.scope.clone(),
            token: self.config.token.clone(),
            site: identity.site,
            lineage: identity.lineage,
            head: identity.head,
            holdings: identity.holdings,
            max_frame_bytes: clamp_u32(self.config.frame_bytes()),
            window_bytes: clamp_u32(self.config.window_bytes),
            compression: self.config.compression,
            wall_ms: now.wall_ms,
        }));
    }

    pub(super) fn handle_hello(&mut self, hello: Hello) {
        if !matches!(self.phase, Phase::Listening) {
            return self.fail(ErrorCode::BadMessage, "an introduction out of place");
        }
        self.agree_frames(hello.max_frame_bytes);
        if hello.min_protocol > PROTOCOL || hello.protocol < MIN_PROTOCOL {
            let message = format!("this side speaks protocol {MIN_PROTOCOL} to {PROTOCOL}");
            return self.fail(ErrorCode::Protocol, message);
        }
        if !self.any_scope && hello.scope != self.scope {
            return self.fail(ErrorCode::Forbidden, format!("this side serves only {}", self.scope));
        }
        self.scope = hello.scope.clone();
        // An early push, and then what follows it.
        self.assembler.limit(EARLY_MAX_BYTES.min(self.config.max_message_bytes));
        let request = AdmitRequest {
            scope: hello.scope.clone(),
            site: hello.site,
            token: hello.token.clone(),
            identity: None,
        };
        self.phase = Phase::Admitting(Box::new(hello));
        self.outputs.push_back(Output::Admit(request));
    }

    /// Answers [`Output::Admit`].
    pub fn handle_admission(&mut self, now: Now, verdict: Result<Admitted, WireError>) {
        self.liveness.observe(now);
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Admitting(hello) => match verdict {
                Ok(admitted) => {
                    self.permit = Arc::new(admitted.permit());
                    self.phase = Phase::Recognizing(hello, admitted.rights);
                    let scope = self.scope.clone();
                    self.ask(Asked::Identify, StoreRequest::Identify { scope });
                }
                Err(error) => {
                    self.phase = Phase::Admitting(hello);
                    self.fail_with(error);
                }
            },
            other => self.phase = other,
        }
    }

    fn meet_initiator(&mut self, hello: Hello, rights: Rights, us: SiteId) {
        let peer = Peer { site: hello.site, lineage: hello.lineage, head: hello.head };
        let holding = hello.holdings.into_iter().find(|holding| holding.replica == us);
        let told = holding.as_ref().map_or(Cursor::ZERO, |holding| holding.cursor.clone());
        let introduced = Introduced {
            us,
            peer: peer.site,
            lineage: peer.lineage.clone(),
            protocol: hello.protocol.min(PROTOCOL),
            window_bytes: hello.window_bytes,
            compression: hello.compression,
            clock: None,
            takes: None,
            rights,
            told,
            ahead: None,
        };
        self.meet(introduced, us, |scope| Meet { scope, peer, holding, resumes: None, clock: None });
    }

    pub(super) fn handle_welcome(&mut self, now: Now, welcome: Welcome) {
        let Phase::Greeted(greeted) = &mut self.phase else {
            return self.fail(ErrorCode::BadMessage, "a welcome out of place");
        };
        let us = greeted.site;
        let ahead = greeted.ahead.take();
        let round_trip_ms = now.mono.saturating_sub(greeted.at).as_millis() as u64;
        if !(MIN_PROTOCOL..=PROTOCOL).contains(&welcome.protocol) {
            return self.fail(ErrorCode::Protocol, format!("protocol {} was not offered", welcome.protocol));
        }
        if welcome.holding.replica != us {
            return self.fail(ErrorCode::BadMessage, "a welcome for somebody else");
        }
        self.agree_frames(welcome.max_frame_bytes);
        let knows_early = welcome.protocol >= EARLY_PROTOCOL;
        let ahead = ahead.filter(|Ahead { early, told }| {
            knows_early && early.is_taken(told, welcome.site, &welcome.holding, &welcome.resumes)
        });
        let clock = welcome.keeps_time.then(|| {
            // The welcome was on its way for about half of the round trip.
            let peer_wall_ms = welcome.wall_ms.saturating_add(round_trip_ms / 2);
            ClockReading {
                offset_ms: signed_difference(peer_wall_ms, now.wall_ms),
                peer_wall_ms,
                max_drift_ms: welcome.max_drift_ms,
                compared_at: knows_early.then_some(now),
            }
        });
        let takes = welcome.keeps_time.then(|| Takes {
            wall_ms: welcome.wall_ms.saturating_add(welcome.max_drift_ms),
            since: now.mono,
        });
        let introduced = Introduced {
            us,
            peer: welcome.site,
            lineage: welcome.lineage.clone(),
            protocol: welcome.protocol,
            window_bytes: welcome.window_bytes,
            compression: welcome.compression,
            clock,
            takes,
            rights: Rights::ALL,
            told: Cursor::ZERO,
            ahead: ahead.map(|ahead| ahead.early),
        };
        let peer = Peer { site: welcome.site, lineage: welcome.lineage, head: welcome.head };
        self.meet(introduced, us, |scope| Meet {
            scope,
            peer,
            holding: Some(welcome.holding),
            resumes: Some(welcome.resumes),
            clock,
        });
    }

    fn meet(&mut self, introduced: Introduced, us: SiteId, meet: impl FnOnce(crate::id::Scope) -> Meet) {
        if introduced.peer == us {
            // Both would go on numbering under one name. A third one tells the copy from the original.
            let message =
                "the other side is a copy of this replica; each has to meet a third one first, a hub say";
            return self.fail(ErrorCode::BadMessage, message);
        }
        let meet = meet(self.scope.clone());
        self.phase = Phase::Meeting(Box::new(introduced));
        self.ask(Asked::Meet, StoreRequest::Meet(meet));
    }

    pub(super) fn handle_met(&mut self, now: Now, met: Met) {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Meeting(introduced) => match met {
                Met::Resume(resume) if resume.us.site == introduced.us => {
                    self.go_live(now, *introduced, *resume);
                }
                // Another session of this replica found out first, and we go by a name that is no
                // longer ours.
                Met::Resume(resume) => self.fork(resume.us.site),
                Met::Forked { site } => self.fork(site),
            },
            other => self.phase = other,
        }
    }

    /// We go by another name now.
    pub(super) fn fork(&mut self, site: SiteId) {
        if !self.is_initiator {
            self.send(&Message::Error(WireError {
                code: ErrorCode::Closing,
                message: "this side was a copy and has a new site now; connect again".to_owned(),
                retry_after_ms: Some(0),
            }));
        }
        self.end(SessionEnd::Forked { site });
    }

    fn go_live(&mut self, now: Now, introduced: Introduced, resume: Resume) {
        let Resume { us, holding, send_from, rewound } = resume;
        let held = holding.cursor.clone();
        let window = self.config.window_bytes.min(introduced.window_bytes as usize);
        let compress = self.config.compression && introduced.compression;
        let offset_ms = introduced.clock.map(|clock| clock.offset_ms);
        let mut outbound = Outbound::new(send_from.clone(), window, compress, self.frame_bytes);
        let ahead = introduced.ahead.map(|early| early.informed.push);
        if ahead.as_ref().is_some_and(|push| push.from != send_from) {
            // The acceptor has gone on from where we would have to begin.
            let why = "something is to be told again, as was found out after the introduction";
            return self.fail(ErrorCode::Gap, why);
        }
        let sent_ahead = ahead.map(|push| outbound.went_ahead(&push));
        self.phase = Phase::Live(Box::new(Link {
            peer: introduced.peer,
            protocol: introduced.protocol,
            rights: introduced.rights,
            trusted_offset_ms: offset_ms.unwrap_or(0),
            keeps_time: introduced.clock.is_some(),
            takes: introduced.takes,
            outbound,
        }));
        self.liveness.heard(now);
        let mut answer = None;
        if !self.is_initiator {
            self.assembler.limit(self.config.max_message_bytes);
            answer = Some(Answer::new(introduced.told, us.site, &holding, send_from.clone()));
            self.send(&Message::Welcome(Welcome {
                protocol: introduced.protocol,
                site: us.site,
                lineage: us.lineage,
                head: us.head,
                holding,
                resumes: send_from,
                max_frame_bytes: clamp_u32(self.config.frame_bytes()),
                window_bytes: clamp_u32(self.config.window_bytes),
                compression: self.config.compression,
                wall_ms: now.wall_ms,
                max_drift_ms: self.config.max_drift_ms,
                keeps_time: self.config.keeps_time,
            }));
        }
        self.event(Event::Connected { peer: introduced.peer, offset_ms, rewound });
        if let Some(bytes) = sent_ahead {
            self.event(Event::Sent { bytes });
            // Asked before what comes in is merged, the store has nothing more to say, and nobody waits for that to be
            // acknowledged.
            self.pump_outbound(now);
        }
        self.begin_inbound(now, held, introduced.lineage);
        if let Some(answer) = answer {
            self.decide_about_early(now, answer);
        }
        self.tell_nothing();
        if let Some(message) = self.kept_answer.take() {
            self.handle_message(now, message);
        }
        self.pump_outbound(now);
    }

    fn agree_frames(&mut self, theirs: u32) {
        let theirs = (theirs as usize).max(crate::wire::MIN_FRAME_BYTES);
        self.frame_bytes = self.config.frame_bytes().min(theirs);
        if self.is_initiator {
            // Between two messages, so nothing half assembled is dropped.
            self.assembler = Assembler::new(self.config.max_message_bytes);
        }
    }
}

fn clamp_u32(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn signed_difference(a: u64, b: u64) -> i64 {
    if a >= b {
        i64::try_from(a - b).unwrap_or(i64::MAX)
    } else {
        i64::try_from(b - a).map_or(i64::MIN, |difference| -difference)
    }
}
