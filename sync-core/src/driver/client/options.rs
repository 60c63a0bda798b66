//! What a client can be told.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;

use crate::session::SessionConfig;
use crate::transport::Credentials;

/// What a client can be told; the defaults suit an application on a phone or a desk.
#[derive(Clone)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Where tokens come from. The default goes without.
    pub credentials: Arc<dyn Credentials>,
    /// Limits and timeouts of sessions. The scope, the token and the size of frames are filled
    /// in by the client. `None` takes [`SessionConfig::new`].
    pub session: Option<SessionConfig>,
    /// How long opening a link may take, asking for the token included.
    pub connect_timeout: Duration,
    /// The largest wait after the first failure; it doubles with each further one.
    pub backoff_min: Duration,
    /// The largest wait after many failures.
    pub backoff_max: Duration,
    /// How often the store is asked for local commits while connected and something happened in
    /// the last two seconds. At 10 ms, asking costs a fraction of a percent of a core, and a
    /// user sees no delay.
    pub poll_active: Duration,
    /// How seldom that becomes while connected and nothing happens: it doubles from
    /// [`poll_active`](Self::poll_active). At 250 ms the first write after a pause is still sent
    /// before its author looks at another screen, and a machine can sleep between; an
    /// application that says when it committed is not bound by it.
    pub poll_idle: Duration,
    /// How often the store is asked while not connected: only the status depends on it.
    pub poll_offline: Duration,
    /// How long a clean end may take before the link is dropped.
    pub close_timeout: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        ClientOptions {
            credentials: Arc::new(None::<String>),
            session: None,
            connect_timeout: Duration::from_secs(30),
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(60),
            poll_active: Duration::from_millis(10),
            poll_idle: Duration::from_millis(250),
            poll_offline: Duration::from_secs(1),
            close_timeout: Duration::from_secs(2),
        }
    }
}

impl ClientOptions {
    /// Takes tokens from here.
    #[must_use]
    pub fn with_credentials(mut self, credentials: impl Credentials + 'static) -> Self {
        self.credentials = Arc::new(credentials);
        self
    }

    /// Uses one token for ever.
    #[must_use]
    pub fn with_token(self, token: impl Into<String>) -> Self {
        self.with_credentials(Some(token.into()))
    }

    /// Asks a closure for a token before every session. It is given the token that the other side did not take,
    /// if the last session ended so: expired tokens are renewed there.
    ///
    /// ```
    /// use pocketsync_core::driver::ClientOptions;
    ///
    /// async fn log_in() -> Option<String> {
    ///     Some("a token of one hour".to_owned()) // a request to your accounts
    /// }
    ///
    /// let options = ClientOptions::default().with_token_from(|_refused: Option<String>| log_in());
    /// # drop(options);
    /// ```
    #[must_use]
    pub fn with_token_from<F, Fut>(self, token: F) -> Self
    where
        F: Fn(Option<String>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<String>> + Send + 'static,
    {
        self.with_credentials(Asked(Box::new(move |refused| Box::pin(token(refused)))))
    }

    /// Sets the limits and timeouts of sessions.
    #[must_use]
    pub fn with_session(mut self, session: SessionConfig) -> Self {
        self.session = Some(session);
        self
    }
}

type Ask = dyn Fn(Option<String>) -> BoxFuture<'static, Option<String>> + Send + Sync;

/// Tokens from a closure.
struct Asked(Box<Ask>);

#[async_trait]
impl Credentials for Asked {
    async fn token(&self, refused: Option<&str>) -> Option<String> {
        (self.0)(refused.map(str::to_owned)).await
    }
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Credentials and the session's token stay out of logs.
        f.debug_struct("ClientOptions")
            .field("connect_timeout", &self.connect_timeout)
            .field("backoff_min", &self.backoff_min)
            .field("backoff_max", &self.backoff_max)
            .field("poll_active", &self.poll_active)
            .field("poll_idle", &self.poll_idle)
            .field("poll_offline", &self.poll_offline)
            .field("close_timeout", &self.close_timeout)
            .finish_non_exhaustive()
    }
}
