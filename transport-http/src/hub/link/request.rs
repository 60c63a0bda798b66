//! What requests do with a link.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::{Life, Link, State, unknown, weight};
use crate::exchange::{Answer, Ask};
use crate::problem::{Problem, code};

/// What a session has to say to frames, it begins to say within this time, as a rule.
const REACTION: Duration = Duration::from_millis(50);

/// An answer to frames waits for more for this many times [`HttpHubOptions::linger`] at most.
const MAX_LINGERS: u32 = 10;

/// What became of a request's frames.
enum Taken {
    All,
    /// Frames before them have not come.
    Early,
    /// The session has not read what came before.
    NoRoom,
}

impl Link {
    /// Answers one request.
    pub(in super::super) async fn exchange(self: &Arc<Self>, ask: &Ask) -> Result<Answer, Problem> {
        let _under_way = self.begin()?;
        let mut deadline = self.runtime.now().mono + ask.wait.min(self.options.max_wait);
        if !self.take_in(ask).await? {
            // The client hears at once that it has to send them again.
            deadline = Duration::ZERO;
        }
        let Some(down) = ask.down else {
            return self.update(|state| Ok(Answer { up: state.up_next, ..Answer::default() }));
        };
        let turn = self.confirm(down)?;
        self.wait_for_frames(turn, deadline, ask).await?;
        self.update(|state| self.answer(state, turn, down, ask.room))
    }

    fn begin(self: &Arc<Self>) -> Result<UnderWay, Problem> {
        self.update(|state| {
            if state.requests >= self.options.max_requests_per_link {
                let detail = format!("{} requests of this link are under way already", state.requests);
                return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, code::TOO_MANY_REQUESTS, detail)
                    .retry_after(Duration::from_secs(1)));
            }
            state.requests += 1;
            Ok(UnderWay(Arc::clone(self)))
        })
    }

    /// Gives the session the frames that it has not had, once those before them are there. Says
    /// whether it could: where the session does not read, the answer tells that they were not taken.
    async fn take_in(&self, ask: &Ask) -> Result<bool, Problem> {
        let hold_until = self.runtime.now().mono + self.options.hold_timeout;
        let mut early = false;
        let taken = self
            .until(hold_until, |state| match self.take(state, ask) {
                Err(problem) => Some(Err(problem)),
                Ok(Taken::All) => Some(Ok(true)),
                Ok(not_yet) => {
                    early = matches!(not_yet, Taken::Early);
                    None
                }
            })
            .await;
        match taken {
            Some(outcome) => outcome,
            None if !early => Ok(false),
            None => {
                let next = self.update(|state| state.up_next);
                let detail = format!("the frames begin at {}, and {next} has not come", ask.up);
                Err(Problem::new(StatusCode::CONFLICT, code::FRAMES_MISSING, detail))
            }
        }
    }

    fn take(&self, state: &mut State, ask: &Ask) -> Result<Taken, Problem> {
        if state.is_lost() {
            return Err(unknown());
        }
        let Some(known) = state.up_next.checked_sub(ask.up) else { return Ok(Taken::Early) };
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let new = ask.frames.get(known..).unwrap_or_default();
        if !new.is_empty() {
            if state.up_end {
                return Err(out_of_step("frames after the end".to_owned()));
            }
            let bytes: usize = new.iter().map(weight).sum();
            let has_room = state.inbound_bytes + bytes <= self.options.max_link_bytes;
            if !has_room && !state.inbound.is_empty() {
                return Ok(Taken::NoRoom);
            }
            state.up_next += new.len() as u64;
            if state.life == Life::Open {
                self.budget.take(bytes);
                state.inbound_bytes += bytes;
                state.inbound.extend(new.iter().cloned());
            }
        }
        if ask.end && !state.up_end {
            if ask.up_after() < state.up_next {
                return Err(out_of_step("an end before the last frame".to_owned()));
            }
            state.up_end = true;
            state.wake_writer();
        }
        state.wake_reader();
        state.wake_requests();
        Ok(Taken::All)
    }

    /// Drops what has arrived, and makes this the request that is given what comes.
    fn confirm(&self, down: u64) -> Result<u64, Problem> {
        self.update(|state| {
            if down > state.down_after() {
                let detail = format!("frame {down} is asked for, and {} is the next", state.down_after());
                return Err(out_of_step(detail));
            }
            let Some(confirmed) = down.checked_sub(state.down_first) else {
                let detail = format!("frame {down} is asked for, and was confirmed before");
                return Err(out_of_step(detail));
            };
            for _ in 0..confirmed {
                let Some(frame) = state.outbound.pop_front() else { break };
                state.outbound_bytes -= weight(&frame);
                self.budget.give(weight(&frame));
            }
            state.down_first = down;
            state.newest += 1;
            state.wake_writer();
            state.wake_requests();
            Ok(state.newest)
        })
    }

    async fn wait_for_frames(&self, turn: u64, deadline: Duration, ask: &Ask) -> Result<(), Problem> {
        let began = self.runtime.now().mono;
        let something = |state: &mut State| {
            if state.is_lost() {
                return Some(Err(unknown()));
            }
            let overtaken = state.newest != turn;
            (overtaken || state.down_end || !state.outbound.is_empty()).then_some(Ok(()))
        };
        match self.until(deadline, something).await {
            Some(outcome) => outcome?,
            None => return Ok(()),
        }
        // What comes later is no answer to the request's frames, but news that nobody should wait for. A
        // session's first words may take longer.
        let soon = self.runtime.now().mono < began + REACTION;
        if ask.frames.is_empty() || !(soon || ask.up == 0) {
            return Ok(());
        }
        for _ in 0..MAX_LINGERS {
            let queued = self.update(|state| state.down_after());
            let until = self.runtime.now().mono + self.options.linger;
            let enough = |state: &mut State| {
                let full = state.outbound_bytes >= self.options.max_answer_bytes;
                (full || state.down_end || state.newest != turn || state.life == Life::Gone).then_some(())
            };
            let enough = self.until(until, enough).await;
            if enough.is_some() || self.update(|state| state.down_after()) == queued {
                break;
            }
        }
        Ok(())
    }

    fn answer(&self, state: &mut State, turn: u64, down: u64, room: Option<u64>) -> Result<Answer, Problem> {
        let room = room.map_or(usize::MAX, |room| usize::try_from(room).unwrap_or(usize::MAX));
        let limit = self.options.max_answer_bytes.min(room);
        if state.is_lost() {
            return Err(unknown());
        }
        let mut answer = Answer { up: state.up_next, down, ..Answer::default() };
        if state.newest != turn {
            return Ok(answer);
        }
        let mut bytes = 0;
        for frame in &state.outbound {
            bytes += weight(frame);
            if bytes > limit && !answer.frames.is_empty() {
                return Ok(answer);
            }
            answer.frames.push(frame.clone());
        }
        answer.end = state.down_end;
        Ok(answer)
    }
}

/// A request that the link counts.
struct UnderWay(Arc<Link>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let now = self.0.runtime.now().mono;
        self.0.update(|state| {
            state.requests -= 1;
            state.quiet_since = now;
            // It waits no longer for requests alone, but for time as well.
            state.wake_reader();
        });
    }
}

fn out_of_step(detail: String) -> Problem {
    Problem::new(StatusCode::CONFLICT, code::OUT_OF_STEP, detail)
}
