//! The event log of the model.

use tokio::sync::watch;

use super::MemoryStore;
use super::model::Model;
use crate::event_log::EventLogStore;
use crate::model::{Event, LogEntry, LogPage, LogPosition, MessageNumber};
use crate::rule::event_log::{is_told, no_log, told_sender};
use crate::store::{StoreError, Synced};

/// The log; empty if none is kept.
#[derive(Clone)]
pub(super) struct EventLog {
    entries: Vec<LogEntry>,
    begins_after: LogPosition,
    cursor: Option<LogPosition>,
    written: watch::Sender<LogPosition>,
}

impl EventLog {
    pub(super) fn new(next_serial: u64) -> Self {
        let begins_after = LogPosition(next_serial.saturating_sub(1));
        Self {
            entries: Vec::new(),
            begins_after,
            cursor: None,
            written: watch::Sender::new(begins_after),
        }
    }
}

impl Model {
    /// Tells of an event that a message has now.
    pub(super) fn log_event(&mut self, number: MessageNumber, event: &Event) {
        let Some(message) = self.messages.get(&number) else {
            return;
        };
        if self.config.event_log.is_none() || !is_told(event.kind) {
            return;
        }
        let owner = self.owner(message.envelope.mailbox);
        let is_live = |account: &super::model::AccountRecord| {
            let mut bindings = account.bindings.iter();
            bindings.any(|binding| binding.expires_at > event.at)
        };
        let position = LogPosition(self.next_serial);
        let entry = LogEntry {
            position,
            event: event.clone(),
            message: message.envelope.id.clone(),
            served_user: message.envelope.served_user.clone(),
            sender: told_sender(&message.envelope),
            class: message.envelope.class,
            priority: message.envelope.priority,
            octets: message.octets,
            state: message.state,
            expires_at: message.envelope.expires_at,
            registered: self.accounts.get(&owner).is_some_and(is_live),
        };
        self.next_serial += 1;
        self.log.entries.push(entry);
        self.log.written.send_replace(position);
    }

    fn check_log(&self) -> Result<(), StoreError> {
        self.config.event_log.as_ref().map(drop).ok_or_else(no_log)
    }
}

impl EventLogStore for MemoryStore {
    async fn read_events(&self, after: LogPosition, limit: usize) -> Result<LogPage, StoreError> {
        self.read(|model, _| {
            model.check_log()?;
            let later = model.log.entries.iter();
            let later = later.filter(|entry| entry.position > after);
            Ok(LogPage {
                entries: later.take(limit).cloned().collect(),
                lost: after < model.log.begins_after,
            })
        })
    }

    fn follow_events(&self) -> Option<watch::Receiver<LogPosition>> {
        let model = self.lock();
        model.check_log().ok()?;
        Some(model.log.written.subscribe())
    }

    async fn event_cursor(&self) -> Result<Option<LogPosition>, StoreError> {
        self.read(|model, _| model.check_log().map(|()| model.log.cursor))
    }

    async fn set_event_cursor(&self, position: LogPosition) -> Result<Synced<()>, StoreError> {
        let set = self.write(|model, _| {
            model.check_log()?;
            model.log.cursor = Some(position);
            Ok(())
        });
        set.await.map(Synced::after_sync)
    }

    async fn trim_events(&self) -> Result<(usize, bool), StoreError> {
        self.change(|model, times| {
            let Some(config) = model.config.event_log else {
                return Ok((0, false));
            };
            let log = &mut model.log;
            let most = usize::try_from(config.entries).unwrap_or(usize::MAX);
            let too_many = log.entries.len().saturating_sub(most);
            let is_young = |entry: &LogEntry| entry.event.at.after(config.retention) > times.wall;
            let old = log.entries.iter().position(is_young);
            let trimmed = old.unwrap_or(log.entries.len()).max(too_many);
            if let Some(last) = log.entries.drain(..trimmed).next_back() {
                log.begins_after = last.position;
            }
            Ok((trimmed, false))
        })
    }
}
