//! Messages that are well-formed, whatever they say.

use pocketsync_core::Bytes;
use pocketsync_core::clock::Hlc;
use pocketsync_core::conflict::{Seen, SeenStep};
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::{Cursor, Incarnation, Lineage, Stamp};
use pocketsync_core::store::{Holding, Knowledge};
use pocketsync_core::wire::{
    Ack, Body, EarlyPush, ErrorCode, Hello, Message, PROTOCOL, Push, PushSeen, Refusal, Refused, Welcome,
    WireError,
};

use super::changes::changeset;
use super::values::{NOON_MS, bytes, hlc, site};
use super::{Input, Result};

/// What whoever invents messages has heard of: what it says is near the truth more often then.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) cursors: Vec<Cursor>,
    pub(crate) sites: Vec<SiteId>,
    pub(crate) lineages: Vec<Lineage>,
}

impl Known {
    /// Remembers what a message speaks of.
    pub(crate) fn hear(&mut self, message: &Message) {
        let (cursors, lineage) = match message {
            Message::Hello(hello) => {
                self.sites.push(hello.site);
                (vec![hello.head.clone()], Some(hello.lineage.clone()))
            }
            Message::Welcome(welcome) => {
                self.sites.push(welcome.site);
                let held = welcome.holding.cursor.clone();
                (vec![welcome.head.clone(), welcome.resumes.clone(), held], Some(welcome.lineage.clone()))
            }
            Message::Push(push) | Message::PushSeen(PushSeen { push, .. }) => {
                (vec![push.from.clone(), push.to.clone()], None)
            }
            Message::Early(early) => {
                self.sites.push(early.peer);
                let push = &early.informed.push;
                (vec![push.from.clone(), push.to.clone()], None)
            }
            Message::Ack(ack) => (vec![ack.cursor.clone()], None),
            Message::Refused(refused) => (vec![refused.from.clone()], None),
            _ => return,
        };
        self.cursors.extend(cursors);
        self.lineages.extend(lineage);
    }

    fn site(&self, u: &mut Input<'_>) -> Result<SiteId> {
        if self.sites.is_empty() || u.ratio(1, 4u8)? { site(u) } else { u.choose(&self.sites).copied() }
    }

    fn cursor(&self, u: &mut Input<'_>) -> Result<Cursor> {
        if self.cursors.is_empty() || u.ratio(1, 4u8)? {
            return cursor(u);
        }
        let mut cursor = u.choose(&self.cursors)?.clone();
        match u.int_in_range(0..=7u8)? {
            0 => cursor.seq = cursor.seq.saturating_add(1),
            1 => cursor.stamp = Stamp(cursor.stamp.0 ^ 1),
            2 if cursor.seq > 0 => cursor.within = bytes(u, 12)?,
            _ => {}
        }
        Ok(cursor)
    }

    fn lineage(&self, u: &mut Input<'_>) -> Result<Lineage> {
        if !self.lineages.is_empty() && u.ratio(1, 2u8)? {
            return u.choose(&self.lineages).cloned();
        }
        let count = u.int_in_range(0..=4u8)?;
        let openings = (0..count).map(|_| {
            let first_seq = u64::from(u.int_in_range(1..=9u8)?);
            Ok(Incarnation { first_seq, stamp: Stamp(u.int_in_range(0..=5)?) })
        });
        Ok(Lineage::new(openings.collect::<Result<_>>()?))
    }

    fn holding(&self, u: &mut Input<'_>) -> Result<Holding> {
        let counter = if u.ratio(1, 8u8)? { u.arbitrary()? } else { u.int_in_range(0..=4)? };
        let hlc = if u.ratio(1, 2u8)? { Hlc::ZERO } else { hlc(u)? };
        Ok(Holding {
            replica: self.site(u)?,
            cursor: self.cursor(u)?,
            lineage: self.lineage(u)?,
            knowledge: Knowledge { counter, hlc },
        })
    }

    pub(crate) fn hello(&self, u: &mut Input<'_>, scope: &Scope) -> Result<Hello> {
        let holdings = u.int_in_range(0..=3u8)?;
        Ok(Hello {
            protocol: if u.ratio(1, 16u8)? { u.arbitrary()? } else { PROTOCOL },
            min_protocol: if u.ratio(1, 16u8)? { u.arbitrary()? } else { 1 },
            scope: if u.ratio(1, 8u8)? { Scope::new("other").expect("a name") } else { scope.clone() },
            token: None,
            site: self.site(u)?,
            lineage: self.lineage(u)?,
            head: self.cursor(u)?,
            holdings: (0..holdings).map(|_| self.holding(u)).collect::<Result<_>>()?,
            max_frame_bytes: size(u)?,
            window_bytes: size(u)?,
            compression: u.arbitrary()?,
            wall_ms: wall(u)?,
        })
    }

    fn welcome(&self, u: &mut Input<'_>) -> Result<Welcome> {
        Ok(Welcome {
            protocol: if u.ratio(1, 16u8)? { u.arbitrary()? } else { PROTOCOL },
            site: self.site(u)?,
            lineage: self.lineage(u)?,
            head: self.cursor(u)?,
            holding: self.holding(u)?,
            resumes: self.cursor(u)?,
            max_frame_bytes: size(u)?,
            window_bytes: size(u)?,
            compression: u.arbitrary()?,
            wall_ms: wall(u)?,
            max_drift_ms: if u.ratio(1, 4u8)? { u.arbitrary()? } else { 300_000 },
            keeps_time: u.arbitrary()?,
        })
    }

