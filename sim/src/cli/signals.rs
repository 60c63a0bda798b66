//! Ctrl-C ends in order: running simulations are given up, and what there is is written.

use pocketsync_sim::run::Cancel;

use super::ended::{Failure, Result};

/// From now on Ctrl-C cancels what it is given; a second one ends the process.
pub(super) fn cancels() -> Result<Cancel> {
    let cancel = Cancel::new();
    let asked = cancel.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("cannot listen for Ctrl-C: {error}")))?;
    let listening = move || {
        runtime.block_on(async {
            // Where signals cannot be listened for, the system ends the process: as good.
            if tokio::signal::ctrl_c().await.is_ok() {
                asked.cancel();
                if tokio::signal::ctrl_c().await.is_ok() {
                    std::process::exit(130);
                }
            }
        });
    };
    std::thread::spawn(listening);
    Ok(cancel)
}
