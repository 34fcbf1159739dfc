//! The subscriptions of a mailbox.

use super::{Decoder, Encoder, Malformed, Value};
use crate::model::{
    Address, Notified, Owner, Sequence, Subscription, SubscriptionDialog, UnixMillis,
};

/// All subscriptions of one mailbox; there is no row for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SubscriptionsValue {
    pub(crate) subscriptions: Vec<Subscription>,
}

impl Value for SubscriptionsValue {
    const WHAT: &'static str = "subscriptions";

    fn write(&self, out: &mut Encoder) {
        out.seal();
        out.list(&self.subscriptions, |out, subscription| {
            write_subscription(subscription, out);
        });
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            subscriptions: fields.list(read_subscription)?,
        })
    }
}

fn write_subscription(subscription: &Subscription, out: &mut Encoder) {
    out.u64(subscription.expires_at.0);
    out.count(u64::from(subscription.epoch));
    out.count(subscription.notified.version);
    out.u64(subscription.notified.sequence.0);
    out.flag(subscription.is_trusted);
    out.u64(subscription.owner.incarnation);
    out.text(&subscription.owner.edge);
    out.text(&subscription.local_tag);
    out.text(subscription.address.as_str());
    out.text(&subscription.event_id);
    let dialog = &subscription.dialog;
    out.count(u64::from(dialog.remote_cseq));
    out.text(&dialog.call_id);
    out.text(&dialog.remote_tag);
    out.text(&dialog.local);
    out.text(&dialog.remote);
    out.text(&dialog.target);
    out.list(&dialog.routes, |out, route| out.text(route));
}

fn read_subscription(fields: &mut Decoder<'_>) -> Result<Subscription, Malformed> {
    let expires_at = UnixMillis(fields.u64()?);
    let epoch = fields.count32()?;
    let notified = Notified {
        version: fields.count()?,
        sequence: Sequence(fields.u64()?),
    };
    let is_trusted = fields.flag()?;
    let incarnation = fields.u64()?;
    let edge = fields.text()?;
    Ok(Subscription {
        local_tag: fields.text()?,
        address: Address::new(fields.text()?),
        event_id: fields.text()?,
        dialog: read_dialog(fields)?,
        is_trusted,
        expires_at,
        owner: Owner { edge, incarnation },
        epoch,
        notified,
    })
}

fn read_dialog(fields: &mut Decoder<'_>) -> Result<SubscriptionDialog, Malformed> {
    Ok(SubscriptionDialog {
        remote_cseq: fields.count32()?,
        call_id: fields.text()?,
        remote_tag: fields.text()?,
        local: fields.text()?,
        remote: fields.text()?,
        target: fields.text()?,
        routes: fields.list(Decoder::text)?,
    })
}
