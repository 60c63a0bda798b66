//! One request, repeated on new connections until it has an answer.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, LOCATION, USER_AGENT};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use pocketsync_core::runtime::Runtime;
use pocketsync_core::transport::TransportError;
use pocketsync_core::wire::WireError;

use super::Dial;
use super::connection::{Broken, Connection, Whole};
use crate::exchange::{self, Answer, Ask};
use crate::problem::{self, Problem, code};
use crate::{HttpConfig, HttpUrl};

/// How long an answer may take beyond what the hub was asked to wait.
const GRACE: Duration = Duration::from_secs(20);

/// The first wait before a request is repeated; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What the client reads: frames even where the hub has only an error to tell.
const ACCEPTED: &str = "application/vnd.pocketsync.frames.v1, application/problem+json;q=0.5";

/// What an answer may hold beyond one frame.
const ANSWER_SLACK: usize = 1 << 20;

pub(super) struct Requester<D> {
    dial: D,
    url: HttpUrl,
    config: HttpConfig,
    runtime: Arc<dyn Runtime>,
    caution: Caution,
}

/// How bad the line was lately, which is how small requests are made.
#[derive(Debug, Default)]
struct Caution {
    level: AtomicU32,
    successes: AtomicU32,
}

impl Caution {
    const MAX: u32 = 10;
    /// After so many requests in a row that went well, larger ones are tried.
    const SUCCESSES: u32 = 8;

    fn level(&self) -> u32 {
        self.level.load(Ordering::Relaxed)
    }

    fn failed(&self) {
        self.successes.store(0, Ordering::Relaxed);
        let _at_most = self.level.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |level| {
            (level < Self::MAX).then_some(level + 1)
        });
    }

    fn succeeded(&self) {
        if self.level() > 0 && self.successes.fetch_add(1, Ordering::Relaxed) + 1 >= Self::SUCCESSES {
            self.successes.store(0, Ordering::Relaxed);
            let _at_least =
                self.level.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |level| level.checked_sub(1));
        }
    }
}

/// Why a link is over.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Failure {
    /// The hub says why, and that there is no point in going on.
    Refused(WireError),
    /// The hub does not know the link any more.
    Forgotten,
    /// The link was closed before.
    Closed,
    /// Everything else.
    Broken(TransportError),
}

/// What one attempt came to.
enum Attempt {
    Answered(Answer),
    Failed(Failure),
    /// To be tried again, after so long where the hub says so.
    Again(TransportError, Option<Duration>),
}

impl<D: Dial> Requester<D> {
    pub(super) fn new(dial: D, url: &HttpUrl, config: HttpConfig, runtime: Arc<dyn Runtime>) -> Self {
        Requester { dial, url: url.clone(), config, runtime, caution: Caution::default() }
    }

