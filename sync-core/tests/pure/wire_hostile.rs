//! Each thing that the changeset decoder refuses, by itself, next to the nearest thing that it
//! takes.

use pocketsync_core::change::{CellChange, Changeset, MAX_COLUMNS, MAX_NAME_BYTES, RowChange, TableChanges};
use pocketsync_core::clock::Version;
use pocketsync_core::codec::{DecodeError, Writer};
use pocketsync_core::id::{MAX_REF_DEPTH, RowId};
use pocketsync_core::merge::Life;
use pocketsync_core::value::Value;
use pocketsync_core::wire::Body;

/// A changeset of one table `t` with these columns and rows in raw bytes.
fn raw(columns: &[&str], row_count: u8, rows: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.bytes(&[1, 1, 1, b't']);
    writer.varint(columns.len() as u64);
    for column in columns {
        writer.length_prefixed(column.as_bytes());
    }
    writer.byte(row_count);
    writer.bytes(rows);
    writer.into_bytes()
}

fn decode(columns: &[&str], rows: &[u8]) -> Result<Changeset, DecodeError> {
    Changeset::decode(&raw(columns, 1, rows))
}

fn invalid<T>(what: &'static str) -> Result<T, DecodeError> {
    Err(DecodeError::Invalid(what))
}

fn table(name: &str, columns: &[&str]) -> TableChanges {
    let columns = columns.iter().map(|&column| column.to_owned()).collect();
    TableChanges { name: name.to_owned(), columns, rows: Vec::new() }
}

/// Bit 6 of a row's head.
const NEW_COLUMNS: u8 = 1 << 6;
/// Bit 5 of a row's head.
const NEW_VERSION: u8 = 1 << 5;
/// Ten columns: wide enough for counted sets.
const WIDE: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

#[test]
fn other_formats() {
    assert_eq!(Changeset::decode(&[]), Err(DecodeError::Truncated));
    assert_eq!(Changeset::decode(&[1, 0]), Ok(Changeset::default()));
    let unknown = |tag| Err(DecodeError::UnknownTag { what: "changeset format", tag });
    assert_eq!(Changeset::decode(&[0, 0]), unknown(0));
    assert_eq!(Changeset::decode(&[2, 0]), unknown(2));
}

#[test]
fn names_that_appear_twice() {
    let twice = |tables| Changeset::decode(&Changeset { tables }.encode());
    assert!(twice(vec![table("t", &["a", "b"]), table("u", &["a", "b"])]).is_ok());
    assert_eq!(
        twice(vec![table("t", &[]), table("u", &[]), table("t", &[])]),
        invalid("a table appears twice")
    );
    assert_eq!(twice(vec![table("t", &["a", "b", "a"])]), invalid("a column appears twice"));
}

#[test]
fn names_that_are_none() {
    let named = |name: &[u8]| {
        let mut writer = Writer::new();
        writer.bytes(&[1, 1]);
        writer.length_prefixed(name);
        writer.bytes(&[0, 0]);
        Changeset::decode(&writer.into_bytes())
    };
    assert!(named(&vec![b'n'; MAX_NAME_BYTES]).is_ok());
    assert_eq!(named(&vec![b'n'; MAX_NAME_BYTES + 1]), invalid("a name is too long"));
    assert_eq!(named(b"\xff"), invalid("a name is not UTF-8"));
}

#[test]
fn more_columns_than_there_can_be() {
    let wide = |width: usize| {
        let names: Vec<String> = (0..width).map(|n| format!("{n:x}")).collect();
        let cells = (0..width as u32).map(|column| CellChange {
            column,
            version: Version::GENESIS,
            value: Value::Null,
        });
        let row = RowChange { id: RowId::Genesis([1; 16]), life: Life::default(), cells: cells.collect() };
        let changeset = Changeset {
            tables: vec![TableChanges { name: "t".to_owned(), columns: names, rows: vec![row] }],
        };
        (Changeset::decode(&changeset.encode()), changeset)
    };
    let (decoded, changeset) = wide(MAX_COLUMNS);
    assert_eq!(decoded, Ok(changeset));
    assert_eq!(wide(MAX_COLUMNS + 1).0, Err(DecodeError::OutOfRange));
}

