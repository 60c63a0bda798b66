//! Rules that come from a file, which is read again when it has changed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::oneshot;
use futures::future::{Either, select};
use pocketsync_core::driver::HubServer;
use pocketsync_core::runtime::Runtime;

/// How often a file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why the rules in a file cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The file cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// What is in it makes no sense.
    #[error("{}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
}

impl ReloadError {
    /// A stable name for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            ReloadError::Unreadable { .. } => "unreadable",
            ReloadError::Invalid { .. } => "invalid",
        }
    }

    /// Whether trying again later may succeed without anyone doing anything.
    pub const fn is_retryable(&self) -> bool {
        false
    }
}

/// Makes rules of a file's text, or says what is wrong with it.
pub(super) type Parse<T> = Box<dyn Fn(&str) -> Result<T, String> + Send + Sync>;

/// The rules of a file, as it last made sense.
pub(super) struct Reloaded<T> {
    path: PathBuf,
    parse: Parse<T>,
    rules: RwLock<Arc<T>>,
    /// What was last read, good or bad. Locked through a reload: of two at a time, the later sees the later text.
    seen: Mutex<Option<String>>,
}

impl<T: PartialEq + Send + Sync + 'static> Reloaded<T> {
    pub(super) fn open(path: &Path, parse: Parse<T>) -> Result<Self, ReloadError> {
        let text = read(path)?;
        let rules = parse(&text).map_err(|reason| invalid(path, reason))?;
        Ok(Reloaded {
            path: path.to_owned(),
            parse,
            rules: RwLock::new(Arc::new(rules)),
            seen: Mutex::new(Some(text)),
        })
    }

    pub(super) fn rules(&self) -> Arc<T> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the file again. Says whether the rules are others now; they stay as they were where it fails.
    pub(super) fn reload(&self) -> Result<bool, ReloadError> {
        self.look(true).map(|changed| changed == Some(true))
    }

    /// The same, but says `None` at once if the text is the one that was last read, unless `anyway`. Comparing
    /// texts finds what a file's times and size hide, and the file is small.
    fn look(&self, anyway: bool) -> Result<Option<bool>, ReloadError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.take();
        let text = read(&self.path)?;
        let same = before.as_ref() == Some(&text);
        let text = seen.insert(text);
        if same && !anyway {
            return Ok(None);
        }
        let rules = (self.parse)(text).map_err(|reason| invalid(&self.path, reason))?;
        let mut current = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        let changed = **current != rules;
        *current = Arc::new(rules);
        Ok(Some(changed))
    }
}

impl<T> fmt::Debug for Reloaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloaded").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Looks at the file every second, and has the hub ask again where the rules have changed, until the hub has
/// stopped.
pub(super) async fn watch<T: PartialEq + Send + Sync + 'static>(
    file: Arc<Reloaded<T>>,
    hub: HubServer,
    runtime: Arc<dyn Runtime>,
) {
    let mut complaint = None;
    let mut statuses = hub.status_changes();
    loop {
        let mut tick = runtime.sleep_until(runtime.now().mono + LOOK_EVERY);
        loop {
            match select(tick, statuses.next()).await {
                Either::Left(_) => break,
                Either::Right((None, _)) => return,
                Either::Right((Some(_), rest)) => tick = rest,
            }
        }
        let (answer, answered) = oneshot::channel();
        let reading = Arc::clone(&file);
        let look = move || {
            let _stopped = answer.send(reading.look(false));
        };
        runtime.unblock(Box::new(look)).await;
        let Ok(looked) = answered.await else { return };
        match looked {
            Ok(None) => {}
            Ok(Some(changed)) => {
                complaint = None;
                if changed {
                    tracing::info!(file = %file.path.display(), "the rules of admission have changed");
                    hub.readmit();
                }
            }
            Err(error) => {
                if complaint.as_ref() != Some(&error) {
                    tracing::warn!(%error, "the rules of admission stay as they were");
                    complaint = Some(error);
                }
            }
        }
    }
}

fn read(path: &Path) -> Result<String, ReloadError> {
    let unreadable =
        |error: std::io::Error| ReloadError::Unreadable { path: path.to_owned(), reason: error.to_string() };
    std::fs::read_to_string(path).map_err(unreadable)
}

fn invalid(path: &Path, reason: String) -> ReloadError {
    ReloadError::Invalid { path: path.to_owned(), reason }
}
