//! What happens to a client, as it tells its caller.

use tokio::sync::mpsc;

use crate::push::LargePush;
use crate::{PagerArrival, PushedMessage};

/// What happens to a client.
#[derive(Debug)]
pub enum Event {
    /// A session was opened towards us.
    SessionOpened {
        /// `From` of its INVITE.
        from: String,
    },
    /// A deferred message was delivered, and has been acknowledged.
    Message(PushedMessage),
    /// A message came that is too large for memory, and has been acknowledged.
    Large(Box<LargePush>),
    /// A message came by MESSAGE, and has been answered 200.
    Pager(PagerArrival),
    /// A session is over.
    SessionEnded {
        /// How it ended, for people.
        reason: String,
    },
}

/// The events of a client, in their order.
#[derive(Debug)]
pub struct Events {
    queue: mpsc::Receiver<Event>,
    messages: usize,
    sessions: usize,
}

impl Events {
    pub(super) fn new(queue: mpsc::Receiver<Event>) -> Self {
        Self {
            queue,
            messages: 0,
            sessions: 0,
        }
    }

    /// The next event; none once the client is closed.
    pub async fn next(&mut self) -> Option<Event> {
        let event = self.queue.recv().await?;
        match event {
            Event::SessionOpened { .. } => self.sessions += 1,
            Event::SessionEnded { .. } => self.sessions = self.sessions.saturating_sub(1),
            Event::Message(_) | Event::Large(_) | Event::Pager(_) => self.messages += 1,
        }
        Some(event)
    }

    /// Messages among the events so far.
    #[must_use]
    pub fn messages_seen(&self) -> usize {
        self.messages
    }

    /// Sessions that were opened and have not ended, as far as the events tell.
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        self.sessions
    }
}
