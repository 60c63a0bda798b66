//! Global identity: replicas ([`SiteId`]), rows ([`RowId`]) and logical databases ([`Scope`]).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::codec::{DecodeError, Reader, Writer};
use crate::value::Value;

/// The writing identity of one replica: a UUID (version 7 where PocketSync makes it).
///
/// A database file that is restored from a backup or cloned takes a new one, so at any time one
/// site id has one writer. Site ids order as their bytes; the order breaks ties between versions
/// with equal clocks.
///
/// ```
/// use pocketsync_core::id::SiteId;
/// let site = SiteId::from_bytes([7; 16]);
/// assert!(SiteId::NIL < site);
/// assert_eq!(SiteId::from_bytes(*site.as_bytes()), site);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SiteId([u8; 16]);

impl SiteId {
    /// The site of genesis versions, which belong to no replica. The smallest site.
    pub const NIL: SiteId = SiteId([0; 16]);

    /// A site id from its 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        SiteId(bytes)
    }

    /// A version 7 UUID from a wall clock reading and ten random bytes.
    ///
    /// The caller brings both, because the core reads neither clock nor randomness.
    pub fn new_v7(wall_ms: u64, random: [u8; 10]) -> Self {
        SiteId(*uuid::Builder::from_unix_timestamp_millis(wall_ms, &random).into_uuid().as_bytes())
    }

    /// The 16 bytes of the UUID.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for SiteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).fmt(f)
    }
}

/// A text that is not 16 bytes as a UUID is written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not a site, as in 0199f0c2-7a31-7c5e-9d1b-2f6c1e0a4b58")]
pub struct InvalidSite(String);

impl FromStr for SiteId {
    type Err = InvalidSite;

    /// Reads what `Display` writes.
    ///
    /// ```
    /// use pocketsync_core::id::SiteId;
    /// let site = SiteId::from_bytes([7; 16]);
    /// assert_eq!(site.to_string().parse(), Ok(site));
    /// assert!("somebody".parse::<SiteId>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, InvalidSite> {
        let uuid = Uuid::try_parse(text).map_err(|_| InvalidSite(text.to_owned()))?;
        Ok(SiteId(*uuid.as_bytes()))
    }
}

impl fmt::Debug for SiteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SiteId({self})")
    }
}

/// The global identity of one row of one table, the same on every replica.
///
/// Orders by kind, then by content; the order has no meaning beyond being total.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RowId {
    /// The declared primary key is the identity: its values in key order, references among them
    /// as [`Value::Ref`].
    Natural(Box<[Value]>),
    /// The row was inserted at `site` into a table with an integer key, and numbered there.
    /// The integer itself is an attribute of the row and may differ between replicas.
    Surrogate {
        /// Where the row was inserted.
        site: SiteId,
        /// Unique within the site, over all its tables: ascending, and from somewhere else on each
        /// time that the file is opened, so that a restored copy never gives a number again.
        counter: u64,
    },
    /// The row was there before tracking began: the first 16 bytes of a hash of table, key and
    /// content.
    Genesis([u8; 16]),
}

/// How deep row ids may refer to each other through keys that contain references.
pub const MAX_REF_DEPTH: usize = 8;

impl RowId {
    /// The canonical bytes of this id: equal ids have equal bytes. Used as a storage key.
    ///
    /// ```
    /// use pocketsync_core::id::{RowId, SiteId};
    /// let id = RowId::Surrogate { site: SiteId::from_bytes([1; 16]), counter: 300 };
    /// assert_eq!(RowId::from_bytes(&id.to_bytes())?, id);
    /// # Ok::<(), pocketsync_core::codec::DecodeError>(())
    /// ```
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.encode(&mut writer);
        writer.into_bytes()
    }

    /// The id that [`to_bytes`](Self::to_bytes) gave.
    ///
    /// # Errors
    /// When the bytes are not exactly one id.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let id = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(id)
    }

    /// Appends the canonical bytes.
    pub fn encode(&self, writer: &mut Writer) {
        match self {
            RowId::Natural(key) => {
                writer.byte(0);
                writer.varint(key.len() as u64);
                for value in key {
                    value.encode(writer);
                }
            }
            RowId::Surrogate { site, counter } => {
                writer.byte(1);
                writer.bytes(site.as_bytes());
                writer.varint(*counter);
            }
            RowId::Genesis(hash) => {
                writer.byte(2);
                writer.bytes(hash);
            }
        }
    }

    /// Reads one id.
    ///
    /// # Errors
    /// When the bytes are not an id, or refer deeper than [`MAX_REF_DEPTH`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::decode_nested(reader, MAX_REF_DEPTH)
    }

    pub(crate) fn decode_nested(reader: &mut Reader<'_>, depth: usize) -> Result<Self, DecodeError> {
        match reader.byte()? {
            0 => {
                let len = reader.count(1)?;
                let key =
                    (0..len).map(|_| Value::decode_nested(reader, depth)).collect::<Result<Box<[_]>, _>>()?;
                Ok(RowId::Natural(key))
            }
            1 => Ok(RowId::Surrogate { site: SiteId(reader.array()?), counter: reader.varint()? }),
            2 => Ok(RowId::Genesis(reader.array()?)),
            tag => Err(DecodeError::UnknownTag { what: "row id", tag }),
        }
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RowId::Natural(key) => {
                for (i, value) in key.iter().enumerate() {
                    if i > 0 {
                        f.write_str(",")?;
                    }
                    write!(f, "{value}")?;
                }
                Ok(())
            }
            RowId::Surrogate { site, counter } => write!(f, "{site}#{counter}"),
            RowId::Genesis(hash) => {
                f.write_str("genesis:")?;
                hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

/// The name of one logical database: the unit of authorization, ordering and fan-out at a hub.
///
/// ```
/// use pocketsync_core::id::Scope;
/// assert_eq!(Scope::new("team-7").unwrap().as_str(), "team-7");
/// assert!(Scope::new("").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

/// A scope name that is empty, longer than 255 bytes, or holds a control character.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the scope name {0:?} must have 1 to 255 bytes and no control characters")]
pub struct InvalidScope(String);

impl Scope {
    /// A scope with this name.
    ///
    /// # Errors
    /// When the name is empty, longer than 255 bytes, or holds a control character.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidScope> {
        let name = name.into();
        if name.is_empty() || name.len() > 255 || name.chars().any(char::is_control) {
            return Err(InvalidScope(name));
        }
        Ok(Scope(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidScope;
    fn try_from(name: String) -> Result<Self, InvalidScope> {
        Scope::new(name)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> String {
        scope.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