#[test]
fn columns_that_the_table_does_not_have() {
    // Three columns: the fourth bit is beyond them.
    assert!(decode(&["a", "b", "c"], &[NEW_COLUMNS, 0b101, 0xd0, 0xd0]).is_ok());
    let beyond = invalid("a bitmap with bits beyond its end");
    assert_eq!(decode(&["a", "b", "c"], &[NEW_COLUMNS, 0b1001, 0xd0, 0xd0]), beyond);
    // Ten columns: two by their gaps, five by bitmap, all ten by count alone.
    assert!(decode(&WIDE, &[NEW_COLUMNS, 2, 8, 0, 0xd0, 0xd0]).is_ok());
    assert_eq!(decode(&WIDE, &[NEW_COLUMNS, 2, 8, 1, 0xd0, 0xd0]), Err(DecodeError::OutOfRange));
    assert_eq!(decode(&WIDE, &[NEW_COLUMNS, 1, 10, 0xd0]), Err(DecodeError::OutOfRange));
    assert_eq!(decode(&WIDE, &[NEW_COLUMNS, 11]), Err(DecodeError::OutOfRange));
    let huge = [255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
    assert_eq!(decode(&WIDE, &[&[NEW_COLUMNS, 2, 8][..], &huge].concat()), Err(DecodeError::OutOfRange));
    let nulls = [0xd0; 5];
    assert!(decode(&WIDE, &[&[NEW_COLUMNS, 5, 0b11111, 0][..], &nulls].concat()).is_ok());
    let miscounted = invalid("a count of columns that its bitmap does not have");
    assert_eq!(decode(&WIDE, &[&[NEW_COLUMNS, 5, 0b1111, 0][..], &nulls].concat()), miscounted);
    assert_eq!(decode(&WIDE, &[&[NEW_COLUMNS, 5, 0b1111, 0b100][..], &nulls].concat()), beyond);
}

#[test]
fn own_versions_of_cells_that_are_not_there() {
    let row = |bitmap| decode(&["a"], &[NEW_COLUMNS | 1 << 7, 1, bitmap, 0, 0xd0]);
    assert!(row(1).is_ok());
    assert_eq!(row(2), invalid("a bitmap with bits beyond its end"));
}

/// A column set is repeated within its table only.
#[test]
fn column_sets_do_not_cross_tables() {
    let mut bytes = raw(&["a", "b"], 1, &[NEW_COLUMNS, 0b11, 0xd0, 0xd0]);
    bytes[1] = 2;
    bytes.extend([1, b'u', 0, 1, 0]);
    let changeset = Changeset::decode(&bytes).unwrap();
    assert!(changeset.tables[1].rows[0].cells.is_empty());
}

#[test]
fn sites_ahead_of_their_turn() {
    let site = [7; 16];
    assert!(decode(&[], &[&[2, 1][..], &site, &[0]].concat()).is_ok());
    let ahead = invalid("site number ahead of its turn");
    assert_eq!(decode(&[], &[&[2, 2][..], &site, &[0]].concat()), ahead);
}

#[test]
fn counters_and_clocks_out_of_range() {
    // A counter at its end: the next is none, nor is one further ahead.
    let last = [2, 0, 1];
    let max = Changeset::decode(&raw(&[], 1, &last)).unwrap();
    assert!(matches!(max.tables[0].rows[0].id, RowId::Surrogate { counter: u64::MAX, .. }));
    assert_eq!(Changeset::decode(&raw(&[], 2, &[&last[..], &[0]].concat())), Err(DecodeError::OutOfRange));
    assert_eq!(Changeset::decode(&raw(&[], 2, &[&last[..], &[1, 0]].concat())), Err(DecodeError::OutOfRange));
    // One millisecond before 1970, one after 48 bits; a counter of -1 and of 65536.
    let version = |parts: &[i64]| {
        let mut writer = Writer::new();
        writer.byte(NEW_VERSION);
        let zigzag = ((parts[0] << 1) ^ (parts[0] >> 63)) as u64;
        writer.varint(zigzag << 2 | u64::from(parts.len() > 1) << 1);
        parts[1..].iter().for_each(|&counter| writer.signed(counter));
        decode(&[], &writer.into_bytes())
    };
    let end = (1 << 48) - 1;
    for parts in [&[0][..], &[end], &[end, 65_535], &[0, 1]] {
        assert!(version(parts).is_ok(), "{parts:?}");
    }
    for parts in [&[-1][..], &[end + 1], &[0, -1], &[5, 65_536], &[0, i64::MAX], &[0, i64::MIN]] {
        assert_eq!(version(parts), Err(DecodeError::OutOfRange), "{parts:?}");
    }
}

#[test]
fn unknown_kinds() {
    for kind in [6, 7] {
        assert_eq!(decode(&[], &[kind, 0, 0]), Err(DecodeError::UnknownTag { what: "row id", tag: kind }));
    }
    for mask in [0, 8, 255] {
        let unknown = Err(DecodeError::UnknownTag { what: "life", tag: mask });
        assert_eq!(decode(&[], &[3 << 3, mask, 0, 0]), unknown);
    }
    for tag in [0xcf, 0xd9, 0xff] {
        let unknown = Err(DecodeError::UnknownTag { what: "value", tag });
        assert_eq!(decode(&["a"], &[NEW_COLUMNS, 1, tag, 0, 0, 0, 0, 0, 0, 0, 0]), unknown);
    }
}

#[test]
fn references_that_are_too_deep() {
    let nested = |depth: usize, dangling: bool| {
        let mut value = Value::Integer(1);
        for _ in 0..depth {
            value = match dangling {
                true => Value::Dangling(Box::new(value)),
                false => Value::Ref(Box::new(RowId::Natural([value].into()))),
            };
        }
        value
    };
    for dangling in [false, true] {
        let cell = |depth| {
            let value = nested(depth, dangling);
            let cells = vec![CellChange { column: 0, version: Version::GENESIS, value }];
            let row = RowChange { id: RowId::Genesis([0; 16]), life: Life::default(), cells };
            let changeset =
                Changeset { tables: vec![TableChanges { rows: vec![row], ..table("t", &["a"]) }] };
            Changeset::decode(&changeset.encode()).map(|decoded| assert_eq!(decoded, changeset))
        };
        assert_eq!(cell(MAX_REF_DEPTH), Ok(()));
        assert_eq!(cell(MAX_REF_DEPTH + 1), Err(DecodeError::TooDeep));
        let key = |depth| {
            let id = RowId::Natural([nested(depth, dangling)].into());
            let row = RowChange { id, life: Life::default(), cells: Vec::new() };
            let changeset = Changeset { tables: vec![TableChanges { rows: vec![row], ..table("t", &[]) }] };
            Changeset::decode(&changeset.encode()).map(|decoded| assert_eq!(decoded, changeset))
        };
        assert_eq!(key(MAX_REF_DEPTH), Ok(()));
        assert_eq!(key(MAX_REF_DEPTH + 1), Err(DecodeError::TooDeep));
    }
    // A million levels are refused as quickly, on any stack.
    let deep = [&[NEW_COLUMNS, 1][..], &vec![0xd8; 1_000_000]].concat();
    assert_eq!(decode(&["a"], &deep), Err(DecodeError::TooDeep));
}

#[test]
fn bodies_that_are_too_large_or_damaged() {
    let row = RowChange {
        id: RowId::Genesis([1; 16]),
        life: Life::default(),
        cells: vec![CellChange {
            column: 0,
            version: Version::GENESIS,
            value: Value::Text(vec![b'x'; 5000]),
        }],
    };
    let changeset = Changeset { tables: vec![TableChanges { rows: vec![row], ..table("t", &["a"]) }] };
    let plain_len = changeset.encode().len();
    let Body::Lz4(packed) = Body::seal(&changeset, true) else { panic!("one letter is worth packing") };
    for body in [Body::seal(&changeset, false), Body::Lz4(packed.clone())] {
        assert_eq!(body.open(plain_len), Ok(changeset.clone()));
        assert_eq!(body.open(plain_len - 1), Err(DecodeError::TooLarge));
    }
    for len in 0..packed.len() {
        assert!(Body::Lz4(packed.slice(..len)).open(1 << 20).is_err());
    }
    // A length that is not what the block expands to.
    let mut longer = packed.to_vec();
    longer[0] ^= 1;
    assert!(Body::Lz4(longer.into()).open(1 << 20).is_err());
}

#[test]
fn what_does_not_compress_stays_as_it_is() {
    let mut state = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(5000)
    .collect();
    let row = RowChange {
        id: RowId::Genesis([1; 16]),
        life: Life::default(),
        cells: vec![CellChange { column: 0, version: Version::GENESIS, value: Value::Blob(noise) }],
    };
    let changeset = Changeset { tables: vec![TableChanges { rows: vec![row], ..table("t", &["a"]) }] };
    assert_eq!(Body::seal(&changeset, true), Body::Plain(changeset.encode().into()));
    let small = Changeset { tables: vec![TableChanges { rows: vec![], ..table("t", &["a"]) }] };
    assert_eq!(Body::seal(&small, true), Body::Empty);
}

#[test]
#[should_panic(expected = "ascending order")]
fn cells_out_of_order_are_the_callers_mistake() {
    let cell = |column| CellChange { column, version: Version::GENESIS, value: Value::Null };
    let row = RowChange { id: RowId::Genesis([1; 16]), life: Life::default(), cells: vec![cell(1), cell(0)] };
    Changeset { tables: vec![TableChanges { rows: vec![row], ..table("t", &["a", "b"]) }] }.encode();
}