    fn push(&self, u: &mut Input<'_>) -> Result<Push> {
        Ok(Push { from: self.cursor(u)?, to: self.cursor(u)?, last: u.arbitrary()?, body: body(u)? })
    }

    fn early(&self, u: &mut Input<'_>) -> Result<EarlyPush> {
        let counter = if u.arbitrary()? { u64::MAX } else { u.int_in_range(0..=4)? };
        let hlc = if u.arbitrary()? { Hlc::MAX } else { hlc(u)? };
        let informed = PushSeen { seen: seen(u)?, push: self.push(u)? };
        Ok(EarlyPush { peer: self.site(u)?, offered: Knowledge { counter, hlc }, informed })
    }

    fn refused(&self, u: &mut Input<'_>) -> Result<Refused> {
        let count = u.int_in_range(0..=3u16)?;
        let refusals = (0..count).map(|reason| Ok(Refusal { reason, parts: body(u)? }));
        let refusals = refusals.collect::<Result<_>>()?;
        let states = if u.arbitrary()? { Some(body(u)?) } else { None };
        Ok(Refused { from: self.cursor(u)?, refusals, states })
    }

    /// Any message.
    pub(crate) fn message(&self, u: &mut Input<'_>, scope: &Scope) -> Result<Message> {
        Ok(match u.int_in_range(0..=14u8)? {
            0 | 1 => Message::Hello(self.hello(u, scope)?),
            2 | 3 => Message::Welcome(self.welcome(u)?),
            4 | 5 => Message::Push(self.push(u)?),
            6 => Message::PushSeen(PushSeen { seen: seen(u)?, push: self.push(u)? }),
            7 | 8 => Message::Ack(Ack { cursor: self.cursor(u)? }),
            9 => Message::Ping(u.arbitrary()?),
            10 => Message::Pong(u.arbitrary()?),
            11 => Message::Refused(self.refused(u)?),
            13 | 14 => Message::Early(self.early(u)?),
            _ if u.arbitrary()? => Message::Bye,
            _ => Message::Error(WireError {
                code: ErrorCode::from(u.int_in_range(0..=13u16)?),
                message: "made up".to_owned(),
                retry_after_ms: u.arbitrary()?,
            }),
        })
    }
}

fn body(u: &mut Input<'_>) -> Result<Body> {
    Ok(match u.int_in_range(0..=7u8)? {
        0 => Body::Empty,
        1 => Body::Plain(bytes(u, 100)?.into()),
        2 => Body::Lz4(bytes(u, 100)?.into()),
        _ => Body::seal(&changeset(u)?, u.arbitrary()?),
    })
}

fn seen(u: &mut Input<'_>) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut clock = 0;
    for _ in 0..u.int_in_range(0..=3u8)? {
        clock += u.int_in_range(1..=1u64 << 40)?;
        let position = if u.arbitrary()? { Some(u.int_in_range(0..=6)?) } else { None };
        seen.push(SeenStep { until: Hlc::from_bits(clock), position, peers: Vec::new() });
    }
    seen.push(SeenStep { until: Hlc::MAX, position: Some(u.int_in_range(0..=6)?), peers: Vec::new() });
    Ok(seen)
}

fn cursor(u: &mut Input<'_>) -> Result<Cursor> {
    let seq = if u.ratio(1, 8u8)? { u.arbitrary()? } else { u.int_in_range(0..=6)? };
    let stamp = if u.ratio(1, 8u8)? { u.arbitrary()? } else { u.int_in_range(0..=6)? };
    let within = if seq > 0 && u.ratio(1, 4u8)? { bytes(u, 20)? } else { Vec::new() };
    Ok(Cursor { seq, stamp: Stamp(stamp), within })
}

fn size(u: &mut Input<'_>) -> Result<u32> {
    Ok(*u.choose(&[1 << 20, 256, 0, 1000, u32::MAX])?)
}

fn wall(u: &mut Input<'_>) -> Result<u64> {
    Ok(if u.ratio(1, 8u8)? { u.arbitrary()? } else { NOON_MS + u64::from(u.arbitrary::<u16>()?) })
}

/// A frame that is none, or the damaged copy of one.
pub(crate) fn spoiled(u: &mut Input<'_>, frame: Option<&Bytes>) -> Result<Bytes> {
    let Some(frame) = frame.filter(|frame| !frame.is_empty()) else {
        return Ok(bytes(u, 300)?.into());
    };
    let mut bytes = frame.to_vec();
    for _ in 0..=u.int_in_range(0..=2u8)? {
        let at = u.choose_index(bytes.len())?;
        match u.int_in_range(0..=3u8)? {
            0 => bytes.truncate(at.max(1)),
            1 => bytes.insert(at, u.arbitrary()?),
            _ => bytes[at] = u.arbitrary()?,
        }
    }
    Ok(bytes.into())
}
