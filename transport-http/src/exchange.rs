//! What one POST says, and what its answer says: header fields, and frames in a body.
//!
//! `docs/http-transport.md` tells a stranger the same.

use std::fmt;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The media type of frames, both ways.
pub const MEDIA_TYPE: &str = "application/vnd.pocketsync.frames.v1";

/// Names the link: 32 hexadecimal digits, drawn at random by the client.
pub(crate) const LINK: HeaderName = HeaderName::from_static("pocketsync-link");
/// In a request: the number of the first frame in the body. In an answer: the number of the first
/// frame that the hub does not have.
pub(crate) const UP: HeaderName = HeaderName::from_static("pocketsync-up");
/// In a request: the number of the first frame that the client does not have; left out where it wants
/// none. In an answer: the number of the first frame in the body.
pub(crate) const DOWN: HeaderName = HeaderName::from_static("pocketsync-down");
/// How long the hub may hold the answer until it has frames, in milliseconds.
pub(crate) const WAIT: HeaderName = HeaderName::from_static("pocketsync-wait");
/// How many bytes of frames the answer may carry, for a client on a bad line; one frame it always may.
pub(crate) const ROOM: HeaderName = HeaderName::from_static("pocketsync-room");
/// `1`: nothing follows these frames in their direction.
pub(crate) const END: HeaderName = HeaderName::from_static("pocketsync-end");

/// What a frame costs in memory besides its bytes, about; empty frames must not be free.
pub(crate) const FRAME_OVERHEAD: usize = 64;

/// About what an answer carries where nobody said otherwise.
pub(crate) const ANSWER_BYTES: u64 = 512 << 10;

/// The length before each frame.
const LENGTH_BYTES: usize = 4;

/// The name of a link: a number that nobody guesses, for whoever knows it can use the link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkId([u8; 16]);

impl LinkId {
    /// The link with this number.
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        LinkId(bytes)
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return None;
        }
        let digit =
            |at: usize| char::from(digits[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let mut bytes = [0; 16];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = digit(2 * at)? << 4 | digit(2 * at + 1)?;
        }
        Some(LinkId(bytes))
    }

    fn digits(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The first digits: enough to tell links apart in a log, too few to use one.
impl fmt::Debug for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", &self.digits()[..8])
    }
}

/// What a request says.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Ask {
    pub(crate) link: LinkId,
    /// The number of the first of `frames`.
    pub(crate) up: u64,
    pub(crate) frames: Vec<Bytes>,
    /// Nothing follows `frames`.
    pub(crate) end: bool,
    /// The first frame that the client does not have; `None` where it wants none now.
    pub(crate) down: Option<u64>,
    pub(crate) wait: Duration,
    /// How many bytes of frames the answer may carry; `None` leaves it to the hub.
    pub(crate) room: Option<u64>,
}

/// What an answer says.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Answer {
    /// The first frame that the hub does not have.
    pub(crate) up: u64,
    /// The number of the first of `frames`.
    pub(crate) down: u64,
    pub(crate) frames: Vec<Bytes>,
    /// Nothing follows `frames`.
    pub(crate) end: bool,
}

impl Ask {
    /// The number behind the last frame.
    pub(crate) fn up_after(&self) -> u64 {
        self.up + self.frames.len() as u64
    }

    /// The same, asking for less each time that it failed: a line that breaks before a large request or
    /// a large answer is through still carries small ones. What is left out goes with the next request.
    pub(crate) fn smaller(&self, failures: u32) -> Self {
        let some = (self.frames.len() >> (2 * failures).min(63)).max(1).min(self.frames.len());
        Ask {
            frames: self.frames[..some].to_vec(),
            end: self.end && some == self.frames.len(),
            room: (failures > 0).then(|| ANSWER_BYTES >> (2 * failures).min(63)),
            ..self.clone()
        }
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(LINK, HeaderValue::try_from(self.link.digits()).expect("digits are a header value"));
        headers.insert(UP, self.up.into());
        if let Some(down) = self.down {
            headers.insert(DOWN, down.into());
            headers.insert(WAIT, u64::try_from(self.wait.as_millis()).unwrap_or(u64::MAX).into());
        }
        if let Some(room) = self.room {
            headers.insert(ROOM, room.into());
        }
        if self.end {
            headers.insert(END, HeaderValue::from_static("1"));
        }
        headers
    }

    /// Reads the header fields; the frames come with the body.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Self, Malformed> {
        let link = headers.get(LINK).ok_or(Malformed::Missing(LINK))?;
        let link = link.to_str().ok().and_then(LinkId::parse).ok_or(Malformed::Link)?;
        Ok(Ask {
            link,
            up: number(headers, &UP)?.ok_or(Malformed::Missing(UP))?,
            frames: Vec::new(),
            end: number(headers, &END)?.is_some_and(|end| end != 0),
            down: number(headers, &DOWN)?,
            wait: Duration::from_millis(number(headers, &WAIT)?.unwrap_or(0)),
            room: number(headers, &ROOM)?,
        })
    }
}

