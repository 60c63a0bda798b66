//! Some of the devices.

use std::fmt;

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::Range;

/// Some of the devices: `"all"`, `"0..3"` (both included), or `[0, 2]`.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Devices {
    /// Everyone.
    #[default]
    All,
    /// From one number to another, both included.
    Between(Range<u32>),
    /// These.
    These(Vec<u32>),
}

impl Devices {
    /// Whether it is one of them.
    pub fn contains(&self, device: u32) -> bool {
        match self {
            Devices::All => true,
            Devices::Between(range) => (range.from..=range.to).contains(&device),
            Devices::These(devices) => devices.contains(&device),
        }
    }
}

impl Serialize for Devices {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Devices::All => serializer.serialize_str("all"),
            Devices::Between(range) => range.serialize(serializer),
            Devices::These(devices) => devices.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Devices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DevicesVisitor)
    }
}

struct DevicesVisitor;

impl<'de> Visitor<'de> for DevicesVisitor {
    type Value = Devices;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"all\", a range of device numbers such as \"0..3\", or a list such as [0, 2]")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Devices, E> {
        match text {
            "all" => Ok(Devices::All),
            _ => text.parse().map(Devices::Between).map_err(|error| {
                E::custom(format!(
                    "{error}; write \"all\", a range such as \"0..3\", or a list such as [0, 2]"
                ))
            }),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Devices, A::Error> {
        let mut devices = Vec::new();
        while let Some(device) = seq.next_element()? {
            devices.push(device);
        }
        Ok(Devices::These(devices))
    }
}
