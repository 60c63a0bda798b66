//! Every history of a few writes to one row, every set of them that a replica may have heard of,
//! and every order in which it may have heard.

pub(crate) mod history;
pub(crate) mod merges;
mod promises;

use pocketsync_core::clock::Version;

use history::{Set, State, Write, members};
use merges::Merge;
use promises::{Promises, Shown};

/// What was visited.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Visited {
    /// Rows of writes in the order of their versions, whatever their writers knew.
    pub(crate) lines: usize,
    /// The same with what each writer knew: what a world ends with when all is delivered.
    pub(crate) histories: usize,
    /// Histories, each with every set of writes that a replica has heard of.
    pub(crate) states: usize,
    /// Calls of the merge.
    pub(crate) joins: usize,
}

/// A law that does not hold, and where.
#[derive(Debug)]
pub(crate) struct Breach {
    pub(crate) law: &'static str,
    pub(crate) story: String,
}

/// All worlds of up to `writes` writes, all pairs of whole states in those of up to `whole`.
pub(crate) fn visit(merge: Merge, writes: usize, whole: usize) -> Result<Visited, Breach> {
    let mut walk = Walk {
        merge,
        most: writes,
        whole,
        writes: Vec::new(),
        deltas: Vec::new(),
        held: vec![State::default()],
        shown: vec![None],
        may_know: Vec::new(),
        visited: Visited::default(),
    };
    walk.extend()?;
    Ok(walk.visited)
}

struct Walk {
    merge: Merge,
    most: usize,
    whole: usize,
    /// In the order of versions.
    writes: Vec<Write>,
    deltas: Vec<State>,
    /// What a replica holds that has heard of a set of writes.
    held: Vec<State>,
    shown: Vec<Shown>,
    /// What the writer of each may have known: those sets under which it could write that.
    may_know: Vec<Vec<Set>>,
    visited: Visited,
}

impl Walk {
    fn extend(&mut self) -> Result<(), Breach> {
        let before = 1 << self.writes.len();
        for write in history::next(&self.writes) {
            self.writes.push(write);
            let inserts = write.kind == history::Kind::Insert;
            let mut knowable = history::knowable(&self.writes);
            knowable.retain(|known| self.shown[*known].is_none() == inserts);
            if !knowable.is_empty() {
                self.deltas.push(write.delta(self.writes.len() - 1));
                self.may_know.push(knowable);
                self.hear()?;
                if !history::is_a_renaming(&self.writes) {
                    self.visited.lines += 1;
                    self.know(&mut Vec::new(), &mut Vec::new())?;
                }
                if self.writes.len() < self.most {
                    self.extend()?;
                }
                self.held.truncate(before);
                self.shown.truncate(before);
                self.may_know.pop();
                self.deltas.pop();
            }
            self.writes.pop();
        }
        Ok(())
    }

    fn breach(&self, law: &'static str, knew: &[Set], heard: Set) -> Breach {
        let heard: Vec<_> = members(heard).collect();
        let story = format!("{}one has heard of {heard:?}", history::story(&self.writes, knew));
        Breach { law, story }
    }

    /// One set after the other that has the last write in it: whatever comes last, the same is held.
    fn hear(&mut self) -> Result<(), Breach> {
        let (last, bit) = (self.writes.len() - 1, 1 << (self.writes.len() - 1));
        for heard in bit..2 * bit {
            let mut held = self.held[heard - bit].clone();
            self.take(&mut held, last);
            if !includes(&held, &self.held[heard - bit]) || !includes(&held, &self.deltas[last]) {
                return Err(self.breach("goes back", &[], heard));
            }
            if self.take(&mut held.clone(), last) {
                return Err(self.breach("once is enough", &[], heard));
            }
            for other in members(heard - bit) {
                let mut otherwise = self.held[heard - (1 << other)].clone();
                self.take(&mut otherwise, other);
                if otherwise != held {
                    return Err(self.breach("order", &[], heard));
                }
            }
            self.shown.push((self.merge.shown)(&held));
            self.held.push(held);
        }
        if self.writes.len() <= self.whole {
            for a in 0..2 * bit {
                for b in (0..2 * bit).filter(|b| (a | b) & bit != 0) {
                    let mut held = self.held[a].clone();
                    self.visited.joins += 1;
                    let news = (self.merge.join)(&mut held, &self.held[b]);
                    if held != self.held[a | b] || news != (held != self.held[a]) {
                        return Err(self.breach("whole states", &[], a | b));
                    }
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, held: &mut State, write: usize) -> bool {
        self.visited.joins += 1;
        (self.merge.join)(held, &self.deltas[write])
    }

    /// Everything that the writers may have known. Nobody forgets what they knew before.
    fn know(&mut self, knew: &mut Vec<Set>, through: &mut Vec<Set>) -> Result<(), Breach> {
        let at = knew.len();
        if at == self.writes.len() {
            return self.promises(knew, through);
        }
        let own = self.writes[..at].iter().rposition(|write| write.site == self.writes[at].site);
        let before = own.map_or(0, |own| knew[own] | 1 << own);
        for choice in 0..self.may_know[at].len() {
            let known = self.may_know[at][choice];
            if known & before == before {
                let through_others = members(known).fold(known, |all, of| all | through[of]);
                knew.push(known);
                through.push(through_others);
                self.know(knew, through)?;
                knew.pop();
                through.pop();
            }
        }
        Ok(())
    }

    fn promises(&mut self, knew: &[Set], through: &[Set]) -> Result<(), Breach> {
        let promises = Promises::new(&self.writes, through);
        self.visited.histories += 1;
        // Without the last write, which nobody knew of, it is a history that was visited before.
        let last = 1 << (self.writes.len() - 1);
        for heard in last..2 * last {
            self.visited.states += 1;
            if promises.shown(heard) != self.shown[heard] {
                return Err(self.breach("promises", knew, heard));
            }
        }
        Ok(())
    }
}

/// Whether one holds everything that another holds, or something larger in its place.
fn includes(held: &State, other: &State) -> bool {
    let order = |version: Version| (version.hlc.bits(), *version.site.as_bytes());
    let lives =
        |state: &State| [state.life.born, state.life.died, state.life.undone].map(|part| part.map(order));
    let cells = other.cells.iter().all(|(column, cell)| {
        held.cells.get(column).is_some_and(|kept| order(kept.version) >= order(cell.version))
    });
    cells && lives(held).iter().zip(lives(other)).all(|(kept, part)| *kept >= part)
}
