//! What the sender of a request has shown of itself (requirements §3.8, REG-02).

use net::sip::ServerTransaction;
use sip::{Aor, Method};

use crate::edge::Edge;
use crate::registration::kind::{Kind, kind};
use edge::now;
use edge::refuse::Refusal;

/// Why a request is listened to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The peer that handed it over is trusted.
    Trusted,
    /// Its sender has proven to be this user, which counts for his own registration only.
    Proven(Aor),
}

/// Judges a request. Under digest, whoever registers here proves who he is, and so does every
/// stranger who sends a REGISTER.
///
/// # Errors
/// [`Refusal::Unauthenticated`] or [`Refusal::PeerUntrusted`].
pub(crate) fn standing(edge: &Edge, transaction: &ServerTransaction) -> Result<Standing, Refusal> {
    let request = transaction.request();
    let is_trusted = edge.trusts(transaction.source());
    if let Some(digest) = edge.digest.as_ref()
        && *request.method() == Method::Register
    {
        let is_direct = matches!(kind(request.headers(), &edge.site), Ok((Kind::Direct, _)));
        if is_direct || !is_trusted {
            return digest.prove(request, now()).map(Standing::Proven);
        }
    }
    if is_trusted {
        Ok(Standing::Trusted)
    } else {
        Err(Refusal::PeerUntrusted)
    }
}
