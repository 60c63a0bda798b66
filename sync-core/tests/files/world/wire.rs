//! Sessions, and the frames between them.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::FutureExt;
use pocketsync_core::admission::{Admission, Open};
use pocketsync_core::hub::{ConnId, HubOutput};
use pocketsync_core::session::{Admitted, Event, Output, Rights, Session, SessionConfig};
use pocketsync_core::store::{Store, StoreReply};

use super::{World, scope};

pub(super) type LinkId = usize;

enum End {
    Device(usize, Box<Session>),
    Hub(ConnId),
}

pub(super) struct Link {
    ends: [End; 2],
    /// What is under way to each end.
    to: [VecDeque<Bytes>; 2],
    /// The end that is over; what it sent before still arrives.
    over: Option<usize>,
    frames_left: Option<usize>,
}

impl World {
    fn config(&self) -> SessionConfig {
        let mut config = SessionConfig::new(scope());
        config.max_frame_bytes = self.max_frame_bytes;
        config
    }

    fn add(&mut self, ends: [End; 2]) -> LinkId {
        let id = self.next_link;
        self.next_link += 1;
        let frames_left = self.frames_per_link;
        self.links.insert(id, Link { ends, to: Default::default(), over: None, frames_left });
        for side in [1, 0] {
            self.pump(id, side);
        }
        id
    }

    /// How many links there were so far.
    pub(crate) fn links_made(&self) -> usize {
        self.next_link
    }

    /// Connects a device to the hub.
    pub(crate) fn connect(&mut self, n: usize) {
        let conn = self.hub.open(self.now(0), self.max_frame_bytes);
        let session = Session::connect(self.config(), self.now(self.devices[n].skew_ms));
        self.add([End::Device(n, Box::new(session)), End::Hub(conn)]);
    }

    /// Connects two devices without the hub, and lets them talk until the link falls silent or ends.
    pub(crate) fn meet(&mut self, a: usize, b: usize) {
        let initiator = Session::connect(self.config(), self.now(self.devices[a].skew_ms));
        let acceptor = Session::accept(self.config(), self.now(self.devices[b].skew_ms));
        let link = self.add([End::Device(a, Box::new(initiator)), End::Device(b, Box::new(acceptor))]);
        while self.step() {}
        self.cut(link);
    }

    fn pump(&mut self, id: LinkId, side: usize) {
        match self.links.get(&id).map(|link| &link.ends[side]) {
            Some(End::Device(..)) => self.pump_device(id, side),
            Some(End::Hub(_)) => self.pump_hub(),
            None => {}
        }
    }

