//! Keys, and the tokens that they have signed.

use std::fmt;

use jsonwebtoken::crypto::rust_crypto;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, Validation, decode, decode_header};
use serde::Deserialize;
use serde::de::DeserializeOwned;

const BEGIN_PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----";

/// The keys that tokens may be signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct JwtKeys(Vec<Key>);

/// One key, good for one algorithm.
#[derive(Clone)]
struct Key {
    /// Its name in a set; a token that names a key means that one.
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// For whom tokens have to be, and of whom, where that was said.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    pub(super) audience: Option<String>,
    pub(super) issuer: Option<String>,
}

impl Key {
    /// What the key consists of.
    fn parts(&self) -> [&[u8]; 2] {
        match self.key.kind() {
            DecodingKeyKind::SecretOrDer(bytes) => [bytes, &[]],
            DecodingKeyKind::RsaModulusExponent { n, e } => [n, e],
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        (&self.id, self.algorithm, self.parts()) == (&other.id, other.algorithm, other.parts())
    }
}

impl Eq for Key {}

impl fmt::Debug for JwtKeys {
    /// Names and algorithms: a secret ends in no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| (key.algorithm, &key.id))).finish()
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
        let key = DecodingKey::from_secret(text.trim().as_bytes());
        Ok(Self::of(vec![Key::checked(None, Algorithm::HS256, key)?]))
    }

    /// A public key in PEM (`BEGIN PUBLIC KEY`): RSA for RS256, Ed25519 for EdDSA.
    ///
    /// # Errors
    /// When it is no such key.
    pub fn from_public_pem(text: &str) -> Result<Self, String> {
        let Some(begin) = text.find(BEGIN_PUBLIC_KEY) else {
            return Err(format!(
                "no `{BEGIN_PUBLIC_KEY}` is there (from a certificate: openssl x509 -pubkey; from an RSA key: openssl rsa -pubout)"
            ));
        };
        let pem = &text.as_bytes()[begin..];
        let (algorithm, key) = match (DecodingKey::from_rsa_pem(pem), DecodingKey::from_ed_pem(pem)) {
            (Ok(key), _) => (Algorithm::RS256, with_components(&key)?),
            (_, Ok(key)) => (Algorithm::EdDSA, key),
            _ => return Err("the key cannot be read, or is neither RSA nor Ed25519".to_owned()),
        };
        Ok(Self::of(vec![Key::checked(None, algorithm, key)?]))
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
            if let Some(key) = Key::of_set(value).map_err(named)? {
                keys.push(key);
            }
        }
        if keys.is_empty() {
            return Err("no key for RS256, EdDSA or HS256 is in the set".to_owned());
        }
        Ok(Self::of(keys))
    }

    fn of(keys: Vec<Key>) -> Self {
        // Where features of several dependents add up, the library wants its cryptography chosen for the whole
        // process, and panics if nobody did. What the embedding program has chosen before stays.
        let _already_chosen = rust_crypto::DEFAULT_PROVIDER.install_default();
        JwtKeys(keys)
    }

    /// The claims of a token that one of the keys has signed, for and of whom it should be. When it ends is not
    /// looked at.
    pub(super) fn decode<T: DeserializeOwned>(&self, token: &str, expected: &Expected) -> Result<T, String> {
        let head = decode_header(token).map_err(|error| match error.kind() {
            ErrorKind::Json(problem) => format!("its header cannot be read: {problem}"),
            _ => problem_of(&error),
        })?;
        if head.crit.is_some() {
            return Err("it wants something understood that is not known here".to_owned());
        }
        let is_meant = |key: &&Key| {
            let is_named = match (&key.id, &head.kid) {
                (Some(ours), Some(theirs)) => ours == theirs,
                _ => true,
            };
            is_named && key.algorithm == head.alg
        };
        let mut verdict = Err(format!("there is no key for it (algorithm {:?})", head.alg));
        for key in self.0.iter().filter(is_meant) {
            match decode(token, &key.key, &expected.of(key.algorithm)) {
                Ok(verified) => return Ok(verified.claims),
                // Another key may fit.
                Err(error) if *error.kind() == ErrorKind::InvalidSignature => {
                    verdict = Err(problem_of(&error));
                }
                Err(error) => return Err(problem_of(&error)),
            }
        }
        verdict
    }
}

