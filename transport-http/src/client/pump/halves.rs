//! What the two halves of a transport ask of the pump.

use std::task::Poll;

use bytes::Bytes;
use pocketsync_core::transport::TransportError;

use super::{End, Ended, MAX_WAITING_BYTES, Pump, taking_in, weight};

impl Pump {
    pub(in super::super) fn next_frame(&mut self) -> Option<Bytes> {
        let frame = self.inbound.pop_front()?;
        self.inbound_bytes = self.inbound_bytes.saturating_sub(weight(&frame));
        Some(frame)
    }

    /// How the stream ends, once it has been read out. An error is told once.
    pub(in super::super) fn end_of_stream(&self) -> Option<Result<(), TransportError>> {
        match &self.ended {
            Some(Ended::Orderly) => Some(Ok(())),
            Some(Ended::Lost(error)) => Some(Err(error.clone())),
            None => None,
        }
    }

    fn check_open(&self) -> Result<(), TransportError> {
        match &self.ended {
            Some(Ended::Lost(error)) => Err(error.clone()),
            _ if self.end != End::Open => Err(TransportError::lost("it was closed")),
            _ => Ok(()),
        }
    }

    pub(in super::super) fn poll_ready(&self) -> Poll<Result<(), TransportError>> {
        self.check_open()?;
        match self.unconfirmed_bytes < MAX_WAITING_BYTES {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    pub(in super::super) fn send(&mut self, frame: Bytes) -> Result<(), TransportError> {
        self.check_open()?;
        let limit = self.config.frame_limit();
        if frame.len() > limit {
            return Err(TransportError::FrameTooLarge { bytes: frame.len(), limit });
        }
        let bytes = frame.len();
        self.unconfirmed.push_back(weight(&frame));
        self.unconfirmed_bytes += weight(&frame);
        self.outbound_bytes += weight(&frame);
        self.outbound.push_back(frame);
        if self.opened && self.linger.is_some() {
            // The session has begun to answer; the rest follows soon, or never. After much, more is likely.
            let until = self.runtime.now().mono + self.config.linger * 2 + taking_in(bytes);
            self.linger = Some(self.runtime.sleep_until(until.min(self.linger_until)));
        }
        Ok(())
    }

    /// Ready when the hub has everything: nothing moves unless somebody polls, so what is merely on its
    /// way may never arrive.
    pub(in super::super) fn poll_flush(&self) -> Poll<Result<(), TransportError>> {
        if let Some(Ended::Lost(error)) = &self.ended {
            return Poll::Ready(Err(error.clone()));
        }
        match self.unconfirmed.is_empty() {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    /// Nothing more is to be sent. Where nothing was, the hub knows of no link.
    pub(in super::super) fn close(&mut self) {
        if self.end == End::Open {
            let has_begun = self.opened || !self.outbound.is_empty();
            self.end = if has_begun { End::Wanted } else { End::Confirmed };
            if !has_begun {
                self.ended.get_or_insert(Ended::Orderly);
            }
        }
    }

    pub(in super::super) fn poll_closed(&self) -> Poll<Result<(), TransportError>> {
        match &self.ended {
            _ if self.end == End::Confirmed => Poll::Ready(Ok(())),
            Some(Ended::Lost(error)) => Poll::Ready(Err(error.clone())),
            _ => Poll::Pending,
        }
    }
}