    /// Asks until there is an answer. Gives the connection back for the next request.
    pub(super) async fn ask(
        &self,
        ask: &Ask,
        mut connection: Option<Connection>,
    ) -> Result<(Answer, Connection), Failure> {
        let mut failing_since = None;
        let mut pause = FIRST_PAUSE;
        loop {
            // One that idled may have been closed by the hub, which says nothing of the hub.
            let was_used = connection.is_some();
            let (error, asked) = match self.attempt(&ask.smaller(self.caution.level()), &mut connection).await
            {
                Attempt::Answered(answer) => match connection {
                    Some(connection) => {
                        self.caution.succeeded();
                        return Ok((answer, connection));
                    }
                    None => return Err(Failure::Broken(TransportError::lost("it has no connection"))),
                },
                Attempt::Failed(failure) => return Err(failure),
                Attempt::Again(_, None) if was_used && failing_since.is_none() => {
                    connection = None;
                    failing_since = Some(self.runtime.now().mono);
                    continue;
                }
                Attempt::Again(error, asked) => (error, asked),
            };
            connection = None;
            self.caution.failed();
            let now = self.runtime.now().mono;
            let since = *failing_since.get_or_insert(now);
            let wait = asked.unwrap_or(pause);
            if now + wait > since + self.config.give_up_after {
                return Err(Failure::Broken(error));
            }
            tracing::debug!(link = ?ask.link, %error, ?wait, "a request is repeated");
            self.runtime.sleep_until(now + wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(&self, ask: &Ask, connection: &mut Option<Connection>) -> Attempt {
        let body = exchange::join(&ask.frames);
        let limit = self.config.frame_limit() + ANSWER_SLACK;
        let exchange = async {
            let open = match connection {
                Some(open) => open,
                None => match Connection::open(&self.dial).await {
                    Ok(opened) => connection.insert(opened),
                    Err(error) if error.is_retryable() => return Attempt::Again(error, None),
                    Err(error) => return Attempt::Failed(Failure::Broken(error)),
                },
            };
            match open.ask(self.request(ask, &body), limit).await {
                Ok(whole) => self.read(whole),
                Err(Broken::Lost(why)) => Attempt::Again(TransportError::lost(why), None),
                Err(Broken::Wrong(error)) => Attempt::Failed(Failure::Broken(error)),
            }
        };
        let deadline = self.runtime.now().mono + ask.wait + GRACE;
        match select(pin!(exchange), self.runtime.sleep_until(deadline)).await {
            Either::Left((attempt, _)) => attempt,
            Either::Right(_) => Attempt::Again(TransportError::lost("no answer came in time"), None),
        }
    }

    fn request(&self, ask: &Ask, body: &Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.path().parse().expect("the path of an address that was parsed");
        let headers = request.headers_mut();
        *headers = ask.headers();
        let host =
            HeaderValue::try_from(self.url.authority()).expect("the host of an address that was parsed");
        headers.insert(HOST, host);
        headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers
            .insert(USER_AGENT, HeaderValue::from_static(concat!("pocketsync/", env!("CARGO_PKG_VERSION"))));
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(exchange::MEDIA_TYPE));
        }
        request
    }

    fn read(&self, whole: Whole) -> Attempt {
        let kind = whole.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if kind == exchange::MEDIA_TYPE {
            return match self.frames(&whole) {
                Ok(answer) => Attempt::Answered(answer),
                Err(error) => Attempt::Failed(Failure::Broken(error)),
            };
        }
        let problem =
            (kind == problem::MEDIA_TYPE).then(|| Problem::read(whole.status, &whole.body)).flatten();
        match problem {
            Some(problem) => self.refusal(&problem),
            None => self.stranger(&whole),
        }
    }

    fn frames(&self, whole: &Whole) -> Result<Answer, TransportError> {
        let malformed = |malformed: exchange::Malformed| match malformed {
            exchange::Malformed::TooLarge { bytes, limit } => TransportError::FrameTooLarge { bytes, limit },
            other => TransportError::Protocol(format!("{} answered wrongly: {other}", self.url)),
        };
        let mut answer = Answer::from_headers(&whole.headers).map_err(malformed)?;
        answer.frames = exchange::split(whole.body.clone(), self.config.frame_limit()).map_err(malformed)?;
        Ok(answer)
    }

    /// What a hub says that does not take the request.
    fn refusal(&self, problem: &Problem) -> Attempt {
        match problem.code.as_str() {
            code::UNKNOWN_LINK => Attempt::Failed(Failure::Forgotten),
            code::LINK_CLOSED => Attempt::Failed(Failure::Closed),
            // Requests that the hub has not given up yet.
            code::TOO_MANY_REQUESTS => {
                Attempt::Again(TransportError::lost(problem.detail.clone()), problem.retry_after)
            }
            // They are under way with another request, which is being repeated.
            code::FRAMES_MISSING => {
                Attempt::Again(TransportError::lost(problem.detail.clone()), Some(FIRST_PAUSE))
            }
            code::OUT_OF_STEP => {
                let message = format!("{} and this side lost step: {}", self.url, problem.detail);
                Attempt::Failed(Failure::Broken(TransportError::Protocol(message)))
            }
            _ => Attempt::Failed(Failure::Refused(problem.to_session())),
        }
    }

    /// What somebody else answers, which is not the hub.
    fn stranger(&self, whole: &Whole) -> Attempt {
        let status = whole.status;
        let meaning = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                "something in front of the hub wants its own credentials".to_owned()
            }
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::METHOD_NOT_ALLOWED => {
                "there is no hub that takes HTTP under this path".to_owned()
            }
            StatusCode::UPGRADE_REQUIRED => "the hub there takes WebSockets only".to_owned(),
            StatusCode::PAYLOAD_TOO_LARGE => {
                "something in front of the hub takes no bodies of this size".to_owned()
            }
            status if status.is_redirection() => {
                let location = whole.headers.get(LOCATION).and_then(|location| location.to_str().ok());
                let location: String = location.unwrap_or("elsewhere").chars().take(200).collect();
                format!("it redirects to {location}; redirects are not followed")
            }
            status if status.is_success() => "an ordinary web server answers there, not a hub".to_owned(),
            status if status.is_server_error() => {
                "the hub, or what is in front of it, is in trouble".to_owned()
            }
            _ => "it does not let us in".to_owned(),
        };
        let error = TransportError::Unreachable(format!("{} answered HTTP {status}: {meaning}", self.url));
        match status.is_server_error() {
            true => Attempt::Again(error, None),
            false => Attempt::Failed(Failure::Broken(error)),
        }
    }
}
