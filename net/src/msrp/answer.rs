//! The answer to a whole message.

use std::fmt;

use ::msrp::{Continuation, FinalAnswer, status};
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

/// The answer to the SEND that completed a message. Dropped without a word it refuses with 413.
#[must_use = "the sender waits for the answer"]
pub struct AnswerHandle {
    /// Gone once it was used.
    owed: Option<(Box<FinalAnswer>, mpsc::OwnedPermit<Bytes>)>,
}

impl AnswerHandle {
    pub(super) fn new(answer: Box<FinalAnswer>, place: mpsc::OwnedPermit<Bytes>) -> AnswerHandle {
        AnswerHandle {
            owed: Some((answer, place)),
        }
    }

    /// Sends the 200 and the success REPORT, as far as each was asked for.
    pub fn accept(mut self) {
        let Some((answer, place)) = self.owed.take() else {
            return;
        };
        let (response, report) = answer.accept(&mut rand::rng());
        let mut frames = BytesMut::new();
        frames.extend(response.map(|response| response.print()));
        frames.extend(report.map(|report| report.print_whole(b"", Continuation::Complete)));
        if !frames.is_empty() {
            place.send(frames.freeze());
        }
    }

    /// Refuses the message with this code, see [`status`].
    pub fn refuse(mut self, code: u16) {
        self.send_refusal(code);
    }

    /// Says nothing: the session is about to end, and its end is the answer.
    pub fn withhold(mut self) {
        self.owed = None;
    }

    fn send_refusal(&mut self, code: u16) {
        let Some((answer, place)) = self.owed.take() else {
            return;
        };
        if let Some(response) = answer.refuse(code) {
            place.send(response.print());
        }
    }
}

impl Drop for AnswerHandle {
    fn drop(&mut self) {
        self.send_refusal(status::STOP_SENDING);
    }
}

impl fmt::Debug for AnswerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerHandle").finish_non_exhaustive()
    }
}
