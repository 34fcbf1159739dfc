//! Large messages in (DEF rows): an INVITE up to its 2xx, which leaves only after the store has admitted the
//! message. The session and its transfer are [`edge::reception`]; here a message becomes a deposit, and the
//! answer to its last SEND takes the proof of it (P1).

mod record;
mod setup;

use std::sync::Arc;

use edge::reception::{begin, cancelled};
use edge::refuse::Refusal;
use net::sip::ServerTransaction;

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
        Some(Ok(agreed)) => begin((&edge.user_agent, &edge.receptions), transaction, agreed),
        Some(Err(refusal)) => return Err((transaction, refusal)),
        None => cancelled(edge, &transaction),
    }
    Ok(())
}
