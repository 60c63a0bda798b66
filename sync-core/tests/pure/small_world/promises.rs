//! What a replica must show, told from what writers knew. Nothing here comes from the lattice: there
//! are no maxima of lives, and versions are looked at only between writes that know nothing of each
//! other.

use super::history::{COLUMNS, Kind, Set, Write, members};

/// The row that is shown, if it is there: for each column the write whose value it has, `None` where
/// it has its default.
pub(crate) type Shown = Option<[Option<usize>; COLUMNS]>;

/// Writes with what each knew, by itself and through others.
pub(crate) struct Promises<'h> {
    writes: &'h [Write],
    knew: &'h [Set],
    lives: Set,
    deaths: Set,
    columns: [Set; COLUMNS],
}

impl<'h> Promises<'h> {
    pub(crate) fn new(writes: &'h [Write], knew: &'h [Set]) -> Self {
        let those = |holds: &dyn Fn(&Write) -> bool| -> Set {
            writes.iter().enumerate().filter(|(_, write)| holds(write)).map(|(at, _)| 1 << at).sum()
        };
        let deaths = those(&|write| write.kind == Kind::Delete);
        let lives = deaths | those(&|write| write.kind == Kind::Insert);
        let columns = std::array::from_fn(|column| those(&|write| write.column() == Some(column)));
        Promises { writes, knew, lives, deaths, columns }
    }

    /// Of these, the one that stands: nobody who wrote another of them knew of it, and of those that
    /// know nothing of each other it is the largest by clock and site.
    fn stands(&self, of: Set) -> Option<usize> {
        let overruled = members(of).fold(0, |overruled, at| overruled | self.knew[at]);
        members(of & !overruled).max_by_key(|&at| (self.writes[at].clock, self.writes[at].site))
    }

    fn is_death(&self, at: usize) -> bool {
        self.deaths >> at & 1 == 1
    }

    /// What one shows who has heard of these writes. Only an insert makes a row of none, so a delete
    /// stands against every update; and a value of a former life is not shown in the next.
    pub(crate) fn shown(&self, heard: Set) -> Shown {
        let alive = self.stands(heard & self.lives).is_some_and(|at| !self.is_death(at));
        alive.then(|| {
            self.columns
                .map(|column| self.stands(heard & (column | self.deaths)).filter(|at| !self.is_death(*at)))
        })
    }
}
