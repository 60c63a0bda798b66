//! The hub's address, and the way there.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use clap::ValueEnum;
use pocketsync::http::{self, Fallback, HttpUrl};
use pocketsync::runtime::TokioRuntime;
use pocketsync::transport::{Connector, Transport, TransportError};
use pocketsync::ws::{self, WsUrl};
use tokio::sync::mpsc;

use crate::failure;
use crate::tls;

/// The address of a hub, in any of its schemes: they differ in how a link begins.
#[derive(Clone, Debug)]
pub(crate) struct HubUrl {
    ws: WsUrl,
    http: HttpUrl,
    /// Whether it was written as http:// or https://.
    is_http: bool,
}

impl FromStr for HubUrl {
    type Err = TransportError;

    fn from_str(text: &str) -> Result<Self, TransportError> {
        let is_http = text.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"));
        // Both write the same addresses, but for the scheme.
        if is_http {
            let http: HttpUrl = text.parse()?;
            let ws = http.to_string().replacen("http", "ws", 1).parse()?;
            return Ok(HubUrl { ws, http, is_http });
        }
        let ws: WsUrl = text.parse()?;
        let http = ws.to_string().replacen("ws", "http", 1).parse()?;
        Ok(HubUrl { ws, http, is_http })
    }
}

impl std::fmt::Display for HubUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_http { self.http.fmt(f) } else { self.ws.fmt(f) }
    }
}

/// How frames travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Way {
    /// As the address says; from ws:// and wss:// over to HTTP where a WebSocket cannot be had
    Auto,
    /// Over a WebSocket only
    Ws,
    /// Over HTTP only
    Http,
}

/// Makes links to the hub. What is worth telling a person goes to `notes`.
pub(crate) fn to(
    hub: &HubUrl,
    way: Way,
    ca: Option<&Path>,
    notes: mpsc::UnboundedSender<String>,
) -> failure::Result<Box<dyn Connector>> {
    let mut ws = ws::TokioConnector::new(hub.ws.clone());
    let mut http = http::TokioConnector::new(hub.http.clone());
    if hub.ws.is_tls() {
        let trust = tls::trust(ca)?;
        ws = ws.with_tls(Arc::clone(&trust));
        http = http.with_tls(trust);
    }
    Ok(match way {
        Way::Ws => Box::new(ws),
        Way::Http => Box::new(http),
        Way::Auto if hub.is_http => Box::new(http),
        Way::Auto => {
            let runtime = Arc::new(TokioRuntime::current());
            Box::new(Fallback::new(ws, http, runtime).on_fallback(move |why| {
                // Where nobody listens any more, the command is about to end.
                let _unheard = notes.send(format!("no WebSocket can be had ({why}); going on over HTTP"));
            }))
        }
    })
}

/// A connector that was chosen at run time.
pub(crate) struct Chosen(pub(crate) Box<dyn Connector>);

#[async_trait::async_trait]
impl Connector for Chosen {
    async fn connect(&self) -> Result<Transport, TransportError> {
        self.0.connect().await
    }
}
