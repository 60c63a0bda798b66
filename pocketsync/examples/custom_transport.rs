//! Your own transport: frames over a Unix socket, two bytes of length before each.
//!
//! `cargo run -p pocketsync --example custom_transport --features smol,bundled`

use std::{os::unix::net::UnixStream, sync::Arc};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, SinkExt, TryStreamExt, future, stream};
use pocketsync::{admission::Open, runtime::SmolRuntime, transport::TransportError, *};

/// A transport over any byte stream.
fn framed(io: impl AsyncRead + AsyncWrite + Send + 'static) -> Transport {
    let (reader, writer) = io.split();
    let frames = stream::try_unfold(reader, |mut reader| async move {
        let mut length = [0; 2];
        reader.read_exact(&mut length).await?;
        let mut frame = vec![0; u16::from_be_bytes(length).into()];
        reader.read_exact(&mut frame).await?;
        Ok::<_, std::io::Error>(Some((Bytes::from(frame), reader)))
    });
    let prefixed = |frame: Bytes| [&(frame.len() as u16).to_be_bytes()[..], &frame].concat();
    let sink = writer.into_sink().with(move |frame| future::ok::<_, std::io::Error>(prefixed(frame)));
    transport::join(frames.map_err(lost), sink).with_max_frame_bytes(u16::MAX.into())
}

fn lost(error: std::io::Error) -> TransportError {
    TransportError::lost(error.to_string())
}

/// Opens a pair of sockets and gives the hub the other end of each.
struct ToHub(HubServer);
#[async_trait::async_trait]
impl Connector for ToHub {
    async fn connect(&self) -> Result<Transport, TransportError> {
        let (ours, theirs) = smol::Async::<UnixStream>::pair().map_err(lost)?;
        let served = self.0.serve(framed(theirs)).await;
        served.map_err(|stopped| TransportError::Unreachable(stopped.to_string())).map(|()| framed(ours))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (dir, runtime) = (tempfile::tempdir()?, Arc::new(SmolRuntime::new()));
    let store = HubStore::open(dir.path().join("hub.db"), HubStoreOptions::default())?;
    let (hub, driver) = HubServer::new(store, Arc::new(Open), runtime.clone(), HubOptions::default());
    smol::spawn(driver).detach();
    for name in ["one.db", "other.db"] {
        let app = rusqlite::Connection::open(dir.path().join(name))?;
        app.execute_batch("CREATE TABLE note(id INTEGER PRIMARY KEY, text)")?;
        let replica = Replica::open(dir.path().join(name), ReplicaOptions::default())?;
        replica.track(&Tables::all())?;
        app.execute("INSERT INTO note(text) VALUES('hello')", [])?;
        let (scope, link) = (Scope::new("notes")?, Arc::new(ToHub(hub.clone())));
        let (client, driver) = Client::new(replica, scope, link, runtime.clone(), ClientOptions::default());
        smol::spawn(driver).detach();
        smol::block_on(client.sync_now())?;
        let notes: i64 = app.query_row("SELECT count(*) FROM note", [], |row| row.get(0))?;
        println!("{name}: {notes} notes");
    }
    Ok(())
}
