//! Claims for messages that are forwarded while their user is online (PFM-01).

use std::time::Duration;

use storage::model::{
    Address, Binding, ClaimGrant, ClaimRequest, ClaimToken, Flow, MessageNumber, ReleaseOutcome,
    Sequence, TakeLimit, Taken,
};
use storage::{Store, StoreError};

use crate::scheduler::Scheduler;
use crate::suspension::Suspensions;

/// The message and nothing else.
const ONE: TakeLimit = TakeLimit {
    messages: 1,
    octets: 0,
};

/// A claim under which one message is forwarded.
pub(super) struct Forward {
    pub(super) claim: ClaimToken,
    /// IM clients that the edge can reach.
    pub(super) bindings: Vec<Binding>,
    pub(super) served_user: Address,
    pub(super) sequence: Sequence,
}

/// Claims the mailbox of a message that was deposited just now; `None` if it is to wait for its push.
///
/// The claim is that of a push, so neither can have the message while the other has; and as a push
/// would, it begins with the oldest message: one that has others before it is not forwarded (P5). While deliveries to its
/// user are suspended its push is planned whatever `push.on_deposit` says: nobody else would begin it.
pub(super) async fn claim<S: Store>(
    store: &S,
    (scheduler, suspensions): (&Scheduler, &Suspensions),
    number: MessageNumber,
    edge: String,
    lease: Duration,
) -> Result<Option<Forward>, StoreError> {
    let served_user = store.message(number).await?.envelope.served_user;
    let Some(mailbox) = store.mailbox(served_user).await? else {
        return Ok(None);
    };
    if suspensions.of_mailbox(store, mailbox).await?.is_some() {
        scheduler.withheld(mailbox).await;
        return Ok(None);
    }
    let mut bindings = store.registration(mailbox).await?.bindings;
    bindings.retain(|binding| is_reachable_by(&edge, binding));
    if bindings.is_empty() {
        return Ok(None);
    }
    let request = ClaimRequest {
        mailbox,
        edge,
        lease,
    };
    let ClaimGrant::Granted(claim) = store.claim(request).await? else {
        return Ok(None);
    };
    match first(store, claim, number).await {
        Ok(Some((served_user, sequence))) => Ok(Some(Forward {
            claim,
            bindings,
            served_user,
            sequence,
        })),
        outcome => {
            give_back(store, claim).await;
            outcome.map(|_| None)
        }
    }
}

/// An IM client whose connection, if it has one, is at this edge.
fn is_reachable_by(edge: &str, binding: &Binding) -> bool {
    let is_here = |flow: &Flow| flow.edge == edge;
    binding.has_im_tag && binding.flow.as_ref().is_none_or(is_here)
}

/// Takes the message, if it is the first of its mailbox: its user and its place.
async fn first<S: Store>(
    store: &S,
    claim: ClaimToken,
    number: MessageNumber,
) -> Result<Option<(Address, Sequence)>, StoreError> {
    let taken = store.take(claim, Sequence::default(), ONE).await?;
    let is_it = |taken: &Taken| taken.message.envelope.id.number == number;
    let Some(taken) = taken.into_iter().find(is_it) else {
        return Ok(None);
    };
    let account = store.account(claim.mailbox).await?;
    Ok(Some((account, taken.message.envelope.sequence)))
}

/// Whatever waits is for the push that its deposit has planned. A claim that cannot be given back
/// lapses.
async fn give_back<S: Store>(store: &S, claim: ClaimToken) {
    let whatever_waits = Sequence(u64::MAX);
    let released = store.release(claim, whatever_waits, ReleaseOutcome::default());
    if let Err(error) = released.await {
        tracing::debug!(%error, "claim of a forward not given back");
    }
}
