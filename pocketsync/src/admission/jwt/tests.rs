use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures::executor::block_on;
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::session::Rights;
use pocketsync_core::testkit::TestRuntime;
use ring::{hmac, rand, signature};
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const RSA_PUBLIC: &str = include_str!("tests/rsa.pub.pem");
const ED25519_PUBLIC: &str = include_str!("tests/ed25519.pub.pem");

fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).unwrap()
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn assembled(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn with_hmac(secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    move |message| hmac::sign(&key, message).as_ref().to_vec()
}

fn with_rsa(message: &[u8]) -> Vec<u8> {
    let pair = signature::RsaKeyPair::from_pkcs8(&der(include_str!("tests/rsa.pem"))).unwrap();
    let mut signed = vec![0; pair.public().modulus_len()];
    pair.sign(&signature::RSA_PKCS1_SHA256, &rand::SystemRandom::new(), message, &mut signed).unwrap();
    signed
}

fn with_ed25519(message: &[u8]) -> Vec<u8> {
    let key = der(include_str!("tests/ed25519.pem"));
    let pair = signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key).unwrap();
    pair.sign(message).as_ref().to_vec()
}

/// Hubs with the keys in a file, on one clock.
struct World {
    runtime: TestRuntime,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        World { runtime: TestRuntime::new(1), folder: tempfile::tempdir().unwrap() }
    }

    fn jwt(&self, parse: fn(&str) -> Result<JwtKeys, String>, text: &str) -> Jwt {
        let path = self.folder.path().join("keys");
        std::fs::write(&path, text).unwrap();
        Jwt::open(path, parse, self.runtime.handle()).unwrap()
    }

    /// Good claims, for an hour.
    fn claims(&self) -> Value {
        let exp = self.runtime.handle().now().wall_ms / 1000 + 3_600;
        json!({ "sub": "alice", "exp": exp, "scopes": ["notes"], "rights": ["read", "write"] })
    }
}

fn asked(jwt: &Jwt, token: Option<&str>, scope: &str) -> Result<Admitted, WireError> {
    block_on(jwt.admit(&AdmitRequest {
        scope: Scope::new(scope).unwrap(),
        site: SiteId::from_bytes([1; 16]),
        token: token.map(str::to_owned),
        identity: None,
    }))
}

fn refusal(jwt: &Jwt, token: &str) -> String {
    let error = asked(jwt, Some(token), "notes").unwrap_err();
    assert_eq!(error.code, ErrorCode::Unauthorized, "{error}");
    error.message
}

#[test]
fn every_algorithm_lets_in_whom_its_key_has_signed() {
    let world = World::new();
    let claims = world.claims();
    let tokens = [
        assembled(&json!({ "alg": "HS256", "typ": "JWT" }), &claims, with_hmac(SECRET.as_bytes())),
        assembled(&json!({ "alg": "RS256" }), &claims, with_rsa),
        assembled(&json!({ "alg": "EdDSA" }), &claims, with_ed25519),
    ];
    let hubs = [
        world.jwt(JwtKeys::from_secret, &format!("{SECRET}\n")),
        world.jwt(JwtKeys::from_public_pem, RSA_PUBLIC),
        world.jwt(JwtKeys::from_public_pem, ED25519_PUBLIC),
    ];
    for (at, hub) in hubs.iter().enumerate() {
        for (of, token) in tokens.iter().enumerate() {
            let verdict = asked(hub, Some(token), "notes");
            assert_eq!(verdict.is_ok(), at == of, "hub {at}, token {of}: {verdict:?}");
        }
    }
    let admitted = asked(&hubs[0], Some(&tokens[0]), "notes").unwrap();
    assert_eq!((admitted.identity.as_str(), admitted.rights), ("alice", Rights::ALL));
    let exp = claims["exp"].as_u64().unwrap();
    assert_eq!(admitted.expires_at_ms, Some((exp + 60) * 1000));
    assert_eq!(asked(&hubs[0], None, "notes").unwrap_err().code, ErrorCode::Unauthorized);
    assert_eq!(asked(&hubs[0], Some(&tokens[0]), "other").unwrap_err().code, ErrorCode::Forbidden);
}

#[test]
fn signatures_of_the_standards_are_good() {
    // RFC 7515, appendix A.1.
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let keys = JwtKeys::from_jwks(&json!({ "keys": [{ "kty": "oct", "k": secret }] }).to_string()).unwrap();
    let anybody = Expected::default();
    let claims: Value = keys
        .decode(
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl\
             LmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            &anybody,
        )
        .unwrap();
    assert_eq!(claims["iss"], "joe");
    // RFC 8037, appendix A. What is signed there are no claims, which is found after the signature.
    let point = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": point }] }).to_string();
    let keys = JwtKeys::from_jwks(&set).unwrap();
    let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let refused = |token: String| keys.decode::<Value>(&token, &anybody).unwrap_err();
    assert!(refused(format!("{message}.{signature}")).contains("claims cannot be used"));
    assert!(refused(format!("{message}.{}", signature.replace('h', "i"))).contains("signature"));
}

