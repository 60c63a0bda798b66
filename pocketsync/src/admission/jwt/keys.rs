//! Keys, and the signatures that they verify (RFC 7515, 7517, 8037).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{hmac, signature};
use serde::Deserialize;

use super::public_pem;

/// The keys that tokens may be signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct JwtKeys(Vec<Key>);

/// One key, good for one algorithm.
#[derive(Clone, PartialEq, Eq)]
struct Key {
    /// Its name in a set; a token that names a key means that one.
    id: Option<String>,
    kind: Kind,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// HMAC with SHA-256.
    Hs256(Vec<u8>),
    /// RSA PKCS #1 1.5 with SHA-256: modulus and exponent.
    Rs256 { n: Vec<u8>, e: Vec<u8> },
    /// Ed25519.
    EdDsa(Vec<u8>),
}

impl fmt::Debug for JwtKeys {
    /// Names and algorithms: a secret ends in no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| (key.kind.algorithm(), &key.id))).finish()
    }
}

impl JwtKeys {
    /// The secret of HS256, as a text: white space around it is not part of it.
    ///
    /// # Errors
    /// When it is shorter than 32 bytes: whoever has one token could find it by trying. When it is a key in PEM: with a
    /// public one for a secret, everybody could make tokens.
    pub fn from_secret(text: &str) -> Result<Self, String> {
        if text.contains("-----BEGIN") {
            return Err("this is a key in PEM, not a secret".to_owned());
        }
        let kind = Kind::Hs256(text.trim().as_bytes().to_vec());
        kind.check()?;
        Ok(JwtKeys(vec![Key { id: None, kind }]))
    }

    /// A public key in PEM (`BEGIN PUBLIC KEY`): RSA for RS256, Ed25519 for EdDSA.
    ///
    /// # Errors
    /// When it is no such key.
    pub fn from_public_pem(text: &str) -> Result<Self, String> {
        let kind = public_pem::read(text)?;
        kind.check()?;
        Ok(JwtKeys(vec![Key { id: None, kind }]))
    }

    /// A set of keys as identity providers publish it (JWKS). Keys of other algorithms in it are passed over.
    ///
    /// # Errors
    /// When it is no such set, or holds no usable key.
    pub fn from_jwks(text: &str) -> Result<Self, String> {
        let set: Set = serde_json::from_str(text).map_err(|error| format!("not a JWKS: {error}"))?;
        let mut keys = Vec::new();
        for (at, value) in set.keys.into_iter().enumerate() {
            let named = |problem: String| format!("key {} of the set: {problem}", at + 1);
            let jwk: Jwk = serde_json::from_value(value).map_err(|error| named(error.to_string()))?;
            if let Some(key) = jwk.key().map_err(named)? {
                keys.push(key);
            }
        }
        if keys.is_empty() {
            return Err("no key for RS256, EdDSA or HS256 is in the set".to_owned());
        }
        Ok(JwtKeys(keys))
    }

    /// The payload of a token in compact form that one of the keys has signed.
    pub(super) fn verify(&self, token: &str) -> Result<Vec<u8>, String> {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err("it is not three parts with points between them".to_owned());
        };
        let decoded =
            |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "it is not in base64url".to_owned());
        let (head, body, signature) = (decoded(header)?, decoded(payload)?, decoded(signature)?);
        let head: Header =
            serde_json::from_slice(&head).map_err(|error| format!("its header cannot be read: {error}"))?;
        if head.crit.is_some() {
            return Err("it wants something understood that is not known here".to_owned());
        }
        let message = &token[..header.len() + 1 + payload.len()];
        let is_meant = |key: &&Key| {
            let is_named = match (&key.id, &head.kid) {
                (Some(ours), Some(theirs)) => ours == theirs,
                _ => true,
            };
            is_named && key.kind.algorithm() == head.alg
        };
        let mut meant = self.0.iter().filter(is_meant).peekable();
        if meant.peek().is_none() {
            return Err(format!("there is no key for it (algorithm {:?})", head.alg));
        }
        if meant.any(|key| key.kind.has_signed(message.as_bytes(), &signature)) {
            return Ok(body);
        }
        Err("its signature is not right".to_owned())
    }
}

impl Kind {
    fn algorithm(&self) -> &'static str {
        match self {
            Kind::Hs256(_) => "HS256",
            Kind::Rs256 { .. } => "RS256",
            Kind::EdDsa(_) => "EdDSA",
        }
    }

    /// Refuses keys that are too weak or cannot be.
    fn check(&self) -> Result<(), String> {
        match self {
            Kind::Hs256(secret) if secret.len() < 32 => {
                Err("a secret for HS256 needs 32 bytes or more: openssl rand -hex 32".to_owned())
            }
            Kind::Rs256 { n, .. } if !(256..=1024).contains(&n.len()) => {
                Err(format!("an RSA key has 2048 to 8192 bits here, and this one {}", n.len() * 8))
            }
            Kind::EdDsa(point) if point.len() != 32 => Err("an Ed25519 key has 32 bytes".to_owned()),
            _ => Ok(()),
        }
    }

    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            // Compares in constant time.
            Kind::Hs256(secret) => {
                hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), message, signature).is_ok()
            }
            Kind::Rs256 { n, e } => signature::RsaPublicKeyComponents { n, e }
                .verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            Kind::EdDsa(point) => signature::UnparsedPublicKey::new(&signature::ED25519, point)
                .verify(message, signature)
                .is_ok(),
        }
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    k: Option<String>,
}

impl Jwk {
    /// The key; `None` for one that is for something else.
    fn key(self) -> Result<Option<Key>, String> {
        let part = |value: &Option<String>, name: &str| {
            let text = value.as_ref().ok_or_else(|| format!("`{name}` is missing"))?;
            URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("`{name}` is not in base64url"))
        };
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return Ok(None);
        }
        let kind = match (self.kty.as_str(), self.crv.as_deref(), self.alg.as_deref()) {
            ("RSA", _, None | Some("RS256")) => {
                Kind::Rs256 { n: without_zeros(part(&self.n, "n")?), e: without_zeros(part(&self.e, "e")?) }
            }
            ("OKP", Some("Ed25519"), None | Some("EdDSA" | "Ed25519")) => Kind::EdDsa(part(&self.x, "x")?),
            ("oct", _, None | Some("HS256")) => Kind::Hs256(part(&self.k, "k")?),
            _ => return Ok(None),
        };
        kind.check()?;
        Ok(Some(Key { id: self.kid, kind }))
    }
}

/// A number without the zeros that some writers put before it.
pub(super) fn without_zeros(number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number[zeros..].to_vec()
}
