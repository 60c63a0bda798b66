//! Reading the body of a request, within bounds of size, time and memory.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::{Either, select};
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::Body;
use pocketsync_core::runtime::Runtime;

use super::budget::{Budget, Held};
use crate::problem::{Problem, code};

/// Reads a whole body. It counts against the hub's memory while the second part of the answer lives.
pub(super) async fn read<B>(
    body: B,
    limit: usize,
    timeout: Duration,
    budget: &Arc<Budget>,
    runtime: &Arc<dyn Runtime>,
) -> Result<(Bytes, Held), Problem>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let deadline = runtime.now().mono + timeout;
    match select(pin!(collect(body, limit, budget)), runtime.sleep_until(deadline)).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => {
            let detail = format!("the body did not come within {timeout:?}");
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail))
        }
    }
}

fn collect<B>(
    body: B,
    limit: usize,
    budget: &Arc<Budget>,
) -> impl Future<Output = Result<(Bytes, Held), Problem>>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let mut held = Held::nothing(budget);
    async move {
        let mut body = pin!(body);
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                Problem::new(StatusCode::BAD_REQUEST, "bad_message", format!("the body broke off: {error}"))
            })?;
            let Ok(data) = frame.into_data() else { continue };
            if whole.len() + data.len() > limit {
                return Err(too_large(limit));
            }
            if !held.more(data.len()) {
                let detail = "the hub has as much in hand as it can hold";
                return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, code::OVERLOADED, detail)
                    .retry_after(Duration::from_secs(1)));
            }
            whole.extend_from_slice(&data);
        }
        Ok((whole.freeze(), held))
    }
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("the body is over the limit of {limit} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
}
