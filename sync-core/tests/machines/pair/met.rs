//! A device and a hub that have met, message by message: what the device says along with its introduction.

use std::time::Duration;

use pocketsync_core::clock::Now;
use pocketsync_core::hub::{ConnId, HubConfig};
use pocketsync_core::lineage::Stamp;
use pocketsync_core::session::{Event, SessionEnd};
use pocketsync_core::store::MemoryStore;
use pocketsync_core::value::Value;
use pocketsync_core::wire::{EarlyPush, ErrorCode, Message, WireError};

use super::{HubRig, SessionRig, WALL, scope, site};

/// A device, and the hub that it has met.
pub struct Met {
    pub hub: HubRig,
    pub store: MemoryStore,
    pub now: Now,
}

impl Met {
    pub fn new() -> Self {
        Met::with("first")
    }

    /// They have met, and both have this.
    pub fn with(text: &str) -> Self {
        let mut met = Met {
            hub: HubRig::new(HubConfig::default()),
            store: MemoryStore::device(site(1), Stamp(1)),
            now: Now { mono: Duration::from_secs(1), wall_ms: WALL },
        };
        met.write(text);
        let device = met.session();
        assert_eq!(kinds(&device.first), ["hello"], "nobody is known yet");
        assert_eq!((device.trips, met.texts()), (2, texts_of([text])));
        met
    }

    pub fn write(&mut self, text: &str) {
        self.store.write(&scope(), self.now.wall_ms, |tx| {
            tx.insert("note", &[("text", Value::text(text))]);
        });
    }

    /// What the hub has.
    pub fn texts(&self) -> Vec<Value> {
        texts(&self.hub.store)
    }

    pub fn begin(&self) -> SessionRig {
        SessionRig::connect_at(self.store.clone(), self.now)
    }

    pub fn session(&mut self) -> Ran {
        let device = self.begin();
        self.run(device)
    }

    /// Runs a session until all is told, or it ends.
    pub fn run(&mut self, mut device: SessionRig) -> Ran {
        let conn = self.hub.open();
        let first = device.said.clone();
        let mut trips = 0;
        while device.closed.is_none() && !is_in_sync(&device) {
            trips += 1;
            assert!(trips < 6, "{:?}", device.events);
            round_trip(&mut device, &mut self.hub, conn);
        }
        round_trip(&mut device, &mut self.hub, conn);
        let held = self.hub.store.clone();
        self.hub.hub.handle_lost(self.hub.now, conn, "over");
        self.hub.release();
        assert_eq!(texts(&held), self.texts(), "what is told is told");
        self.store = device.store;
        Ran { first, trips, events: device.events, end: device.closed }
    }
}

/// How a session went.
pub struct Ran {
    /// What the device said first.
    pub first: Vec<Message>,
    pub trips: usize,
    pub events: Vec<Event>,
    pub end: Option<SessionEnd>,
}

/// One request and its answer over HTTP: all that the device has to say, then all that the hub says to it.
pub fn round_trip(device: &mut SessionRig, hub: &mut HubRig, conn: ConnId) {
    let mut heard = Vec::new();
    for message in std::mem::take(&mut device.said) {
        heard.extend(hub.say(conn, &message));
    }
    let mut said = Vec::new();
    for message in &heard {
        said.extend(device.say(message));
    }
    device.said = said;
}

pub fn is_in_sync(device: &SessionRig) -> bool {
    device.events.contains(&Event::UpToDate) && device.events.contains(&Event::CaughtUp)
}

pub fn texts(store: &MemoryStore) -> Vec<Value> {
    let rows = store.rows(&scope());
    let notes = rows.get("note").into_iter().flat_map(|rows| rows.values());
    let mut texts: Vec<Value> = notes.map(|row| row["text"].clone()).collect();
    texts.sort();
    texts
}

pub fn texts_of<const N: usize>(texts: [&str; N]) -> Vec<Value> {
    texts.map(Value::text).to_vec()
}

pub fn kinds(messages: &[Message]) -> Vec<&'static str> {
    let kind = |message: &Message| match message {
        Message::Hello(_) => "hello",
        Message::Welcome(_) => "welcome",
        Message::Push(_) | Message::PushSeen(_) => "push",
        Message::Ack(_) => "ack",
        Message::Error(_) => "error",
        Message::Refused(_) => "refused",
        Message::Early(_) => "early",
        Message::Ping(_) | Message::Pong(_) | Message::Bye => "other",
    };
    messages.iter().map(kind).collect()
}

pub fn early(said: &[Message]) -> EarlyPush {
    match said {
        [Message::Hello(_), Message::Early(early)] => early.clone(),
        other => panic!("nothing early in {other:?}"),
    }
}

pub fn refusal(heard: &[Message]) -> ErrorCode {
    match heard.last() {
        Some(Message::Error(WireError { code, .. })) => *code,
        other => panic!("no error but {other:?}"),
    }
}
