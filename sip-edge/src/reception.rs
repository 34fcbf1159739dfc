//! Large messages in (DEF rows): an INVITE up to its 2xx, which leaves only after the store has admitted the
//! message. The session and its transfer are [`edge::reception`]; here a message becomes a deposit, and the
//! answer to its last SEND takes the proof of it (P1).

mod record;
mod setup;

use std::sync::Arc;

use edge::now;
use edge::reception::Session;
use edge::refuse::Refusal;
use edge::response::answer as response;
use net::sip::ServerTransaction;
use sip::StatusCode;

use crate::edge::Edge;
use setup::set_up;

/// Serves an INVITE that passed the checks of §1.20. The session goes on by itself.
///
/// # Errors
/// Why there is none; the INVITE is not answered yet.
pub(crate) async fn invite(
    edge: &Arc<Edge>,
    transaction: ServerTransaction,
) -> Result<(), (ServerTransaction, Refusal)> {
    let set_up = tokio::select! {
        biased;
        () = transaction.cancelled() => None,
        set_up = set_up(edge, &transaction) => Some(set_up),
    };
    match set_up {
        Some(Ok(agreed)) => {
            let parts = (&edge.user_agent, &edge.receptions);
            let session = Session::new(parts, transaction, agreed);
            edge.receptions.tasks.spawn(session.run());
            Ok(())
        }
        Some(Err(refusal)) => Err((transaction, refusal)),
        // ERR-20; what the store had admitted is forgotten.
        None => {
            let status = StatusCode::REQUEST_TERMINATED;
            let request = transaction.request();
            transaction.respond(response(request, status, &edge.site.signature, now()).build());
            Ok(())
        }
    }
}
