//! Who gets in: whose a site is, and whether there is room.

use super::group::cancelled;
use super::{Asker, ConnId, Hub};
use crate::clock::Now;
use crate::session::{Admitted, wire_error};
use crate::store::{StoreError, StoreReply, StoreRequest};
use crate::wire::{ErrorCode, WireError};

const SITE_TAKEN: &str = "this site belongs to another identity, which used it first; come as that one, or give the file \
    a new site (pocketsync sync --new-site)";

impl Hub {
    /// Answers [`HubOutput::Admit`].
    pub fn handle_admission(&mut self, now: Now, conn: ConnId, verdict: Result<Admitted, WireError>) {
        let place = self.conns.get(&conn).and_then(|conn| conn.place.clone());
        match (verdict, place) {
            (Ok(admitted), Some((scope, site))) if admitted.binds_site => {
                // Before anything is done under this site's name: its older session goes on if it is not theirs.
                let identity = admitted.identity.clone();
                let request = StoreRequest::Bind { scope, site, identity };
                self.ask(Asker::Binding(conn, Box::new(admitted)), request);
            }
            (Ok(admitted), _) => self.let_in(now, conn, admitted),
            (Err(error), _) => self.with_session(conn, |session| session.handle_admission(now, Err(error))),
        }
    }

    pub(super) fn handle_bound(
        &mut self,
        now: Now,
        conn: ConnId,
        admitted: Admitted,
        reply: Result<StoreReply, StoreError>,
    ) {
        let error = match reply {
            Ok(StoreReply::Bound(true)) => return self.let_in(now, conn, admitted),
            Ok(StoreReply::Bound(false)) => wire_error(ErrorCode::SiteTaken, SITE_TAKEN),
            Ok(_) | Err(_) => self.busy(ErrorCode::Store, "the store cannot say whose the site is"),
        };
        self.with_session(conn, |session| session.handle_admission(now, Err(error)));
    }

    fn let_in(&mut self, now: Now, conn: ConnId, admitted: Admitted) {
        if self.conns.get(&conn).is_none_or(|conn| conn.session.is_over()) {
            return;
        }
        let verdict = self.seat(now, conn, &admitted).map(|()| admitted);
        self.with_session(conn, |session| session.handle_admission(now, verdict));
    }

    /// Gives an admitted connection its place in its scope, and ends an older connection of the
    /// same site: a device that comes back has lost its old link, whether or not we noticed.
    fn seat(&mut self, now: Now, conn: ConnId, admitted: &Admitted) -> Result<(), WireError> {
        let Some((scope, site)) = self.conns.get(&conn).and_then(|conn| conn.place.clone()) else {
            return Err(wire_error(ErrorCode::BadMessage, "nobody asked"));
        };
        let full = self.busy(ErrorCode::Overloaded, "the scope has too many sessions");
        let of_identity =
            self.busy(ErrorCode::Overloaded, "too many sessions of one identity; end others first");
        let max = self.config.max_sessions_per_scope;
        let state = self.scopes.entry(scope).or_default();
        let comes_again = state.members.contains_key(&site);
        if state.members.len() >= max && !comes_again {
            return Err(full);
        }
        if admitted.binds_site {
            let open = self.identities.entry(admitted.identity.clone()).or_default();
            if *open >= self.config.max_sessions_per_identity && !comes_again {
                return Err(of_identity);
            }
            *open += 1;
            if let Some(conn) = self.conns.get_mut(&conn) {
                conn.identity = Some(admitted.identity.clone());
            }
        }
        if let Some(older) = state.members.insert(site, conn) {
            let error = self.busy(ErrorCode::Replaced, "the replica has connected again, or has a clone");
            self.close(now, older, error);
            self.settle();
        }
        Ok(())
    }

    /// Takes a connection whose session is over out of its scope. Says whether that gave the
    /// session something to do.
    pub(super) fn leave(&mut self, id: ConnId) -> bool {
        let Some(conn) = self.conns.get_mut(&id) else { return false };
        if !conn.session.is_over() {
            return false;
        }
        if let Some(identity) = conn.identity.take()
            && let Some(open) = self.identities.get_mut(&identity)
        {
            *open -= 1;
            if *open == 0 {
                self.identities.remove(&identity);
            }
        }
        let Some((scope, site)) = &conn.place else { return false };
        let Some(state) = self.scopes.get_mut(scope) else { return false };
        state.live.remove(&id);
        if state.members.get(site) == Some(&id) {
            state.members.remove(site);
        }
        let Some(request) = state.groups.cancel(id) else { return false };
        conn.session.handle_store(Now::default(), request, cancelled());
        true
    }
}
