//! Files that say who may in, followed by a hub while sessions are open; in virtual time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::StreamExt;
use pocketsync::admission::{Jwt, JwtKeys, Rights, TokenDigest, TokenEntry, TokenFile};
use pocketsync::id::SiteId;
use pocketsync::lineage::Stamp;
use pocketsync::store::MemoryStore;
use pocketsync::testkit::{MemoryNetwork, MemoryReplica, TestRuntime};
use pocketsync::{Admission, Client, ClientOptions, HubOptions, HubServer, Scope, State};
use ring::hmac;

struct World {
    runtime: TestRuntime,
    network: MemoryNetwork,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        World {
            runtime: TestRuntime::new(1),
            network: MemoryNetwork::new(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("rules")
    }

    /// Puts another file in its place.
    fn put(&self, text: &str) {
        let new = self.folder.path().join("rules.new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.file()).unwrap();
    }

    fn hub(&self, admission: Arc<dyn Admission>) -> HubServer {
        let store = MemoryStore::hub(SiteId::from_bytes([99; 16]), Stamp(99));
        let (hub, driver) = HubServer::new(store, admission, self.runtime.handle(), HubOptions::default());
        self.runtime.spawn(driver);
        let (mut arrivals, server) = (self.network.listen(), hub.clone());
        self.runtime.spawn(async move {
            while let Some(transport) = arrivals.next().await {
                if server.serve(transport).await.is_err() {
                    break;
                }
            }
        });
        hub
    }

    fn device(&self, number: u8, token: &str) -> Client {
        let scope = Scope::new("notes").unwrap();
        let replica =
            MemoryReplica::new(scope.clone(), SiteId::from_bytes([number; 16]), Stamp(u64::from(number)));
        let options = ClientOptions::default().with_token(token);
        let network = Arc::new(self.network.clone());
        let (client, driver) = Client::new(replica, scope, network, self.runtime.handle(), options);
        self.runtime.spawn(driver);
        client
    }

    fn pass(&self, ms: u64) {
        self.runtime.advance(Duration::from_millis(ms));
    }
}

fn entry(name: &str, rights: Rights) -> String {
    let digest = TokenDigest::of(&format!("token of {name}"));
    format!("{}\n", TokenEntry::new(name, digest, vec!["*".parse().unwrap()], rights))
}

fn code(client: &Client) -> Option<&'static str> {
    client.status().last_error.map(|error| error.code)
}

#[test]
fn sessions_follow_the_file_of_tokens_and_others_notice_nothing() {
    let world = World::new();
    let (a, b) = (entry("a", Rights::ALL), entry("b", Rights::ALL));
    world.put(&format!("{a}{b}"));
    let tokens = Arc::new(TokenFile::open(world.file(), world.runtime.handle()).unwrap());
    let hub = world.hub(tokens.clone());
    let watching = world.runtime.spawn(tokens.watch(hub.clone()));
    let devices = [world.device(1, "token of a"), world.device(2, "token of b")];
    let live = || devices.iter().all(|device| device.status().state == State::Live);
    world.pass(1_000);
    assert!(live());

    // Other words for the same, a text that makes no sense, and no file at all.
    for text in [Some(format!("# now\n{b}{a}")), Some(format!("{a}[[token]")), None] {
        match text {
            Some(text) => world.put(&text),
            None => std::fs::remove_file(world.file()).unwrap(),
        }
        world.pass(5_000);
        assert!(live() && world.network.attempts() == 2);
    }

    // Who may do something else comes back at once.
    world.put(&format!("{a}{}", entry("b", Rights { write: false, relay: false, ..Rights::ALL })));
    world.pass(2_500);
    assert!(live());
    assert_eq!(world.network.attempts(), 3);

    world.put(&a);
    world.pass(1_500);
    assert_eq!((code(&devices[0]), code(&devices[1])), (None, Some("unauthorized")));
    world.put(&format!("{a}{b}"));
    world.pass(120_000);
    assert!(live());

    // Without watching, whoever reads the file again says so to the hub.
    world.runtime.abort(watching);
    world.put(&b);
    world.pass(5_000);
    assert!(live());
    assert_eq!((tokens.reload(), tokens.reload()), (Ok(true), Ok(false)));
    hub.readmit();
    world.pass(100);
    assert_eq!((code(&devices[0]), code(&devices[1])), (Some("unauthorized"), None));
}

#[test]
fn watching_ends_with_the_hub() {
    let world = World::new();
    world.put("");
    let tokens = Arc::new(TokenFile::open(world.file(), world.runtime.handle()).unwrap());
    let hub = world.hub(tokens.clone());
    world.pass(5_000);
    let watching = tokens.watch(hub.clone());
    world.runtime.block_on(hub.shutdown());
    let before = world.runtime.handle().now().mono;
    world.runtime.block_on(watching);
    assert!(world.runtime.handle().now().mono - before <= Duration::from_secs(1));
}

#[test]
fn a_key_that_is_taken_away_ends_the_sessions_that_it_let_in() {
    let world = World::new();
    let key = |id: &str| {
        let secret = URL_SAFE_NO_PAD.encode(id.repeat(32));
        serde_json::json!({ "kty": "oct", "kid": id, "k": secret })
    };
    let set = |keys: &[&str]| {
        let keys: Vec<_> = keys.iter().map(|id| key(id)).collect();
        serde_json::json!({ "keys": keys }).to_string()
    };
    let exp = world.runtime.handle().now().wall_ms / 1000 + 600;
    let token = |id: &str| {
        let head = serde_json::json!({ "alg": "HS256", "kid": id });
        let claims =
            serde_json::json!({ "sub": id, "exp": exp, "scopes": ["*"], "rights": ["read", "write"] });
        let message = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let key = hmac::Key::new(hmac::HMAC_SHA256, id.repeat(32).as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes())))
    };
    world.put(&set(&["x", "y"]));
    let jwt = Arc::new(Jwt::open(world.file(), JwtKeys::from_jwks, world.runtime.handle()).unwrap());
    let hub = world.hub(jwt.clone());
    world.runtime.spawn(jwt.watch(hub));
    let devices = [world.device(1, &token("x")), world.device(2, &token("y"))];
    world.pass(3_000);
    assert!(devices.iter().all(|device| device.status().state == State::Live));
    world.put(&set(&["y", "z"]));
    world.pass(1_500);
    assert_eq!((code(&devices[0]), code(&devices[1])), (Some("unauthorized"), None));
    // A minute after its end, the other is out as well.
    world.pass(650_000);
    assert_eq!((devices[1].status().state, code(&devices[1])), (State::Live, None));
    world.pass(10_000);
    assert_eq!(code(&devices[1]), Some("unauthorized"));
}
