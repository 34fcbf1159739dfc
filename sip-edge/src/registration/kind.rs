//! What kind of REGISTER it is (REG-01).

use sip::{Aor, Headers};

use crate::site::Site;
use edge::refuse::Refusal;

/// How a registration came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The core tells us about a registration at its registrar (requirements §2.4.1).
    ThirdParty,
    /// A proxy copied the client's REGISTER to us; requests go to the next hop.
    Copied,
    /// The client registers with us; requests go to its binding.
    Direct,
}

/// Sorts a REGISTER of a trusted peer.
///
/// # Errors
/// [`Refusal::PeerUntrusted`] where registering here is not allowed, [`Refusal::UserUnknown`] for
/// users we do not serve.
pub(crate) fn kind(headers: &Headers, site: &Site) -> Result<(Kind, Aor), Refusal> {
    let from = headers.from()?.and_then(|from| Aor::from_uri(&from.uri));
    let to = headers.to()?.and_then(|to| Aor::from_uri(&to.uri));
    let address = to
        .clone()
        .filter(|address| site.serves(address))
        .ok_or(Refusal::UserUnknown)?;
    let kind = match (from == to, site.next_hop.is_some(), site.is_registrar) {
        (false, _, _) => Kind::ThirdParty,
        (true, true, _) => Kind::Copied,
        (true, false, true) => Kind::Direct,
        (true, false, false) => return Err(Refusal::PeerUntrusted),
    };
    Ok((kind, address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::fixture::{df1, laptop};
    use edge::example;

    fn register(from: &str, to: &str) -> sip::Request {
        example::request(&format!(
            "REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\n\
             From: <{from}>;tag=1\r\nTo: <{to}>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\
             Content-Length: 0\r\n\r\n"
        ))
    }

    #[test]
    fn the_kind_follows_the_addresses_and_the_configuration() {
        let mut closed = laptop();
        closed.is_registrar = false;
        let (bob, core) = ("sip:bob@example.org", "sip:scscf1.example.org");
        let table = [
            (core, bob, df1(), Ok(Kind::ThirdParty)),
            (core, bob, laptop(), Ok(Kind::ThirdParty)),
            (bob, bob, df1(), Ok(Kind::Copied)),
            (bob, "sips:bob@EXAMPLE.org", laptop(), Ok(Kind::Direct)),
            (bob, bob, closed, Err(Refusal::PeerUntrusted)),
            (
                core,
                "sip:bob@elsewhere.org",
                df1(),
                Err(Refusal::UserUnknown),
            ),
        ];
        for (from, to, site, expected) in table {
            let kind = kind(register(from, to).headers(), &site).map(|(kind, _)| kind);
            assert_eq!(kind, expected, "{from} {to}");
        }
    }
}
