//! What may happen to devices and a hub, as a state machine that draws and shrinks stories.

pub(crate) mod ledger;
pub(crate) mod system;
pub(crate) mod tables;

use std::collections::BTreeSet;
use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use tables::{Statement, statement};

pub(crate) const DEVICES: usize = 3;
const MOST_DEVICES: usize = 4;

/// What kind of story it is: which disasters there are in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Plot {
    /// None: devices and hub are restarted and killed, and devices meet.
    Calm,
    /// Device files are restored and cloned; all meet the hub only.
    DevicesGoBack,
    /// The hub's file is restored.
    TheHubGoesBack,
    /// Everything.
    Any,
}

/// Who is there to be killed in the middle of an exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Victim {
    Nobody,
    Device,
    Hub,
}

/// Something that happens. Devices are numbers.
#[derive(Clone)]
pub(crate) enum Event {
    Write { device: usize, statements: Vec<Statement>, commit: bool },
    Fold { device: usize },
    Exchange { device: usize },
    CutExchange { device: usize, frames: usize, killed: Victim },
    Meet { a: usize, b: usize },
    Kill { device: usize },
    KillHub,
    BackUp { device: usize },
    Restore { device: usize },
    BackUpHub,
    RestoreHub,
    Clone { device: usize },
    SetClock { device: usize, skew_ms: i64 },
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Write { device, statements, commit } => {
                let end = if *commit { "" } else { " and rolls back" };
                write!(f, "device {device} writes {statements:?}{end}")
            }
            Event::Fold { device } => write!(f, "device {device} folds"),
            Event::Exchange { device } => write!(f, "device {device} exchanges everything with the hub"),
            Event::CutExchange { device, frames, killed } => {
                write!(f, "device {device} and the hub lose their link after {frames} frames")?;
                match killed {
                    Victim::Nobody => Ok(()),
                    Victim::Device => f.write_str(", as the device is killed"),
                    Victim::Hub => f.write_str(", as the hub is killed"),
                }
            }
            Event::Meet { a, b } => write!(f, "devices {a} and {b} meet"),
            Event::Kill { device } => write!(f, "device {device} is killed"),
            Event::KillHub => f.write_str("the hub is killed"),
            Event::BackUp { device } => write!(f, "device {device} is backed up"),
            Event::Restore { device } => write!(f, "device {device} is restored"),
            Event::BackUpHub => f.write_str("the hub is backed up"),
            Event::RestoreHub => f.write_str("the hub is restored"),
            Event::Clone { device } => write!(f, "device {device} is cloned"),
            Event::SetClock { device, skew_ms } => {
                write!(f, "the clock of device {device} is {skew_ms} ms off")
            }
        }
    }
}

/// What is known of a story before it is played.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    plot: Plot,
    pub(crate) devices: usize,
    backed_up: BTreeSet<usize>,
    hub_backed_up: bool,
    /// Devices whose clock was ever wrong.
    wrong_clocks: BTreeSet<usize>,
    /// How many copies of device files took their place, or a place beside them.
    restores: usize,
    corrected: bool,
    /// Devices that wrote since their engine folded last, and those whose backup was made so.
    unfolded: BTreeSet<usize>,
    backed_up_unfolded: BTreeSet<usize>,
    /// A copy came into use with writes that the engine had not folded when it was made.
    folded_twice: bool,
    relayed: bool,
}

impl Script {
    /// A restored device finds out from whoever knows what it wrote after the backup. Where it meets
    /// first somebody who does not (a device, a hub that was restored too), all still end with the
    /// same, but two rows may have been given one identity, or one row two.
    pub(crate) fn is_uninformed(&self) -> bool {
        self.restores > 0 && self.relayed
    }

    /// A backup made before a fork and restored after it forks again, with the same rows in it; and
    /// writes that nobody had seen when the backup was made, and whose clock was corrected before they
    /// were sent, cannot be told from others: the copy mints them anew. So does a copy that was made
    /// before the engine had folded them, since both fold them, each in an opening of its own.
    pub(crate) fn may_double(&self) -> bool {
        self.restores > 1 || self.corrected || self.folded_twice || self.is_uninformed()
    }

    fn allows(&self, event: &Event) -> bool {
        match event {
            Event::Restore { .. } | Event::Clone { .. } => {
                matches!(self.plot, Plot::DevicesGoBack | Plot::Any)
            }
            Event::RestoreHub => matches!(self.plot, Plot::TheHubGoesBack | Plot::Any),
            Event::Meet { .. } => self.plot != Plot::DevicesGoBack,
            _ => true,
        }
    }
}

