//! A running hash over everything that must be the same in every run.

use std::fmt::{self, Write as _};

use pocketsync_core::codec::Writer;
use pocketsync_core::value::Value;
use sha2::{Digest, Sha256};

use crate::history::{DeviceView, Event, Look};
use crate::story::Ms;

/// So much is gathered before it is hashed: small pieces cost more than their bytes.
const GATHERED_BYTES: usize = 16 << 10;

/// The hash. What it takes is a list of entries: time, kind, and bytes that end before the next
/// entry begins, or say how long they are.
pub(super) struct Trace {
    hash: Sha256,
    gathered: Gathered,
}

struct Gathered(Vec<u8>);

impl fmt::Write for Gathered {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Trace {
    pub(super) fn new() -> Self {
        Trace { hash: Sha256::new(), gathered: Gathered(Vec::with_capacity(GATHERED_BYTES * 2)) }
    }

    /// A line of text.
    pub(super) fn line(&mut self, at: Ms, line: fmt::Arguments<'_>) {
        self.begin(at, b'l');
        // Writing into memory cannot fail.
        let _ = self.gathered.write_fmt(line);
        self.gathered.0.push(b'\n');
    }

    /// Bytes of a kind.
    pub(super) fn bytes(&mut self, at: Ms, kind: u8, bytes: &[u8]) {
        self.begin(at, b'b');
        self.gathered.0.push(kind);
        self.sized(bytes);
    }

    /// Something that happened.
    pub(super) fn event(&mut self, at: Ms, event: &Event) {
        match event {
            // By far the most frequent.
            Event::Carried { device, up, bytes, cause } => {
                self.begin(at, b'c');
                self.number(device.0.into());
                self.gathered.0.extend([u8::from(*up), *cause as u8]);
                self.number(*bytes as u64);
            }
            event => self.line(at, format_args!("{event:?}")),
        }
    }

    /// How everyone looks.
    pub(super) fn look(&mut self, at: Ms, look: &Look) {
        self.begin(at, b'v');
        self.gathered.0.push(look.phase as u8);
        self.number(look.devices.len() as u64);
        look.devices.iter().for_each(|device| self.device(device));
        self.number(look.hub.len() as u64);
        for hub in &look.hub {
            self.number(hub.scope.into());
            // Writing into memory cannot fail.
            let _ = writeln!(self.gathered, "{:?}", hub.conflicts);
            self.number(hub.clocks.len() as u64);
            for (row, clock) in &hub.clocks {
                self.sized(row.as_bytes());
                self.sized(clock.as_bytes());
            }
        }
    }

    fn device(&mut self, view: &DeviceView) {
        let DeviceView {
            device,
            scope,
            version,
            rows,
            parked,
            clocks,
            journal,
            complaints,
            derived,
            conflicts,
            staged_bytes,
            status,
            whole,
        } = view;
        let line = format_args!(
            "{device} {scope} {version} {journal:?} {complaints:?} {staged_bytes} {status:?} {whole} {parked:?} {derived:?} {conflicts:?}\n"
        );
        // Writing into memory cannot fail.
        let _ = self.gathered.write_fmt(line);
        self.number(rows.len() as u64);
        for (tag, row) in rows {
            self.number(tag.table as u64);
            self.sized(tag.name.as_bytes());
            self.number(row.copies.into());
            self.number(row.cells.len() as u64);
            row.cells.iter().for_each(|cell| self.value(cell));
            for (column, value) in &row.unheld {
                self.number(*column as u64);
                self.value(value);
            }
        }
        self.number(clocks.len() as u64);
        for (row, clock) in clocks {
            self.sized(row.as_bytes());
            self.sized(clock.as_bytes());
        }
    }

    fn value(&mut self, value: &Value) {
        let mut writer = Writer::new();
        value.encode(&mut writer);
        self.sized(&writer.into_bytes());
    }

    fn begin(&mut self, at: Ms, kind: u8) {
        if self.gathered.0.len() >= GATHERED_BYTES {
            self.hash.update(&self.gathered.0);
            self.gathered.0.clear();
        }
        self.number(at);
        self.gathered.0.push(kind);
    }

    fn number(&mut self, number: u64) {
        self.gathered.0.extend_from_slice(&number.to_le_bytes());
    }

    fn sized(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.gathered.0.extend_from_slice(bytes);
    }

    /// The hash, as a report shows it.
    pub(super) fn hex(mut self) -> String {
        self.hash.update(&self.gathered.0);
        self.hash.finalize().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}