impl Expected {
    /// What a token under a key of this algorithm has to say.
    fn of(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        // The hub's own clock decides, and not the machine's.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        validation
    }
}

/// What is wrong with a token, for a person.
fn problem_of(error: &Error) -> String {
    match error.kind() {
        ErrorKind::InvalidToken => "it is not three parts with points between them".to_owned(),
        ErrorKind::Base64(_) => "it is not in base64url".to_owned(),
        ErrorKind::InvalidSignature => "its signature is not right".to_owned(),
        ErrorKind::InvalidAudience => "it is for another audience".to_owned(),
        ErrorKind::InvalidIssuer => "it is of another issuer".to_owned(),
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => "it is for another audience".to_owned(),
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => "it is of another issuer".to_owned(),
        ErrorKind::Json(problem) => format!("its claims cannot be used: {problem}"),
        _ => format!("it cannot be verified: {error}"),
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

impl Key {
    /// A key of a set; `None` for one that is for something else.
    fn of_set(mut value: serde_json::Value) -> Result<Option<Self>, String> {
        // The name of RFC 9864 for the same.
        if let Some(algorithm) = value.get_mut("alg").filter(|algorithm| *algorithm == "Ed25519") {
            *algorithm = "EdDSA".into();
        }
        let jwk: Jwk = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let is_for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let algorithm = match (&jwk.algorithm, jwk.common.key_algorithm) {
            _ if !is_for_signatures => return Ok(None),
            (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => Algorithm::RS256,
            (AlgorithmParameters::OctetKeyPair(pair), None | Some(KeyAlgorithm::EdDSA))
                if pair.curve == jsonwebtoken::jwk::EllipticCurve::Ed25519 =>
            {
                Algorithm::EdDSA
            }
            (AlgorithmParameters::OctetKey(_), None | Some(KeyAlgorithm::HS256)) => Algorithm::HS256,
            _ => return Ok(None),
        };
        let key = DecodingKey::from_jwk(&jwk).map_err(|error| error.to_string())?;
        Key::checked(jwk.common.key_id, algorithm, key).map(Some)
    }

    /// Refuses keys that are too weak or cannot be.
    fn checked(id: Option<String>, algorithm: Algorithm, key: DecodingKey) -> Result<Self, String> {
        match (algorithm, key.kind()) {
            (Algorithm::HS256, DecodingKeyKind::SecretOrDer(secret)) if secret.len() < 32 => {
                return Err("a secret for HS256 needs 32 bytes or more: openssl rand -hex 32".to_owned());
            }
            (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(point)) if point.len() != 32 => {
                return Err("an Ed25519 key has 32 bytes".to_owned());
            }
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, .. }) => {
                let bytes = n.iter().skip_while(|byte| **byte == 0).count();
                if !(256..=512).contains(&bytes) {
                    return Err(format!("an RSA key has 2048 to 4096 bits here, and this one {}", bytes * 8));
                }
            }
            _ => {}
        }
        let verifier = (rust_crypto::DEFAULT_PROVIDER.verifier_factory)(&algorithm, &key);
        verifier.map_err(|error| format!("the key cannot be used: {error}"))?;
        Ok(Key { id, algorithm, key })
    }
}

/// An RSA key by its numbers, so that its size can be seen.
fn with_components(key: &DecodingKey) -> Result<DecodingKey, String> {
    let der = key.try_get_as_bytes();
    let numbers =
        der.and_then(|der| (rust_crypto::DEFAULT_PROVIDER.key_utils.rsa_pub_components_from_public_key)(der));
    let (n, e) = numbers.map_err(|error| format!("the key cannot be read: {error}"))?;
    Ok(DecodingKey::from_rsa_raw_components(&n, &e))
}
