//! Whole messages of a session, for those who take small ones.

use std::fmt;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::inbound::WholeMessage;
use super::session::MsrpSession;

/// Gathers the messages of one session in memory, several at a time where their chunks mix. Memory is
/// bounded by the session's rules: messages open at a time, octets of each.
#[derive(Default)]
pub struct Gatherer {
    gathering: FuturesUnordered<BoxFuture<'static, Option<WholeMessage>>>,
}

impl Gatherer {
    /// The next message that is whole; none once the session is over. Those that were abandoned are
    /// passed over. Loses nothing when dropped halfway.
    pub async fn next(&mut self, session: &mut MsrpSession) -> Option<WholeMessage> {
        let mut is_open = true;
        while is_open || !self.gathering.is_empty() {
            tokio::select! {
                biased;
                Some(gathered) = self.gathering.next() => {
                    if gathered.is_some() {
                        return gathered;
                    }
                }
                inbound = session.next(), if is_open => match inbound {
                    Some(inbound) => self.gathering.push(Box::pin(inbound.gather())),
                    None => is_open = false,
                },
            }
        }
        None
    }
}

impl fmt::Debug for Gatherer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gatherer").finish_non_exhaustive()
    }
}
