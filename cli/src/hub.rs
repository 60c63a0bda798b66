//! `pocketsync hub`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pocketsync::driver::HubServer;
use pocketsync::http::HttpHub;
use pocketsync::runtime::TokioRuntime;
use pocketsync::store::{HubStore, HubStoreOptions};
use pocketsync::transport::TransportError;
use pocketsync::ws::rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::compat::TokioAsyncReadCompatExt;

use crate::admission::{self, HubAdmission};
use crate::failure::{self, Context, Failure, Outcome};
use crate::limits::HubLimits;
use crate::output::print;
use crate::signals::Signals;
use crate::tls::HubTls;

/// How long a client's TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many connections may be open before they have become WebSockets; more wait to be accepted.
const CONNECTIONS: usize = 20_000;

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

  pocketsync hub --data ./hub --tokens tokens.toml    every device its own token and rights

One port takes WebSockets and, where a network breaks these, the same frames over HTTP. GET /health says whether
it is well, GET /metrics what it has done, for Prometheus.

The first line on stdout says where it listens, with the port that `--listen 127.0.0.1:0` was given.
Ctrl-C or SIGTERM ends it with exit code 0, after everyone was told.")]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9320")]
    listen: String,
    /// The folder for the hub's database; made if it is missing
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    admission: HubAdmission,
    #[command(flatten)]
    tls: HubTls,
    #[command(flatten)]
    limits: HubLimits,
}

/// Serves until a signal comes.
pub(crate) fn run(args: Args) -> failure::Result {
    let asked = args.admission.choose()?;
    let tls = args.tls.open()?;
    crate::asynchronous(async {
        let addresses = resolve(&args.listen, asked.is_some()).await?;
        let mut signals = Signals::listen()?;
        let listener =
            TcpListener::bind(&addresses[..]).await.map_err(|error| cannot_listen(&args, &error))?;
        let (data, options) = (args.data.clone(), args.limits.store());
        let store =
            tokio::task::spawn_blocking(move || open(&data, options)).await.context("the store")??;
        let runtime = Arc::new(TokioRuntime::current());
        let (admission, watch) = admission::open(asked, &runtime)?;
        let (server, driver) = HubServer::new(store, admission, runtime.clone(), args.limits.hub());
        let http = HttpHub::new(server.clone(), runtime, args.limits.http());
        let driver = tokio::spawn(driver);
        if let Some(watch) = watch {
            tokio::spawn(watch(server.clone()));
        }
        let tls = tls.map(|(config, certificate)| {
            tokio::spawn(certificate.watch());
            config
        });
        let address = listener.local_addr().context("the listening address")?;
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        print(&format!("listening on {scheme}://{address}\n"))?;
        tokio::select! {
            () = serve(&listener, &http, tls) => {}
            signal = signals.next() => tracing::info!(signal, "going down"),
        }
        drop(listener);
        signals.unless_again(server.shutdown()).await;
        driver.await.context("the hub's driver")?;
        Ok(Outcome::Done)
    })
}

fn open(data: &std::path::Path, options: HubStoreOptions) -> failure::Result<HubStore> {
    std::fs::create_dir_all(data).context(format!("cannot make the folder {}", data.display()))?;
    HubStore::open(data.join("hub.db"), options).context("cannot open the hub's store")
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
    .hint("make tokens with `pocketsync token new` and add --tokens FILE, or put one secret into a file and add --token-file FILE; or listen on 127.0.0.1"))
}

/// Lets in whoever comes, over WebSocket or HTTP.
pub(crate) async fn serve(listener: &TcpListener, hub: &HttpHub, tls: Option<Arc<ServerConfig>>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes the semaphore");
        match listener.accept().await {
            Ok((stream, from)) => {
                let (hub, tls) = (hub.clone(), tls.clone());
                tokio::spawn(async move {
                    if let Err(error) = answer(stream, &hub, tls).await {
                        tracing::info!(%from, %error, "a connection ended");
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

async fn answer(
    stream: TcpStream,
    hub: &HttpHub,
    tls: Option<Arc<ServerConfig>>,
) -> Result<(), TransportError> {
    // What is sent is complete: nothing is won by waiting for more.
    stream.set_nodelay(true).map_err(|error| TransportError::lost(error.to_string()))?;
    match tls {
        Some(config) => {
            let handshake = pocketsync::ws::tls_accept(stream.compat(), config);
            let stream = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake)
                .await
                .map_err(|_| TransportError::Protocol("said nothing in time".to_owned()))??;
            hub.serve(stream).await
        }
        None => hub.serve(stream.compat()).await,
    }
}
