//! The one way to a 2xx for a deposit, by MESSAGE or MSRP (promise P1): through a [`Deposited`], which the client of the
//! store makes only of the store's word that the message is on disk.

use std::time::SystemTime;

use sip::{Name, Request, Response, StatusCode};
use storage_client::Deposited;

use edge::response::answer;
use edge::signature::Signature;
use net::msrp::AnswerHandle;

use super::forward::brought_back;

/// 202 with the profile of PFM-03 and PFM-04: no body, no Contact, never 200.
///
/// The proof is consumed by nobody else; a duplicate gets the same answer as the first (3.3).
pub(crate) fn accepted(
    request: &Request,
    _proof: &Deposited,
    signature: &Signature,
    now: SystemTime,
) -> Response {
    answer(request, StatusCode::ACCEPTED, signature, now)
        .header(Name::PAssertedIdentity, signature.store_identity())
        .build()
}

/// The final answer of the client that the message was forwarded to, be it 2xx or 6xx (PFM-01).
pub(crate) fn relayed(request: &Request, _proof: &Deposited, answer: &Response) -> Response {
    brought_back(request, answer)
}

/// The 200 to the SEND that completed a large message, and the REPORT, as far as each was asked for
/// (DEF-12).
pub(crate) fn accept_send(send: AnswerHandle, _proof: &Deposited) {
    send.accept();
}
