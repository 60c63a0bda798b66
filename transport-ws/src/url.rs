//! Addresses of hubs.

use std::fmt;
use std::str::FromStr;

use async_tungstenite::tungstenite::http::Uri;
use pocketsync_core::transport::TransportError;

/// The address of a hub: `ws://host:port/path`, or `wss://` for TLS.
///
/// ```
/// use pocketsync_ws::WsUrl;
/// let url: WsUrl = "wss://hub.example/team".parse()?;
/// assert!(url.is_tls());
/// assert_eq!((url.host(), url.port(), url.path()), ("hub.example", 443, "/team"));
/// # Ok::<(), pocketsync_core::transport::TransportError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WsUrl {
    tls: bool,
    host: String,
    port: u16,
    path: String,
}

impl WsUrl {
    /// Whether the address asks for TLS (`wss://`).
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The host to look up or to check a certificate against: a name or an IP address, an IPv6
    /// address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port; 80 or 443 where the address names none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path with its query, at least `/`.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl FromStr for WsUrl {
    type Err = TransportError;

    fn from_str(text: &str) -> Result<Self, TransportError> {
        let wrong = |why: String| TransportError::Misconfigured(format!("the address `{text}` {why}"));
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| wrong(format!("has no scheme; ws://{text} or wss://{text} may be meant")))?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            "http" => return Err(wrong(format!("is for a web page; ws://{rest} may be meant"))),
            "https" => return Err(wrong(format!("is for a web page; wss://{rest} may be meant"))),
            other => return Err(wrong(format!("begins with {other}://, not with ws:// or wss://"))),
        };
        if rest.is_empty() || rest.starts_with(['/', '?', '#', ':']) {
            return Err(wrong("names no host".into()));
        }
        if text.contains('#') {
            return Err(wrong("has a #fragment, which is never sent to a hub".into()));
        }
        let uri: Uri = text.parse().map_err(|error| wrong(format!("is not a URL: {error}")))?;
        let authority = uri.authority().ok_or_else(|| wrong("names no host".into()))?;
        if authority.as_str().contains('@') {
            return Err(wrong("has a user name or a password in it; give the token as a setting".into()));
        }
        let host = authority.host();
        let port = match authority.as_str()[host.len()..].strip_prefix(':') {
            None => {
                if tls {
                    443
                } else {
                    80
                }
            }
            Some(port) => port
                .parse()
                .ok()
                .filter(|&port| port != 0)
                .ok_or_else(|| wrong(format!("has `{port}` for a port, not a number from 1 to 65535")))?,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(wrong("names no host".into()));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(WsUrl { tls, host: host.to_owned(), port, path })
    }
}

impl fmt::Display for WsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "wss" } else { "ws" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}", self.host)?;
        if self.port != if self.tls { 443 } else { 80 } {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)
    }
}
