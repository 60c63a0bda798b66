//! TLS under the link.
#![cfg(feature = "tls")]

mod pair;
mod trust;

use std::sync::Arc;

use futures::{SinkExt, StreamExt};
use pair::{tcp, url};
use pocketsync_core::transport::TransportError;
use pocketsync_ws::rustls::{ClientConfig, ServerConfig};
use pocketsync_ws::{WsConfig, tls_accept, tls_client};
use trust::trust;

#[tokio::test]
async fn frames_pass_over_tls_and_a_close_is_orderly() {
    let trust = trust();
    let (ours, theirs) = tcp().await;
    let hub_url = url();
    let device = async {
        let tls = tls_client(ours, "hub.test", trust.device).await?;
        pocketsync_ws::client(tls, &hub_url, WsConfig::default()).await
    };
    let hub = async {
        let tls = tls_accept(theirs, trust.hub).await?;
        pocketsync_ws::accept(tls, WsConfig::default()).await
    };
    let (mut device, mut hub) = futures::try_join!(device, hub).unwrap();
    let large = vec![42; 1 << 20];
    let (sent, got) = tokio::join!(device.sink.send(large.clone().into()), hub.stream.next());
    sent.unwrap();
    assert_eq!(got.unwrap().unwrap(), large);
    hub.sink.send("back".into()).await.unwrap();
    hub.sink.close().await.unwrap();
    assert_eq!(device.stream.next().await.unwrap().unwrap(), "back");
    assert!(device.stream.next().await.is_none());
    assert!(hub.stream.next().await.is_none());
    assert!(
        pocketsync_ws::rustls::crypto::CryptoProvider::get_default().is_none(),
        "the process default belongs to the application"
    );
}

/// How a device's and a hub's TLS handshake end.
async fn handshake(name: &str, device: Arc<ClientConfig>, hub: Arc<ServerConfig>) -> (String, String) {
    let (ours, theirs) = tcp().await;
    let (device, hub) = tokio::join!(tls_client(ours, name, device), tls_accept(theirs, hub));
    let device: TransportError = device.map(drop).unwrap_err();
    (device.to_string(), hub.map(drop).unwrap_err().to_string())
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (device, hub) = handshake("hub.test", trust().device, trust().hub).await;
    assert!(device.contains("TLS with hub.test failed") && device.contains("certificate"), "{device}");
    assert!(hub.contains("TLS with a client failed"), "{hub}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let trust = trust();
    let (device, _) = handshake("other.test", trust.device, trust.hub).await;
    assert!(
        device.contains("TLS with other.test failed") && device.contains("not valid for name"),
        "{device}"
    );
}

#[tokio::test]
async fn a_device_without_tls_and_a_name_that_is_none_are_told() {
    let trust = trust();
    let (ours, theirs) = tcp().await;
    let hub_url = url();
    let (device, hub) = tokio::join!(
        pocketsync_ws::client(ours, &hub_url, WsConfig::default()),
        tls_accept(theirs, trust.hub)
    );
    assert!(hub.map(drop).unwrap_err().to_string().contains("TLS with a client failed"));
    assert!(device.is_err());
    let (ours, _theirs) = tcp().await;
    let error = tls_client(ours, "not a name", trust.device).await.map(drop).unwrap_err();
    assert_eq!(error.code(), "misconfigured");
}
