//! Merging a bundle into a replica.

use std::io::{Read, Seek};
use std::sync::Arc;

use super::export::unexpected;
use super::options::{BundleStep, report};
use super::plan::{Plan, Said, plan};
use super::{BundleError, BundleReader, ImportOptions, Imported};
use crate::change::Changeset;
use crate::id::SiteId;
use crate::lineage::Cursor;
use crate::store::sqlite::Replica;
use crate::store::{Chunk, ChunkOutcome, Holding, Meet, Met, Peer, Store, StoreReply, StoreRequest};
use crate::wire::{Push, PushSeen};

/// Merges a bundle into a replica.
pub(crate) fn import(
    replica: &mut Replica,
    input: impl Read + Seek,
    options: &ImportOptions,
) -> Result<Imported, BundleError> {
    let scope = &options.scope;
    let StoreReply::Identity(us) = replica.run(StoreRequest::Identify { scope: scope.clone() })? else {
        return Err(unexpected());
    };
    let checking = |bytes, of| report(&options.on_progress, BundleStep::Checking, bytes, Some(of));
    let mut bundle = BundleReader::open_with(input, Some(us.site), checking)?;
    if bundle.scope() != scope {
        return Err(BundleError::OtherScope { theirs: bundle.scope().clone(), ours: scope.clone() });
    }
    let latest_ms = options.now.wall_ms.saturating_add(options.max_drift_ms);
    if bundle.max_hlc.ms() > latest_ms {
        let by_ms = bundle.max_hlc.ms().saturating_sub(options.now.wall_ms);
        return Err(BundleError::ClockAhead { by_ms });
    }
    let sender = bundle.sender();
    if us.site == sender {
        return Err(BundleError::Own);
    }
    let (from, to, lineage) = (bundle.from.clone(), bundle.to.clone(), bundle.hello.lineage.clone());
    let said = Said { from: &from, to: &to, lineage: &lineage };
    // What an older bundle says of us is overtaken: positions that long ago may be forgotten here.
    let is_older = us.holdings.iter().any(|held| held.replica == sender && said.is_older_than(held));
    if is_older {
        bundle.hello.holdings.clear();
    }
    let mut met = introduce(replica, &bundle, us.site, options)?;
    if let Some(theirs) = bundle.hello.holdings.iter().find(|holding| holding.replica == met.us) {
        let cursor = theirs.cursor.clone();
        replica.run(StoreRequest::Acked { scope: scope.clone(), peer: sender, cursor })?;
    }
    // What the sender has of us it may have heard through others, who know no positions of ours.
    if bundle.tells_of_us && met.us == us.site {
        let lives = look(&mut bundle, |changes| Ok(replica.other_life(changes)?))?;
        if let Some(earliest) = lives {
            let site = replica.leave_after(earliest)?;
            met = introduce(replica, &bundle, site, options)?;
        }
    }
    let new_site = (met.us != us.site).then_some(met.us);
    if let Some(recipient) = bundle.recipient().filter(|recipient| *recipient != met.us) {
        return Err(BundleError::OtherRecipient { recipient, us: met.us, forked: new_site.is_some() });
    }
    let plan = plan(said, &met.held, |position| ends_a_piece(&mut bundle, position))?;
    let mut imported = Imported { sender, known: false, rows: 0, changed_rows: 0, new_site };
    match plan {
        Plan::Nothing => imported.known = true,
        Plan::All => merge(replica, &mut bundle, None, options, &mut imported)?,
        Plan::After(position) => merge(replica, &mut bundle, Some(&position), options, &mut imported)?,
    }
    Ok(imported)
}

/// How the replica and the bundle's sender stand.
struct Introduced {
    us: SiteId,
    held: Holding,
}

/// Lets the replica look at what the sender holds of it, by which a restored file finds itself out.
fn introduce<R: Read + Seek>(
    replica: &mut Replica,
    bundle: &BundleReader<R>,
    mut us: SiteId,
    options: &ImportOptions,
) -> Result<Introduced, BundleError> {
    let hello = &bundle.hello;
    // Under its new site, nobody holds anything of it.
    for _ in 0..2 {
        let peer = Meet {
            scope: options.scope.clone(),
            peer: Peer { site: hello.site, lineage: hello.lineage.clone(), head: hello.head.clone() },
            holding: hello.holdings.iter().find(|holding| holding.replica == us).cloned(),
            resumes: None,
            clock: None,
        };
        match replica.hear_of(peer)? {
            Met::Forked { site } => us = site,
            Met::Resume(resume) => return Ok(Introduced { us: resume.us.site, held: resume.holding }),
        }
    }
    Err(unexpected())
}

/// Shows all changes of a bundle; answers the least of what is found.
fn look<R: Read + Seek, T: Ord>(
    bundle: &mut BundleReader<R>,
    mut find: impl FnMut(&Changeset) -> Result<Option<T>, BundleError>,
) -> Result<Option<T>, BundleError> {
    let mut pieces = bundle.pieces()?;
    let mut least = None;
    while let Some(piece) = pieces.next()? {
        let found = find(&opened(&piece.push)?)?;
        least = match (least, found) {
            (Some(one), Some(other)) => Some(std::cmp::min::<T>(one, other)),
            (one, other) => one.or(other),
        };
    }
    Ok(least)
}

fn opened(push: &Push) -> Result<Changeset, BundleError> {
    push.body
        .open(super::MAX_MESSAGE_BYTES)
        .map_err(|error| BundleError::Damaged(format!("changes that cannot be read: {error}")))
}

fn ends_a_piece<R: Read + Seek>(
    bundle: &mut BundleReader<R>,
    position: &Cursor,
) -> Result<bool, BundleError> {
    let mut pieces = bundle.pieces()?;
    while let Some(piece) = pieces.next()? {
        if piece.push.to == *position {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Merges the pieces, those up to `behind` left out.
fn merge<R: Read + Seek>(
    replica: &mut Replica,
    bundle: &mut BundleReader<R>,
    behind: Option<&Cursor>,
    options: &ImportOptions,
    imported: &mut Imported,
) -> Result<(), BundleError> {
    let of_bytes = bundle.bytes;
    let peer = bundle.sender();
    let lineage = Arc::new(bundle.hello.lineage.clone());
    let mut pieces = bundle.pieces()?;
    let mut skipping = behind;
    while let Some(PushSeen { seen, push }) = pieces.next()? {
        if let Some(position) = skipping {
            skipping = (push.to != *position).then_some(position);
            continue;
        }
        let changeset = opened(&push)?;
        let rows = changeset.row_count() as u64;
        let (from, to, last) = (push.from, push.to, push.last);
        let chunk = Chunk { peer, lineage: Arc::clone(&lineage), from, to, last, changeset, seen };
        let request = StoreRequest::Apply { scope: options.scope.clone(), chunks: vec![chunk] };
        let StoreReply::Applied(outcomes) = replica.run(request)? else { return Err(unexpected()) };
        for outcome in outcomes {
            match outcome {
                ChunkOutcome::Gap { .. } => return Err(BundleError::Raced),
                ChunkOutcome::Applied { committed: Some(committed), .. } => {
                    let tables = committed.shown.iter();
                    imported.changed_rows +=
                        tables.map(|table| table.changed.len() + table.removed.len()).sum::<usize>() as u64;
                }
                _ => {}
            }
        }
        imported.rows += rows;
        report(&options.on_progress, BundleStep::Merging, pieces.at(), Some(of_bytes));
    }
    Ok(())
}
