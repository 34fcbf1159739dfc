//! Carrying out one start: look who is registered, claim, hand over.

use std::sync::Arc;
use std::time::Duration;

use daemon::trace::{Span, messaging};
use storage::model::{
    Address, Binding, ClaimGrant, ClaimRequest, ClaimToken, MailboxId, Registered, ReleaseOutcome,
    Sequence, Setting, TakeLimit, Taken,
};
use storage::{Store, StoreError};
use tokio::sync::mpsc;

use super::edges::EdgeName;
use super::machine::{Start, Started};
use crate::config::DeliveryMode;
use crate::convert::content_octets;
use crate::suspension::Suspensions;

/// What goes with a job: so much may wait for an edge in each of its jobs.
pub(crate) const FIRST_TAKE: TakeLimit = TakeLimit {
    messages: 8,
    octets: 16 << 10,
};

/// What an edge gets.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) claim: ClaimToken,
    /// Public user identity of the served user (DLV-07).
    pub(crate) served_user: Address,
    pub(crate) bindings: Vec<Binding>,
    /// The first messages, taken within [`FIRST_TAKE`]; `None`: to be taken.
    pub(crate) first: Option<Vec<Taken>>,
    /// Each device gets each message.
    pub(crate) by_device: bool,
    /// The span of the claim, if this attempt is traced.
    pub(crate) traceparent: Option<String>,
}

/// What carrying out a start needs.
pub(super) struct Starter<S> {
    pub(super) store: Arc<S>,
    pub(super) suspensions: Suspensions,
    pub(super) jobs: mpsc::Sender<Job>,
    /// Edges that take jobs now, for users whose connection is at one of them.
    pub(super) takers: Vec<EdgeName>,
    pub(super) lease: Duration,
    pub(super) mode: DeliveryMode,
    pub(super) by_device: bool,
}

impl<S: Store> Starter<S> {
    /// Never fails: what went wrong is an answer too.
    pub(super) async fn start(self, start: Start) -> (MailboxId, Started) {
        let mailbox = start.mailbox;
        let started = self.try_start(start).await.unwrap_or_else(|error| {
            tracing::debug!(mailbox = mailbox.0, %error, "push not started");
            Started::Failed
        });
        (mailbox, started)
    }

    async fn try_start(&self, start: Start) -> Result<Started, StoreError> {
        let registered = self.store.registration(start.mailbox).await?;
        if !is_reachable(&registered, self.mode) && !start.forced {
            return Ok(Started::Nothing);
        }
        if !start.forced && !self.pushes(start.mailbox).await? {
            return Ok(Started::SwitchedOff);
        }
        let suspension = self.suspensions.of_mailbox(&*self.store, start.mailbox);
        if let Some(suspension) = suspension.await? {
            return Ok(Started::Suspended(self.suspensions.left(&suspension)));
        }
        if let Some(home) = self.other_home(&registered.bindings, &start.edge) {
            return Ok(Started::Elsewhere(home));
        }
        let request = ClaimRequest {
            mailbox: start.mailbox,
            edge: start.edge.to_string(),
            lease: self.lease,
        };
        let span = Span::begin(messaging::CLAIM);
        let none = match self.store.claim(request).await? {
            ClaimGrant::Granted(claim) => return self.hand_over(claim, registered, &span).await,
            ClaimGrant::Busy => Started::Busy,
            ClaimGrant::Empty => Started::Nothing,
        };
        span.discard();
        Ok(none)
    }

    /// Whether the user wants what waits to be pushed (DLV-03); else it waits for his retrieval
    /// (DLV-04).
    async fn pushes(&self, mailbox: MailboxId) -> Result<bool, StoreError> {
        let settings = self.store.settings(mailbox).await?;
        Ok(settings.effective.is_active(Setting::OfflineDelivery))
    }

    /// The edge that holds a connection of the user, if `edge` holds none.
    fn other_home(&self, bindings: &[Binding], edge: &EdgeName) -> Option<EdgeName> {
        let homes = || bindings.iter().filter_map(|binding| binding.flow.as_ref());
        if homes().any(|flow| *flow.edge == **edge) {
            return None;
        }
        let is_home = |taker: &&EdgeName| homes().any(|flow| *flow.edge == ***taker);
        self.takers.iter().find(is_home).map(Arc::clone)
    }

