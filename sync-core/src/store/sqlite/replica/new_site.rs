//! A new site on demand.

use super::handle::Replica;
use crate::id::SiteId;
use crate::store::StoreError;
use crate::store::sqlite::apply::Shown;
use crate::store::sqlite::identity;

impl Replica {
    /// Gives the file a new site, under which it introduces itself from now on. Answers it.
    ///
    /// For a file whose site belongs to somebody else at the hub ([`ErrorCode::SiteTaken`](crate::wire::ErrorCode::SiteTaken)), because it
    /// was synced under another account before. Its rows stay, and what was never sent is sent under the new site. A file that was
    /// restored from a backup, or copied, needs no such call: that is noticed. Sessions that are open end, and come back.
    ///
    /// # Errors
    /// When nothing is tracked, or when the file cannot be written.
    pub fn take_new_site(&self) -> Result<SiteId, StoreError> {
        self.change(|engine| Ok((identity::take_new_site(engine)?, Shown::default())))
    }
}
