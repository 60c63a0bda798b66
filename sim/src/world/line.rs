//! A device's way to the hub, or to whomever it meets.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use async_trait::async_trait;
use pocketsync_core::transport::{Connector, Transport, TransportError};
use pocketsync_ws::{WsConfig, WsUrl};
use tokio_util::compat::TokioAsyncReadCompatExt;
use turmoil::net::TcpStream;

use super::clock::Time;
use super::parts::Parts;
use super::records::Records;
use super::shaped;
use crate::story::{DeviceNo, Link};

/// The host that the hub is on.
pub(super) const HUB: &str = "hub";
/// Where it listens.
pub(super) const PORT: u16 = 80;

/// What is known of a device's link, whoever connects over it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) device: DeviceNo,
    pub(super) link: Link,
    pub(super) seed: u64,
    pub(super) time: Arc<Time>,
    pub(super) records: Records,
    up: AtomicBool,
    /// How often it was cut: connections from before are gone.
    cuts: AtomicU64,
    connections: AtomicU64,
    /// Nothing fails by itself any more.
    calm: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Line {
    pub(super) fn new(
        device: DeviceNo,
        link: Link,
        seed: u64,
        time: &Arc<Time>,
        records: &Records,
    ) -> Arc<Self> {
        Arc::new(Line {
            device,
            link,
            seed,
            time: Arc::clone(time),
            records: records.clone(),
            up: AtomicBool::new(false),
            cuts: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            calm: AtomicBool::new(false),
            waiting: Mutex::default(),
        })
    }

    /// Whether there is a network, as far as the device can tell.
    pub(super) fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::Relaxed);
        if !up {
            self.cut();
        }
    }

    /// Both ends of what is connected lose it.
    pub(super) fn cut(&self) {
        self.cuts.fetch_add(1, Ordering::Relaxed);
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Nothing fails by itself from now on.
    pub(super) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    pub(super) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }

    /// Wakes whoever waits when the line is cut.
    pub(super) fn wait_for_cut(&self, waker: &Waker) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.iter().any(|other| other.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }

    /// The number of one more connection over it.
    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether there is a network, and how often it was cut.
    pub(super) fn check(&self) -> Result<u64, TransportError> {
        match self.up.load(Ordering::Relaxed) {
            true => Ok(self.cuts()),
            false => Err(TransportError::Unreachable("there is no network".to_owned())),
        }
    }
}

/// Connects a device's client.
pub(super) struct Dial<P: Parts> {
    pub(super) line: Arc<Line>,
    pub(super) parts: Arc<P>,
    /// To which host.
    pub(super) to: String,
}

#[async_trait]
impl<P: Parts> Connector for Dial<P> {
    async fn connect(&self) -> Result<Transport, TransportError> {
        let cuts = self.line.check()?;
        let unreachable = |error: std::io::Error| TransportError::Unreachable(error.to_string());
        let stream = TcpStream::connect((self.to.as_str(), PORT)).await.map_err(unreachable)?;
        let url: WsUrl = format!("ws://{}:{PORT}/", self.to).parse()?;
        let config = WsConfig::default().max_frame_bytes(self.line.link.max_frame_bytes as usize);
        let transport = pocketsync_ws::client(stream.compat(), &url, config).await?;
        if self.line.check()? != cuts {
            return Err(TransportError::lost("the network went away"));
        }
        let shaped = shaped::shape(transport, &self.line, self.line.next_connection());
        Ok(self.parts.link(self.line.device, shaped))
    }
}
