//! The hub's side inside of an axum application.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;

use super::HttpHub;

impl HttpHub {
    /// Routes for an axum application: the hub itself at `/`, `/health` and `/metrics`. Nest it where
    /// the application likes.
    ///
    /// The application's own authentication is a middleware around it that refuses whom it does not
    /// know, and puts an [`Identity`](super::Identity) among the extensions of the others' requests.
    /// The server has to support upgrades, if WebSockets are to work, and puts its own time limit on
    /// the headers of requests and on clients that do not read; `axum::serve` does the first.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", any(answer))
            .route("/health", any(answer))
            .route("/metrics", any(answer))
            .with_state(self.clone())
    }
}

async fn answer(State(hub): State<HttpHub>, request: Request) -> Response {
    hub.respond(request).await.map(Body::new)
}
