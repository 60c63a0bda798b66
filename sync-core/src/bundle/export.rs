//! Making a bundle of a store's log.

use std::io::Write;

use super::options::{BundleStep, report};
use super::write::BundleWriter;
use super::{BundleError, ExportOptions, Exported, Title};
use crate::id::SiteId;
use crate::lineage::Cursor;
use crate::store::{Extracted, Identity, Store, StoreError, StoreErrorKind, StoreReply, StoreRequest};
use crate::wire::{Body, DEFAULT_MAX_FRAME_BYTES, Hello, Message, PROTOCOL, Push, PushSeen};

/// Since this version there are all the messages that a bundle has.
const MIN_PROTOCOL: u16 = 2;

/// Writes what came after `from` to the end of the log.
pub(crate) fn export<S: Store>(
    store: &mut S,
    from: Cursor,
    out: impl Write,
    options: &ExportOptions,
) -> Result<Exported, BundleError> {
    let scope = &options.scope;
    let StoreReply::Identity(us) = store.run(StoreRequest::Identify { scope: scope.clone() })? else {
        return Err(unexpected());
    };
    let sender = us.site;
    let mut writer = BundleWriter::begin(out, &Title { recipient: options.recipient })?;
    writer.message(&Message::Hello(introduction(us, options)))?;
    // What came from the recipient is left out.
    let mut left_out = options.recipient.unwrap_or(SiteId::NIL);
    let mut at = from.clone();
    let mut rows = 0;
    loop {
        let request = StoreRequest::Extract {
            scope: scope.clone(),
            peer: left_out,
            after: at.clone(),
            max_bytes: options.piece_bytes,
            not_after: None,
        };
        let Extracted { to, last, changeset, seen } = match store.run(request)? {
            StoreReply::Extracted(extracted) => extracted,
            // The recipient knows us by an old name. It may as well hear of what it has.
            StoreReply::Moved { .. } if left_out != SiteId::NIL => {
                left_out = SiteId::NIL;
                continue;
            }
            _ => return Err(unexpected()),
        };
        if to == at && !last {
            return Err(unexpected());
        }
        rows += changeset.row_count() as u64;
        let push = Push { from: at, to: to.clone(), last, body: Body::seal(&changeset, options.compression) };
        writer.message(&match seen.is_unknown() {
            true => Message::Push(push),
            false => Message::PushSeen(PushSeen { seen, push }),
        })?;
        report(&options.on_progress, BundleStep::Writing, writer.bytes(), None);
        at = to;
        if last {
            break;
        }
    }
    writer.message(&Message::Bye)?;
    let bytes = writer.finish()?;
    Ok(Exported { sender, recipient: options.recipient, from, to: at, rows, bytes })
}

fn introduction(us: Identity, options: &ExportOptions) -> Hello {
    Hello {
        protocol: PROTOCOL,
        min_protocol: MIN_PROTOCOL,
        scope: options.scope.clone(),
        token: None,
        site: us.site,
        lineage: us.lineage,
        head: us.head,
        holdings: us.holdings,
        max_frame_bytes: DEFAULT_MAX_FRAME_BYTES as u32,
        window_bytes: u32::try_from(options.piece_bytes).unwrap_or(u32::MAX),
        compression: options.compression,
        wall_ms: options.now.wall_ms,
    }
}

pub(super) fn unexpected() -> BundleError {
    StoreError::new(StoreErrorKind::Unsupported, "the store gave no answer of the kind that was asked for")
        .into()
}
