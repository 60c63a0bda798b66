//! New names for what only a restored or cloned copy has.

use crate::id::{RowId, SiteId};
use crate::value::Value;

/// How what is not kept is renamed, wherever it is referred to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mint {
    /// The site whose history forked.
    pub(crate) old: SiteId,
    /// The site that this copy takes.
    pub(crate) new: SiteId,
    /// The largest counter of a kept row.
    pub(crate) counter: u64,
}

impl Mint {
    pub(crate) fn id(&self, id: &RowId) -> RowId {
        match id {
            RowId::Surrogate { site, counter } if *site == self.old && *counter > self.counter => {
                RowId::Surrogate { site: self.new, counter: *counter }
            }
            RowId::Natural(key) => RowId::Natural(key.iter().map(|value| self.value(value)).collect()),
            other => other.clone(),
        }
    }

    pub(crate) fn value(&self, value: &Value) -> Value {
        match value {
            Value::Ref(id) => Value::Ref(Box::new(self.id(id))),
            Value::Dangling(inner) => Value::Dangling(Box::new(self.value(inner))),
            other => other.clone(),
        }
    }
}
