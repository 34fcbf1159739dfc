//! A subscription to the waiting indication at work.

use std::sync::Arc;
use std::time::Duration;

use net::sip::ServerTransaction;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use sip::dialog::Dialog;
use sip::subscription::SubscriptionState;
use sip::{Method, Name, Response, StatusCode};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::listener::respond;
use super::{Client, Shared};
use crate::ClientError;
use crate::waiting::{WaitingNotice, WaitingSubscription, subscribes};

/// What waits for the user, told as it changes.
pub struct WaitingIndication {
    shared: Arc<Shared>,
    requests: mpsc::Receiver<ServerTransaction>,
    dialog: Dialog,
    is_asserted: bool,
    expires: u32,
    refresh_at: Instant,
    is_over: bool,
}

impl Client {
    /// Subscribes to the user's own waiting indication (RFC 3842); zero `expires` fetches it once.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for anything but a 2xx, or why there is no answer.
    pub async fn subscribe(
        &self,
        expires: Duration,
        is_asserted: bool,
    ) -> Result<WaitingIndication, ClientError> {
        let shared = Arc::clone(&self.shared);
        let host = shared.options.local.to_string();
        let subscription = WaitingSubscription::new(&host, &mut StdRng::from_os_rng());
        let requests = shared.sessions.enter(subscription.call_id());
        let seconds = u32::try_from(expires.as_secs()).unwrap_or(u32::MAX);
        let request = subscription.request(&shared.account, &shared.contact, is_asserted, seconds);
        let response = shared.request(request.clone()).await?;
        let dialog = Dialog::uac(&request, &response).map_err(|_| {
            ClientError::PeerMisbehaved("its answer to a SUBSCRIBE makes no dialog")
        })?;
        Ok(WaitingIndication {
            refresh_at: refresh_at(&response),
            shared,
            requests,
            dialog,
            is_asserted,
            expires: seconds,
            is_over: false,
        })
    }
}

/// At half of what was granted.
fn refresh_at(response: &Response) -> Instant {
    let granted = response.headers().expires().ok().flatten();
    let granted = granted.filter(|seconds| *seconds > 0).unwrap_or(u32::MAX);
    Instant::now() + Duration::from_secs(u64::from(granted / 2).max(1))
}

impl WaitingIndication {
    /// What is told next; `None` once the subscription is over.
    ///
    /// # Errors
    /// Why it could not be refreshed.
    pub async fn next(&mut self) -> Result<Option<WaitingNotice>, ClientError> {
        while !self.is_over {
            let notify = tokio::select! {
                notify = self.requests.recv() => notify,
                () = sleep_until(self.refresh_at) => {
                    self.renew(self.expires).await?;
                    continue;
                }
            };
            let Some(notify) = notify else { break };
            if *notify.request().method() != Method::Notify {
                respond(&notify, StatusCode::METHOD_NOT_ALLOWED);
                continue;
            }
            let in_order = self.dialog.handle_request(notify.request()).is_ok();
            match WaitingNotice::read(notify.request()).filter(|_| in_order) {
                Some(notice) => {
                    respond(&notify, StatusCode::OK);
                    self.is_over = matches!(notice.state, SubscriptionState::Terminated(_));
                    return Ok(Some(notice));
                }
                None => respond(&notify, StatusCode::BAD_REQUEST),
            }
        }
        Ok(None)
    }

    /// Whether the peer has ended it, or it only asked once and was told.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Ends the subscription; a last notice follows.
    ///
    /// # Errors
    /// Why it could not be ended.
    pub async fn end(&mut self) -> Result<(), ClientError> {
        self.renew(0).await
    }

    async fn renew(&mut self, expires: u32) -> Result<(), ClientError> {
        let builder = self
            .dialog
            .request(Method::Subscribe)
            .header(Name::MaxForwards, 70);
        let shared = &self.shared;
        let request = subscribes(
            builder,
            &shared.account,
            &shared.contact,
            self.is_asserted,
            expires,
        );
        let response = shared.request(request).await?;
        self.refresh_at = refresh_at(&response);
        Ok(())
    }
}

impl std::fmt::Debug for WaitingIndication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WaitingIndication")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
