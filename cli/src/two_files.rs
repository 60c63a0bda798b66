//! Two files of this machine, linked in this process.

use std::path::Path;
use std::sync::Arc;

use pocketsync::Replica;
use pocketsync::admission::Open;
use pocketsync::driver::{Client, ClientOptions};
use pocketsync::id::Scope;
use pocketsync::runtime::TokioRuntime;
use pocketsync::transport::{self, Connector};
use tokio::task::JoinHandle;

use crate::failure::{Context, Failure, Result};
use crate::replica;

/// What both call the database that they share.
pub(crate) fn scope() -> Scope {
    Scope::new("main").expect("a name without control characters")
}

/// The file that is called, and at work.
pub(crate) struct OtherFile {
    client: Client,
    driver: JoinHandle<()>,
    applied: JoinHandle<u64>,
}

impl OtherFile {
    /// Opens the other file, and lets it listen. Answers how to call it.
    pub(crate) fn listen(
        file: &Path,
        ours: &Replica,
        peer: &Path,
        scope: &Scope,
    ) -> Result<(Box<dyn Connector>, Self)> {
        let same = |path: &Path| path.canonicalize().ok();
        if same(peer).is_some_and(|peer| same(file) == Some(peer)) {
            return Err(Failure::new(format!("{} and {} are one file", file.display(), peer.display())));
        }
        let theirs = replica::open_tracked(peer)?;
        let site = |replica: &Replica| replica.status().map(|status| status.site);
        if site(ours).context(file.display())? == site(&theirs).context(peer.display())? {
            let message = format!(
                "{} and {} are copies of one file, and go by one name",
                file.display(),
                peer.display()
            );
            return Err(Failure::new(message).hint(
                "let each sync with a hub, or with a third file, first: the later of the two takes a new name there",
            ));
        }
        let applied = replica::count_applied(&theirs);
        let (caller, listener) = transport::local();
        let (client, driver) = Client::accepting(
            theirs,
            scope.clone(),
            Arc::new(listener),
            Arc::new(Open),
            Arc::new(TokioRuntime::current()),
            ClientOptions::default(),
        );
        Ok((Box::new(caller), OtherFile { client, driver: tokio::spawn(driver), applied }))
    }

    /// Lets go of the file. Answers how many rows of it look different.
    pub(crate) async fn end(self) -> Result<u64> {
        self.client.shutdown().await;
        self.driver.await.context("the other file's driver")?;
        drop(self.client);
        self.applied.await.context("counting changes")
    }
}
