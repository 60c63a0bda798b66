//! What a client's link can be told.

use std::time::Duration;

use pocketsync_core::wire::MIN_FRAME_BYTES;

/// The largest frame where nobody said otherwise. Proxies refuse bodies that they find large, the
/// most common one from 1 MiB on, so frames stay well below.
const MAX_FRAME_BYTES: usize = 256 << 10;

/// Settings of a client's link.
///
/// ```
/// use pocketsync_http::HttpConfig;
/// let config = HttpConfig::default().max_frame_bytes(64 * 1024);
/// # let _ = config;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpConfig {
    max_frame_bytes: usize,
    pub(crate) wait: Duration,
    pub(crate) linger: Duration,
    pub(crate) give_up_after: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        HttpConfig {
            max_frame_bytes: MAX_FRAME_BYTES,
            wait: Duration::from_secs(25),
            linger: Duration::from_millis(5),
            give_up_after: Duration::from_secs(15),
        }
    }
}

impl HttpConfig {
    /// The largest frame to take or send, in bytes: 256 KiB where nothing is said, at least 256.
    #[must_use]
    pub fn max_frame_bytes(mut self, bytes: usize) -> Self {
        self.max_frame_bytes = bytes.max(MIN_FRAME_BYTES);
        self
    }

    /// How long the hub is asked to hold an answer until it has something to say: 25 s where nothing
    /// is said. Proxies give up on requests after a minute or so.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// How long to wait after an answer that brought frames before the next request, so that what the
    /// session says to them goes with it: 5 ms where nothing is said. Twice as long after each frame that
    /// the session sends meanwhile, and longer after much, but never more than 100 ms.
    #[must_use]
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// How long to repeat a request whose connection breaks before the link counts as lost: 15 s where
    /// nothing is said.
    #[must_use]
    pub fn give_up_after(mut self, time: Duration) -> Self {
        self.give_up_after = time;
        self
    }

    pub(crate) fn frame_limit(self) -> usize {
        self.max_frame_bytes
    }
}
