//! Two devices without a hub, over a Unix-domain socket: the transport, and both sides of it.
//!
//! `cargo run -p pocketsync --example unix_socket --features smol,bundled`

mod link;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use link::{Caller, Listener};
use pocketsync::admission::Open;
use pocketsync::runtime::SmolRuntime;
use pocketsync::rusqlite::Connection;
use pocketsync::{Client, ClientOptions, Replica, ReplicaOptions, Scope, Tables};

/// A file with one note, tracked.
fn device(path: &Path, note: &str) -> Result<Replica, Box<dyn Error>> {
    let app = Connection::open(path)?;
    app.execute_batch("CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT)")?;
    let replica = Replica::open(path, ReplicaOptions::default())?;
    replica.track(&Tables::all())?;
    app.execute("INSERT INTO note(text) VALUES(?1)", [note])?;
    Ok(replica)
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let (socket, scope) = (dir.path().join("sync.sock"), Scope::new("notes")?);
    let (phone, laptop) = (dir.path().join("phone.db"), dir.path().join("laptop.db"));
    let runtime = Arc::new(SmolRuntime::new());

    // The laptop listens. Who may open the socket's file may in; a token would be checked here.
    let (_called, driver) = Client::accepting(
        device(&laptop, "from the laptop")?,
        scope.clone(),
        Arc::new(Listener::bind(&socket)?),
        Arc::new(Open),
        runtime.clone(),
        ClientOptions::default(),
    );
    smol::spawn(driver).detach();

    // The phone calls.
    let (calling, driver) = Client::new(
        device(&phone, "from the phone")?,
        scope,
        Arc::new(Caller::new(&socket)),
        runtime,
        ClientOptions::default(),
    );
    smol::spawn(driver).detach();
    smol::block_on(calling.sync_now())?;

    for path in [phone, laptop] {
        let app = Connection::open(&path)?;
        let notes: i64 = app.query_row("SELECT count(*) FROM note", [], |row| row.get(0))?;
        println!("{}: {notes} notes", path.display());
    }
    Ok(())
}
