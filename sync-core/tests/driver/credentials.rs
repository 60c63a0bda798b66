use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use pocketsync_core::admission::{Admission, SharedToken};
use pocketsync_core::driver::{ClientOptions, State};
use pocketsync_core::session::{AdmitRequest, Admitted};
use pocketsync_core::transport::Credentials;
use pocketsync_core::wire::{ErrorCode, WireError};

use super::world::World;

/// Hands out an expired token until that is refused.
struct Renewing(Arc<Mutex<Vec<Option<String>>>>);

#[async_trait]
impl Credentials for Renewing {
    async fn token(&self, refused: Option<&str>) -> Option<String> {
        self.0.lock().unwrap().push(refused.map(str::to_owned));
        Some(if refused == Some("expired") { "fresh" } else { "expired" }.to_owned())
    }
}

#[test]
fn a_refused_token_is_renewed() {
    let world = World::with_admission(1, Arc::new(SharedToken::new("fresh")));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let options = ClientOptions::default().with_credentials(Renewing(Arc::clone(&asked)));
    let device = world.device_with(1, options);
    world.until("live", Duration::from_secs(1), || device.state() == State::Live);
    assert_eq!(*asked.lock().unwrap(), [None, Some("expired".to_owned())]);
}

#[test]
fn a_wrong_token_is_shown_and_tried_with_backoff() {
    let world = World::with_admission(2, Arc::new(SharedToken::new("fresh")));
    let device = world.device_with(1, ClientOptions::default().with_token("wrong"));
    world.runtime.advance(Duration::from_secs(600));
    let status = device.client.status();
    assert_eq!(status.last_error.as_ref().unwrap().code, "unauthorized");
    assert!(!status.last_error.unwrap().retryable);
    assert!((10..60).contains(&world.network.attempts()), "{} attempts", world.network.attempts());
    assert_eq!(device.state(), State::Offline);
}

struct Busy;

#[async_trait]
impl Admission for Busy {
    async fn admit(&self, _request: &AdmitRequest) -> Result<Admitted, WireError> {
        Err(WireError {
            code: ErrorCode::Overloaded,
            message: "come back later".to_owned(),
            retry_after_ms: Some(90_000),
        })
    }
}

#[test]
fn the_hub_says_when_to_come_back() {
    let world = World::with_admission(3, Arc::new(Busy));
    let device = world.device(1);
    world.runtime.advance(Duration::from_secs(89));
    assert_eq!(world.network.attempts(), 1);
    assert_eq!(device.client.status().last_error.unwrap().code, "overloaded");
    world.runtime.advance(Duration::from_secs(2));
    assert_eq!(world.network.attempts(), 2);
}

/// Never answers for one site.
struct Stuck;

#[async_trait]
impl Admission for Stuck {
    async fn admit(&self, request: &AdmitRequest) -> Result<Admitted, WireError> {
        if request.site.as_bytes()[0] == 1 {
            futures::future::pending::<()>().await;
        }
        pocketsync_core::admission::Open.admit(request).await
    }
}

#[test]
fn an_admission_that_takes_long_holds_up_nobody_else() {
    let world = World::with_admission(4, Arc::new(Stuck));
    let stuck = world.device(1);
    world.until("a link", Duration::from_secs(1), || stuck.state() == State::Connecting);
    let other = world.device(2);
    world.until("live", Duration::from_secs(1), || other.state() == State::Live);
    world.runtime.advance(Duration::from_secs(16));
    assert_eq!(stuck.client.status().last_error.unwrap().code, "timeout");
}
