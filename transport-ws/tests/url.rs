//! Addresses, good and bad.

use pocketsync_ws::WsUrl;

fn parts(text: &str) -> (bool, String, u16, String) {
    let url: WsUrl = text.parse().unwrap_or_else(|error| panic!("{error}"));
    (url.is_tls(), url.host().into(), url.port(), url.path().into())
}

#[test]
fn good_addresses_come_apart_and_together_again() {
    for (text, tls, host, port, path, shown) in [
        ("ws://localhost:9320", false, "localhost", 9320, "/", "ws://localhost:9320/"),
        ("wss://hub.example/a/b?c=d", true, "hub.example", 443, "/a/b?c=d", "wss://hub.example/a/b?c=d"),
        ("WS://hub.example", false, "hub.example", 80, "/", "ws://hub.example/"),
        ("ws://[::1]:9320/x", false, "::1", 9320, "/x", "ws://[::1]:9320/x"),
        ("wss://[2001:db8::7]", true, "2001:db8::7", 443, "/", "wss://[2001:db8::7]/"),
        ("ws://127.0.0.1:80/", false, "127.0.0.1", 80, "/", "ws://127.0.0.1/"),
        ("wss://hub.example?x", true, "hub.example", 443, "/?x", "wss://hub.example/?x"),
    ] {
        assert_eq!(parts(text), (tls, host.into(), port, path.into()));
        let url: WsUrl = text.parse().unwrap();
        assert_eq!(url.to_string(), shown);
        assert_eq!(shown.parse::<WsUrl>().unwrap(), url);
    }
}

#[test]
fn bad_addresses_say_what_is_wrong() {
    for (text, expected) in [
        ("localhost:9320", "ws://localhost:9320"),
        ("http://hub.example/x", "ws://hub.example/x"),
        ("https://hub.example", "wss://hub.example"),
        ("ftp://hub.example", "ftp://"),
        ("ws://", "no host"),
        ("ws:///path", "no host"),
        ("ws://:9320", "no host"),
        ("ws://[]:9320", ""),
        ("ws://hub.example:0", "port"),
        ("ws://hub.example:70000", "port"),
        ("ws://hub.example:", "port"),
        ("ws://user:secret@hub.example", "token"),
        ("ws://hub.example/#part", "fragment"),
        ("ws://hub example", "not a URL"),
        ("ws://[::1", "not a URL"),
        ("", "no scheme"),
    ] {
        let error = text.parse::<WsUrl>().expect_err(text);
        assert_eq!(error.code(), "misconfigured");
        assert!(!error.is_retryable());
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
}
