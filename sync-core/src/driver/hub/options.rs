//! What a hub server can be told.

use std::time::Duration;

use super::rate::RateLimit;
use crate::hub::HubConfig;

/// What a hub server can be told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HubOptions {
    /// The limits of the hub and of its sessions.
    pub hub: HubConfig,
    /// How many rows a second an identity may bring; where everybody has the same identity, each site. `None`: as many as
    /// the hub can take.
    pub rate: Option<RateLimit>,
    /// How many connections may wait to be taken over before
    /// [`serve`](super::HubServer::serve) waits.
    pub arrivals: usize,
    /// How many requests run at the same time in a store that answers later.
    pub store_requests: usize,
    /// How long getting out the last frames of a connection may take.
    pub close_timeout: Duration,
}

impl Default for HubOptions {
    fn default() -> Self {
        HubOptions {
            hub: HubConfig::default(),
            rate: None,
            arrivals: 64,
            store_requests: 16,
            close_timeout: Duration::from_secs(2),
        }
    }
}

impl HubOptions {
    /// Sets how many rows a second an identity may bring.
    #[must_use]
    pub fn with_rate(mut self, rate: RateLimit) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Sets the limits of the hub and of its sessions.
    #[must_use]
    pub fn with_hub(mut self, hub: HubConfig) -> Self {
        self.hub = hub;
        self
    }
}
