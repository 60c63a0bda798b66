//! The side that answers.

mod acceptor;
mod body;
mod budget;
mod link;
mod links;
mod metrics;
mod opening;
mod options;
#[cfg(feature = "axum")]
mod router;
mod serve;
mod stall;
mod transport;
mod upgrade;
mod upgraded;

pub use self::acceptor::{Acceptor, Identity};
pub use self::options::HttpHubOptions;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Body;
use pocketsync_core::runtime::Runtime;
use pocketsync_core::wire::frame::Assembler;
use pocketsync_core::wire::{MAX_ERROR_BYTES, Message, WireError};

use self::budget::Budget;
use self::links::{Found, Links};
use self::metrics::Requests;
use crate::exchange::{self, Answer, Ask, Malformed};
use crate::problem::{self, Problem};

/// What a browser is told.
const PLAIN_HTTP: &str = "This is a PocketSync hub. It speaks WebSocket, and takes frames by POST.\n";

/// Answers requests for a hub: exchanges of frames, WebSockets, `/health` and `/metrics`. Clones are
/// the same.
///
/// It needs no runtime of its own, spawns nothing and opens no socket. [`serve`](Self::serve) runs it
/// on a byte stream, `router` (with the feature `axum`) inside of an axum application,
/// [`respond`](Self::respond) under anything else that speaks the types of the crate `http`.
#[derive(Clone)]
pub struct HttpHub {
    shared: Arc<Shared>,
}

struct Shared {
    acceptor: Arc<dyn Acceptor>,
    runtime: Arc<dyn Runtime>,
    options: Arc<HttpHubOptions>,
    budget: Arc<Budget>,
    links: Arc<Links>,
    requests: Requests,
}

impl fmt::Debug for HttpHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpHub")
            .field("links", &self.shared.links.len())
            .field("buffered_bytes", &self.shared.budget.used())
            .finish_non_exhaustive()
    }
}

impl HttpHub {
    /// Answers requests, and gives the links that clients open to `acceptor`: a
    /// [`HubServer`](pocketsync_core::driver::HubServer), as a rule.
    pub fn new(
        acceptor: impl Acceptor + 'static,
        runtime: Arc<dyn Runtime>,
        options: HttpHubOptions,
    ) -> Self {
        let options = Arc::new(options.settled());
        let budget = Arc::new(Budget::new(options.max_buffered_bytes));
        let links = Arc::new(Links::new(Arc::clone(&options), Arc::clone(&budget)));
        let shared = Shared {
            acceptor: Arc::new(acceptor),
            runtime,
            options,
            budget,
            links,
            requests: Requests::default(),
        };
        HttpHub { shared: Arc::new(shared) }
    }

    /// Answers one request, whatever its path: where the last part of that is `health` or `metrics`,
    /// with these.
    ///
    /// An [`Identity`] among the request's extensions is whom the host's own authentication took the
    /// client for: a link belongs to the identity that opened it, and admission is told.
    pub async fn respond<B>(&self, mut request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: fmt::Display,
    {
        let is_get = request.method() == Method::GET || request.method() == Method::HEAD;
        let mut response = match request.uri().path().rsplit('/').next() {
            Some("health") if is_get => self.health(),
            Some("metrics") if is_get => self.metrics(),
            _ if is_get && upgrade::is_asked_for(request.headers()) => {
                upgrade::answer(&self.shared, &mut request).await
            }
            _ if is_get => plain(StatusCode::UPGRADE_REQUIRED, PLAIN_HTTP),
            _ if request.method() == Method::POST => self.exchange(request).await,
            _ => {
                let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, PLAIN_HTTP);
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
                response
            }
        };
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.shared.requests.count(response.status());
        response
    }

    async fn exchange<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: fmt::Display,
    {
        let reads_frames = request
            .headers()
            .get_all(ACCEPT)
            .iter()
            .any(|value| value.to_str().is_ok_and(|value| value.contains(exchange::MEDIA_TYPE)));
        match self.exchanged(request).await {
            Ok(answer) => answered(&answer, reads_frames),
            Err(problem) => refused(&problem),
        }
    }

    async fn exchanged<B>(&self, request: Request<B>) -> Result<Answer, Problem>
    where
        B: Body<Data = Bytes>,
        B::Error: fmt::Display,
    {
        let shared = &*self.shared;
        let options = &shared.options;
        let (parts, body) = request.into_parts();
        let mut ask = Ask::from_headers(&parts.headers).map_err(malformed)?;
        let (body, held) =
            body::read(body, options.max_body_bytes, options.body_timeout, &shared.budget, &shared.runtime)
                .await?;
        let is_frames = |value: &HeaderValue| value.as_bytes() == exchange::MEDIA_TYPE.as_bytes();
        if !body.is_empty() && !parts.headers.get(CONTENT_TYPE).is_some_and(is_frames) {
            let detail = format!("the body has to be {}", exchange::MEDIA_TYPE);
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad_message", detail));
        }
        ask.frames = exchange::split(body, options.max_frame_bytes).map_err(malformed)?;
        let identity = parts.extensions.get::<Identity>().map(Identity::as_str);
        let link = match shared.links.find(&ask, identity, &shared.runtime)? {
            Found::Known(link) => link,
            Found::New(link) => {
                tracing::debug!(link = ?link.id(), "a link was opened");
                let transport = transport::transport(&link, &shared.links);
                let accepted = shared.acceptor.accept(transport, identity.map(str::to_owned)).await;
                accepted.map_err(|stopped| {
                    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "closing", stopped.to_string())
                        .retry_after(options.busy_retry_after)
                })?;
                link
            }
        };
        let answer = link.exchange(&ask).await?;
        drop(held);
        if link.is_finished() {
            shared.links.forget(&link);
        }
        Ok(answer)
    }
}

fn malformed(malformed: Malformed) -> Problem {
    let (status, code) = match malformed {
        Malformed::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        _ => (StatusCode::BAD_REQUEST, "bad_message"),
    };
    Problem::new(status, code, malformed.to_string())
}

fn answered(answer: &Answer, reads_frames: bool) -> Response<Full<Bytes>> {
    let problem = last_words(answer).map(|error| Problem::of_session(&error));
    let mut response = match &problem {
        Some(problem) if !reads_frames => refused(problem),
        _ => Response::new(Full::new(exchange::join(&answer.frames))),
    };
    let headers = response.headers_mut();
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(exchange::MEDIA_TYPE));
    }
    headers.extend(answer.headers());
    if let Some(problem) = problem {
        mark(&mut response, &problem);
    }
    response
}

/// The error that a session ended with, where the answer carries it in one frame.
fn last_words(answer: &Answer) -> Option<WireError> {
    let last = answer.frames.last()?;
    // What is larger is no error; it is not worth a look.
    if last.len() > 2 * MAX_ERROR_BYTES {
        return None;
    }
    match Assembler::new(last.len()).push(last.clone()) {
        Ok(Some(Message::Error(error))) => Some(error),
        _ => None,
    }
}

fn refused(problem: &Problem) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(problem.body()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(problem::MEDIA_TYPE));
    mark(&mut response, problem);
    response
}

/// Says in the head what the problem is, for whatever is between client and hub.
fn mark(response: &mut Response<Full<Bytes>>, problem: &Problem) {
    *response.status_mut() = problem.status;
    let headers = response.headers_mut();
    if let Some(wait) = problem.retry_after {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, seconds.into());
    }
    if problem.status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("PocketSync"));
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
