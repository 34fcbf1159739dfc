//! One life of a client, from its coming back until it vanishes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sip::{Request, ResponseBuilder, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::agent::{Agent, Incoming};

/// What its tasks have in common. Cheap to clone.
#[derive(Clone)]
pub(super) struct Life {
    /// Speaks SIP.
    pub(super) agent: Agent,
    /// The end.
    pub(super) gone: CancellationToken,
    /// By Call-ID: ends a dialog when its BYE comes.
    calls: Arc<Mutex<BTreeMap<String, CancellationToken>>>,
}

impl Life {
    pub(super) fn new(agent: Agent) -> Self {
        Self {
            agent,
            gone: CancellationToken::new(),
            calls: Arc::default(),
        }
    }

    fn calls(&self) -> MutexGuard<'_, BTreeMap<String, CancellationToken>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A dialog begins with this INVITE; what is returned says when its BYE has come.
    pub(super) fn begin(&self, invite: &Request) -> CancellationToken {
        let ended = CancellationToken::new();
        self.calls().insert(call_id(invite), ended.clone());
        ended
    }

    /// The dialog of this INVITE is known no more.
    pub(super) fn forget(&self, invite: &Request) {
        self.calls().remove(&call_id(invite));
    }

    /// Answers a BYE.
    pub(super) async fn end(&self, bye: Incoming, tag: &str) {
        let ended = self.calls().remove(&call_id(&bye.request));
        let status = match ended {
            Some(ended) => {
                ended.cancel();
                StatusCode::OK
            }
            None => StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
        };
        self.answer(&bye, status, tag).await;
    }

    /// Answers a request with no more than a status.
    pub(super) async fn answer(&self, incoming: &Incoming, status: StatusCode, tag: &str) {
        let response = ResponseBuilder::reply_to(&incoming.request, status).to_tag(tag);
        self.agent.respond(incoming.id, response.build()).await;
    }

    /// Runs as long as the client is there.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.gone.clone().run_until_cancelled_owned(task));
    }
}

fn call_id(request: &Request) -> String {
    let call_id = request.headers().call_id();
    call_id.map(|id| id.into_owned()).unwrap_or_default()
}