#[test]
fn the_key_decides_the_algorithm_and_the_token_does_not() {
    let world = World::new();
    let claims = world.claims();
    let hubs = [
        world.jwt(JwtKeys::from_secret, SECRET),
        world.jwt(JwtKeys::from_public_pem, RSA_PUBLIC),
        world.jwt(JwtKeys::from_public_pem, ED25519_PUBLIC),
    ];
    for hub in &hubs {
        for alg in ["none", "None", "NONE", "", "hs256"] {
            let token = assembled(&json!({ "alg": alg }), &claims, |_| Vec::new());
            assert!(refusal(hub, &token).contains("unknown variant"), "{alg}");
        }
        for alg in ["HS512", "RS512", "ES256", "PS256"] {
            let token = assembled(&json!({ "alg": alg }), &claims, |_| Vec::new());
            assert!(refusal(hub, &token).contains("no key for it"), "{alg}");
        }
        for alg in ["HS256", "RS256", "EdDSA"] {
            let token = assembled(&json!({ "alg": alg }), &claims, |_| Vec::new());
            refusal(hub, &token);
        }
        assert!(
            refusal(hub, &assembled(&json!({}), &claims, |_| Vec::new())).contains("missing field `alg`")
        );
    }
    // What everybody knows of a public key is no secret.
    for (hub, public) in [(&hubs[1], RSA_PUBLIC), (&hubs[2], ED25519_PUBLIC)] {
        for secret in [public.as_bytes(), public.trim().as_bytes(), &der(public)] {
            let token = assembled(&json!({ "alg": "HS256" }), &claims, with_hmac(secret));
            assert!(refusal(hub, &token).contains("no key for it"));
            for alg in ["RS256", "EdDSA"] {
                refusal(hub, &assembled(&json!({ "alg": alg }), &claims, with_hmac(secret)));
            }
        }
        assert!(JwtKeys::from_secret(public).unwrap_err().contains("PEM"));
    }
}

