//! The sending half of a session at work: asks the outbox what is next and does it.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::msrp::{Failure, OutboundId, OutboundMessage, Outbox, Outcome, Step};
use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::body::{Body, BodySource};
use super::connection::{Connection, Lost, Turn};
use super::session::{AbortReason, Receipt, SendFailure};

/// A message to send.
pub(super) struct Command {
    pub(super) message: OutboundMessage,
    pub(super) body: Box<dyn BodySource>,
    pub(super) done: oneshot::Sender<Result<Receipt, SendFailure>>,
}

/// The outbox, which the receiving half tells of responses and REPORTs.
#[derive(Debug)]
pub(super) struct SharedOutbox {
    outbox: Mutex<Outbox>,
    changed: Notify,
}

impl SharedOutbox {
    pub(super) fn new(outbox: Outbox) -> SharedOutbox {
        SharedOutbox {
            outbox: Mutex::new(outbox),
            changed: Notify::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the sending half.
    pub(super) fn notify(&self) {
        self.changed.notify_one();
    }
}

/// Why the sending half ends.
enum End {
    Closed,
    Lost,
}

/// A message that was taken up.
struct Underway {
    body: Body,
    done: oneshot::Sender<Result<Receipt, SendFailure>>,
}

/// A read that is done, with the source it came from.
type ReadDone = (Box<dyn BodySource>, io::Result<Bytes>);

pub(super) struct Outgoing {
    connection: Arc<Connection>,
    outbox: Arc<SharedOutbox>,
    commands: mpsc::Receiver<Command>,
    control: mpsc::Receiver<Bytes>,
    closing: CancellationToken,
    underway: HashMap<OutboundId, Underway>,
}

impl Outgoing {
    pub(super) fn new(
        connection: Arc<Connection>,
        outbox: Arc<SharedOutbox>,
        commands: mpsc::Receiver<Command>,
        control: mpsc::Receiver<Bytes>,
        closing: CancellationToken,
    ) -> Outgoing {
        Outgoing {
            connection,
            outbox,
            commands,
            control,
            closing,
            underway: HashMap::new(),
        }
    }

    /// Sends until the session is closed or the connection lost; then nobody waits for an outcome
    /// any more.
    pub(super) async fn run(mut self) {
        let failure = match self.work().await {
            End::Closed => Failure::Closed,
            End::Lost => Failure::ConnectionLost,
        };
        self.outbox.lock().end(failure);
        self.settle();
        self.commands.close();
        while let Some(command) = self.commands.recv().await {
            // Whoever gave up waiting needs no answer.
            let _ = command.done.send(Err(failure.into()));
        }
    }

    async fn work(&mut self) -> End {
        loop {
            if self.transmit().await.is_err() {
                return End::Lost;
            }
            self.settle();
            let (deadline, has_room) = {
                let outbox = self.outbox.lock();
                (outbox.next_timeout(), outbox.has_room())
            };
            tokio::select! {
                biased;
                () = self.connection.closed() => return End::Lost,
                Some(frame) = self.control.recv() => self.outbox.lock().push_control(frame),
                () = self.closing.cancelled() => return self.wind_up().await,
                () = self.outbox.changed.notified() => {}
                Some(command) = self.commands.recv(), if has_room => self.take_up(command),
                () = due(deadline) => self.outbox.lock().handle_timeout(now()),
            }
        }
    }

    /// Ends a running chunk with `#` and writes out the answers that were given.
    async fn wind_up(&mut self) -> End {
        self.outbox.lock().end(Failure::Closed);
        match self.transmit().await {
            Ok(()) => End::Closed,
            Err(Lost) => End::Lost,
        }
    }

    fn take_up(&mut self, command: Command) {
        let Command {
            message,
            body,
            done,
        } = command;
        match self.outbox.lock().enqueue(message) {
            Ok(id) => {
                let body = Body::Idle(body);
                self.underway.insert(id, Underway { body, done });
            }
            Err(_) => {
                let _ = done.send(Err(SendFailure::Aborted(AbortReason::SessionFailed)));
            }
        }
    }

    /// Writes until there is nothing to write.
    async fn transmit(&mut self) -> Result<(), Lost> {
        let connection = Arc::clone(&self.connection);
        let mut turn: Option<Turn<'_>> = None;
        while let Some(step) = self.next_step(connection.is_contended()) {
            self.settle();
            match step {
                Step::NeedBody {
                    message,
                    max_octets,
                } => {
                    self.feed(message, max_octets, &mut turn).await?;
                }
                Step::Write(bytes) => {
                    let writing = match &mut turn {
                        Some(turn) => turn,
                        None => turn.insert(connection.turn().await?),
                    };
                    writing.write(&bytes).await?;
                }
            }
            let between_frames = !self.outbox.lock().is_mid_frame();
            if between_frames && let Some(held) = &mut turn {
                held.frame_done();
                if connection.is_contended() {
                    held.flush().await?;
                    turn = None;
                }
            }
        }
        match turn {
            Some(mut turn) => turn.flush().await,
            None => Ok(()),
        }
    }

    fn next_step(&mut self, contended: bool) -> Option<Step> {
        let mut outbox = self.outbox.lock();
        while outbox.has_room_for_control()
            && let Ok(frame) = self.control.try_recv()
        {
            outbox.push_control(frame);
        }
        if contended {
            outbox.interrupt();
        }
        if self.closing.is_cancelled() {
            outbox.end(Failure::Closed);
        }
        outbox.poll(now(), &mut rand::rng())
    }

    /// Gets the next octets of a body. While they have to be waited for, what is written already
    /// leaves, and whatever else happens goes first: then the read goes on at the next call.
    async fn feed(
        &mut self,
        id: OutboundId,
        max_octets: usize,
        turn: &mut Option<Turn<'_>>,
    ) -> Result<(), Lost> {
        let message = self.underway.get_mut(&id);
        let Some(reading) = message.and_then(|message| message.body.reading(max_octets)) else {
            self.outbox.lock().fail_body(id);
            return Ok(());
        };
        let at_once = tokio::select! {
            biased;
            read = &mut *reading => Some(read),
            () = std::future::ready(()) => None,
        };
        let read = match at_once {
            Some(read) => Some(read),
            None => {
                self.yield_turn(turn).await?;
                self.wait_for_body(id, max_octets, turn.is_some()).await?
            }
        };
        if let Some((source, octets)) = read {
            self.supply(id, source, octets);
        }
        Ok(())
    }

    /// Lets out what is written, and between two frames lets others write. Exclusive, because bodies
    /// need not be shareable between threads.
    async fn yield_turn(&mut self, turn: &mut Option<Turn<'_>>) -> Result<(), Lost> {
        if let Some(held) = turn {
            held.flush().await?;
        }
        if !self.outbox.lock().is_mid_frame() {
            *turn = None;
        }
        Ok(())
    }

    /// Waits for the read under way or for anything that the outbox should hear of first.
    async fn wait_for_body(
        &mut self,
        id: OutboundId,
        max_octets: usize,
        has_turn: bool,
    ) -> Result<Option<ReadDone>, Lost> {
        let deadline = self.outbox.lock().next_timeout();
        let message = self.underway.get_mut(&id);
        let Some(reading) = message.and_then(|message| message.body.reading(max_octets)) else {
            return Ok(None);
        };
        tokio::select! {
            biased;
            () = self.connection.closed() => return Err(Lost),
            () = self.closing.cancelled() => {}
            Some(frame) = self.control.recv() => self.outbox.lock().push_control(frame),
            () = self.outbox.changed.notified() => {}
            () = self.connection.wanted(), if has_turn => {}
            () = due(deadline) => self.outbox.lock().handle_timeout(now()),
            read = &mut *reading => return Ok(Some(read)),
        }
        Ok(None)
    }

    fn supply(&mut self, id: OutboundId, source: Box<dyn BodySource>, octets: io::Result<Bytes>) {
        if let Some(message) = self.underway.get_mut(&id) {
            message.body = Body::Idle(source);
        }
        match octets {
            Ok(octets) => self.outbox.lock().supply_body(id, octets),
            Err(_) => self.outbox.lock().fail_body(id),
        }
    }

    /// Tells the senders of settled messages.
    fn settle(&mut self) {
        loop {
            let settled = self.outbox.lock().poll_outcome();
            let Some((id, outcome)) = settled else { return };
            if let Some(message) = self.underway.remove(&id) {
                let _ = message.done.send(outcome_of(outcome));
            }
        }
    }
}

fn outcome_of(outcome: Outcome) -> Result<Receipt, SendFailure> {
    match outcome {
        Outcome::Delivered => Ok(Receipt),
        Outcome::Refused(code) => Err(SendFailure::Refused(code)),
        Outcome::Failed(failure) => Err(failure.into()),
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

async fn due(deadline: Option<std::time::Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
