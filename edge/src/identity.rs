//! The authenticated originator (COM-14, requirements §3.8): P-Asserted-Identity of a trusted peer,
//! and nothing the sender says about himself.
//!
//! Only requests of trusted peers come here; all others were refused before (ERR-09).
//!
//! Deviation: RFC 3325 §9.2 has the first proxy turn P-Preferred-Identity into an assertion after
//! authenticating the user. Without a `sip.next_hop` this edge *is* the first hop (the laptop mode),
//! and the trust in the peer's address is the authentication; there, and only there, the preferred
//! identity is taken where no identity is asserted.

use sip::{Aor, Headers, Name, NameAddr, Uri};

use crate::refuse::Refusal;
use crate::site::Site;

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertedIdentity {
    /// For authorisation, quota and duplicates.
    pub address: Aor,
    /// The header value as believed, comma separated.
    pub value: String,
}

/// The originator; `None` if nobody is vouched for and the configuration does not insist.
///
/// # Errors
/// Malformed or contradictory headers, or [`Refusal::NoAssertedIdentity`].
pub fn originator(headers: &Headers, site: &Site) -> Result<Option<AssertedIdentity>, Refusal> {
    let mut found = read(
        headers,
        Name::PAssertedIdentity,
        headers.asserted_identities()?,
    )?;
    if found.is_none() && site.next_hop.is_none() {
        found = read(
            headers,
            Name::PPreferredIdentity,
            headers.preferred_identities()?,
        )?;
    }
    if found.is_none() && site.requires_identity {
        return Err(Refusal::NoAssertedIdentity);
    }
    Ok(found)
}

/// Whether the request asserts the identity of our store: a delivery of ours, or a forgery.
pub fn asserts_store(headers: &Headers, site: &Site) -> bool {
    let asserted = headers.asserted_identities().unwrap_or_default();
    asserted
        .iter()
        .filter_map(|identity| Aor::from_uri(&identity.uri))
        .any(|address| site.is_store(&address))
}

/// At most one sip or sips and one tel identity (RFC 3325 §9.1); sip is preferred.
fn read(
    headers: &Headers,
    name: Name,
    identities: Vec<NameAddr>,
) -> Result<Option<AssertedIdentity>, Refusal> {
    let malformed = || sip::Violation::bad_request("Malformed asserted identity");
    let (tel, sip): (Vec<_>, Vec<_>) = identities
        .iter()
        .partition(|identity| matches!(identity.uri, Uri::Tel(_)));
    if sip.len() > 1 || tel.len() > 1 {
        return Err(malformed().into());
    }
    let Some(identity) = sip.first().or(tel.first()) else {
        return Ok(None);
    };
    let address = Aor::from_uri(&identity.uri).ok_or_else(malformed)?;
    let values: Vec<_> = headers.values(name).collect();
    Ok(Some(AssertedIdentity {
        address,
        value: values.join(", "),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use crate::site::fixture::{df1, laptop};

    fn originator_of(identity_lines: &str, site: &Site) -> Result<Option<String>, Refusal> {
        let request = example::message_with(identity_lines);
        let identity = originator(request.headers(), site)?;
        Ok(identity.map(|identity| identity.address.to_string()))
    }

    #[test]
    fn sip_is_preferred_and_canonical() {
        let both = "P-Asserted-Identity: <tel:+1-555-0100>\r\nP-Asserted-Identity: \"A\" <sips:alice@EXAMPLE.org>\r\n";
        assert_eq!(
            originator_of(both, &df1()),
            Ok(Some("sip:alice@example.org".to_owned()))
        );
        let tel = "P-Asserted-Identity: <tel:+1-555-0100>\r\n";
        assert_eq!(
            originator_of(tel, &df1()),
            Ok(Some("tel:+15550100".to_owned()))
        );
    }

    #[test]
    fn nobody_vouched_for_is_refused_unless_told_otherwise() {
        assert_eq!(originator_of("", &df1()), Err(Refusal::NoAssertedIdentity));
        let mut lenient = df1();
        lenient.requires_identity = false;
        assert_eq!(originator_of("", &lenient), Ok(None));
    }

    #[test]
    fn a_preferred_identity_counts_only_at_the_first_hop() {
        let preferred = "P-Preferred-Identity: <sip:alice@example.org>\r\n";
        assert_eq!(
            originator_of(preferred, &df1()),
            Err(Refusal::NoAssertedIdentity)
        );
        assert_eq!(
            originator_of(preferred, &laptop()),
            Ok(Some("sip:alice@example.org".to_owned()))
        );
    }

    #[test]
    fn two_identities_of_one_kind_are_malformed() {
        let two = "P-Asserted-Identity: <sip:alice@example.org>, <sip:bob@example.org>\r\n";
        assert!(matches!(
            originator_of(two, &df1()),
            Err(Refusal::Violation(_))
        ));
    }
}
