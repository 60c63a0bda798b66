//! What a frame is for, by a glance at its bytes.

use crate::history::Cause;

/// Sorts the frames of one direction of a link. A message may be cut into several frames; only the
/// first of them says what it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sorter {
    /// What the message is for that the next frame continues.
    inside: Option<Cause>,
}

impl Sorter {
    /// What this frame, the next of its direction, is for.
    pub(crate) fn sort(&mut self, frame: &[u8]) -> Cause {
        let ends = frame.first().is_none_or(|header| header & 1 == 1);
        let cause = self.inside.unwrap_or_else(|| cause_of(frame.get(1).copied()));
        self.inside = (!ends).then_some(cause);
        cause
    }
}

/// A message begins with the number of its kind, in the order of [`Message`](pocketsync_core::wire::Message).
fn cause_of(kind: Option<u8>) -> Cause {
    match kind {
        Some(0 | 1) => Cause::Handshake,
        Some(2 | 8..=10) => Cause::Changes,
        Some(3) => Cause::Acks,
        Some(5 | 6) => Cause::Heartbeat,
        _ => Cause::Errors,
    }
}

#[cfg(test)]
mod tests {
    use pocketsync_core::id::SiteId;
    use pocketsync_core::lineage::Cursor;
    use pocketsync_core::store::Knowledge;
    use pocketsync_core::wire::{
        Ack, Body, EarlyPush, ErrorCode, Message, Push, PushSeen, Refused, WireError, frame,
    };

    use super::*;

    fn cause_of_message(message: &Message) -> Cause {
        match message {
            Message::Hello(_) | Message::Welcome(_) => Cause::Handshake,
            Message::Push(_) | Message::PushSeen(_) | Message::Refused(_) | Message::Early(_) => {
                Cause::Changes
            }
            Message::Ack(_) => Cause::Acks,
            Message::Error(_) | Message::Bye => Cause::Errors,
            Message::Ping(_) | Message::Pong(_) => Cause::Heartbeat,
        }
    }

    #[test]
    fn the_first_byte_of_a_message_says_what_it_is() {
        let error = WireError { code: ErrorCode::Gap, message: "x".repeat(900), retry_after_ms: None };
        let push = Push { from: Cursor::ZERO, to: Cursor::ZERO, last: true, body: Body::Empty };
        let messages = [
            Message::PushSeen(PushSeen { seen: Default::default(), push: push.clone() }),
            Message::Early(EarlyPush {
                peer: SiteId::NIL,
                offered: Knowledge::default(),
                informed: PushSeen { seen: Default::default(), push: push.clone() },
            }),
            Message::Push(push),
            Message::Refused(Refused { from: Cursor::ZERO, refusals: Vec::new(), states: None }),
            Message::Ack(Ack { cursor: Cursor::ZERO }),
            Message::Error(error),
            Message::Ping(7),
            Message::Pong(7),
            Message::Bye,
        ];
        let mut sorter = Sorter::default();
        for message in messages {
            for frame in frame::cut(&message, 256) {
                assert_eq!(sorter.sort(&frame), cause_of_message(&message), "{message:?}");
            }
        }
    }
}
