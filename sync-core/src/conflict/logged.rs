//! Conflicts as they are remembered: what each side wrote, who won, by which rule.

use std::collections::BTreeMap;

use crate::clock::{Hlc, Version};
use crate::codec::{DecodeError, Reader, Writer};
use crate::id::{RowId, SiteId};
use crate::value::Value;

/// What one side of a conflict wrote.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Written {
    /// A value in one column.
    Value(Value),
    /// The row, by column name, as it was with what this side wrote.
    Row(BTreeMap<String, Value>),
    /// The row was deleted.
    Deleted,
}

/// One side of a conflict.
#[derive(Clone, PartialEq, Debug)]
pub struct Write {
    /// What was written.
    pub what: Written,
    /// By whom.
    pub site: SiteId,
    /// When, by the writer's corrected clock.
    pub hlc: Hlc,
}

impl Write {
    /// A side of a conflict that has this version.
    pub fn new(what: Written, version: Version) -> Self {
        Write { what, site: version.site, hlc: version.hlc }
    }
}

/// Who won a conflict.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Winner {
    /// What was there where the two met.
    Here,
    /// What came.
    Came,
    /// Neither: a resolver made something else of them.
    Neither,
}

impl Winner {
    /// A stable name for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Winner::Here => "here",
            Winner::Came => "came",
            Winner::Neither => "neither",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Winner::Here, Winner::Came, Winner::Neither].into_iter().find(|winner| winner.as_str() == name)
    }
}

/// A conflict in a conflict log.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct LoggedConflict {
    /// Its number in this log.
    pub id: u64,
    /// About when it was logged, in milliseconds since 1970: the latest time that the log's owner
    /// knew of from any write.
    pub logged_ms: u64,
    /// The table.
    pub table: String,
    /// Which row.
    pub row: RowId,
    /// The column; `None` where one side deleted the row.
    pub column: Option<String>,
    /// What was there where the two met.
    pub here: Write,
    /// What came.
    pub came: Write,
    /// Who won.
    pub winner: Winner,
    /// Why: the word of a rule, and what there is to say besides.
    pub rule: String,
    /// Whether it waits for a person: a resolver did not want to decide, or failed.
    pub open: bool,
}

impl LoggedConflict {
    /// The sides that lost: what a restore may bring back. The latest comes first.
    pub fn losers(&self) -> Vec<&Write> {
        let mut losers = match self.winner {
            Winner::Here => vec![&self.came],
            Winner::Came => vec![&self.here],
            Winner::Neither => vec![&self.here, &self.came],
        };
        losers.sort_by_key(|write| std::cmp::Reverse((write.hlc, write.site)));
        losers
    }

    /// The bytes of everything but the number and the time.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        text(&self.table, &mut writer);
        self.row.encode(&mut writer);
        writer.byte(self.column.is_some().into());
        text(self.column.as_deref().unwrap_or_default(), &mut writer);
        self.here.encode(&mut writer);
        self.came.encode(&mut writer);
        text(self.winner.as_str(), &mut writer);
        text(&self.rule, &mut writer);
        writer.byte(self.open.into());
        writer.into_bytes()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(crate) fn decode(id: u64, logged_ms: u64, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let table = read_text(&mut reader)?;
        let row = RowId::decode(&mut reader)?;
        let has_column = reader.byte()? != 0;
        let column = Some(read_text(&mut reader)?).filter(|_| has_column);
        let (here, came) = (Write::decode(&mut reader)?, Write::decode(&mut reader)?);
        let winner =
            Winner::named(&read_text(&mut reader)?).ok_or(DecodeError::Invalid("no winner of a conflict"))?;
        let rule = read_text(&mut reader)?;
        let open = reader.byte()? != 0;
        reader.finish()?;
        Ok(LoggedConflict { id, logged_ms, table, row, column, here, came, winner, rule, open })
    }
}

