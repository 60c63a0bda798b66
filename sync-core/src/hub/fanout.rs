//! Real time: what a scope's store has committed goes to its live sessions at once, encoded once.

use crate::clock::Now;
use crate::session::LivePush;
use crate::store::{ChunkOutcome, Committed};
use crate::wire::Body;

use super::group::Group;
use super::{ConnId, Hub};

impl Hub {
    /// Hands the commits of a group to every live session of its scope but where they came from.
    pub(super) fn fan_out(&mut self, now: Now, group: &Group, outcomes: &[ChunkOutcome]) {
        let mut outcomes = outcomes.iter();
        for part in &group.parts {
            for outcome in outcomes.by_ref().take(part.chunks) {
                if let ChunkOutcome::Applied { committed: Some(committed), .. } = outcome {
                    self.fan_out_one(now, group, part.conn, committed);
                }
            }
        }
    }

    fn fan_out_one(&mut self, now: Now, group: &Group, origin: ConnId, committed: &Committed) {
        let Some(scope) = self.scopes.get(&group.scope) else { return };
        let members: Vec<ConnId> = scope.live.iter().copied().collect();
        if members.iter().all(|conn| *conn == origin) && !committed.derived {
            if let Some(member) = self.conns.get_mut(&origin) {
                member.session.skip_live(&committed.from, &committed.to);
            }
            return;
        }
        // A store with tables says only that there is something new; the sessions extract it.
        let silent = committed.delta.is_empty() && committed.from != committed.to;
        let plain = Body::seal(&committed.delta, false);
        let compressed = if self.config.session.compression { plain.compressed() } else { plain.clone() };
        let push =
            LivePush { from: &committed.from, to: &committed.to, plain: &plain, compressed: &compressed };
        for conn in members {
            let Some(member) = self.conns.get_mut(&conn) else { continue };
            if conn == origin && !committed.derived {
                member.session.skip_live(&committed.from, &committed.to);
            } else if conn == origin || silent {
                member.session.local_changed(now);
            } else {
                member.session.push_live(now, push);
            }
            self.touched.insert(conn);
        }
    }
}
