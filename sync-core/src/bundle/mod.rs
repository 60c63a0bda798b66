//! Changes in a file: what one side of a session would have said, written down, for a USB stick.
//!
//! A replica that no network reaches takes part all the same: [`Replica::export`] writes a **bundle**, somebody
//! carries it, [`Replica::import`] merges it. A bundle says who made it and what it holds of others, so each one also
//! acknowledges what came the other way, and the next one carries only what is new.
//!
//! ```text
//! magic, format          8 + 2 bytes
//! title                  for whom it is
//! frames                 Hello, Push …, Bye: each its length in four bytes, the highest first, and the frame
//! 0000                   no frame follows
//! digest                 SHA-256 of all before
//! ```
//!
//! Nothing of a bundle is merged before all of it was read and found whole. What is merged is durable piece by piece: an
//! import that was cut off goes on where it was when it is run again, and one that was done does nothing.
//!
//! A session asks before it sends, and a bundle cannot. So an import refuses what a session would never have been sent:
//! a bundle that begins after what is held here, one for another replica (what came from that one is left out), and
//! those whose sender may have been restored from a backup. Each refusal says what to do; nothing is lost by it.
//!
//! [`Replica::export`]: crate::store::sqlite::Replica::export
//! [`Replica::import`]: crate::store::sqlite::Replica::import

mod error;
mod export;
mod import;
mod options;
mod plan;
mod read;
mod write;

pub use error::BundleError;
pub use options::{BundleProgress, BundleStep, ExportOptions, Exported, ImportOptions, Imported};
pub use read::BundleReader;
pub(crate) use read::births;

pub(crate) use export::export;
pub(crate) use import::import;

use serde::{Deserialize, Serialize};

use crate::id::SiteId;

/// What every bundle begins with. Not text, and no survivor of a transfer as text.
const MAGIC: [u8; 8] = *b"\x8bPSYNC\r\n";

/// The format that this build writes, and the newest that it reads.
const FORMAT: u16 = 1;

/// How long a title may be.
const MAX_TITLE_BYTES: usize = 4 << 10;

/// The longest message in a bundle: what sessions take, too.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// What a bundle says besides what its sender would have said in a session.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Title {
    /// Who may take it; what came from there is left out. `None`: anyone, and nothing is left out.
    recipient: Option<SiteId>,
}
