//! Ending what is due (requirements §3.2), one bounded slice at a time.

use std::sync::Arc;

use crate::column_family::Family;
use crate::key::{self, Due, DueKind};
use crate::model::{
    Event, EventKind, JobNumber, MailboxId, MessageNumber, ReportStatus, State, UnixMillis,
};
use crate::rocks::change::{Loaded, settle, without_content};
use crate::rocks::queue::Lane;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rule::order::held_until;
use crate::rule::{fan_out, registration, subscription};
use crate::store::Swept;
use crate::value::{BindingsValue, StateValue};

/// Writes nothing: once it is answered, everything that was decided before is on disk.
pub(in crate::rocks) struct Barrier;

impl Operation for Barrier {
    type Answer = ();

    const LANE: Lane = Lane::Bulk;

    fn run(&self, _transaction: &mut Transaction<'_>) -> Result<(), Interrupt> {
        Ok(())
    }
}

/// Ends the things in these rows of `Due`, which a scan has found in order.
pub(in crate::rocks) struct SweepSlice(pub(in crate::rocks) Vec<Due>);

impl Operation for SweepSlice {
    /// With the jobs whose legs are to be closed.
    type Answer = (Swept, Vec<JobNumber>);

    const LANE: Lane = Lane::Bulk;

    fn octets(&self) -> usize {
        self.0.len() * 512
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Answer, Interrupt> {
        let mut swept = Swept::default();
        let mut closing = Vec::new();
        for due in &self.0 {
            match due.what {
                DueKind::Message(mailbox, number) => {
                    sweep_message(*due, mailbox, number, transaction, &mut swept)?;
                }
                DueKind::Subscriptions(mailbox) => end_subscriptions(*due, mailbox, transaction)?,
                DueKind::Attempt(mailbox, order) => {
                    transaction.erase(Family::Attempts, key::attempt(mailbox, order));
                    transaction.erase(Family::Due, due.key());
                }
                DueKind::Settings(mailbox) => transaction.sweep_settings(*due, mailbox)?,
                DueKind::Job(number) => {
                    if fan_out::sweep(transaction, number, due.at)? {
                        closing.push(number);
                    }
                }
            }
            let swept_until = transaction.counters.swept_until.max(due.at);
            transaction.counters.swept_until = swept_until;
        }
        Ok((swept, closing))
    }
}

/// Ends the lifetime, the content or the timeline of a message, whichever comes next for it. A row
/// that another sweep has dealt with in between is only removed.
fn sweep_message(
    due: Due,
    mailbox: MailboxId,
    number: MessageNumber,
    transaction: &mut Transaction<'_>,
    swept: &mut Swept,
) -> Result<(), Interrupt> {
    let loaded = transaction.load(mailbox, number)?;
    let Some(loaded) = loaded.filter(|loaded| loaded.state.due_at == due.at) else {
        transaction.erase(Family::Due, due.key());
        return Ok(());
    };
    let now = transaction.times.wall;
    let retention = &transaction.shared.bounds().retention;
    let expires_at = loaded.envelope.envelope.expires_at;
    if held_until(loaded.state.state, due.at, expires_at).is_some() {
        swept.unheld.push(number);
        let state = StateValue {
            state: State::Stored,
            due_at: expires_at,
            ..loaded.state.clone()
        };
        save(&loaded, state, EventKind::Unheld, None, transaction)
    } else if !loaded.state.state.is_settled() {
        swept.expired.push(number);
        let mut state = settle(&loaded, State::Expired, now, "", retention);
        let told = transaction.report_end(&loaded, &mut state, ReportStatus::Failed);
        save(&loaded, state, EventKind::Expired, told, transaction)
    } else if loaded.state.content_retained {
        swept.contents_removed += 1;
        let state = without_content(&loaded.state, now, retention);
        save(&loaded, state, EventKind::ContentRemoved, None, transaction)
    } else {
        transaction.remove(&loaded);
        Ok(())
    }
}

fn save(
    loaded: &Loaded,
    state: StateValue,
    kind: EventKind,
    told: Option<Event>,
    transaction: &mut Transaction<'_>,
) -> Result<(), Interrupt> {
    let event = Event {
        at: transaction.times.wall,
        kind,
        generation: None,
        actor: String::new(),
        detail: String::new(),
    };
    let events = std::iter::once(event).chain(told);
    transaction.save(loaded, state, events.collect())
}

/// Those whose owner has not said goodbye: its end is past, or there is none.
fn end_subscriptions(
    due: Due,
    mailbox: MailboxId,
    transaction: &mut Transaction<'_>,
) -> Result<(), Interrupt> {
    let old = transaction.subscriptions_of(mailbox)?;
    let kept = subscription::kept(&old, transaction.times.wall);
    transaction.erase(Family::Due, due.key());
    transaction.replace_subscriptions(mailbox, &old, kept);
    Ok(())
}

/// Forgets bindings that have ended, of accounts that never came back.
pub(in crate::rocks) struct TrimBindings {
    pub(in crate::rocks) mailboxes: Vec<MailboxId>,
    pub(in crate::rocks) now: UnixMillis,
}

impl Operation for TrimBindings {
    type Answer = ();

    const LANE: Lane = Lane::Bulk;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<(), Interrupt> {
        for mailbox in &self.mailboxes {
            let Some(old) = transaction.bindings(*mailbox)? else {
                continue;
            };
            let live = BindingsValue {
                registrations: old.registrations,
                bindings: registration::live(&old.bindings, self.now),
                devices: old.devices.clone(),
            };
            if live != *old {
                transaction.set_bindings(*mailbox, Some(Arc::new(live)));
            }
        }
        Ok(())
    }
}
