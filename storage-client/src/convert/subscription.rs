//! Subscriptions and what their subscribers are told.

use std::time::Duration;

use proto::v1;
use proto::v1::notify_reply::Reply;

use super::message::message;
use super::{duration, proto_duration};
use crate::Unavailable;
use crate::subscription::{
    Change, Count, Counts, Notified, OwnedSubscription, Subscribe, SubscriptionDialog,
    SubscriptionName, Told, Waiting, WaitingMailbox, WaitingQuestion,
};

pub(crate) fn owner(edge: &str, incarnation: u64) -> v1::SubscriptionOwner {
    v1::SubscriptionOwner {
        edge: edge.to_owned(),
        incarnation,
    }
}

pub(crate) fn subscribe(
    subscribe: Subscribe,
    owner: v1::SubscriptionOwner,
) -> v1::SubscribeRequest {
    let dialog = subscribe.dialog;
    v1::SubscribeRequest {
        address: subscribe.address,
        subscriber: subscribe.subscriber,
        local_tag: subscribe.local_tag,
        refreshes: subscribe.refreshes,
        dialog: Some(v1::SubscriptionDialog {
            call_id: dialog.call_id,
            remote_tag: dialog.remote_tag,
            local: dialog.local,
            remote: dialog.remote,
            target: dialog.target,
            routes: dialog.routes,
            remote_cseq: dialog.remote_cseq,
        }),
        event_id: subscribe.event_id,
        trusted: subscribe.is_trusted,
        lifetime: Some(proto_duration(subscribe.lifetime)),
        owner: Some(owner),
    }
}

pub(crate) fn subscription_name(name: SubscriptionName) -> v1::SubscriptionName {
    v1::SubscriptionName {
        mailbox: name.mailbox,
        local_tag: name.local_tag,
    }
}

fn name(name: v1::SubscriptionName) -> SubscriptionName {
    SubscriptionName {
        mailbox: name.mailbox,
        local_tag: name.local_tag,
    }
}

pub(crate) fn owned(owned: v1::OwnedSubscription) -> Result<OwnedSubscription, Unavailable> {
    let incomplete = || Unavailable::new("the subscription is incomplete");
    let dialog = owned.dialog.ok_or_else(incomplete)?;
    Ok(OwnedSubscription {
        name: name(owned.name.ok_or_else(incomplete)?),
        address: owned.address,
        dialog: SubscriptionDialog {
            call_id: dialog.call_id,
            remote_tag: dialog.remote_tag,
            local: dialog.local,
            remote: dialog.remote,
            target: dialog.target,
            routes: dialog.routes,
            remote_cseq: dialog.remote_cseq,
        },
        event_id: owned.event_id,
        is_trusted: owned.trusted,
        epoch: owned.epoch,
        remaining: owned.remaining.and_then(duration).unwrap_or(Duration::ZERO),
        notified: owned.notified.map(notified).unwrap_or_default(),
    })
}

fn notified(state: v1::NotifiedState) -> Notified {
    Notified {
        version: state.version,
        sequence: state.sequence,
    }
}

pub(crate) fn notified_states(told: Vec<Told>) -> v1::NotifiedStates {
    let told = told.into_iter().map(|told| v1::NotifiedSubscription {
        name: Some(subscription_name(told.name)),
        epoch: told.epoch,
        state: Some(v1::NotifiedState {
            version: told.state.version,
            sequence: told.state.sequence,
        }),
    });
    v1::NotifiedStates {
        subscriptions: told.collect(),
    }
}

pub(crate) fn waiting_question(question: WaitingQuestion) -> v1::WaitingQuestion {
    let (mailbox, address) = match question.mailbox {
        WaitingMailbox::Known(mailbox) => (mailbox, String::new()),
        WaitingMailbox::Address(address) => (0, address),
    };
    v1::WaitingQuestion {
        mailbox,
        address,
        after_sequence: question.after_sequence,
        max_messages: question.max_messages,
    }
}

pub(crate) fn waiting(waiting: v1::Waiting) -> Waiting {
    Waiting {
        is_gone: waiting.gone,
        mailbox: Some(waiting.mailbox).filter(|mailbox| *mailbox != 0),
        counts: counts(waiting.text, waiting.multimedia),
        state: Notified {
            version: waiting.version,
            sequence: waiting.last_sequence,
        },
        messages: waiting.messages.into_iter().filter_map(message).collect(),
    }
}

/// `None` for what says nothing.
pub(crate) fn change(reply: Reply) -> Option<Change> {
    match reply {
        Reply::Opened(_) => None,
        Reply::Owned(subscription) => Some(Change::Owned(Box::new(owned(subscription).ok()?))),
        Reply::Lost(lost) => Some(Change::Lost {
            name: name(lost.name?),
            epoch: lost.epoch,
        }),
        Reply::Changed(changed) => Some(Change::Mailbox {
            mailbox: changed.mailbox,
            version: changed.version,
            counts: counts(changed.text, changed.multimedia),
            remind: changed.remind,
        }),
    }
}

fn counts(text: Option<v1::MessageCount>, multimedia: Option<v1::MessageCount>) -> Counts {
    let count = |count: Option<v1::MessageCount>| {
        let count = count.unwrap_or_default();
        Count {
            new: count.new,
            old: count.old,
            new_urgent: count.new_urgent,
            old_urgent: count.old_urgent,
        }
    };
    Counts {
        text: count(text),
        multimedia: count(multimedia),
    }
}
