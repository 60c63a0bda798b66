//! `pocketsync sync`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use pocketsync::driver::{Client, ClientOptions, State, Status};
use pocketsync::id::Scope;
use pocketsync::runtime::TokioRuntime;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::connector::{self, Chosen, HubUrl, Way};
use crate::failure::{Context, Failure, Outcome, Result};
use crate::meter::{Meter, Metered, Traffic};
use crate::output::{bytes, count, print, print_json};
use crate::progress::Progress;
use crate::signals::Signals;
use crate::two_files::{self, OtherFile};
use crate::{replica, token};

/// Keeps a tracked file in sync with a hub, or with another file
///
/// Without --watch it exchanges what there is, and ends once both sides have everything. With --watch it stays
/// beside the application as a sidecar: it notices every commit, whoever made it, and works offline as well. The
/// application needs to know nothing of it.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pocketsync sync app.db --hub ws://127.0.0.1:9320 --scope notes
  pocketsync sync app.db --hub wss://hub.example --scope team-7 --token-file ~/.token --watch
  pocketsync sync app.db --peer /mnt/card/app.db

Exit codes:
  0  in sync; with --watch: ended by Ctrl-C or SIGTERM
  1  not in sync within --timeout
  2  something is in the way
  130, 143  ended by Ctrl-C, by SIGTERM, before it was in sync")]
pub(crate) struct Args {
    /// The SQLite file; `pocketsync track` it first
    file: PathBuf,
    /// The hub's address: ws://host:port or http://host:port; wss://host or https://host for TLS
    #[arg(long, value_name = "URL", required_unless_present = "peer", conflicts_with = "peer")]
    hub: Option<HubUrl>,
    /// Another tracked file on this machine to sync with, without a hub
    #[arg(long, value_name = "FILE")]
    peer: Option<PathBuf>,
    /// How to get there
    #[arg(long, value_name = "HOW", value_enum, default_value = "auto")]
    transport: Way,
    /// Which database at the hub this is: a name that all its devices share
    #[arg(
        long,
        value_name = "NAME",
        required_unless_present = "peer",
        conflicts_with = "peer",
        value_parser = |name: &str| Scope::new(name)
    )]
    scope: Option<Scope>,
    /// The token for the hub; other users of this machine can see it [or set POCKETSYNC_TOKEN]
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file")]
    token: Option<String>,
    /// A file with the token for the hub; read again for every connection
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// At a wss:// or https:// address: trusts these certificates (PEM) in place of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Gives the file a new site first: for one that was synced under another account before
    #[arg(long)]
    new_site: bool,
    /// Stays, and syncs every change as it happens
    #[arg(long)]
    watch: bool,
    /// Without --watch: gives up after so long without a connection
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// Says what was exchanged as JSON
    #[arg(long, conflicts_with = "watch")]
    json: bool,
}

impl Args {
    /// The hub, or the other file.
    fn other_side(&self) -> String {
        match (&self.hub, &self.peer) {
            (Some(hub), _) => hub.to_string(),
            (None, peer) => peer.as_ref().map(|peer| peer.display().to_string()).unwrap_or_default(),
        }
    }
}

/// What the connector has to tell.
type Notes = mpsc::UnboundedReceiver<String>;

#[derive(Serialize)]
struct Report {
    in_sync: bool,
    sent_bytes: u64,
    received_bytes: u64,
    changed_rows: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_rows_in_peer: Option<u64>,
    pending: u64,
    parked: u64,
    elapsed_ms: u64,
}

/// Syncs once, or until a signal comes.
pub(crate) fn run(args: Args) -> Result {
    let token = token::resolve(args.token.clone(), args.token_file.as_ref())?;
    let replica = replica::open_tracked(&args.file)?;
    if args.new_site {
        let site = replica.take_new_site().context("cannot take a new site")?;
        tracing::info!(%site, "the file has a new site");
    }
    crate::asynchronous(async {
        let mut signals = Signals::listen()?;
        let meter = Arc::new(Meter::default());
        let (note, mut notes) = mpsc::unbounded_channel();
        let scope = args.scope.clone().unwrap_or_else(two_files::scope);
        let (connector, other) = match (&args.hub, &args.peer) {
            (Some(hub), _) => (connector::to(hub, args.transport, args.ca.as_deref(), note)?, None),
            (None, Some(peer)) => {
                let (connector, other) = OtherFile::listen(&args.file, &replica, peer, &scope)?;
                (connector, Some(other))
            }
            (None, None) => unreachable!("one of them is required"),
        };
        let connector = Metered { connector: Chosen(connector), meter: Arc::clone(&meter) };
        let mut options = ClientOptions::default();
        if let Some(token) = token {
            let file = args.token_file.clone().filter(|_| args.token.is_none());
            options = options.with_token_from(move |_refused| {
                // A token may be replaced in its file while we run.
                let again = file.as_ref().and_then(|file| token::resolve(None, Some(file)).ok().flatten());
                let token = again.unwrap_or_else(|| token.clone());
                async move { Some(token) }
            });
        }
        let applied = replica::count_applied(&replica);
        let (client, driver) =
            Client::new(replica, scope, Arc::new(connector), Arc::new(TokioRuntime::current()), options);
        let driver = tokio::spawn(driver);
        let began = Instant::now();
        let outcome = match args.watch {
            true => watch(&args, &client, &mut notes, &mut signals).await,
            false => once(&args, &client, &meter, &mut notes, &mut signals).await,
        };
        let status = client.status();
        let elapsed = began.elapsed();
        signals.unless_again(client.shutdown()).await;
        driver.await.context("the client's driver")?;
        // The last handle of the replica: what it tells ends with it.
        drop(client);
        let changed_rows = applied.await.context("counting changes")?;
        let changed_rows_in_peer = match other {
            Some(other) => Some(other.end().await?),
            None => None,
        };
        let outcome = outcome?;
        if !args.watch {
            // What was parked last the client may not have counted.
            let parked = replica::inspect(&args.file)?.parked;
            let report = Report {
                in_sync: outcome == Outcome::Done,
                sent_bytes: meter.total().sent,
                received_bytes: meter.total().received,
                changed_rows,
                changed_rows_in_peer,
                pending: if outcome == Outcome::Done { 0 } else { status.pending },
                parked,
                elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            };
            say(&args, &report)?;
        }
        Ok(outcome)
    })
}

