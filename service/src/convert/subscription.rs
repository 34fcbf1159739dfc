//! Subscriptions and what their subscribers are told.

use proto::v1;
use storage::model::{
    Address, MailboxId, Notified, Owner, Sequence, Subscribe, Subscribed, Subscription,
    SubscriptionDialog, SubscriptionId, Waiting,
};
use tonic::Status;

use super::mailbox::count;
use super::{duration, invalid, message, proto_duration, required, timestamp};

/// Octets of the texts of one dialog: what a SIP message of 64 KiB can hold.
const DIALOG_OCTETS: usize = 64 << 10;

/// A SUBSCRIBE that makes sense.
pub(crate) fn subscribe(request: v1::SubscribeRequest) -> Result<Subscribe, Status> {
    if request.address.is_empty() || request.local_tag.is_empty() {
        return Err(invalid("a subscription has an address and a tag"));
    }
    let dialog = required(request.dialog, "the dialog is missing")?;
    Ok(Subscribe {
        address: Address::new(request.address),
        local_tag: request.local_tag,
        refreshes: request.refreshes,
        dialog: subscription_dialog(dialog)?,
        event_id: request.event_id,
        is_trusted: request.trusted,
        lifetime: request.lifetime.map(duration).unwrap_or_default(),
        owner: owner(request.owner)?,
    })
}

fn subscription_dialog(dialog: v1::SubscriptionDialog) -> Result<SubscriptionDialog, Status> {
    let texts = [
        &dialog.call_id,
        &dialog.remote_tag,
        &dialog.local,
        &dialog.remote,
        &dialog.target,
    ];
    let texts = texts.into_iter().chain(&dialog.routes);
    if texts.map(String::len).sum::<usize>() > DIALOG_OCTETS {
        return Err(invalid("the dialog is too large"));
    }
    Ok(SubscriptionDialog {
        call_id: dialog.call_id,
        remote_tag: dialog.remote_tag,
        local: dialog.local,
        remote: dialog.remote,
        target: dialog.target,
        routes: dialog.routes,
        remote_cseq: dialog.remote_cseq,
    })
}

/// The process that owns subscriptions.
pub(crate) fn owner(owner: Option<v1::SubscriptionOwner>) -> Result<Owner, Status> {
    let owner = required(owner, "the owner is missing")?;
    if owner.edge.is_empty() {
        return Err(invalid("an owner has a name"));
    }
    Ok(Owner {
        edge: owner.edge,
        incarnation: owner.incarnation,
    })
}

/// The name of a subscription.
pub(crate) fn subscription_id(
    name: Option<v1::SubscriptionName>,
) -> Result<SubscriptionId, Status> {
    let name = required(name, "the subscription is missing")?;
    Ok(SubscriptionId {
        mailbox: MailboxId(name.mailbox),
        local_tag: name.local_tag,
    })
}

/// What an edge has to forget, if it knows it by this epoch or an earlier one.
pub(crate) fn lost_subscription(id: &SubscriptionId, epoch: u32) -> v1::LostSubscription {
    v1::LostSubscription {
        name: Some(v1::SubscriptionName {
            mailbox: id.mailbox.0,
            local_tag: id.local_tag.clone(),
        }),
        epoch,
    }
}

/// What a NOTIFY told, of which subscription, in which epoch.
pub(crate) fn notified(
    told: v1::NotifiedSubscription,
) -> Result<(SubscriptionId, u32, Notified), Status> {
    let state = told.state.unwrap_or_default();
    let state = Notified {
        version: state.version,
        sequence: Sequence(state.sequence),
    };
    Ok((subscription_id(told.name)?, told.epoch, state))
}

/// A subscription to its owner.
pub(crate) fn owned(subscribed: Subscribed) -> v1::OwnedSubscription {
    let subscription = subscribed.subscription;
    let dialog = subscription.dialog;
    v1::OwnedSubscription {
        name: Some(v1::SubscriptionName {
            mailbox: subscribed.mailbox.0,
            local_tag: subscription.local_tag,
        }),
        address: subscription.address.as_str().to_owned(),
        dialog: Some(v1::SubscriptionDialog {
            call_id: dialog.call_id,
            remote_tag: dialog.remote_tag,
            local: dialog.local,
            remote: dialog.remote,
            target: dialog.target,
            routes: dialog.routes,
            remote_cseq: dialog.remote_cseq,
        }),
        event_id: subscription.event_id,
        trusted: subscription.is_trusted,
        epoch: subscription.epoch,
        remaining: Some(proto_duration(subscribed.remaining)),
        notified: Some(v1::NotifiedState {
            version: subscription.notified.version,
            sequence: subscription.notified.sequence.0,
        }),
    }
}

/// A subscription as operators see it.
pub(crate) fn listed_subscription(account: &Address, listed: Subscription) -> v1::Subscription {
    v1::Subscription {
        served_user: account.as_str().to_owned(),
        subscriber: listed.dialog.remote,
        call_id: listed.dialog.call_id,
        contact: listed.dialog.target,
        edge: listed.owner.edge,
        epoch: listed.epoch,
        expires_at: Some(timestamp(listed.expires_at)),
        notified_version: listed.notified.version,
    }
}

/// What waits in a mailbox.
pub(crate) fn waiting(waiting: Option<Waiting>) -> v1::Waiting {
    let Some(Waiting { summary, newest }) = waiting else {
        return v1::Waiting {
            gone: true,
            ..v1::Waiting::default()
        };
    };
    v1::Waiting {
        gone: false,
        mailbox: summary.mailbox.0,
        text: Some(count(summary.text)),
        multimedia: Some(count(summary.multimedia)),
        version: summary.version,
        last_sequence: summary.last_sequence.0,
        messages: newest.into_iter().map(message).collect(),
    }
}

/// That a mailbox has changed, and how it is now.
pub(crate) fn mailbox_changed(waiting: &Waiting, remind: bool) -> v1::MailboxChanged {
    let summary = &waiting.summary;
    v1::MailboxChanged {
        mailbox: summary.mailbox.0,
        version: summary.version,
        text: Some(count(summary.text)),
        multimedia: Some(count(summary.multimedia)),
        remind,
    }
}
