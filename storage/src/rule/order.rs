//! Which orders a message in which state allows (STO-11, requirements §3.13).

use crate::model::{EventKind, State, UnixMillis, Verb};
use crate::store::StoreError;

/// What an order does to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It becomes `Stored` again, for later claims only.
    Redeliver,
    /// It becomes `Held`.
    Hold,
    /// It becomes `Held` until then.
    HoldUntil(UnixMillis),
    /// It becomes `Stored`.
    Unhold,
    /// It is settled in this state and its content removed.
    Settle(State),
    /// It stays what it is, without its content.
    RemoveContent,
}

impl Effect {
    /// What the timeline calls it.
    pub(crate) fn event(self) -> EventKind {
        match self {
            Self::Redeliver => EventKind::Redelivered,
            Self::Hold | Self::HoldUntil(_) => EventKind::Held,
            Self::Unhold => EventKind::Unheld,
            Self::Settle(State::Expired) => EventKind::Expired,
            Self::Settle(_) => EventKind::Deleted,
            Self::RemoveContent => EventKind::ContentRemoved,
        }
    }
}

/// What the decision needs to know of the message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) state: State,
    pub(crate) content_retained: bool,
    pub(crate) expires_at: UnixMillis,
}

/// The effect of `verb`, or why it has none.
pub(crate) fn effect(verb: Verb, subject: Subject, now: UnixMillis) -> Result<Effect, StoreError> {
    let waits = !subject.state.is_settled();
    match verb {
        Verb::Redeliver => redeliver(subject, now),
        Verb::Hold if subject.state == State::Held => refuse("it is held already"),
        Verb::Hold if waits => Ok(Effect::Hold),
        Verb::DeliverAfter(time) if waits => deliver_after(time, subject, now),
        Verb::Unhold if subject.state == State::Held => Ok(Effect::Unhold),
        Verb::Unhold => refuse("it is not held"),
        Verb::Expire if waits => Ok(Effect::Settle(State::Expired)),
        Verb::Delete if waits => Ok(Effect::Settle(State::Deleted)),
        Verb::Delete if subject.content_retained => Ok(Effect::RemoveContent),
        Verb::Delete => refuse("it is settled and its content is gone"),
        Verb::Hold | Verb::DeliverAfter(_) | Verb::Expire => refuse("it is settled"),
    }
}

/// Only what was delivered or refused, while its content and its lifetime last: an expired message
/// is never pushed (requirements §3.2 no. 4).
fn redeliver(subject: Subject, now: UnixMillis) -> Result<Effect, StoreError> {
    match subject.state {
        State::Delivered | State::Refused if !subject.content_retained => {
            refuse("its content is gone")
        }
        State::Delivered | State::Refused if subject.expires_at <= now => {
            refuse("its lifetime is over")
        }
        State::Delivered | State::Refused => Ok(Effect::Redeliver),
        State::Stored | State::Claimed | State::Held => refuse("it is not delivered yet"),
        State::Expired => refuse("it has expired"),
        State::Recalled => refuse("its sender has taken it back"),
        State::Deleted => refuse("it was deleted"),
    }
}

/// A time that is past, or at which the message is not there any more, is a mistake of whoever says it.
fn deliver_after(
    time: UnixMillis,
    subject: Subject,
    now: UnixMillis,
) -> Result<Effect, StoreError> {
    if time <= now {
        refuse("that time is past")
    } else if time >= subject.expires_at {
        refuse("its lifetime is over before that time")
    } else {
        Ok(Effect::HoldUntil(time))
    }
}

/// Until when a message is kept back that the sweep looks at next at `due_at`; `None` if it is not, or without end.
pub(crate) fn held_until(
    state: State,
    due_at: UnixMillis,
    expires_at: UnixMillis,
) -> Option<UnixMillis> {
    (state == State::Held && due_at < expires_at).then_some(due_at)
}

/// Who deletes his own messages, in timelines.
pub(crate) const OWNER: &str = "served user";

/// The mailbox is not what the owner has seen.
pub(crate) fn stale() -> StoreError {
    StoreError::Precondition {
        reason: "the mailbox has changed".to_owned(),
    }
}

fn refuse(reason: &str) -> Result<Effect, StoreError> {
    Err(StoreError::Precondition {
        reason: reason.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(100);

    /// Redeliver, Hold, Unhold, Expire, Delete: `+` allowed, `-` not.
    fn allowed(state: State, content_retained: bool) -> String {
        let subject = Subject {
            state,
            content_retained,
            expires_at: UnixMillis(200),
        };
        [
            Verb::Redeliver,
            Verb::Hold,
            Verb::Unhold,
            Verb::Expire,
            Verb::Delete,
        ]
        .map(|verb| {
            if effect(verb, subject, NOW).is_ok() {
                '+'
            } else {
                '-'
            }
        })
        .iter()
        .collect()
    }

    #[test]
    fn every_state_allows_what_the_table_says() {
        let table = [
            (State::Stored, true, "-+-++"),
            (State::Claimed, true, "-+-++"),
            (State::Held, true, "--+++"),
            (State::Delivered, true, "+---+"),
            (State::Delivered, false, "-----"),
            (State::Refused, true, "+---+"),
            (State::Expired, false, "-----"),
            (State::Recalled, false, "-----"),
            (State::Deleted, false, "-----"),
        ];
        for (state, content, expected) in table {
            assert_eq!(allowed(state, content), expected, "{state:?} {content}");
        }
    }

    #[test]
    fn a_message_is_kept_back_until_a_time_within_its_life() {
        let at = |time, state| {
            let subject = Subject {
                state,
                content_retained: true,
                expires_at: UnixMillis(200),
            };
            effect(Verb::DeliverAfter(UnixMillis(time)), subject, NOW).ok()
        };
        let until = |time| Some(Effect::HoldUntil(UnixMillis(time)));
        assert_eq!(at(101, State::Stored), until(101));
        assert_eq!(at(199, State::Held), until(199));
        assert_eq!(at(100, State::Stored), None);
        assert_eq!(at(200, State::Stored), None);
        assert_eq!(at(150, State::Delivered), None);
    }

    #[test]
    fn a_message_past_its_lifetime_is_not_redelivered() {
        let subject = Subject {
            state: State::Delivered,
            content_retained: true,
            expires_at: NOW,
        };
        assert!(matches!(
            effect(Verb::Redeliver, subject, NOW),
            Err(StoreError::Precondition { .. })
        ));
    }
}
