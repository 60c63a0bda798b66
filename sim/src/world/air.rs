//! What lies between the hosts: latencies, and packets that vanish or are held.

use std::time::Duration;

use super::device::Device;
use super::line::HUB;
use super::parts::Parts;
use super::run::Run;
use crate::story::{Cut, Link};

impl<P: Parts> Run<'_, P> {
    /// A device has a host now: the ways from there to others are as the links are.
    pub(super) fn lay_ways(&mut self, number: usize) {
        let device = &self.devices[number];
        let host = device.host.as_str();
        for other in self.others(number) {
            let link = other.map_or(device.line.link, |other| slower(&device.line.link, &other.line.link));
            let other_host = other.map_or(HUB, |other| other.host.as_str());
            let (min, max) = (link.latency_min_ms, link.latency_max_ms.max(link.latency_min_ms));
            let ms = |ms: u32| Duration::from_millis(ms.into());
            self.sim.set_link_latency(host, other_host, ms(min));
            self.sim.set_link_max_message_latency(host, other_host, ms(max));
            self.change_way(host, other_host, None, both(device.cut, other));
        }
    }

    /// The packets of a device suffer in that way from now on, and no longer as they did before.
    pub(super) fn cut_packets(&mut self, number: usize, how: Option<Cut>) {
        let before = std::mem::replace(&mut self.devices[number].cut, how);
        let device = &self.devices[number];
        if !device.has_host {
            return;
        }
        for other in self.others(number) {
            let other_host = other.map_or(HUB, |other| other.host.as_str());
            self.change_way(&device.host, other_host, both(before, other), both(how, other));
        }
    }

    /// Who is at the other ends of a device's ways; `None`: the hub.
    fn others(&self, number: usize) -> Vec<Option<&Device>> {
        if self.story.topology.has_hub() {
            return vec![None];
        }
        let others = self.devices.iter().enumerate();
        others
            .filter(|(other, device)| *other != number && device.has_host)
            .map(|(_, device)| Some(device))
            .collect()
    }

    fn change_way(&self, one: &str, other: &str, before: Option<Cut>, now: Option<Cut>) {
        if before == now {
            return;
        }
        match before {
            Some(Cut::Silent) => self.sim.repair(one, other),
            Some(Cut::Held) => self.sim.release(one, other),
            _ => {}
        }
        match now {
            Some(Cut::Silent) => self.sim.partition(one, other),
            Some(Cut::Held) => self.sim.hold(one, other),
            _ => {}
        }
    }
}

/// What becomes of packets on a way of which both ends may be cut off: what vanishes at one end is gone.
fn both(cut: Option<Cut>, other: Option<&Device>) -> Option<Cut> {
    match (cut, other.and_then(|other| other.cut)) {
        (Some(Cut::Silent), _) | (_, Some(Cut::Silent)) => Some(Cut::Silent),
        (cut, None) => cut,
        (None, cut) => cut,
        (Some(_), Some(_)) => Some(Cut::Held),
    }
}

/// The latencies of the slower one.
fn slower(one: &Link, other: &Link) -> Link {
    Link {
        latency_min_ms: one.latency_min_ms.max(other.latency_min_ms),
        latency_max_ms: one.latency_max_ms.max(other.latency_max_ms),
        ..*one
    }
}
