//! What a sender wants kept from others (RFC 3323 §4.2, requirements §3.7).

use sip::Request;

use crate::refuse::Refusal;

/// Privacy services an edge gives, or that ask nothing of it: what names the sender is left out of everything that
/// leaves the trust domain.
const GIVEN: [&str; 6] = ["id", "header", "history", "session", "none", "critical"];

/// `critical` asks for a refusal where a service cannot be given (RFC 3323 §4.2): `user` cannot, since From stays as the
/// sender wrote it.
///
/// # Errors
/// [`Refusal::CriticalPrivacy`].
pub fn check(request: &Request) -> Result<(), Refusal> {
    let wanted = request.headers().privacy();
    let is_critical = wanted.iter().any(|service| service == "critical");
    let is_given = |service: &String| GIVEN.contains(&service.as_str());
    if is_critical && !wanted.iter().all(is_given) {
        Err(Refusal::CriticalPrivacy)
    } else {
        Ok(())
    }
}

/// Whether any is wanted.
#[must_use]
pub fn is_wanted(request: &Request) -> bool {
    let services = request.headers().privacy();
    services.iter().any(|service| service != "none")
}