impl Answer {
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(UP, self.up.into());
        headers.insert(DOWN, self.down.into());
        if self.end {
            headers.insert(END, HeaderValue::from_static("1"));
        }
        headers
    }

    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Self, Malformed> {
        Ok(Answer {
            up: number(headers, &UP)?.ok_or(Malformed::Missing(UP))?,
            down: number(headers, &DOWN)?.ok_or(Malformed::Missing(DOWN))?,
            frames: Vec::new(),
            end: number(headers, &END)?.is_some_and(|end| end != 0),
        })
    }
}

/// Numbers stay far below what adding could overflow.
fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, Malformed> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok()).filter(|number: &u64| *number < 1 << 62);
    number.map(Some).ok_or_else(|| Malformed::Number(name.clone()))
}

/// Puts frames into a body: each behind its length, four bytes, the highest first.
pub(crate) fn join(frames: &[Bytes]) -> Bytes {
    let bytes = frames.iter().map(|frame| LENGTH_BYTES + frame.len()).sum();
    let mut body = BytesMut::with_capacity(bytes);
    for frame in frames {
        body.put_u32(u32::try_from(frame.len()).expect("a frame is far below 4 GiB"));
        body.put_slice(frame);
    }
    body.freeze()
}

/// Takes frames out of a body; they share its memory.
pub(crate) fn split(mut body: Bytes, max_frame_bytes: usize) -> Result<Vec<Bytes>, Malformed> {
    let mut frames = Vec::new();
    while !body.is_empty() {
        if body.len() < LENGTH_BYTES {
            return Err(Malformed::Body);
        }
        let bytes = body.get_u32() as usize;
        if bytes > max_frame_bytes {
            return Err(Malformed::TooLarge { bytes, limit: max_frame_bytes });
        }
        if bytes > body.len() {
            return Err(Malformed::Body);
        }
        frames.push(body.split_to(bytes));
    }
    Ok(frames)
}

/// Why a request or an answer cannot be read.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Malformed {
    Missing(HeaderName),
    Number(HeaderName),
    Link,
    Body,
    TooLarge { bytes: usize, limit: usize },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Missing(name) => write!(f, "the header field {name} is missing"),
            Malformed::Number(name) => write!(f, "the header field {name} is not a number below 2^62"),
            Malformed::Link => write!(f, "the header field {LINK} is not 32 hexadecimal digits"),
            Malformed::Body => f.write_str("the body ends inside of a frame"),
            Malformed::TooLarge { bytes, limit } => {
                write!(f, "a frame of {bytes} bytes is over the limit of {limit}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask() -> Ask {
        Ask {
            link: LinkId::from_bytes([0xa7; 16]),
            up: 3,
            frames: Vec::new(),
            end: true,
            down: Some(9),
            wait: Duration::from_millis(1500),
            room: Some(1000),
        }
    }

    #[test]
    fn header_fields_come_back_as_they_went() {
        assert_eq!(Ask::from_headers(&ask().headers()), Ok(ask()));
        let quiet = Ask { down: None, wait: Duration::ZERO, room: None, end: false, ..ask() };
        assert_eq!(Ask::from_headers(&quiet.headers()), Ok(quiet));
        let answer = Answer { up: 7, down: 2, frames: Vec::new(), end: true };
        assert_eq!(Answer::from_headers(&answer.headers()), Ok(answer));
    }

    #[test]
    fn frames_come_back_as_they_went() {
        let frames: Vec<Bytes> = [0, 1, 300].map(|bytes| Bytes::from(vec![7; bytes])).to_vec();
        assert_eq!(split(join(&frames), 300), Ok(frames.clone()));
        assert_eq!(split(join(&frames), 299), Err(Malformed::TooLarge { bytes: 300, limit: 299 }));
        let whole = join(&frames);
        for cut in 1..whole.len() {
            let read = split(whole.slice(..cut), 300);
            assert!(read == Err(Malformed::Body) || read.is_ok_and(|some| frames.starts_with(&some)));
        }
    }

    #[test]
    fn what_is_no_number_is_said_by_name() {
        for wrong in ["", "-1", "+1", "1.5", "0x1", "4611686018427387904", "99999999999999999999999"] {
            let mut headers = ask().headers();
            headers.insert(UP, wrong.parse().unwrap());
            assert_eq!(Ask::from_headers(&headers), Err(Malformed::Number(UP)), "{wrong}");
        }
        let mut headers = ask().headers();
        for wrong in ["", "a7", "g7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7", "+7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7"] {
            headers.insert(LINK, wrong.parse().unwrap());
            assert_eq!(Ask::from_headers(&headers), Err(Malformed::Link), "{wrong}");
        }
    }

    #[test]
    fn a_log_does_not_show_a_link() {
        assert_eq!(format!("{:?}", ask().link), "a7a7a7a7…");
    }
}
