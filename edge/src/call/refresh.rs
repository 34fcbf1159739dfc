//! What keeps a dialog alive: its session timer, and a refresh of ours that waits for its answer while
//! requests of the peer are served (ERR-22).

use std::time::Instant;

use sip::Response;
use sip::session_timer::{Due, SessionTimer};
use tokio::time::sleep_until;
use tokio_util::task::AbortOnDropHandle;

/// What a dialog needs to be kept alive.
#[derive(Debug)]
pub enum Upkeep {
    /// What the session timer asks for.
    Due(Due),
    /// What a refresh of ours came to.
    Refreshed(Refreshed),
}

/// A refresh of ours under way.
#[derive(Debug)]
pub(super) struct Refresh(AbortOnDropHandle<Option<Response>>);

/// A refresh that is over, by its final response, if there was one.
#[derive(Debug)]
pub struct Refreshed(pub(super) Option<Response>);

impl Refresh {
    /// Has a request sent and its final response waited for.
    pub(super) fn begin(
        answered: impl Future<Output = Option<Response>> + Send + 'static,
    ) -> Refresh {
        Refresh(AbortOnDropHandle::new(tokio::spawn(answered)))
    }

    /// Waits for the end of a refresh and takes it away; forever if none is under way. Loses nothing when
    /// dropped halfway.
    pub(super) async fn end_of(refresh: &mut Option<Refresh>) -> Refreshed {
        let Some(under_way) = refresh else {
            return std::future::pending().await;
        };
        // A task that panicked has no response either.
        let response = (&mut under_way.0).await.ok().flatten();
        *refresh = None;
        Refreshed(response)
    }
}

/// Waits until the session timer asks for something; forever if there is none.
pub(super) async fn due(timer: &mut Option<SessionTimer>) -> Due {
    let Some(timer) = timer else {
        return std::future::pending().await;
    };
    loop {
        sleep_until(timer.next_timeout().into()).await;
        if let Some(due) = timer.poll(clock()) {
            return due;
        }
    }
}

/// The clock by which session timers are waited for.
pub(super) fn clock() -> Instant {
    tokio::time::Instant::now().into_std()
}
