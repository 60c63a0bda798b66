//! The hub: a file, and a server on a host of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, select_biased, stream};
use pocketsync_core::admission;
use pocketsync_core::driver::{HubDriver, HubOptions, HubServer};
use pocketsync_core::hub::HubConfig;
use pocketsync_core::store::{HubStore, HubStoreOptions};
use pocketsync_ws::WsConfig;
use tokio_util::compat::TokioAsyncReadCompatExt;
use turmoil::net::{TcpListener, TcpStream};

use super::Stop;
use super::clock::{Time, WrongClock};
use super::device::{Slot, shorten};
use super::image::Image;
use super::line::PORT;
use super::parts::Parts;
use super::process::Process;
use super::records::Records;
use super::runtime::SimulatedRuntime;
use super::watched::Watched;
use crate::determinism::Chance;
use crate::story::{Clock, Ms};

/// How long a connection may take to become a WebSocket.
const HANDSHAKE: Duration = Duration::from_secs(15);

/// The hub.
pub(super) struct Hub {
    pub(super) file: PathBuf,
    pub(super) clock: Arc<WrongClock>,
    pub(super) slot: Slot<(HubServer, HubDriver)>,
    pub(super) life: Option<HubLife>,
    pub(super) restart_at: Option<Ms>,
    pub(super) killed_by: Option<(Ms, Ms)>,
    pub(super) backup: Option<(Ms, Image)>,
    starts: u64,
}

/// While its process runs.
pub(super) struct HubLife {
    pub(super) process: Arc<Process>,
}

impl Hub {
    pub(super) fn new(dir: &Path, time: &Arc<Time>) -> Self {
        Hub {
            file: dir.join("hub.db"),
            // It keeps the time.
            clock: Arc::new(WrongClock::new(time, Clock::default())),
            slot: Slot::default(),
            life: None,
            restart_at: None,
            killed_by: None,
            backup: None,
            starts: 0,
        }
    }

    /// Starts its process, and puts its server where the host takes it.
    pub(super) fn start<P: Parts>(
        &mut self,
        parts: &P,
        seed: u64,
        time: &Arc<Time>,
        records: &Records,
    ) -> Result<(), Stop> {
        self.clock.tell_thread();
        let store = HubStore::open(&self.file, HubStoreOptions::default())
            .map_err(|error| Stop::failed("cannot open the hub's file", error))?;
        let process = Process::new(&self.clock, self.file.clone(), records, None);
        let chance = Chance::new(seed, "hub", self.starts);
        self.starts += 1;
        let mut config = HubConfig::default();
        shorten(&mut config.session);
        let store = Watched::new(parts.hub(store), &process, None);
        let runtime = SimulatedRuntime::new(time, &process, chance);
        let options = HubOptions::default().with_hub(config);
        let (server, driver) = HubServer::new(store, Arc::new(admission::Open), runtime, options);
        *self.slot.lock().expect("nobody panics while holding a slot") = Some((server, driver));
        self.life = Some(HubLife { process });
        self.restart_at = None;
        Ok(())
    }
}

/// What the hub's host runs: the server, and what brings it connections.
pub(super) async fn serve(server: HubServer, driver: HubDriver, time: Arc<Time>) -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    let arrivals = stream::unfold(listener, |listener| async {
        let arrived = listener.accept().await;
        Some((arrived, listener))
    });
    let mut arrivals = std::pin::pin!(arrivals.fuse());
    let mut driver = driver.fuse();
    let mut shaking_hands = FuturesUnordered::new();
    loop {
        select_biased! {
            () = driver => return Ok(()),
            arrived = arrivals.select_next_some() => {
                if let Ok((stream, _)) = arrived {
                    shaking_hands.push(welcome(stream, server.clone(), Arc::clone(&time)));
                }
            }
            () = shaking_hands.select_next_some() => {}
        }
    }
}

async fn welcome(stream: TcpStream, server: HubServer, time: Arc<Time>) {
    let welcome = async {
        // Whoever does not get through tries again.
        if let Ok(transport) = pocketsync_ws::accept(stream.compat(), WsConfig::default()).await {
            let _stopped = server.serve(transport).await;
        }
    };
    let until = time.now() + HANDSHAKE;
    let too_long = std::pin::pin!(time.sleep_until(until));
    futures::future::select(std::pin::pin!(welcome), too_long).await;
}
