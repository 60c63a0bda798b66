//! Addresses of hubs.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use pocketsync_core::transport::TransportError;

/// The address of a hub: `http://host:port/path`, or `https://` for TLS.
///
/// ```
/// use pocketsync_http::HttpUrl;
/// let url: HttpUrl = "https://hub.example/team".parse()?;
/// assert!(url.is_tls());
/// assert_eq!((url.host(), url.port(), url.path()), ("hub.example", 443, "/team"));
/// # Ok::<(), pocketsync_core::transport::TransportError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HttpUrl {
    tls: bool,
    host: String,
    port: u16,
    path: String,
}

impl HttpUrl {
    /// Whether the address asks for TLS (`https://`).
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

    /// Host and port as the `Host` header field wants them.
    pub(crate) fn authority(&self) -> String {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        let port =
            if self.port == default_port(self.tls) { String::new() } else { format!(":{}", self.port) };
        format!("{open}{}{close}{port}", self.host)
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

impl FromStr for HttpUrl {
    type Err = TransportError;

    fn from_str(text: &str) -> Result<Self, TransportError> {
        let wrong = |why: String| TransportError::Misconfigured(format!("the address `{text}` {why}"));
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| wrong(format!("has no scheme; http://{text} or https://{text} may be meant")))?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            "ws" => return Err(wrong(format!("is for a WebSocket; http://{rest} may be meant"))),
            "wss" => return Err(wrong(format!("is for a WebSocket; https://{rest} may be meant"))),
            other => return Err(wrong(format!("begins with {other}://, not with http:// or https://"))),
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
        let port = match authority.as_str()[authority.host().len()..].strip_prefix(':') {
            None => default_port(tls),
            Some(port) => port
                .parse()
                .ok()
                .filter(|&port| port != 0)
                .ok_or_else(|| wrong(format!("has `{port}` for a port, not a number from 1 to 65535")))?,
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(wrong("names no host".into()));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(HttpUrl { tls, host: host.to_owned(), port, path })
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}
