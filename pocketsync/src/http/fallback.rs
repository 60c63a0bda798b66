//! Going on over a second transport where the first does not get through.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::future::{Either, select};
use pocketsync_core::runtime::Runtime;
use pocketsync_core::transport::{Connector, Transport, TransportError};

/// How long the first transport may take: a proxy may swallow its handshake.
const FIRST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the second is preferred once it has worked where the first had not.
const PREFER_SECOND: Duration = Duration::from_secs(600);

/// Connects over one transport, and over another where that fails: WebSocket, and HTTP where something on
/// the way breaks WebSockets.
///
/// Once the second has carried a frame, it is preferred for ten minutes. Where neither gets through, the
/// error is that of the first.
pub struct Fallback<A, B> {
    first: A,
    second: B,
    runtime: Arc<dyn Runtime>,
    told: Box<dyn Fn(&TransportError) + Send + Sync>,
    /// Until when the second is preferred.
    second_until: Arc<Mutex<Option<Duration>>>,
}

impl<A: Connector, B: Connector> Fallback<A, B> {
    /// Tries `first`, then `second`.
    pub fn new(first: A, second: B, runtime: Arc<dyn Runtime>) -> Self {
        Fallback { first, second, runtime, told: Box::new(|_| {}), second_until: Arc::default() }
    }

    /// Is told why the first failed, whenever a link is opened over the second for that reason.
    #[must_use]
    pub fn on_fallback(mut self, told: impl Fn(&TransportError) + Send + Sync + 'static) -> Self {
        self.told = Box::new(told);
        self
    }

    fn prefers_second(&self) -> bool {
        let until = *self.second_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| self.runtime.now().mono < until)
    }

    /// Opens a link over the second, whose first frame shows that it works.
    async fn connect_second(&self) -> Result<Transport, TransportError> {
        let mut transport = self.second.connect().await?;
        let (runtime, second_until) = (Arc::clone(&self.runtime), Arc::clone(&self.second_until));
        let mut proved = false;
        transport.stream = Box::pin(transport.stream.inspect(move |frame| {
            if !proved && frame.is_ok() {
                proved = true;
                let until = runtime.now().mono + PREFER_SECOND;
                *second_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
            }
        }));
        Ok(transport)
    }
}

#[async_trait]
impl<A: Connector, B: Connector> Connector for Fallback<A, B> {
    async fn connect(&self) -> Result<Transport, TransportError> {
        if self.prefers_second() {
            match self.connect_second().await {
                Ok(transport) => return Ok(transport),
                Err(_) => *self.second_until.lock().unwrap_or_else(PoisonError::into_inner) = None,
            }
        }
        let timeout = self.runtime.sleep_until(self.runtime.now().mono + FIRST_TIMEOUT);
        let error = match select(self.first.connect(), timeout).await {
            Either::Left((Ok(transport), _)) => return Ok(transport),
            Either::Left((Err(error), _)) => error,
            Either::Right(_) => TransportError::Unreachable("no answer came in time".to_owned()),
        };
        if !error.is_retryable() {
            return Err(error);
        }
        match self.connect_second().await {
            Ok(transport) => {
                (self.told)(&error);
                Ok(transport)
            }
            Err(_) => Err(error),
        }
    }
}

impl<A, B> fmt::Debug for Fallback<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback").finish_non_exhaustive()
    }
}