    fn pump_device(&mut self, id: LinkId, side: usize) {
        loop {
            let Some(Link { ends, to, over, .. }) = self.links.get_mut(&id) else { return };
            let End::Device(n, session) = &mut ends[side] else { return };
            let n = *n;
            match session.poll_output() {
                Output::Transmit(frame) => to[1 - side].push_back(frame),
                Output::Store(request, what) => {
                    let reply = self.devices[n].replica.run(what);
                    if let Ok(StoreReply::Extracted(extracted)) = &reply {
                        self.remember(&extracted.changeset);
                    }
                    if let Ok(StoreReply::Early(Some(early))) = &reply {
                        self.remember(&early.extracted.changeset);
                        self.devices[n].early += 1;
                    }
                    let now = self.now(self.devices[n].skew_ms);
                    self.with_session(id, side, |session| session.handle_store(now, request, reply));
                }
                Output::Admit(_) => {
                    let given = match &ends[0] {
                        End::Device(initiator, _) => self.admitted.get(initiator).cloned(),
                        End::Hub(_) => None,
                    };
                    let admitted = given.unwrap_or_else(|| Admitted::new("peer", Rights::ALL));
                    let now = self.now(self.devices[n].skew_ms);
                    self.with_session(id, side, |session| session.handle_admission(now, Ok(admitted)));
                }
                Output::Event(event) => self.device_event(n, event),
                Output::Wait(_) => return,
                Output::Closed(end) => {
                    *over = over.or(Some(side));
                    self.devices[n].caught_up = false;
                    self.devices[n].ends.push(end);
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn with_session(&mut self, id: LinkId, side: usize, input: impl FnOnce(&mut Session)) {
        if let Some(Link { ends, .. }) = self.links.get_mut(&id)
            && let End::Device(_, session) = &mut ends[side]
        {
            input(session);
        }
    }

    fn device_event(&mut self, n: usize, event: Event) {
        let device = &mut self.devices[n];
        match event {
            Event::CaughtUp => device.caught_up = true,
            Event::CatchingUp => device.caught_up = false,
            Event::Sent { bytes } => device.sent_bytes += bytes,
            _ => {}
        }
        if let Some(holds) = self.invariant
            && device.caught_up
        {
            holds(&device.app);
        }
    }

    fn pump_hub(&mut self) {
        loop {
            let now = self.now(0);
            match self.hub.poll_output() {
                HubOutput::Transmit { conn, frame } => {
                    self.hub.handle_sent(now, conn, frame.len());
                    if let Some((_, link)) = self.link_of(conn) {
                        link.to[0].push_back(frame);
                    }
                }
                HubOutput::Store { id, request } => {
                    let reply = self.store.as_mut().unwrap().run(request);
                    if let Ok(StoreReply::Extracted(extracted)) = &reply {
                        self.remember(&extracted.changeset);
                    }
                    self.hub.handle_store(now, id, reply);
                }
                HubOutput::Admit { conn, request } => {
                    let given = self.link_of(conn).and_then(|(_, link)| match link.ends[0] {
                        End::Device(n, _) => Some(n),
                        End::Hub(_) => None,
                    });
                    let given = given.and_then(|n| self.admitted.get(&n)).cloned();
                    let open = || Open.admit(&request).now_or_never().expect("ready-made");
                    let verdict = given.map_or_else(open, Ok);
                    self.hub.handle_admission(now, conn, verdict);
                }
                HubOutput::Event { .. } => {}
                HubOutput::Closed { conn, .. } => {
                    if let Some((_, link)) = self.link_of(conn) {
                        link.over = link.over.or(Some(1));
                    }
                }
                HubOutput::Wait(_) => return,
                other => panic!("{other:?}"),
            }
        }
    }

    fn link_of(&mut self, conn: ConnId) -> Option<(LinkId, &mut Link)> {
        let mut links = self.links.iter_mut();
        links
            .find(|(_, link)| matches!(link.ends[1], End::Hub(of) if of == conn))
            .map(|(id, link)| (*id, link))
    }

    /// Loses a link with all that is under way.
    pub(super) fn cut(&mut self, id: LinkId) {
        let Some(link) = self.links.remove(&id) else { return };
        for (side, end) in link.ends.into_iter().enumerate() {
            match end {
                End::Hub(conn) => {
                    let now = self.now(0);
                    self.hub.handle_lost(now, conn, "cut");
                    self.pump_hub();
                }
                End::Device(n, _) if link.over != Some(side) => self.devices[n].caught_up = false,
                End::Device(..) => {}
            }
        }
    }

    pub(super) fn cut_all(&mut self, n: usize) {
        let of_device =
            |link: &Link| link.ends.iter().any(|end| matches!(end, End::Device(of, _) if *of == n));
        let links: Vec<_> =
            self.links.iter().filter(|(_, link)| of_device(link)).map(|(id, _)| *id).collect();
        links.into_iter().for_each(|link| self.cut(link));
    }

    pub(crate) fn go_offline(&mut self, n: usize) {
        self.devices[n].online = false;
        self.cut_all(n);
    }

    /// Delivers one frame; each end of each link has its turn. Whether anything was left to do.
    pub(crate) fn step(&mut self) -> bool {
        let over: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| link.over.is_some_and(|side| link.to[1 - side].is_empty()))
            .map(|(id, _)| *id)
            .collect();
        if !over.is_empty() {
            over.into_iter().for_each(|link| self.cut(link));
            return true;
        }
        let waiting = |id: LinkId, link: &Link| {
            let has = |side: &usize| link.over != Some(*side) && !link.to[*side].is_empty();
            (0..2).filter(has).map(|side| (id, side)).collect::<Vec<_>>()
        };
        let waiting: Vec<_> = self.links.iter().flat_map(|(id, link)| waiting(*id, link)).collect();
        let next = waiting.iter().find(|place| **place > self.turn).or(waiting.first());
        let Some(&(id, side)) = next else { return false };
        self.turn = (id, side);
        self.deliver(id, side);
        true
    }

    fn deliver(&mut self, id: LinkId, side: usize) {
        let link = self.links.get_mut(&id).expect("it was just there");
        let frame = link.to[side].pop_front().expect("as was this");
        if let Some(left) = &mut link.frames_left {
            if *left == 0 {
                return self.cut(id);
            }
            *left -= 1;
        }
        match &mut link.ends[side] {
            End::Hub(conn) => {
                let (conn, now) = (*conn, self.now(0));
                self.hub.handle_frame(now, conn, frame);
            }
            End::Device(n, _) => {
                let n = *n;
                let now = self.now(self.devices[n].skew_ms);
                self.with_session(id, side, |session| session.handle_frame(now, frame));
            }
        }
        self.pump(id, side);
    }

    /// Delivers one frame to the hub or to this device, and none to any other.
    pub(crate) fn deliver_to_hub_or(&mut self, n: usize) -> bool {
        let hears = |link: &Link, side: usize| match link.ends[side] {
            End::Hub(_) => true,
            End::Device(of, _) => of == n,
        };
        let mut places = self.links.iter().flat_map(|(id, link)| [(*id, link, 0), (*id, link, 1)]);
        let next = places.find(|(_, link, side)| hears(link, *side) && !link.to[*side].is_empty());
        let next = next.map(|(id, _, side)| (id, side));
        drop(places);
        let Some((id, side)) = next else { return false };
        self.deliver(id, side);
        true
    }

    /// Tells the sessions to look for what the applications wrote.
    pub(crate) fn look(&mut self) {
        let ends = self.links.iter().flat_map(|(id, link)| {
            let side = |side: usize| match link.ends[side] {
                End::Device(n, _) => Some((*id, side, n)),
                End::Hub(_) => None,
            };
            (0..2).filter_map(side).collect::<Vec<_>>()
        });
        for (id, side, n) in ends.collect::<Vec<_>>() {
            let now = self.now(self.devices[n].skew_ms);
            self.with_session(id, side, |session| session.local_changed(now));
            self.pump(id, side);
        }
    }

    /// Connects who is online and not connected. Whether there was anybody.
    pub(crate) fn connect_all(&mut self) -> bool {
        let connected = |world: &World, n: usize| {
            world.links.values().any(|link| matches!(link.ends[0], End::Device(of, _) if of == n))
        };
        let absent: Vec<_> =
            (0..self.devices.len()).filter(|&n| self.devices[n].online && !connected(self, n)).collect();
        absent.iter().for_each(|&n| self.connect(n));
        !absent.is_empty()
    }

    /// Runs until nobody has anything more to say.
    pub(crate) fn settle(&mut self) {
        for _ in 0..20_000 {
            let again = self.connect_all();
            self.look();
            while self.step() {}
            if !again && self.devices.iter().all(|device| device.caught_up || !device.online) {
                return;
            }
        }
        let ends: Vec<_> = self.devices.iter().map(|device| device.ends.last()).collect();
        panic!("it does not end: {ends:?}");
    }
}
