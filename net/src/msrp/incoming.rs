//! The receiving half of a session at work: hands messages out piece by piece, answers, tells the sending half.

use std::collections::HashMap;
use std::sync::Arc;

use ::msrp::{Event, FinalAnswer, Inbox, InboxEvent, InboxRules, MessageId};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::AnswerHandle;
use super::connection::{Connection, Lost};
use super::inbound::{Inbound, Piece};
use super::outgoing::SharedOutbox;

pub(super) struct Incoming {
    connection: Arc<Connection>,
    outbox: Arc<SharedOutbox>,
    inbox: Inbox,
    /// Where the pieces of the messages under way go.
    underway: HashMap<MessageId, mpsc::Sender<Piece>>,
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
        let (inbox, underway) = (Inbox::new(rules), HashMap::new());
        Incoming {
            connection,
            outbox,
            inbox,
            underway,
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
                    let (inbound, pieces) = Inbound::new(head, raw_head);
                    self.underway.insert(message_id, pieces);
                    self.deliver.send(inbound).await.map_err(|_| Lost)?;
                }
                InboxEvent::Octets {
                    message_id,
                    offset,
                    octets,
                } => {
                    self.hand_out(&message_id, Piece::Octets { offset, octets })
                        .await;
                }
                InboxEvent::Abandoned { message_id, why } => {
                    self.hand_out(&message_id, Piece::Abandoned(why)).await;
                    self.underway.remove(&message_id);
                }
                InboxEvent::Complete {
                    message_id,
                    total,
                    answer,
                } => self.complete(&message_id, total, answer).await?,
                InboxEvent::Report(report) => {
                    self.outbox.lock().handle_report(&report);
                    self.outbox.notify();
                }
            }
        }
        Ok(())
    }

    /// Waits until there is room for the piece. A message that nobody takes any more is refused.
    async fn hand_out(&mut self, message_id: &MessageId, piece: Piece) {
        let Some(pieces) = self.underway.get(message_id) else {
            return;
        };
        if pieces.send(piece).await.is_err() {
            self.underway.remove(message_id);
            self.inbox.stop(message_id);
        }
    }

    async fn complete(
        &mut self,
        message_id: &MessageId,
        total: u64,
        answer: Box<FinalAnswer>,
    ) -> Result<(), Lost> {
        let place = self
            .control
            .clone()
            .reserve_owned()
            .await
            .map_err(|_| Lost)?;
        let answer = AnswerHandle::new(answer, place);
        // Where nobody takes it any more, the dropped handle refuses.
        if let Some(pieces) = self.underway.remove(message_id) {
            let _ = pieces.send(Piece::Complete { total, answer }).await;
        }
        Ok(())
    }
}
