//! Refusals: a status and a JSON body for people and for programs (RFC 9457).

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use pocketsync_core::wire::{ErrorCode, WireError};
use serde::{Deserialize, Serialize};

/// The media type of the body.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// Codes of the transport's own, beside those of [`ErrorCode`].
pub(crate) mod code {
    /// The hub does not know the link: it was never opened, was idle for too long, or the hub began
    /// anew. Nothing is lost; a new link goes on where the stores stand.
    pub(crate) const UNKNOWN_LINK: &str = "unknown_link";
    /// The link was ended in good order.
    pub(crate) const LINK_CLOSED: &str = "link_closed";
    /// A frame before those in the request did not come.
    pub(crate) const FRAMES_MISSING: &str = "frames_missing";
    /// The request confirms what was not sent, or asks for what was confirmed before.
    pub(crate) const OUT_OF_STEP: &str = "out_of_step";
    /// The link has more requests under way than make sense.
    pub(crate) const TOO_MANY_REQUESTS: &str = "too_many_requests";
    /// The hub has too much in hand.
    pub(crate) const OVERLOADED: &str = "overloaded";
}

/// A refusal.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// For programs; stable.
    pub(crate) code: String,
    /// For people.
    pub(crate) detail: String,
    pub(crate) retry_after: Option<Duration>,
}

/// The members of the body.
#[derive(Serialize, Deserialize)]
struct Members {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    code: String,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Problem { status, code: code.into(), detail: detail.into(), retry_after: None }
    }

    #[must_use]
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// What a session said last, as a refusal.
    pub(crate) fn of_session(error: &WireError) -> Self {
        Problem {
            status: status_of(error.code),
            code: error.code.name().to_owned(),
            detail: error.message.clone(),
            retry_after: error.retry_after_ms.map(Duration::from_millis),
        }
    }

    pub(crate) fn body(&self) -> Bytes {
        let members = Members {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Refused").to_owned(),
            status: self.status.as_u16(),
            code: self.code.clone(),
            detail: self.detail.clone(),
            retry_after_ms: self.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        };
        serde_json::to_vec(&members).expect("strings and numbers are JSON").into()
    }

    /// Reads a refusal; `None` where the body is not one of ours.
    pub(crate) fn read(status: StatusCode, body: &[u8]) -> Option<Self> {
        let members: Members = serde_json::from_slice(body).ok()?;
        Some(Problem {
            status,
            code: members.code,
            detail: members.detail,
            retry_after: members.retry_after_ms.map(Duration::from_millis),
        })
    }

    /// The refusal as the last word of a session, so that the client ends it with what it is.
    pub(crate) fn to_session(&self) -> WireError {
        WireError {
            code: code_of(self),
            message: self.detail.chars().take(500).collect(),
            retry_after_ms: self.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// The status that says what a session's last word says.
pub(crate) fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden | ErrorCode::SiteTaken => StatusCode::FORBIDDEN,
        ErrorCode::Quota => StatusCode::INSUFFICIENT_STORAGE,
        ErrorCode::Gap | ErrorCode::Replaced | ErrorCode::ClockAhead => StatusCode::CONFLICT,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::Overloaded => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Store | ErrorCode::Closing => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Timeout => StatusCode::REQUEST_TIMEOUT,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn code_of(problem: &Problem) -> ErrorCode {
    const KNOWN: [ErrorCode; 14] = [
        ErrorCode::BadMessage,
        ErrorCode::Protocol,
        ErrorCode::Unauthorized,
        ErrorCode::Forbidden,
        ErrorCode::TooLarge,
        ErrorCode::ClockAhead,
        ErrorCode::Gap,
        ErrorCode::Timeout,
        ErrorCode::Overloaded,
        ErrorCode::Store,
        ErrorCode::Closing,
        ErrorCode::Replaced,
        ErrorCode::SiteTaken,
        ErrorCode::Quota,
    ];
    if let Some(known) = KNOWN.into_iter().find(|code| code.name() == problem.code) {
        return known;
    }
    match problem.status {
        StatusCode::UNAUTHORIZED => ErrorCode::Unauthorized,
        StatusCode::FORBIDDEN => ErrorCode::Forbidden,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::TooLarge,
        StatusCode::TOO_MANY_REQUESTS => ErrorCode::Overloaded,
        StatusCode::SERVICE_UNAVAILABLE => ErrorCode::Closing,
        _ => ErrorCode::BadMessage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_session_says_survives_the_way_through_a_problem() {
        for number in 1..=12 {
            let said = WireError {
                code: ErrorCode::from(number),
                message: "because".to_owned(),
                retry_after_ms: Some(1234),
            };
            let problem = Problem::of_session(&said);
            let read = Problem::read(problem.status, &problem.body()).unwrap();
            assert_eq!(read, problem);
            assert_eq!(read.to_session(), said);
        }
    }

    #[test]
    fn what_others_answer_is_no_problem_of_ours() {
        for body in ["", "<html>", "{}", r#"{"status":401,"title":"no"}"#] {
            assert_eq!(Problem::read(StatusCode::UNAUTHORIZED, body.as_bytes()), None);
        }
    }
}
