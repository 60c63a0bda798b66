//! Cryptography of the embedding program's own choice, for signed tokens.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::executor::block_on;
use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, rust_crypto};
use jsonwebtoken::errors::Result;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use pocketsync::Scope;
use pocketsync::admission::{Admission, AdmitRequest, Jwt, JwtKeys};
use pocketsync::id::SiteId;
use pocketsync_core::testkit::TestRuntime;
use serde_json::json;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

static VERIFIERS: AtomicUsize = AtomicUsize::new(0);

fn counted(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    VERIFIERS.fetch_add(1, Ordering::Relaxed);
    (rust_crypto::DEFAULT_PROVIDER.verifier_factory)(algorithm, key)
}

#[test]
fn what_the_program_has_chosen_before_is_used_and_stays() {
    let ours: &CryptoProvider = Box::leak(Box::new(CryptoProvider {
        verifier_factory: counted,
        ..rust_crypto::DEFAULT_PROVIDER.clone()
    }));
    ours.install_default().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, SECRET).unwrap();
    let runtime = TestRuntime::new(1).handle();
    let exp = runtime.now().wall_ms / 1000 + 3_600;
    let claims = json!({ "sub": "alice", "exp": exp, "scopes": ["notes"], "rights": ["read"] });
    let token = encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap();
    let jwt = Jwt::open(path, JwtKeys::from_secret, runtime).unwrap();
    let before = VERIFIERS.load(Ordering::Relaxed);
    let admitted = block_on(jwt.admit(&AdmitRequest {
        scope: Scope::new("notes").unwrap(),
        site: SiteId::from_bytes([1; 16]),
        token: Some(token),
        identity: None,
    }));
    assert_eq!(admitted.unwrap().identity, "alice");
    assert_eq!(VERIFIERS.load(Ordering::Relaxed), before + 1);
    assert!(rust_crypto::DEFAULT_PROVIDER.install_default().is_err());
}
