//! What every transport has to do, as checks that can be run against any pair of ends.
//!
//! Implement [`Bench`] for a transport, then call [`check_all`], or one check a test so that
//! failures have names. Each check opens a fresh link; what hangs is told after
//! [`Bench::patience`].
//!
//! ```
//! use async_trait::async_trait;
//! use futures::future::BoxFuture;
//! use pocketsync_core::testkit::{TestRuntime, conformance, memory_pair};
//! use pocketsync_core::transport::Transport;
//! use std::{sync::Arc, time::Duration};
//!
//! struct Memory(Arc<dyn pocketsync_core::runtime::Runtime>);
//!
//! #[async_trait]
//! impl conformance::Bench for Memory {
//!     async fn open(&self) -> (Transport, Transport) {
//!         memory_pair(1 << 16)
//!     }
//!     fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
//!         self.0.sleep_until(self.0.now().mono + time)
//!     }
//! }
//!
//! let runtime = TestRuntime::new(1);
//! runtime.block_on(conformance::check_all(&Memory(runtime.handle())));
//! ```

use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::{self, BoxFuture, Either};
use futures::{FutureExt, SinkExt, StreamExt};

use crate::transport::{FrameSink, FrameStream, Transport};
use crate::wire::MIN_FRAME_BYTES;

/// What is to be checked.
#[async_trait]
pub trait Bench: Sync {
    /// Opens a link, and gives its two ends.
    async fn open(&self) -> (Transport, Transport);

    /// Lets time pass.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;

    /// How long a check may take before it counts as hung.
    fn patience(&self) -> Duration {
        Duration::from_secs(20)
    }
}

/// Runs every check, one after the other.
///
/// # Panics
/// When the transport breaks the contract; the message says how.
pub async fn check_all(bench: &dyn Bench) {
    frames_keep_their_order_and_boundaries(bench).await;
    the_largest_frame_passes_and_a_larger_one_does_not(bench).await;
    both_directions_at_once(bench).await;
    a_slow_reader_holds_up_the_writer_and_loses_nothing(bench).await;
    waiting_can_be_cancelled(bench).await;
    closing_delivers_what_was_sent(bench).await;
    an_end_that_vanishes_is_an_error(bench).await;
}

/// A frame of a length whose content tells its number.
fn frame(number: usize, bytes: usize) -> Bytes {
    (0..bytes).map(|at| (number.wrapping_mul(31).wrapping_add(at)) as u8).collect::<Vec<u8>>().into()
}

async fn in_time<T>(bench: &dyn Bench, what: &str, work: impl Future<Output = T>) -> T {
    let work = pin!(work);
    match future::select(work, bench.sleep(bench.patience())).await {
        Either::Left((value, _)) => value,
        Either::Right(_) => panic!("{what}: nothing happened for {:?}", bench.patience()),
    }
}

async fn send(sink: &mut FrameSink, frame: Bytes) {
    sink.send(frame).await.expect("an open link takes frames");
}

async fn receive(stream: &mut FrameStream) -> Bytes {
    stream.next().await.expect("an open link does not end").expect("an open link does not fail")
}

/// Frames of many sizes arrive as they were sent: whole, apart, in order.
///
/// # Panics
/// When they do not.
pub async fn frames_keep_their_order_and_boundaries(bench: &dyn Bench) {
    let (mut ours, mut theirs) = bench.open().await;
    let largest = ours.max_frame_bytes.min(theirs.max_frame_bytes).min(1 << 16);
    let sizes: Vec<usize> = (0..300).map(|n| if n % 7 == 0 { 1 } else { 1 + (n * 7919) % largest }).collect();
    let sending = async {
        for (number, &size) in sizes.iter().enumerate() {
            send(&mut ours.sink, frame(number, size)).await;
        }
    };
    let receiving = async {
        for (number, &size) in sizes.iter().enumerate() {
            assert!(receive(&mut theirs.stream).await == frame(number, size), "frame {number} is another");
        }
    };
    in_time(bench, "frames in order", future::join(sending, receiving)).await;
}

/// A frame of `max_frame_bytes` passes, which is at least [`MIN_FRAME_BYTES`]; a larger one is
/// refused by one of the two ends, and never delivered in another shape.
///
/// # Panics
/// When they do not.
pub async fn the_largest_frame_passes_and_a_larger_one_does_not(bench: &dyn Bench) {
    let (mut ours, mut theirs) = bench.open().await;
    let largest = ours.max_frame_bytes.min(theirs.max_frame_bytes);
    assert!(largest >= MIN_FRAME_BYTES, "a transport carries frames of {MIN_FRAME_BYTES} bytes at least");
    for size in [MIN_FRAME_BYTES, largest] {
        let exchange = future::join(send(&mut ours.sink, frame(1, size)), receive(&mut theirs.stream));
        let ((), received) = in_time(bench, "the largest frame", exchange).await;
        assert!(received == frame(1, size), "a frame of {size} bytes arrived as another");
    }
    let too_large = frame(2, ours.max_frame_bytes.max(theirs.max_frame_bytes) + 1);
    let sending = async {
        let sent = ours.sink.send(too_large).await;
        // Whoever was refused gives the link up.
        drop(ours);
        sent
    };
    let (sent, received) =
        in_time(bench, "a frame too large", future::join(sending, theirs.stream.next())).await;
    assert!(
        sent.is_err() || !matches!(received, Some(Ok(_))),
        "a frame larger than both ends carry was delivered"
    );
}

