//! What a SUBSCRIBE does to the subscriptions of a mailbox (RFC 6665 §4.2, MWI-10).

use crate::model::{
    Notified, Owner, SUBSCRIPTION_EPOCHS, SUBSCRIPTION_GRACE, SUBSCRIPTIONS_MAX, Subscribe,
    Subscription, SubscriptionRefusal, UnixMillis,
};

/// Adds or refreshes a subscription and returns it.
pub(crate) fn subscribe(
    subscriptions: &mut Vec<Subscription>,
    ask: &Subscribe,
    now: UnixMillis,
) -> Result<Subscription, SubscriptionRefusal> {
    let expires_at = now.after(ask.lifetime);
    if let Some(known) = find(subscriptions, &ask.local_tag) {
        if !is_same_dialog(known, ask) || known.expires_at <= now {
            return Err(SubscriptionRefusal::NoSubscription);
        }
        if ask.dialog.remote_cseq <= known.dialog.remote_cseq {
            return Err(SubscriptionRefusal::OutOfOrder);
        }
        if known.owner != ask.owner {
            take_over(known, &ask.owner).ok_or(SubscriptionRefusal::NoSubscription)?;
        }
        known.dialog.remote_cseq = ask.dialog.remote_cseq;
        known.dialog.target.clone_from(&ask.dialog.target);
        known.is_trusted = ask.is_trusted;
        known.expires_at = expires_at;
        return Ok(known.clone());
    }
    if ask.refreshes {
        return Err(SubscriptionRefusal::NoSubscription);
    }
    if subscriptions.iter().filter(|s| s.expires_at > now).count() >= SUBSCRIPTIONS_MAX {
        return Err(SubscriptionRefusal::TooMany);
    }
    let new = Subscription {
        local_tag: ask.local_tag.clone(),
        address: ask.address.clone(),
        dialog: ask.dialog.clone(),
        event_id: ask.event_id.clone(),
        is_trusted: ask.is_trusted,
        expires_at,
        owner: ask.owner.clone(),
        epoch: 1,
        notified: Notified::default(),
    };
    subscriptions.push(new.clone());
    Ok(new)
}

/// A process that becomes the owner takes a new epoch, so that its CSeqs are greater than all before; `None` if
/// there is none left: the subscriber has to begin another subscription.
fn take_over(subscription: &mut Subscription, owner: &Owner) -> Option<()> {
    let epoch = subscription.epoch.checked_add(1);
    subscription.epoch = epoch.filter(|epoch| *epoch < SUBSCRIPTION_EPOCHS)?;
    subscription.owner = owner.clone();
    Some(())
}

/// Gives a subscription a new epoch under this owner. `None` if it is gone or has no epoch left.
pub(crate) fn adopt(
    subscriptions: &mut [Subscription],
    local_tag: &str,
    owner: &Owner,
) -> Option<Subscription> {
    let known = find(subscriptions, local_tag)?;
    take_over(known, owner)?;
    Some(known.clone())
}

/// Ends a subscription. An owner that others have succeeded ends nothing.
pub(crate) fn unsubscribe(
    subscriptions: &mut Vec<Subscription>,
    local_tag: &str,
    epoch: u32,
) -> Option<Subscription> {
    let place = subscriptions
        .iter()
        .position(|known| known.local_tag == local_tag && known.epoch == epoch)?;
    Some(subscriptions.remove(place))
}

/// Remembers what a NOTIFY of this epoch told. Whether that was news.
pub(crate) fn notified(
    subscriptions: &mut [Subscription],
    local_tag: &str,
    epoch: u32,
    told: Notified,
) -> bool {
    match find(subscriptions, local_tag).filter(|known| known.epoch == epoch) {
        Some(known) if known.notified != told => {
            known.notified = told;
            true
        }
        _ => false,
    }
}

/// When the first of them is to be forgotten, if nobody ends it before.
pub(crate) fn due_at(subscriptions: &[Subscription]) -> Option<UnixMillis> {
    let ends = subscriptions.iter().map(|known| known.expires_at);
    ends.min().map(|end| end.after(SUBSCRIPTION_GRACE))
}

/// Those whose end is not long past.
pub(crate) fn kept(subscriptions: &[Subscription], now: UnixMillis) -> Vec<Subscription> {
    let kept = subscriptions
        .iter()
        .filter(|known| known.expires_at.after(SUBSCRIPTION_GRACE) > now);
    kept.cloned().collect()
}

fn find<'a>(
    subscriptions: &'a mut [Subscription],
    local_tag: &str,
) -> Option<&'a mut Subscription> {
    subscriptions
        .iter_mut()
        .find(|known| known.local_tag == local_tag)
}

fn is_same_dialog(known: &Subscription, ask: &Subscribe) -> bool {
    known.dialog.call_id == ask.dialog.call_id && known.dialog.remote_tag == ask.dialog.remote_tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Address, SubscriptionDialog};

    fn owner(edge: &str) -> Owner {
        Owner {
            edge: edge.to_owned(),
            incarnation: 1,
        }
    }

    fn ask(edge: &str, cseq: u32) -> Subscribe {
        Subscribe {
            address: Address::new("sip:bob@example.org"),
            local_tag: "t".to_owned(),
            refreshes: cseq > 1,
            dialog: SubscriptionDialog {
                call_id: "call".to_owned(),
                remote_tag: "theirs".to_owned(),
                local: String::new(),
                remote: String::new(),
                target: String::new(),
                routes: Vec::new(),
                remote_cseq: cseq,
            },
            event_id: String::new(),
            is_trusted: true,
            lifetime: std::time::Duration::from_secs(60),
            owner: owner(edge),
        }
    }

    #[test]
    fn mwi_10_without_an_epoch_left_nobody_takes_over() {
        let now = UnixMillis(1);
        let mut all = Vec::new();
        subscribe(&mut all, &ask("a", 1), now).expect("it is new");
        all[0].epoch = SUBSCRIPTION_EPOCHS - 2;
        let last = subscribe(&mut all, &ask("b", 2), now).expect("one epoch is left");
        assert_eq!(last.epoch, SUBSCRIPTION_EPOCHS - 1);
        subscribe(&mut all, &ask("b", 3), now).expect("the owner refreshes");
        let refused = subscribe(&mut all, &ask("a", 4), now);
        assert_eq!(refused, Err(SubscriptionRefusal::NoSubscription));
        assert_eq!(adopt(&mut all, "t", &owner("a")), None);
        assert_eq!(all[0].owner, owner("b"));
    }
}
