//! How much one client may ask of a hub.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, stream};
use pocketsync_core::admission::{Open, admit_with};
use pocketsync_core::driver::{HubOptions, RateLimit};
use pocketsync_core::hub::HubConfig;
use pocketsync_core::session::{AdmitRequest, Admitted, Rights};
use pocketsync_core::transport::{TransportError, join};
use pocketsync_core::value::Value;

use super::world::{World, ms, scope, texts};

/// Everybody is who the token says.
fn named() -> Arc<dyn pocketsync_core::admission::Admission> {
    Arc::new(admit_with(|request: AdmitRequest| async move {
        Ok(Admitted::new(request.token.unwrap_or_default(), Rights::ALL))
    }))
}

#[test]
fn who_talks_on_after_its_session_is_over_does_not_keep_the_hub() {
    let world = World::new(30);
    let device = world.device(1);
    world.until_live(&device);
    let noise = stream::repeat_with(|| Ok::<_, TransportError>(Bytes::from_static(b"\x01no message")));
    let nowhere = futures::sink::drain().sink_map_err(|never| match never {});
    let transport = join(
        noise,
        SinkExt::<Bytes>::with(nowhere, |frame: Bytes| async move { Ok::<Bytes, TransportError>(frame) }),
    );
    world.runtime.block_on(world.server.serve(transport)).unwrap();
    world.write(&device.replica, "still here");
    world.until("arrived", ms(5_000), || texts(&world.rows(&world.hub)) == ["'still here'"]);
    world.until("gone", ms(5_000), || world.server.status().connections == 1);
}

#[test]
fn who_brings_too_many_rows_is_slowed_down_and_loses_none() {
    let limit = RateLimit { rows_per_second: 100, burst: 200 };
    let world = World::with_options(31, named(), HubOptions::default().with_rate(limit));
    let device = |number: u8, token: &str| {
        let options = pocketsync_core::driver::ClientOptions::default().with_token(token);
        world.device_with(number, options)
    };
    let (importer, other) = (device(1, "importer"), device(2, "other"));
    world.until_live(&importer);
    world.until_live(&other);
    let began = world.runtime.now().mono;
    for n in 0..20 {
        importer.replica.write(world.wall_ms(), |tx| {
            for m in 0..100 {
                tx.insert("note", &[("text", Value::text(&format!("{n} {m}")))]);
            }
        });
        world.runtime.advance(ms(20));
    }
    let slow = || importer.client.status().last_error.is_some_and(|error| error.code == "overloaded");
    world.until("told so", Duration::from_secs(5), slow);
    // Others have a share of their own.
    world.write(&other.replica, "of the other");
    let has = |text: &str| texts(&world.rows(&world.hub)).contains(&text.to_owned());
    world.until("arrived", ms(1_000), || has("'of the other'"));
    world.until("all arrived", Duration::from_secs(120), || texts(&world.rows(&world.hub)).len() == 2_001);
    let took = world.runtime.now().mono - began;
    // A piece of its log is taken whole, and paid for afterwards.
    assert!(took > Duration::from_secs(5), "{took:?} for 2,000 rows at 100 a second");
    world.until_live(&importer);
}

#[test]
fn a_row_that_is_too_large_is_refused_with_the_limit() {
    let mut config = HubConfig::default();
    config.session.max_row_bytes = 10_000;
    let world = World::with_options(32, Arc::new(Open), HubOptions::default().with_hub(config));
    let device = world.device(1);
    world.write(&device.replica, "small");
    world.until_live(&device);
    world.write(&device.replica, &"x".repeat(20_000));
    let error = || device.client.status().last_error;
    world.until("refused", ms(2_000), || error().is_some_and(|error| error.code == "too_large"));
    assert!(error().unwrap().message.contains("10000"), "{:?}", error());
    world.runtime.advance(Duration::from_secs(600));
    assert!(world.network.attempts() < 30, "{} attempts", world.network.attempts());
    // It is kept; made smaller, it is taken, and what came after it.
    assert_eq!(texts(&world.rows(&device.replica)).len(), 2);
    let large = device.replica.with(|store| {
        let rows = store.rows(&scope());
        let mut rows = rows["note"].iter();
        let large = rows.find(|(_, cells)| cells["text"] != Value::text("small"));
        large.map(|(id, _)| id.clone()).unwrap()
    });
    device
        .replica
        .write(world.wall_ms(), |tx| tx.update("note", &large, &[("text", Value::text("shorter"))]));
    world.until("taken", Duration::from_secs(120), || {
        texts(&world.rows(&world.hub)) == ["'shorter'", "'small'"]
    });
    world.until_live(&device);
}
