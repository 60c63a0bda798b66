//! Links, partitions, and who is online when.

use serde::{Deserialize, Serialize};

use super::{Devices, Range, Span};
use crate::story::{Cut, Link};

/// What the links are like, to the hub or to whomever a device meets, and when they are cut.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// How long a packet takes one way. Most take about the shortest.
    pub latency: Range<Span>,
    /// How often an open connection breaks by itself, a minute.
    pub breaks_per_minute: f64,
    /// Bytes a second in each direction; 0: no limit.
    pub bytes_per_second: u64,
    /// The largest frame that the transport carries, at least 256.
    pub max_frame_bytes: u32,
    /// How likely a frame is delivered twice.
    pub duplicate: f64,
    /// How likely a frame overtakes the one before it.
    pub reorder: f64,
    /// Devices whose links are otherwise; what is not said is as above. The first that names a
    /// device counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<OtherLink>,
    /// When groups of devices are cut off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<Window>,
}

impl Default for Network {
    fn default() -> Self {
        Network {
            latency: Range { from: Span(20), to: Span(120) },
            breaks_per_minute: 0.0,
            bytes_per_second: 0,
            max_frame_bytes: 1 << 20,
            duplicate: 0.0,
            reorder: 0.0,
            links: Vec::new(),
            partitions: Vec::new(),
        }
    }
}

/// Devices whose links are otherwise.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherLink {
    /// Which devices.
    pub devices: Devices,
    /// See [`Network::latency`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Range<Span>>,
    /// See [`Network::breaks_per_minute`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaks_per_minute: Option<f64>,
    /// See [`Network::bytes_per_second`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// See [`Network::max_frame_bytes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_frame_bytes: Option<u32>,
    /// See [`Network::duplicate`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<f64>,
    /// See [`Network::reorder`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reorder: Option<f64>,
}

impl Network {
    /// The link of a device.
    pub fn link(&self, device: u32) -> Link {
        let other = self.links.iter().find(|other| other.devices.contains(device));
        let latency = other.and_then(|other| other.latency).unwrap_or(self.latency);
        let ms = |span: Span| u32::try_from(span.0).unwrap_or(u32::MAX);
        Link {
            latency_min_ms: ms(latency.from),
            latency_max_ms: ms(latency.to),
            breaks_per_minute: other
                .and_then(|other| other.breaks_per_minute)
                .unwrap_or(self.breaks_per_minute),
            bytes_per_second: other.and_then(|other| other.bytes_per_second).unwrap_or(self.bytes_per_second),
            max_frame_bytes: other.and_then(|other| other.max_frame_bytes).unwrap_or(self.max_frame_bytes),
            duplicate: other.and_then(|other| other.duplicate).unwrap_or(self.duplicate),
            reorder: other.and_then(|other| other.reorder).unwrap_or(self.reorder),
        }
    }
}

/// A time in which some devices have no link.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Which devices.
    #[serde(default)]
    pub devices: Devices,
    /// From when.
    pub from: Span,
    /// Until when.
    pub to: Span,
    /// How their links go.
    #[serde(default)]
    pub cut: HowCut,
}

/// How links go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HowCut {
    /// Both ends are told.
    Closed,
    /// Packets vanish and nobody is told.
    Silent,
    /// Packets are held, and arrive when the device is back.
    Held,
    /// One of the three, drawn each time.
    #[default]
    Any,
}

impl HowCut {
    /// The three that [`HowCut::Any`] draws from, or the only one.
    pub(crate) fn cuts(self) -> &'static [Cut] {
        match self {
            HowCut::Closed => &[Cut::Closed],
            HowCut::Silent => &[Cut::Silent],
            HowCut::Held => &[Cut::Held],
            HowCut::Any => &[Cut::Closed, Cut::Silent, Cut::Held],
        }
    }
}

/// Who is online when. Only `pattern` has to be said; each pattern has its own habits.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Presence {
    /// The habit.
    pub pattern: Pattern,
    /// How long a device is online at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online: Option<Range<Span>>,
    /// How long it is then offline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offline: Option<Range<Span>>,
    /// Whether the devices of a scope come and go together, give or take a fifth of the time that
    /// they are online.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together: Option<bool>,
    /// How likely a device stays away when it could come online.
    pub absent: f64,
    /// How the links go.
    pub cut: HowCut,
    /// Under the pattern `windows`: when who is offline.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
}

/// A habit of being online.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// Always.
    #[default]
    AlwaysOn,
    /// 5 to 15 s online, then 2 to 6 h in the tunnel, each device for itself.
    Commuter,
    /// 20 to 30 s at the office, all together, then two weeks in the field.
    FieldTeam,
    /// 2 to 8 s online, then 0.3 to 10 s not, each device for itself.
    Flaky,
    /// Online but for the listed windows.
    Windows,
}

impl Presence {
    /// How long devices are online and offline by turns, and whether together; `None` where they
    /// are not so by turns.
    pub fn turns(&self) -> Option<(Range<Span>, Range<Span>, bool)> {
        let spans = |from: u64, to: u64| Range { from: Span(from), to: Span(to) };
        let (online, offline, together) = match self.pattern {
            Pattern::AlwaysOn | Pattern::Windows => return None,
            Pattern::Commuter => (spans(5_000, 15_000), spans(7_200_000, 21_600_000), false),
            Pattern::FieldTeam => (spans(20_000, 30_000), Range::only(Span(14 * 86_400_000)), true),
            Pattern::Flaky => (spans(2_000, 8_000), spans(300, 10_000), false),
        };
        let or = |given: Option<Range<Span>>, habit| given.unwrap_or(habit);
        Some((or(self.online, online), or(self.offline, offline), self.together.unwrap_or(together)))
    }
}
