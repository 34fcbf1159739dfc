//! The receiving half of a session at work: gathers messages, answers, tells the sending half.

use std::collections::HashMap;
use std::sync::Arc;

use ::msrp::{
    Collector, Event, FinalAnswer, Inbox, InboxEvent, InboxRules, MessageId, RequestHead,
};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, Lost};
use super::outgoing::SharedOutbox;
use super::session::{AnswerHandle, Inbound};

/// A message of which something is missing.
struct Gathering {
    head: Box<RequestHead>,
    raw_head: Bytes,
    octets: Collector,
}

pub(super) struct Incoming {
    connection: Arc<Connection>,
    outbox: Arc<SharedOutbox>,
    inbox: Inbox,
    gathering: HashMap<MessageId, Gathering>,
    control: mpsc::Sender<Bytes>,
    deliver: mpsc::Sender<Inbound>,
}

impl Incoming {
    pub(super) fn new(
        connection: Arc<Connection>,
        outbox: Arc<SharedOutbox>,
        rules: InboxRules,
        control: mpsc::Sender<Bytes>,
        deliver: mpsc::Sender<Inbound>,
    ) -> Incoming {
        let (inbox, gathering) = (Inbox::new(rules), HashMap::new());
        Incoming {
            connection,
            outbox,
            inbox,
            gathering,
            control,
            deliver,
        }
    }

    /// Receives until the connection is lost or the session over.
    pub(super) async fn run(mut self, mut events: mpsc::Receiver<Event>, over: CancellationToken) {
        tokio::select! {
            biased;
            () = over.cancelled() => {}
            _ = self.receive(&mut events) => {}
        }
    }

    async fn receive(&mut self, events: &mut mpsc::Receiver<Event>) -> Result<(), Lost> {
        loop {
            // What came before the connection broke still counts.
            let event = tokio::select! {
                biased;
                event = events.recv() => event.ok_or(Lost)?,
                () = self.connection.closed() => return Err(Lost),
            };
            match event {
                Event::Response(response) => {
                    self.outbox
                        .lock()
                        .handle_response(Instant::now().into_std(), &response);
                    self.outbox.notify();
                }
                request => {
                    self.inbox.handle(request);
                    self.take_outcome().await?;
                }
            }
        }
    }

    async fn take_outcome(&mut self) -> Result<(), Lost> {
        while let Some(event) = self.inbox.poll_event() {
            match event {
                InboxEvent::Reply(response) => {
                    self.control
                        .send(response.print())
                        .await
                        .map_err(|_| Lost)?;
                }
                InboxEvent::Started {
                    message_id,
                    head,
                    raw_head,
                } => {
                    let octets = Collector::default();
                    self.gathering.insert(
                        message_id,
                        Gathering {
                            head,
                            raw_head,
                            octets,
                        },
                    );
                }
                InboxEvent::Octets {
                    message_id,
                    offset,
                    octets,
                } => {
                    if let Some(message) = self.gathering.get_mut(&message_id) {
                        message.octets.put(offset, &octets);
                    }
                }
                InboxEvent::Abandoned { message_id, .. } => {
                    self.gathering.remove(&message_id);
                }
                InboxEvent::Complete {
                    message_id,
                    total,
                    answer,
                } => {
                    self.hand_over(&message_id, total, answer).await?;
                }
                InboxEvent::Report(report) => {
                    self.outbox.lock().handle_report(&report);
                    self.outbox.notify();
                }
            }
        }
        Ok(())
    }

    async fn hand_over(
        &mut self,
        message_id: &MessageId,
        total: u64,
        answer: Box<FinalAnswer>,
    ) -> Result<(), Lost> {
        let Some(message) = self.gathering.remove(message_id) else {
            return Ok(());
        };
        let place = self
            .control
            .clone()
            .reserve_owned()
            .await
            .map_err(|_| Lost)?;
        let Gathering {
            head,
            raw_head,
            octets,
        } = message;
        let answer = AnswerHandle::new(answer, place);
        let inbound = Inbound::Message {
            head,
            raw_head,
            body: octets.finish(total),
            answer,
        };
        self.deliver.send(inbound).await.map_err(|_| Lost)
    }
}