#[test]
fn a_token_that_was_touched_is_refused() {
    let world = World::new();
    let hub = world.jwt(JwtKeys::from_secret, SECRET);
    let sign = with_hmac(SECRET.as_bytes());
    let good = assembled(&json!({ "alg": "HS256" }), &world.claims(), &sign);
    assert!(asked(&hub, Some(&good), "notes").is_ok());
    let mut other = world.claims();
    other["sub"] = json!("bob");
    let parts: Vec<&str> = good.split('.').collect();
    for token in [
        format!("{}.{}.{}", parts[0], part(&other), parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{good}.{}", parts[2]),
        format!("{good}="),
        format!("{}A", good),
        assembled(&json!({ "alg": "HS256", "crit": ["b64"], "b64": false }), &world.claims(), &sign),
        "..".to_owned(),
        String::new(),
    ] {
        refusal(&hub, &token);
    }
}

#[test]
fn claims_have_to_be_there_and_to_be_what_they_are() {
    let world = World::new();
    let hub = world.jwt(JwtKeys::from_secret, SECRET);
    let now = world.runtime.handle().now().wall_ms / 1000;
    let with = |hub: &Jwt, claim: &str, value: Value| {
        let mut claims = world.claims();
        claims[claim] = value;
        let token = assembled(&json!({ "alg": "HS256" }), &claims, with_hmac(SECRET.as_bytes()));
        asked(hub, Some(&token), "notes").map_err(|error| error.message)
    };
    for claim in ["sub", "exp", "scopes", "rights"] {
        let mut claims = world.claims();
        claims.as_object_mut().unwrap().remove(claim);
        let token = assembled(&json!({ "alg": "HS256" }), &claims, with_hmac(SECRET.as_bytes()));
        assert!(refusal(&hub, &token).contains(claim), "{claim}");
    }
    for (claim, value) in [
        ("exp", json!((now + 60).to_string())),
        ("exp", json!(null)),
        ("exp", json!(now - 60)),
        ("exp", json!(-1e300)),
        ("nbf", json!(now + 120)),
        ("nbf", json!("soon")),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("scopes", json!("notes")),
        ("scopes", json!([""])),
        ("rights", json!(["admin"])),
        ("rights", json!([])),
        ("write_tables", json!([])),
        ("write_tables", json!("note")),
        ("relay", json!("no")),
        ("aud", json!("somebody")),
        ("aud", json!(7)),
    ] {
        assert!(with(&hub, claim, value.clone()).is_err(), "{claim}: {value}");
    }
    for (claim, value) in [
        ("exp", json!(now - 59)),
        ("exp", json!(now as f64 + 0.5)),
        ("exp", json!(1e300)),
        ("nbf", json!(now + 59)),
        ("iss", json!("anybody")),
        ("scopes", json!(["other", "no*s"])),
        ("rights", json!(["read"])),
    ] {
        assert!(with(&hub, claim, value.clone()).is_ok(), "{claim}: {value}");
    }
    assert_eq!(
        with(&hub, "write_tables", json!(["note"])).unwrap().permit().tables,
        Some(["note".to_owned()].into())
    );
    assert!(!with(&hub, "relay", json!(false)).unwrap().rights.relay);
    let strict = world.jwt(JwtKeys::from_secret, SECRET).with_audience("hub").with_issuer("login");
    assert!(with(&strict, "aud", json!("hub")).unwrap_err().contains("issuer"));
    assert!(with(&strict, "iss", json!("login")).unwrap_err().contains("audience"));
    let strict = world.jwt(JwtKeys::from_secret, SECRET).with_audience("hub");
    for (aud, is_for_us) in
        [(json!("hub"), true), (json!(["a", "hub"]), true), (json!([]), false), (json!("a"), false)]
    {
        assert_eq!(with(&strict, "aud", aud.clone()).is_ok(), is_for_us, "{aud}");
    }
    let strict = world.jwt(JwtKeys::from_secret, SECRET).with_issuer("login");
    assert!(with(&strict, "iss", json!("login")).is_ok() && with(&strict, "iss", json!("Login")).is_err());
}

#[test]
fn a_key_set_is_read_as_providers_write_it_and_followed() {
    let world = World::new();
    // What openssl prints of the public keys, in the spelling of a JWK: the last bytes of an Ed25519 key are its point.
    let point = URL_SAFE_NO_PAD.encode(&der(ED25519_PUBLIC)[12..]);
    let modulus = URL_SAFE_NO_PAD.encode(&der(RSA_PUBLIC)[33..33 + 256]);
    let rsa = json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "old", "n": modulus, "e": "AQAB", "x5c": [] });
    let ed25519 = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "new", "x": point });
    let others = json!([
        { "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" },
        { "kty": "RSA", "use": "enc", "n": "AA", "e": "AA" },
        { "kty": "RSA", "alg": "PS512", "n": "AA", "e": "AA" },
    ]);
    let set = |keys: &[&Value]| {
        let all: Vec<&Value> = keys.iter().copied().chain(others.as_array().unwrap()).collect();
        json!({ "keys": all }).to_string()
    };
    let hub = world.jwt(JwtKeys::from_jwks, &set(&[&rsa, &ed25519]));
    let signed = |kid: Option<&str>| {
        let claims = world.claims();
        let old = assembled(&json!({ "alg": "RS256", "kid": kid }), &claims, with_rsa);
        let new = assembled(&json!({ "alg": "EdDSA", "kid": kid }), &claims, with_ed25519);
        [old, new].map(|token| asked(&hub, Some(&token), "notes").is_ok())
    };
    assert_eq!(signed(None), [true, true]);
    assert_eq!(signed(Some("old")), [true, false]);
    assert_eq!(signed(Some("new")), [false, true]);
    assert_eq!(signed(Some("unknown")), [false, false]);

    let path = world.folder.path().join("keys");
    std::fs::write(&path, set(&[&ed25519])).unwrap();
    assert_eq!((hub.reload(), hub.reload()), (Ok(true), Ok(false)));
    assert_eq!(signed(None), [false, true]);
    for broken in ["", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}"#] {
        std::fs::write(&path, broken).unwrap();
        assert_eq!(hub.reload().unwrap_err().code(), "invalid", "{broken}");
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(hub.reload().unwrap_err().code(), "unreadable");
    assert_eq!(signed(None), [false, true], "what was good stays in force");
}

#[test]
fn keys_that_cannot_be_used_are_refused() {
    for (text, says) in [
        ("", "BEGIN PUBLIC KEY"),
        (include_str!("tests/rsa.pem"), "openssl rsa -pubout"),
        (include_str!("tests/p256.pub.pem"), "neither RSA nor Ed25519"),
        (include_str!("tests/rsa1024.pub.pem"), "this one 1024"),
        ("-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----", "cannot be read"),
        ("-----BEGIN PUBLIC KEY-----\nMCo=\n-----END PUBLIC KEY-----", "neither"),
    ] {
        let error = JwtKeys::from_public_pem(text).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    let full = der(RSA_PUBLIC);
    for cut in 0..full.len() {
        let body = STANDARD.encode(&full[..cut]);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----");
        assert!(JwtKeys::from_public_pem(&pem).is_err(), "cut at {cut}");
    }
    assert!(JwtKeys::from_secret("short").unwrap_err().contains("32 bytes"));
    let debug = format!("{:?}", JwtKeys::from_secret(SECRET).unwrap());
    assert!(!debug.contains(SECRET) && debug.contains("HS256"), "{debug}");
}
