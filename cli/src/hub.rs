//! `pocketsync hub`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pocketsync::admission::{Admission, Open, SharedToken};
use pocketsync::driver::{HubOptions, HubServer};
use pocketsync::runtime::TokioRuntime;
use pocketsync::store::{HubStore, HubStoreOptions};
use pocketsync::transport::{Transport, TransportError};
use pocketsync::ws::WsConfig;
use pocketsync::ws::rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::compat::TokioAsyncReadCompatExt;

use crate::failure::{self, Context, Failure, Outcome};
use crate::output::print;
use crate::signals::Signals;
use crate::tls::HubTls;
use crate::token;

/// How long a client may take to say that it wants a WebSocket.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many clients may be in that handshake at a time; more wait to be accepted.
const HANDSHAKES: usize = 512;

/// Runs a hub, where devices meet
///
/// A hub knows nothing of your tables: it keeps the merged state of every scope in one SQLite file, hands every
/// device what it lacks, and passes live changes on. It serves any number of scopes.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pocketsync hub --data ./hub                        for this machine only
  pocketsync hub --data ./hub --listen [::]:9320 --token-file token \\
      --tls-cert cert.pem --tls-key key.pem          for others; or put a proxy with TLS before it

The first line on stdout says where it listens, with the port that `--listen 127.0.0.1:0` was given.
Ctrl-C or SIGTERM ends it with exit code 0, after everyone was told.")]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9320")]
    listen: String,
    /// The folder for the hub's database; made if it is missing
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// A file with the token that devices must bring [or set POCKETSYNC_TOKEN]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    tls: HubTls,
}

/// Serves until a signal comes.
pub(crate) fn run(args: Args) -> failure::Result {
    let token = token::resolve(None, args.token_file.as_ref())?;
    let tls = args.tls.config()?;
    crate::asynchronous(async {
        let addresses = resolve(&args.listen, token.is_some()).await?;
        let mut signals = Signals::listen()?;
        let listener =
            TcpListener::bind(&addresses[..]).await.map_err(|error| cannot_listen(&args, &error))?;
        let data = args.data.clone();
        let store = tokio::task::spawn_blocking(move || open(&data)).await.context("the store")??;
        let admission: Arc<dyn Admission> = match &token {
            Some(token) => Arc::new(SharedToken::new(token)),
            None => Arc::new(Open),
        };
        let (server, driver) =
            HubServer::new(store, admission, Arc::new(TokioRuntime::current()), HubOptions::default());
        let driver = tokio::spawn(driver);
        let address = listener.local_addr().context("the listening address")?;
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        print(&format!("listening on {scheme}://{address}\n"))?;
        tokio::select! {
            () = serve(&listener, &server, tls) => {}
            signal = signals.next() => tracing::info!(signal, "going down"),
        }
        drop(listener);
        signals.unless_again(server.shutdown()).await;
        driver.await.context("the hub's driver")?;
        Ok(Outcome::Done)
    })
}

fn open(data: &std::path::Path) -> failure::Result<HubStore> {
    std::fs::create_dir_all(data).context(format!("cannot make the folder {}", data.display()))?;
    HubStore::open(data.join("hub.db"), HubStoreOptions::default()).context("cannot open the hub's store")
}

fn cannot_listen(args: &Args, error: &std::io::Error) -> Failure {
    let failure = Failure::new(format!("cannot listen on {}: {error}", args.listen));
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            failure.hint("another hub may be running; --listen 127.0.0.1:0 takes a free port")
        }
        _ => failure,
    }
}

/// Looks the address up, and refuses what would open the hub to everybody.
async fn resolve(listen: &str, has_token: bool) -> failure::Result<Vec<SocketAddr>> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(listen)
        .await
        .map_err(|error| {
            Failure::new(format!("cannot listen on `{listen}`: {error}"))
                .hint("write an address and a port, as in 127.0.0.1:9320 or [::1]:9320")
        })?
        .collect();
    if has_token || addresses.iter().all(|address| address.ip().is_loopback()) {
        return Ok(addresses);
    }
    Err(Failure::new(format!(
        "{listen} can be reached from other machines, and without a token everybody there could read and write everything"
    ))
    .hint("put a secret into a file and add --token-file FILE (or set POCKETSYNC_TOKEN), or listen on 127.0.0.1"))
}

/// Lets in whoever comes.
pub(crate) async fn serve(listener: &TcpListener, server: &HubServer, tls: Option<Arc<ServerConfig>>) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes the semaphore");
        match listener.accept().await {
            Ok((stream, from)) => {
                let (server, tls) = (server.clone(), tls.clone());
                tokio::spawn(async move {
                    match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake(stream, tls)).await {
                        Ok(Ok(transport)) => {
                            if server.serve(transport).await.is_err() {
                                tracing::debug!(%from, "came too late");
                            }
                        }
                        Ok(Err(error)) => tracing::info!(%from, %error, "no session"),
                        Err(_) => tracing::info!(%from, "said nothing in time"),
                    }
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, as a rule: it passes when connections end.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn handshake(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> Result<Transport, TransportError> {
    // Frames are complete messages: nothing is won by waiting for more.
    stream.set_nodelay(true).map_err(|error| TransportError::lost(error.to_string()))?;
    match tls {
        Some(config) => {
            let stream = pocketsync::ws::tls_accept(stream.compat(), config).await?;
            pocketsync::ws::accept(stream, WsConfig::default()).await
        }
        None => pocketsync::ws::accept(stream.compat(), WsConfig::default()).await,
    }
}