    /// The first messages, if they may go at once and are little. What cannot be read now is the edge's
    /// to take.
    async fn first(&self, claim: ClaimToken, bindings: &[Binding]) -> Option<Vec<Taken>> {
        if self.by_device || !goes_by_message(bindings, self.mode) {
            return None;
        }
        let taken = self
            .store
            .take(claim, Sequence::default(), FIRST_TAKE)
            .await;
        // The first message is taken whatever its size.
        taken
            .ok()
            .filter(|taken| content_octets(taken) <= FIRST_TAKE.octets)
    }

    async fn hand_over(
        &self,
        claim: ClaimToken,
        registered: Registered,
        span: &Span,
    ) -> Result<Started, StoreError> {
        let (served_user, first) = tokio::join!(
            self.store.account(claim.mailbox),
            self.first(claim, &registered.bindings)
        );
        let job = Job {
            claim,
            served_user: served_user?,
            bindings: registered.bindings,
            first,
            by_device: self.by_device,
            traceparent: span.traceparent(),
        };
        if self.jobs.try_send(job).is_ok() {
            metrics::counter!("restante_pushes_started_total").increment(1);
            return Ok(Started::Running(claim.generation));
        }
        let outcome = ReleaseOutcome {
            reason: "the edge has detached".to_owned(),
        };
        self.store.release(claim, Sequence(0), outcome).await?;
        Ok(Started::EdgeGone)
    }
}

/// Whether all that is known of these clients speaks for MESSAGE. A session takes its messages when it
/// stands: the client may have rung for long.
fn goes_by_message(bindings: &[Binding], mode: DeliveryMode) -> bool {
    match mode {
        DeliveryMode::Auto => !bindings.is_empty() && bindings.iter().all(|b| !b.has_im_tag),
        DeliveryMode::Session => false,
        DeliveryMode::Message => true,
    }
}

/// Whether a delivery in this mode has somebody to go to (DLM-01).
pub(super) fn is_reachable(registered: &Registered, mode: DeliveryMode) -> bool {
    let serves = |binding: &Binding| match mode {
        DeliveryMode::Auto => binding.has_im_tag || binding.allows_message,
        DeliveryMode::Session => binding.has_im_tag,
        DeliveryMode::Message => binding.allows_message,
    };
    registered.bindings.iter().any(serves)
}

#[cfg(test)]
mod tests {
    use storage::model::{RegistrationKind, UnixMillis};

    use super::*;

    fn registered(clients: &[(bool, bool)]) -> Registered {
        let binding = |(has_im_tag, allows_message): &(bool, bool)| Binding {
            contact: "sip:bob@203.0.113.9".to_owned(),
            instance: String::new(),
            reg_id: 0,
            call_id: "r".to_owned(),
            cseq: 1,
            path: Vec::new(),
            flow: None,
            has_im_tag: *has_im_tag,
            allows_message: *allows_message,
            kind: RegistrationKind::Direct,
            user_agent: String::new(),
            expires_at: UnixMillis(1),
            gruu: String::new(),
        };
        Registered {
            bindings: clients.iter().map(binding).collect(),
            mailbox: None,
            has_waiting: true,
            refused_aliases: Vec::new(),
        }
    }

    #[test]
    fn the_mode_says_which_clients_are_a_reason_to_deliver() {
        use DeliveryMode::{Auto, Message, Session};
        let (im, im_only, phone, neither) =
            ((true, true), (true, false), (false, true), (false, false));
        let table = [
            (vec![], [false, false, false]),
            (vec![im], [true, true, true]),
            (vec![im_only], [true, true, false]),
            (vec![phone], [true, false, true]),
            (vec![neither], [false, false, false]),
            (vec![neither, phone], [true, false, true]),
        ];
        for (clients, expected) in table {
            let registered = registered(&clients);
            let found = [Auto, Session, Message].map(|mode| is_reachable(&registered, mode));
            assert_eq!(found, expected, "{clients:?}");
        }
    }
}
