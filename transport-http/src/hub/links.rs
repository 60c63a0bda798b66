//! The links that a hub has in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use pocketsync_core::runtime::Runtime;

use super::HttpHubOptions;
use super::budget::Budget;
use super::link::{Link, unknown};
use crate::exchange::{Ask, LinkId};
use crate::problem::{Problem, code};

/// Links whose sessions have left are looked for no more often than this.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Links {
    options: Arc<HttpHubOptions>,
    budget: Arc<Budget>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    open: BTreeMap<LinkId, Arc<Link>>,
    /// Links that ended in good order, so that a repeated first request opens none anew.
    closed: BTreeSet<LinkId>,
    closed_since: VecDeque<(Duration, LinkId)>,
    swept_at: Duration,
}

/// What a request names.
#[derive(Debug)]
pub(super) enum Found {
    Known(Arc<Link>),
    /// Just opened: the session is to be given its end.
    New(Arc<Link>),
}

impl Links {
    pub(super) fn new(options: Arc<HttpHubOptions>, budget: Arc<Budget>) -> Self {
        Links { options, budget, table: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().open.len()
    }

    /// Finds a link, or opens it where the request is a first one.
    pub(super) fn find(
        &self,
        ask: &Ask,
        identity: Option<&str>,
        runtime: &Arc<dyn Runtime>,
    ) -> Result<Found, Problem> {
        let mut table = self.lock();
        if let Some(link) = table.open.get(&ask.link) {
            if link.identity() != identity {
                let detail = "this link belongs to somebody else";
                return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
            }
            return Ok(Found::Known(Arc::clone(link)));
        }
        if table.closed.contains(&ask.link) {
            let detail = "this link was closed";
            return Err(Problem::new(StatusCode::GONE, code::LINK_CLOSED, detail));
        }
        if ask.up != 0 || ask.down != Some(0) {
            return Err(unknown());
        }
        let now = runtime.now().mono;
        if now >= table.swept_at + SWEEP_EVERY {
            table.swept_at = now;
            table.open.retain(|_, link| !link.is_abandoned(now));
        }
        if table.open.len() >= self.options.max_links || self.budget.is_exceeded() {
            let detail = "the hub has as many links as it can hold";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, code::OVERLOADED, detail)
                .retry_after(self.options.busy_retry_after));
        }
        let link = Arc::new(Link::new(
            ask.link,
            identity.map(str::to_owned),
            Arc::clone(&self.options),
            Arc::clone(&self.budget),
            Arc::clone(runtime),
        ));
        table.open.insert(ask.link, Arc::clone(&link));
        Ok(Found::New(link))
    }

    /// The link is over.
    pub(super) fn forget(&self, link: &Arc<Link>) {
        let mut table = self.lock();
        if table.open.get(&link.id()).is_some_and(|known| Arc::ptr_eq(known, link)) {
            table.open.remove(&link.id());
        }
        let finished = link.is_finished();
        if finished && table.closed.insert(link.id()) {
            let now = link.runtime().now().mono;
            table.closed_since.push_back((now, link.id()));
            while let Some(&(since, id)) = table.closed_since.front() {
                let too_many = table.closed.len() > 2 * self.options.max_links;
                if !too_many && now < since + self.options.idle_timeout {
                    break;
                }
                table.closed_since.pop_front();
                table.closed.remove(&id);
            }
        }
    }
}
