//! The counters and marks of a replica: small integers in `__pocketsync_meta`, held in memory
//! while the engine is open and written back in the transaction that changes them.

use rusqlite::Connection;

use crate::clock::Hlc;

macro_rules! meta {
    ($($(#[$doc:meta])* $field:ident),* $(,)?) => {
        /// Every counter and mark. Missing rows read as zero.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct Meta { $($(#[$doc])* pub $field: i64,)* }

        impl Meta {
            fn set(&mut self, key: &str, value: i64) {
                match key { $(stringify!($field) => self.$field = value,)* _ => {} }
            }

            fn fields(&self) -> impl Iterator<Item = (&'static str, i64)> + use<> {
                [$((stringify!($field), self.$field)),*].into_iter()
            }
        }
    };
}

meta! {
    /// [`FORMAT`](super::system::FORMAT) of the file.
    format,
    /// Our site, as an ordinal.
    site,
    /// The last log number handed out.
    head,
    /// The last surrogate row counter handed out.
    counter,
    /// The largest clock seen or handed out (bits).
    clock,
    /// The largest clock seen from others (bits).
    foreign_clock,
    /// The last log number that was handed to anyone.
    offered_seq,
    /// The last row counter that was handed to anyone.
    offered_counter,
    /// The largest own clock that was handed to anyone (bits).
    offered_clock,
    /// One more than the log number after which an early push began that nobody has answered; 0: there is none.
    early_after,
    /// For whom it was, as an ordinal.
    early_peer,
    /// The last opening of that one that we know of (its stamp's bits).
    early_opening,
    /// Whether somebody has introduced himself since (0 or 1).
    early_is_old,
    /// What `offered_counter` was before it.
    early_counter,
    /// What `offered_clock` was before it.
    early_clock,
    /// What corrects the wall clock, in milliseconds.
    offset_ms,
    /// The count of clock jumps when `offset_ms` was measured.
    offset_jump,
    /// How many jumps of the wall clock were noticed.
    jump,
    /// The last journal stamp that was folded, in milliseconds since 1970.
    last_stamp_ms,
    /// SQLite's `schema_version` when triggers and catalog were last made.
    schema_version,
    /// Which triggers were laid: a number that is raised with their SQL.
    triggers,
    /// The last log number that was handed to anyone when a table was found without its triggers: up to it, nothing is
    /// told to those who were told, until their logs were read again.
    told_seq,
    /// Our site when peers were asked what they were told of such tables, as an ordinal: those that knew of us have smaller ones.
    asked_as,
    /// Whether the schema changed since the rows that wait were last looked at (0 or 1).
    retry_due,
}

impl Meta {
    /// Reads all of them.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub fn load(conn: &Connection) -> rusqlite::Result<Self> {
        let mut meta = Meta::default();
        let mut statement = conn.prepare("SELECT key, value FROM __pocketsync_meta")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            meta.set(row.get_ref(0)?.as_str()?, row.get(1)?);
        }
        Ok(meta)
    }

    /// Writes those that differ from `stored`.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub fn save(&self, stored: &Meta, conn: &Connection) -> rusqlite::Result<()> {
        for ((key, value), (_, before)) in self.fields().zip(stored.fields()) {
            if value != before {
                conn.prepare_cached(
                    "INSERT INTO __pocketsync_meta(key, value) VALUES(?1, ?2)
                     ON CONFLICT(key) DO UPDATE SET value = excluded.value",
                )?
                .execute((key, value))?;
            }
        }
        Ok(())
    }

    /// The largest clock seen or handed out.
    pub fn clock(&self) -> Hlc {
        Hlc::from_bits(self.clock as u64)
    }

    /// Raises the clock to what was seen from others.
    pub fn see(&mut self, foreign: Hlc) {
        // Clocks below 2^63 compare the same as i64; a larger one saturates.
        let bits = i64::try_from(foreign.bits()).unwrap_or(i64::MAX);
        self.foreign_clock = self.foreign_clock.max(bits);
        self.clock = self.clock.max(bits);
    }

    /// The next log number.
    pub fn next_seq(&mut self) -> u64 {
        self.head += 1;
        self.head as u64
    }
}
