//! Frames and messages from untrusted bytes.
//!
//! Whatever comes, the assembler answers with an error or a message, allocates in proportion to
//! what came, and what it understood it says again in the same way.

use pocketsync_core::Bytes;
use pocketsync_core::wire::frame::{Assembler, cut};
use pocketsync_core::wire::{MIN_FRAME_BYTES, Message, PushSeen};

use crate::memory::allocated;

/// The largest message that the stream of frames may make.
const MAX_MESSAGE_BYTES: usize = 8 << 10;

/// Takes the input for one frame, and for a stream of frames that each stand behind their length.
pub fn run(data: &[u8]) {
    let frame = Bytes::copy_from_slice(data);
    let (total, decoded) = allocated(|| Assembler::new(data.len()).push(frame));
    assert!(total <= 64 * data.len() + (16 << 10), "{total} bytes for a frame of {}", data.len());
    if let Ok(Some(message)) = decoded {
        check_message(&message, data.len());
    }
    check_stream(data);
}

fn check_stream(data: &[u8]) {
    let mut assembler = Assembler::new(MAX_MESSAGE_BYTES);
    let mut rest = data;
    let mut pending = 0;
    while let Some((&len, after)) = rest.split_first() {
        let (frame, after) = after.split_at(after.len().min(usize::from(len)));
        rest = after;
        pending += frame.len();
        let frame = Bytes::copy_from_slice(frame);
        let (total, pushed) = allocated(|| assembler.push(frame));
        assert!(total <= 66 * pending + (16 << 10), "{total} bytes for a message of {pending}");
        match pushed {
            Ok(Some(message)) => {
                check_message(&message, pending);
                pending = 0;
            }
            Ok(None) => assert!(pending <= 2 * MAX_MESSAGE_BYTES, "more is kept than one message takes"),
            Err(_) => return,
        }
    }
}

fn check_message(message: &Message, len: usize) {
    for frame_bytes in [0, MIN_FRAME_BYTES + 1, usize::MAX] {
        let frames = cut(message, frame_bytes);
        let (last, first) = frames.split_last().expect("a message is one frame at least");
        let mut assembler = Assembler::new(frames.iter().map(Bytes::len).sum());
        for frame in first {
            assert!(frame.len() <= frame_bytes.max(MIN_FRAME_BYTES));
            assert_eq!(assembler.push(frame.clone()), Ok(None));
        }
        assert_eq!(assembler.push(last.clone()).as_ref(), Ok(&Some(message.clone())));
    }
    if let Message::Push(push) | Message::PushSeen(PushSeen { push, .. }) = message {
        let limit = 4 * len + 256;
        let (total, opened) = allocated(|| push.body.open(limit));
        assert!(total <= 64 * limit + 1024, "{total} bytes for a body that may have {limit}");
        if let Ok(changeset) = opened {
            crate::changeset::check(&changeset);
        }
    }
}
