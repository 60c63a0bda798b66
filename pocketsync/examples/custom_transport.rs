//! Your own transport: frames over a Unix socket, four bytes of length before each.
//!
//! `cargo run -p pocketsync --example custom_transport --features smol,testkit`

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, SinkExt, future, stream};
use pocketsync::transport::{self, TransportError};
use pocketsync::{Bytes, Client, ClientOptions, Connector, HubOptions, HubServer, Scope, Transport};
use pocketsync::{admission::Open, id::SiteId, lineage::Stamp, runtime::SmolRuntime, store::MemoryStore};
use pocketsync::{testkit::MemoryReplica, value::Value};
use smol::Async;

const MAX_FRAME_BYTES: usize = 64 * 1024;

/// A transport over any byte stream. A bare socket cannot tell a goodbye from a crash, so every
/// end is a loss; sessions say goodbye themselves.
fn framed(io: impl AsyncRead + AsyncWrite + Send + 'static) -> Transport {
    let (reader, writer) = io.split();
    let frames = stream::try_unfold(reader, |mut reader| async move {
        let mut length = [0; 4];
        reader.read_exact(&mut length).await.map_err(lost)?;
        let limit = MAX_FRAME_BYTES;
        let bytes = u32::from_be_bytes(length) as usize;
        if bytes > limit {
            return Err(TransportError::FrameTooLarge { bytes, limit });
        }
        let mut frame = vec![0; bytes];
        reader.read_exact(&mut frame).await.map_err(lost)?;
        Ok(Some((Bytes::from(frame), reader)))
    });
    let sink = writer.into_sink().with(|frame: Bytes| {
        let length = (frame.len() as u32).to_be_bytes();
        future::ready(Ok::<_, std::io::Error>([&length[..], &frame].concat()))
    });
    transport::join(frames, sink).with_max_frame_bytes(MAX_FRAME_BYTES)
}

fn lost(error: std::io::Error) -> TransportError {
    TransportError::lost(error.to_string())
}

/// Opens a pair of sockets and gives the hub the other end of each.
struct ToHub(HubServer);

#[async_trait::async_trait]
impl Connector for ToHub {
    async fn connect(&self) -> Result<Transport, TransportError> {
        let (ours, theirs) = UnixStream::pair().map_err(lost)?;
        self.0.serve(framed(Async::new(theirs).map_err(lost)?)).await.map_err(|_| lost_hub())?;
        Ok(framed(Async::new(ours).map_err(lost)?))
    }
}

fn lost_hub() -> TransportError {
    TransportError::Unreachable("the hub has stopped".to_owned())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Arc::new(SmolRuntime::new());
    let scope = Scope::new("notes")?;
    let store = MemoryStore::hub(SiteId::from_bytes([9; 16]), Stamp(9));
    let (hub, driver) = HubServer::new(store, Arc::new(Open), runtime.clone(), HubOptions::default());
    smol::spawn(driver).detach();

    let device = |number: u8| MemoryReplica::new(scope.clone(), SiteId::from_bytes([number; 16]), Stamp(1));
    let (one, other) = (device(1), device(2));
    one.write(1_700_000_000_000, |tx| tx.insert("note", &[("text", Value::text("hello"))]));
    smol::block_on(async {
        for replica in [&one, &other] {
            let connector = Arc::new(ToHub(hub.clone()));
            let options = ClientOptions::default();
            let (client, driver) =
                Client::new(replica.clone(), scope.clone(), connector, runtime.clone(), options);
            smol::spawn(driver).detach();
            client.sync_now().await?;
            client.shutdown().await;
        }
        assert_eq!(one.with(|store| store.rows(&scope)), other.with(|store| store.rows(&scope)));
        println!("the other device has {:?}", other.with(|store| store.rows(&scope)));
        Ok(())
    })
}
