//! Ctrl-C and SIGTERM ask for an orderly end.

use crate::failure::{Context, Result};

/// Waits for the request to end. A second one is not waited for: it ends the process.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// From now on signals are ours to handle.
    pub(crate) fn listen() -> Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
            let interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
            Ok(Signals { terminate, interrupt })
        }
        #[cfg(not(unix))]
        Ok(Signals {})
    }

    /// The number of the signal that came.
    pub(crate) async fn next(&mut self) -> u8 {
        #[cfg(unix)]
        {
            tokio::select! {
                _ = self.interrupt.recv() => 2,
                _ = self.terminate.recv() => 15,
            }
        }
        #[cfg(not(unix))]
        {
            // Without a handler there is nothing to wait for; the system ends the process.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            2
        }
    }

    /// Finishes `work`, unless another signal comes first; then the process ends at once.
    pub(crate) async fn unless_again<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            signal = self.next() => {
                eprintln!("stopped at once; what was committed is safe, and the rest is sent next time");
                std::process::exit(128 + i32::from(signal));
            }
        }
    }
}