fn say(args: &Args, report: &Report) -> Result<()> {
    if args.json {
        return print_json(report);
    }
    if !report.in_sync {
        return Ok(());
    }
    let parked = match report.parked {
        0 => String::new(),
        n => format!("; {} parked, see `pocketsync status`", count(n, "row is", "rows are")),
    };
    let there = match (report.changed_rows_in_peer, &args.peer) {
        (Some(n), Some(peer)) => format!(", {} in {}", count(n, "row", "rows"), peer.display()),
        _ => String::new(),
    };
    print(&format!(
        "in sync: {} changed here{there}, {} sent, {} received, {} ms{parked}\n",
        count(report.changed_rows, "row", "rows"),
        bytes(report.sent_bytes),
        bytes(report.received_bytes),
        report.elapsed_ms,
    ))
}

/// Exchanges what there is.
async fn once(
    args: &Args,
    client: &Client,
    meter: &Meter,
    notes: &mut Notes,
    signals: &mut Signals,
) -> Result {
    let patience = Duration::from_secs(args.timeout);
    let mut give_up = Instant::now() + patience;
    let mut done = std::pin::pin!(client.sync_now());
    let mut changes = client.status_changes();
    let mut progress = Progress::new("connecting");
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            result = &mut done => {
                return match result {
                    Ok(()) => Ok(Outcome::Done),
                    Err(error) => Err(failure(&client.status(), args).unwrap_or_else(|| Failure::new(error.to_string()))),
                };
            }
            Some(status) = changes.next() => {
                if let Some(error) = &status.last_error {
                    if !error.retryable {
                        return Err(failure(&status, args).expect("there is an error"));
                    }
                    progress.note(&format!("{}; trying again", error.message));
                }
                if is_connected(&status) {
                    give_up = Instant::now() + patience;
                }
            }
            Some(note) = notes.recv() => progress.note(&note),
            _ = tick.tick() => {
                if is_connected(&client.status()) {
                    give_up = Instant::now() + patience;
                }
                progress.say(&in_progress(&client.status(), meter.total()));
            }
            () = tokio::time::sleep_until(give_up) => {
                progress.end();
                let why = client.status().last_error.map(|error| format!(": {}", error.message)).unwrap_or_default();
                eprintln!("not in sync: no connection to {} for {} s{why}", args.other_side(), args.timeout);
                return Ok(Outcome::No);
            }
            signal = signals.next() => return Ok(Outcome::Interrupted { signal }),
        }
    }
}

fn is_connected(status: &Status) -> bool {
    matches!(status.state, State::CatchingUp | State::Live)
}

fn in_progress(status: &Status, traffic: Traffic) -> String {
    match status.state {
        State::CatchingUp | State::Live => format!(
            "{} to send, {} sent, {} received",
            count(status.pending, "change", "changes"),
            bytes(traffic.sent),
            bytes(traffic.received)
        ),
        _ => "connecting".to_owned(),
    }
}

/// The client's last error in the words of the command line.
fn failure(status: &Status, args: &Args) -> Option<Failure> {
    let error = status.last_error.as_ref()?;
    let failure = Failure::new(format!("{}: {}", args.other_side(), error.message));
    Some(match error.code {
        "unauthorized" => {
            failure.hint("give the hub's token with --token-file FILE, or set POCKETSYNC_TOKEN")
        }
        "forbidden" => failure.hint("the token is good, but not for this scope; look at --scope"),
        "protocol" => failure.hint("program and hub may be of different versions"),
        _ => failure,
    })
}

/// Stays until a signal comes, and says when it is in sync and when not.
async fn watch(args: &Args, client: &Client, notes: &mut Notes, signals: &mut Signals) -> Result {
    let mut changes = client.status_changes();
    let mut said = String::new();
    loop {
        tokio::select! {
            status = changes.next() => {
                let Some(status) = status else {
                    let stopped = || Failure::new("the client has stopped");
                    return Err(failure(&client.status(), args).unwrap_or_else(stopped));
                };
                tracing::debug!(state = %status.state, pending = status.pending, parked = status.parked, "status");
                let news = match (status.state, &status.last_error) {
                    (State::Live, _) if status.parked > 0 => {
                        format!("in sync with {}; {} parked", args.other_side(), count(status.parked, "row is", "rows are"))
                    }
                    (State::Live, _) => format!("in sync with {}", args.other_side()),
                    (State::Offline, Some(error)) => format!("offline, trying again: {}", error.message),
                    _ => continue,
                };
                if news != said {
                    eprintln!("{news}");
                    said = news;
                }
            }
            Some(note) = notes.recv() => eprintln!("{note}"),
            _ = signals.next() => return Ok(Outcome::Done),
        }
    }
}