pub(crate) struct Story;

impl ReferenceStateMachine for Story {
    type State = Script;
    type Transition = Event;

    fn init_state() -> BoxedStrategy<Script> {
        let plots = [Plot::Calm, Plot::DevicesGoBack, Plot::TheHubGoesBack, Plot::Any];
        proptest::sample::select(plots.to_vec())
            .prop_map(|plot| Script {
                plot,
                devices: DEVICES,
                backed_up: BTreeSet::new(),
                hub_backed_up: false,
                wrong_clocks: BTreeSet::new(),
                restores: 0,
                corrected: false,
                unfolded: BTreeSet::new(),
                backed_up_unfolded: BTreeSet::new(),
                folded_twice: false,
                relayed: false,
            })
            .boxed()
    }

    fn transitions(script: &Script) -> BoxedStrategy<Event> {
        let device = 0..script.devices;
        let frames = 0..14usize;
        let killed =
            prop_oneof![2 => Just(Victim::Nobody), 1 => Just(Victim::Device), 1 => Just(Victim::Hub)];
        let write = (device.clone(), vec(statement(), 1..4), prop::bool::weighted(0.9));
        let script = script.clone();
        prop_oneof![
            24 => write.prop_map(|(device, statements, commit)| Event::Write { device, statements, commit }),
            5 => device.clone().prop_map(|device| Event::Fold { device }),
            12 => device.clone().prop_map(|device| Event::Exchange { device }),
            6 => (device.clone(), frames, killed)
                .prop_map(|(device, frames, killed)| Event::CutExchange { device, frames, killed }),
            3 => (device.clone(), device.clone()).prop_map(|(a, b)| Event::Meet { a, b }),
            2 => device.clone().prop_map(|device| Event::Kill { device }),
            1 => Just(Event::KillHub),
            3 => device.clone().prop_map(|device| Event::BackUp { device }),
            3 => device.clone().prop_map(|device| Event::Restore { device }),
            2 => Just(Event::BackUpHub),
            2 => Just(Event::RestoreHub),
            1 => device.clone().prop_map(|device| Event::Clone { device }),
            2 => (device, -200_000..200_000i64).prop_map(|(device, skew_ms)| Event::SetClock { device, skew_ms }),
        ]
        .prop_map(move |event| {
            // What cannot happen in this story is a whole exchange instead.
            if Story::preconditions(&script, &event) { event } else { Event::Exchange { device: 0 } }
        })
        .boxed()
    }

    fn preconditions(script: &Script, event: &Event) -> bool {
        let there = |device: usize| device < script.devices;
        script.allows(event)
            && match *event {
                Event::Write { device, .. }
                | Event::Fold { device }
                | Event::Exchange { device }
                | Event::CutExchange { device, .. }
                | Event::Kill { device }
                | Event::BackUp { device }
                | Event::SetClock { device, .. } => there(device),
                Event::Meet { a, b } => there(a) && there(b) && a != b,
                Event::Restore { device } => script.backed_up.contains(&device),
                Event::Clone { device } => there(device) && script.devices < MOST_DEVICES,
                Event::RestoreHub => script.hub_backed_up,
                Event::KillHub | Event::BackUpHub => true,
            }
    }

    fn apply(mut script: Script, event: &Event) -> Script {
        match *event {
            Event::Write { device, .. } => _ = script.unfolded.insert(device),
            Event::Fold { device } | Event::Exchange { device } => _ = script.unfolded.remove(&device),
            Event::BackUp { device } => {
                script.backed_up.insert(device);
                script.backed_up_unfolded.remove(&device);
                if script.unfolded.contains(&device) {
                    script.backed_up_unfolded.insert(device);
                }
            }
            Event::BackUpHub => script.hub_backed_up = true,
            Event::Restore { device } => {
                script.restores += 1;
                script.corrected |= script.wrong_clocks.contains(&device);
                script.folded_twice |= script.backed_up_unfolded.contains(&device);
            }
            Event::Clone { device } => {
                script.restores += 1;
                script.corrected |= script.wrong_clocks.contains(&device);
                script.folded_twice |= script.unfolded.contains(&device);
                script.devices += 1;
            }
            Event::Meet { a, b } => {
                script.relayed = true;
                script.unfolded.remove(&a);
                script.unfolded.remove(&b);
            }
            Event::RestoreHub => script.relayed = true,
            Event::SetClock { device, .. } => _ = script.wrong_clocks.insert(device),
            Event::CutExchange { .. } | Event::Kill { .. } | Event::KillHub => {}
        }
        script
    }
}
