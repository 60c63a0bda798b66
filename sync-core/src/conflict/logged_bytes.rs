//! The stored form of conflicts.

use std::collections::BTreeMap;

use super::logged::{LoggedConflict, Winner, Write, Written};
use crate::clock::Hlc;
use crate::codec::{DecodeError, Reader, Writer};
use crate::id::{RowId, SiteId};
use crate::value::Value;

impl LoggedConflict {
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
            winner(&read_text(&mut reader)?).ok_or(DecodeError::Invalid("no winner of a conflict"))?;
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

fn winner(name: &str) -> Option<Winner> {
    [Winner::Here, Winner::Came, Winner::Neither].into_iter().find(|winner| winner.as_str() == name)
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