/// Both ends send and receive at the same time, without waiting for each other.
///
/// # Panics
/// When they do not.
pub async fn both_directions_at_once(bench: &dyn Bench) {
    let (ours, theirs) = bench.open().await;
    let end = |end: Transport, first: usize, other: usize| async move {
        let Transport { mut stream, mut sink, .. } = end;
        let sending = async {
            for number in first..first + 200 {
                send(&mut sink, frame(number, MIN_FRAME_BYTES)).await;
            }
        };
        let receiving = async {
            for number in other..other + 200 {
                assert!(receive(&mut stream).await == frame(number, MIN_FRAME_BYTES));
            }
        };
        future::join(sending, receiving).await;
        (stream, sink)
    };
    // The ends live until both are through.
    let _ends =
        in_time(bench, "both directions", future::join(end(ours, 0, 1000), end(theirs, 1000, 0))).await;
}

/// When one side does not read, the sink of the other pushes back sooner or later, and everything
/// arrives once it reads again.
///
/// # Panics
/// When it takes 256 MiB without pushing back, or loses frames.
pub async fn a_slow_reader_holds_up_the_writer_and_loses_nothing(bench: &dyn Bench) {
    let (mut ours, mut theirs) = bench.open().await;
    let size = ours.max_frame_bytes.min(theirs.max_frame_bytes).min(1 << 16);
    let mut sent = 0;
    let mut next = Box::pin(fill(&mut ours.sink, size, &mut sent));
    // Until nothing moves for a while, with nobody reading.
    if let Either::Left(_) = future::select(&mut next, bench.sleep(Duration::from_millis(500))).await {
        panic!("256 MiB were taken without pushing back");
    }
    drop(next);
    assert!(sent > 0, "an open link takes a frame");
    let reading = async {
        for number in 0..sent {
            assert!(receive(&mut theirs.stream).await == frame(number, size), "frame {number} is another");
        }
    };
    let flushing = async { ours.sink.flush().await.expect("the link is open") };
    in_time(bench, "reading again", future::join(reading, flushing)).await;
}

/// Feeds numbered frames, counting those that the sink has taken.
async fn fill(sink: &mut FrameSink, size: usize, sent: &mut usize) {
    while *sent * size < 256 << 20 {
        future::poll_fn(|cx| sink.as_mut().poll_ready(cx)).await.expect("the link is open");
        sink.as_mut().start_send(frame(*sent, size)).expect("the sink said that it was ready");
        *sent += 1;
        let _later = future::poll_fn(|cx| sink.as_mut().poll_flush(cx)).now_or_never();
    }
}

/// Waiting for a frame, or for the sink, may be given up and taken up again: nothing is lost.
///
/// # Panics
/// When something is.
pub async fn waiting_can_be_cancelled(bench: &dyn Bench) {
    let (mut ours, mut theirs) = bench.open().await;
    let sending = async {
        for number in 0..50 {
            // Waits for room in many short pieces.
            while future::poll_fn(|cx| ours.sink.as_mut().poll_ready(cx)).now_or_never().is_none() {
                bench.sleep(Duration::from_millis(1)).await;
            }
            ours.sink.as_mut().start_send(frame(number, 200)).expect("the link is open");
            if number % 10 == 9 {
                bench.sleep(Duration::from_millis(3)).await;
            }
            while future::poll_fn(|cx| ours.sink.as_mut().poll_flush(cx)).now_or_never().is_none() {
                bench.sleep(Duration::from_millis(1)).await;
            }
        }
    };
    let receiving = async {
        for number in 0..50 {
            let received = loop {
                match future::select(theirs.stream.next(), bench.sleep(Duration::from_millis(1))).await {
                    Either::Left((received, _)) => break received,
                    Either::Right(_) => {}
                }
            };
            let received = received.expect("the link is open").expect("the link is open");
            assert!(received == frame(number, 200), "frame {number} is another");
        }
    };
    in_time(bench, "cancelled waits", future::join(sending, receiving)).await;
}

/// What was sent before an orderly close arrives, and then the stream ends without an error.
///
/// # Panics
/// When it does not.
pub async fn closing_delivers_what_was_sent(bench: &dyn Bench) {
    let (mut ours, mut theirs) = bench.open().await;
    let closing = async {
        for number in 0..20 {
            send(&mut ours.sink, frame(number, 100)).await;
        }
        ours.sink.close().await.expect("an open link closes");
        // Reads on until the other side has closed as well.
        while let Some(Ok(_)) = ours.stream.next().await {}
    };
    let receiving = async {
        for number in 0..20 {
            assert!(receive(&mut theirs.stream).await == frame(number, 100), "frame {number} is another");
        }
        let end = theirs.stream.next().await;
        assert!(end.is_none(), "an orderly close ends the stream, and not with {end:?}");
        // The other direction may be gone already.
        let _gone = theirs.sink.close().await;
    };
    in_time(bench, "closing", future::join(closing, receiving)).await;
}

/// When an end vanishes without closing, the other gets an error: it must not take that for an
/// orderly end.
///
/// # Panics
/// When it does not.
pub async fn an_end_that_vanishes_is_an_error(bench: &dyn Bench) {
    let (mut ours, mut theirs) = bench.open().await;
    let hello = future::join(send(&mut ours.sink, frame(1, 100)), receive(&mut theirs.stream));
    in_time(bench, "a first frame", hello).await;
    drop(ours);
    let end = in_time(bench, "an end that vanished", theirs.stream.next()).await;
    assert!(matches!(end, Some(Err(_))), "the stream ended with {end:?} and not with an error");
}