impl Write {
    fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.site.as_bytes());
        writer.varint(self.hlc.bits());
        match &self.what {
            Written::Deleted => writer.byte(0),
            Written::Value(value) => {
                writer.byte(1);
                value.encode(writer);
            }
            Written::Row(row) => {
                writer.byte(2);
                writer.varint(row.len() as u64);
                for (column, value) in row {
                    text(column, writer);
                    value.encode(writer);
                }
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let site = SiteId::from_bytes(reader.array()?);
        let hlc = Hlc::from_bits(reader.varint()?);
        let what = match reader.byte()? {
            0 => Written::Deleted,
            1 => Written::Value(Value::decode(reader)?),
            2 => {
                let count = reader.count(2)?;
                let mut row = BTreeMap::new();
                for _ in 0..count {
                    let column = read_text(reader)?;
                    row.insert(column, Value::decode(reader)?);
                }
                Written::Row(row)
            }
            tag => return Err(DecodeError::UnknownTag { what: "side of a conflict", tag }),
        };
        Ok(Write { what, site, hlc })
    }
}

fn text(text: &str, writer: &mut Writer) {
    writer.length_prefixed(text.as_bytes());
}

fn read_text(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    let bytes = reader.length_prefixed()?;
    String::from_utf8(bytes.to_vec()).map_err(|_| DecodeError::Invalid("a name is not UTF-8"))
}

/// How much a conflict log holds. What is over either bound goes, the oldest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ConflictLimits {
    /// How old an entry may get, in milliseconds. Default: 30 days.
    pub max_age_ms: u64,
    /// How many entries there may be. Default: 10,000.
    pub max_count: u64,
}

impl Default for ConflictLimits {
    fn default() -> Self {
        ConflictLimits { max_age_ms: 30 * 24 * 60 * 60 * 1000, max_count: 10_000 }
    }
}

impl ConflictLimits {
    /// Other bounds: an age in milliseconds, and a count.
    pub const fn new(max_age_ms: u64, max_count: u64) -> Self {
        ConflictLimits { max_age_ms, max_count }
    }
}

/// Which entries of a conflict log to look at; the default is all of them. The newest come first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct ConflictFilter {
    /// Of this table only, in any case of its letters.
    pub table: Option<String>,
    /// Logged at this time or later, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// Only those that wait for a person.
    pub open: bool,
    /// At most so many.
    pub limit: Option<usize>,
}

impl ConflictFilter {
    /// Whether an entry is wanted, apart from the limit.
    pub fn wants(&self, conflict: &LoggedConflict) -> bool {
        self.table.as_ref().is_none_or(|table| conflict.table.eq_ignore_ascii_case(table))
            && self.since_ms.is_none_or(|since| conflict.logged_ms >= since)
            && (!self.open || conflict.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_survives_its_bytes() {
        let site = SiteId::from_bytes([3; 16]);
        let row = [("title", Value::text("x")), ("n", Value::Null)];
        let row = row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        for (column, here, came, winner) in [
            (Some("title"), Written::Value(Value::Integer(1)), Written::Value(Value::Null), Winner::Neither),
            (None, Written::Row(row), Written::Deleted, Winner::Came),
        ] {
            let conflict = LoggedConflict {
                id: 7,
                logged_ms: 9,
                table: "note".to_owned(),
                row: RowId::Surrogate { site, counter: 300 },
                column: column.map(str::to_owned),
                here: Write { what: here, site, hlc: Hlc::from_ms(5) },
                came: Write { what: came, site: SiteId::NIL, hlc: Hlc::from_ms(6) },
                winner,
                rule: "hub_wins".to_owned(),
                open: column.is_none(),
            };
            let bytes = conflict.encode();
            for cut in 0..bytes.len() {
                assert!(LoggedConflict::decode(7, 9, &bytes[..cut]).is_err());
            }
            assert_eq!(LoggedConflict::decode(7, 9, &bytes), Ok(conflict));
        }
    }
}
