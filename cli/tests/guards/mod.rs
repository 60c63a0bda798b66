//! What a hub that strangers can reach is guarded with: a certificate, and tokens that are signed and expire.
#![allow(dead_code, reason = "each test program uses its part")]

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;

use crate::processes::text;

/// A certificate for this machine, and its key, as they are put into files.
pub(crate) fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// Puts a file in the place of another at once, for those who read it meanwhile.
pub(crate) fn put(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, path).unwrap();
}

/// A token for a scope, of somebody who knows the secret, good until `left` from now, for clocks a minute apart.
pub(crate) fn signed(secret: &str, scope: &str, left: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let claims = serde_json::json!({
        "sub": "alice", "exp": now + left - 60, "scopes": [scope], "rights": ["read", "write"], "aud": "hub",
    });
    let message = [r#"{"alg":"HS256","typ":"JWT"}"#.to_owned(), claims.to_string()]
        .map(|part| BASE64_URL_SAFE_NO_PAD.encode(part))
        .join(".");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
    format!("{message}.{signature}")
}

/// The files of a guarded hub, and of the devices of a scope that it admits.
pub(crate) struct Guards {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) secret: String,
    secret_file: PathBuf,
    token: PathBuf,
    scope: &'static str,
}

impl Guards {
    /// Makes them; no token is good yet.
    pub(crate) fn make(folder: &Path, scope: &'static str) -> Self {
        let (pem, key_pem) = certificate();
        let guards = Guards {
            certificate: folder.join("hub.pem"),
            key: folder.join("hub.key"),
            secret: "5a".repeat(32),
            secret_file: folder.join("secret"),
            token: folder.join("token"),
            scope,
        };
        put(&guards.certificate, &pem);
        put(&guards.key, &key_pem);
        put(&guards.secret_file, &guards.secret);
        guards
    }

    /// Gives the devices a token that is good for so many seconds.
    pub(crate) fn renew(&self, seconds: i64) {
        put(&self.token, &signed(&self.secret, self.scope, seconds));
    }

    /// What the hub is told.
    pub(crate) fn of_hub(&self) -> Vec<&str> {
        let (certificate, key, secret) = (text(&self.certificate), text(&self.key), text(&self.secret_file));
        [
            ["--tls-cert", certificate],
            ["--tls-key", key],
            ["--jwt-secret-file", secret],
            ["--jwt-audience", "hub"],
        ]
        .concat()
    }

    /// What the devices are told, who trust the certificates in the file.
    pub(crate) fn of_device<'a>(&'a self, trusted: &'a Path) -> [&'a str; 4] {
        ["--token-file", text(&self.token), "--ca", text(trusted)]
    }
}
