//! The lives of one row.

use super::{Cell, CommitNo, Scope};
use crate::shape::RowTag;

/// A row that somebody inserted.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is called.
    pub tag: RowTag,
    /// Its cells, by column. Only those that are free or refer to rows are filled.
    pub cells: Box<[Cell]>,
    /// Who inserted it.
    pub inserts: Vec<CommitNo>,
    /// Who changed it.
    pub updates: Vec<CommitNo>,
    /// Who deleted it.
    pub deaths: Vec<Death>,
}

/// A delete.
#[derive(Clone, Debug)]
pub struct Death {
    /// Who deleted.
    pub commit: CommitNo,
    /// How many inserts were committed anywhere before it.
    pub after_inserts: usize,
}

impl Row {
    pub(super) fn new(tag: RowTag, width: usize) -> Self {
        Row {
            tag,
            cells: vec![Cell::default(); width].into_boxed_slice(),
            inserts: Vec::new(),
            updates: Vec::new(),
            deaths: Vec::new(),
        }
    }

    /// Whether this death certainly ended every life that the row ever had: its only insert, which
    /// whoever deleted must have known, or inserts of the same device before it. `false` where an
    /// insert may be newer than the death, or concurrent with it.
    pub fn is_final(&self, scope: &Scope, death: &Death) -> bool {
        let deleter = scope.commitment(death.commit);
        match self.inserts.len() {
            0 => false,
            1 => death.after_inserts == 1,
            all => {
                let own = |&commit: &CommitNo| scope.commitment(commit).same_file(deleter);
                death.after_inserts == all && self.inserts.iter().all(own)
            }
        }
    }
}
