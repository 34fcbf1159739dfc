//! Moves the queue: takes entries from callers, batches to the stream, answers back.

use std::time::Instant;

use proto::v1::exchange_answer::Answer;
use proto::v1::exchange_reply::Reply;
use proto::v1::{ExchangeAnswer, ExchangeOpened};
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tonic::Status;
use tonic::transport::Channel;

use super::lane::Entry;
use super::link::{Link, LinkEvent};
use super::queue::Queue;
use super::waiter::Waiter;
use super::{Submission, window_full};
use crate::backoff::Backoff;
use crate::contact::Contact;
use crate::error::cause;
use crate::{ClientConfig, Unavailable};

/// Entries taken from callers in one go.
const SUBMISSIONS_AT_ONCE: usize = 256;

pub(super) struct Driver {
    channel: Channel,
    config: ClientConfig,
    contact: Contact,
    submissions: mpsc::Receiver<Submission>,
    queue: Queue<Waiter>,
    link: Link,
    backoff: Backoff,
}

impl Driver {
    pub(super) fn new(
        channel: Channel,
        config: ClientConfig,
        contact: Contact,
        submissions: mpsc::Receiver<Submission>,
    ) -> Self {
        Self {
            link: Link::opening(channel.clone(), config.request_deadline),
            queue: Queue::new(config.window),
            backoff: Backoff::new(config.reconnect_min, config.reconnect_max),
            channel,
            config,
            contact,
            submissions,
        }
    }

    /// Runs until the last caller's handle is gone.
    pub(super) async fn run(mut self) {
        let mut submitted = Vec::with_capacity(SUBMISSIONS_AT_ONCE);
        loop {
            let deadline = self.queue.next_deadline();
            let has_sendable = self.queue.has_sendable();
            tokio::select! {
                count = self.submissions.recv_many(&mut submitted, SUBMISSIONS_AT_ONCE) => {
                    if count == 0 {
                        return;
                    }
                    submitted.drain(..).for_each(|submission| self.submit(submission));
                }
                event = self.link.event(has_sendable) => self.on_link(event),
                () = sleep_until(deadline.unwrap_or_else(Instant::now).into()),
                    if deadline.is_some() => self.expire(),
            }
        }
    }

    fn submit(&mut self, submission: Submission) {
        let entry = Entry {
            request: submission.request,
            deadline: submission.deadline.into_std(),
            waiter: submission.waiter,
        };
        if let Err(waiter) = self.queue.submit(entry) {
            metrics::counter!("restante_deposit_window_full_total").increment(1);
            waiter.tell(Err(window_full()));
        }
    }

    fn on_link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::PauseOver => {
                self.link = Link::opening(self.channel.clone(), self.config.request_deadline);
            }
            LinkEvent::Opened(stream, opened) => {
                self.link = Link::Open(stream);
                self.on_opened(opened);
            }
            LinkEvent::Writable => {
                // Entries whose time is over are never sent, however late this task runs.
                self.expire();
                let batch = self.queue.next_batch(now());
                if !batch.is_empty() {
                    self.link.send(batch);
                }
            }
            LinkEvent::Reply(Reply::Answers(answers)) => {
                answers.answers.into_iter().for_each(|a| self.on_answer(a));
            }
            LinkEvent::Reply(Reply::Readiness(readiness)) => self.contact.told(readiness),
            LinkEvent::Reply(Reply::Opened(_)) => {}
            LinkEvent::Broken(status) => self.on_broken(&status),
        }
    }

    fn on_opened(&mut self, opened: ExchangeOpened) {
        tracing::info!(event = "storage.connected", address = %self.config.address, "storage connected");
        self.backoff.reset();
        self.queue
            .opened(usize::try_from(opened.window).unwrap_or(usize::MAX));
        self.contact.made(opened.store);
        self.contact.told(opened.readiness.unwrap_or_default());
    }

    fn on_broken(&mut self, status: &Status) {
        let reason = cause(status);
        if matches!(self.link, Link::Open(_)) {
            tracing::warn!(event = "storage.connection_lost", code = ?status.code(), reason, "storage connection lost");
        }
        self.contact.lost(&reason);
        self.queue.broken();
        self.link = Link::waiting(self.backoff.pause(&mut rand::rng()));
    }

    fn on_answer(&mut self, reply: ExchangeAnswer) {
        let Some(content) = reply.answer else {
            return;
        };
        if let Answer::Unavailable(unavailable) = &content
            && unavailable.until_restart
        {
            self.contact.refuses();
        }
        match self.queue.answered(reply.correlation) {
            Some(waiter) => waiter.tell(Ok(content)),
            None if matches!(content, Answer::Deposited(_)) => {
                metrics::counter!("restante_late_commits_total").increment(1);
            }
            None => {}
        }
    }

    fn expire(&mut self) {
        let now = now();
        while let Some(expired) = self.queue.expire_next(now) {
            if expired.was_sent {
                metrics::counter!("restante_unanswered_entries_total").increment(1);
            }
            expired
                .waiter
                .tell(Err(Unavailable::new("no answer in time")));
        }
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
