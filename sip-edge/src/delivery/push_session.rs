//! A push session at work: take, send within the window, look again, give the mailbox back (PSH-01,
//! PSH-08, DLV-18).

use edge::open_session::OpenSession;
use edge::sending::Established;
use storage_client::delivery::TakenMessage;

use super::device::Delivery;
use super::encapsulate::encapsulate;
use super::mailbox::{Ending, Mailbox};
use super::sending::{Parcel, Sending};
use super::session::check;
use crate::edge::Edge;
use crate::event;
use edge::now;

/// A session that delivers one claimed mailbox.
pub(crate) struct PushSession<'a, 'm> {
    sending: Sending<'a>,
    mailbox: &'m mut Mailbox<'a>,
}

impl<'a, 'm> PushSession<'a, 'm> {
    pub(crate) fn new(
        edge: &'a Edge,
        job: Delivery<'a>,
        established: Established,
        mailbox: &'m mut Mailbox<'a>,
    ) -> Self {
        Self {
            sending: Sending::new(edge, job, established),
            mailbox,
        }
    }

    /// Delivers what is there and what comes meanwhile, then ends the session.
    pub(crate) async fn run(mut self) -> Ending {
        let _open = OpenSession::outgoing();
        let ending = loop {
            self.fill().await;
            if self.sending.is_idle()
                && let Some(ending) = self.finish().await
            {
                break ending;
            }
            self.sending.step().await;
        };
        self.sending.close().await;
        ending
    }

    /// Sends as long as there is something and the window has room.
    async fn fill(&mut self) {
        while self.sending.has_room() {
            let taken = match self.mailbox.next().await {
                Ok(Some(taken)) => taken,
                Ok(None) => return,
                Err(outcome) => return self.sending.end(outcome),
            };
            if let Some(parcel) = self.prepared(&taken) {
                self.sending.send(&taken.message, parcel).await;
            }
        }
    }

    /// The message as it is sent; `None` if it is passed over and stays stored.
    fn prepared(&self, taken: &TakenMessage) -> Option<Parcel> {
        let checked = if taken.message.expires_at <= now() {
            Err("expired")
        } else {
            let message = encapsulate(taken, &mut rand::rng()).map_err(|_| "not pushable");
            message.and_then(|message| check(self.sending.terms(), &message).map(|()| message))
        };
        let message = checked
            .inspect_err(|reason| event::message_skipped(&taken.message.message_id, reason))
            .ok()?;
        Some(Parcel {
            content_type: message.content_type,
            headers: Vec::new(),
            content: message.content,
        })
    }

    /// Nothing is under way: the end, unless something newer waits (DLV-18).
    async fn finish(&mut self) -> Option<Ending> {
        match self.sending.take_ending() {
            Some(outcome) => Some(self.mailbox.ending(outcome, false)),
            None => self.mailbox.complete().await,
        }
    }
}
