//! The served user of a terminating request (OPG-03): P-Served-User of a trusted peer, else the
//! Request-URI, else P-Called-Party-ID: another server may have put the place of the user into the
//! Request-URI already.

use sip::{Aor, Request, SessionCase, Uri};

use crate::site::Site;
use edge::refuse::Refusal;

/// Whose mailbox a request is for.
///
/// # Errors
/// [`Refusal::OriginatingCase`], [`Refusal::UserUnknown`] for foreign domains, or a malformed header.
pub(crate) fn served_user(request: &Request, site: &Site) -> Result<Aor, Refusal> {
    if is_originating(request, site)? {
        return Err(Refusal::OriginatingCase);
    }
    if let Some(served) = request.headers().served_user()? {
        return ours(&served.uri, site).ok_or(Refusal::UserUnknown);
    }
    if let Some(address) = request.request_uri().ok().and_then(|uri| ours(uri, site)) {
        return Ok(address);
    }
    let called = request.headers().called_party()?;
    called
        .and_then(|called| ours(&called.uri, site))
        .ok_or(Refusal::UserUnknown)
}

/// The account that this names, if it is one of ours. A domain alone names nobody.
fn ours(uri: &Uri, site: &Site) -> Option<Aor> {
    Aor::from_uri(uri)
        .filter(|address| address.domain().is_none() || address.user().is_some())
        .filter(|address| site.serves(address))
}

/// Whether a request is on its way out from its sender, and not to be terminated at a user of ours.
///
/// # Errors
/// A malformed header.
pub(crate) fn is_originating(request: &Request, site: &Site) -> Result<bool, Refusal> {
    let named = request.headers().served_user()?;
    let is_named =
        named.is_some_and(|served| served.session_case == Some(SessionCase::Originating));
    Ok(is_named || own_route_says_originating(request, site)?)
}

/// The `orig` parameter in the Route entry by which the core reached us (3GPP TS 24.229 §5.4.3.2).
fn own_route_says_originating(request: &Request, site: &Site) -> Result<bool, Refusal> {
    let routes = request.headers().routes()?;
    let own = routes.first().filter(|route| site.is_own(&route.uri));
    Ok(own
        .and_then(|route| route.uri.as_sip())
        .is_some_and(|uri| uri.params.has("orig")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::fixture::df1;
    use edge::example;

    fn served(lines: &str) -> Result<String, Refusal> {
        served_user(&example::message_with(lines), &df1()).map(|address| address.to_string())
    }

    #[test]
    fn the_session_case_decides_who_is_served() {
        let alias = "P-Served-User: <sip:robert@EXAMPLE.org:5060>";
        let table = [
            (String::new(), Ok("sip:bob@example.org")),
            (format!("{alias}\r\n"), Ok("sip:robert@example.org")),
            (
                format!("{alias};sescase=term;regstate=unreg\r\n"),
                Ok("sip:robert@example.org"),
            ),
            (
                format!("{alias};sescase=orig\r\n"),
                Err(Refusal::OriginatingCase),
            ),
            (
                "Route: <sip:df1.im.example.org;lr;orig>\r\n".to_owned(),
                Err(Refusal::OriginatingCase),
            ),
            (
                "Route: <sip:other.example.org;lr;orig>\r\n".to_owned(),
                Ok("sip:bob@example.org"),
            ),
            (
                "P-Served-User: <sip:bob@elsewhere.org>\r\n".to_owned(),
                Err(Refusal::UserUnknown),
            ),
            (
                "P-Served-User: <sip:example.org>\r\n".to_owned(),
                Err(Refusal::UserUnknown),
            ),
            (
                "P-Served-User: <tel:+1-555-0100>\r\n".to_owned(),
                Ok("tel:+15550100"),
            ),
        ];
        for (lines, expected) in table {
            assert_eq!(served(&lines), expected.map(str::to_owned), "{lines}");
        }
    }

    #[test]
    fn the_called_party_is_served_where_nothing_else_names_a_user_of_ours() {
        let called = "P-Called-Party-ID: \"Bob\" <sip:robert@example.org>\r\n";
        let moved = |lines: &str| {
            let request = example::message_with(lines).edit();
            let request = request.set_uri("sip:bob@203.0.113.9:5060").build();
            served_user(&request, &df1()).map(|address| address.to_string())
        };
        assert_eq!(served(called), Ok("sip:bob@example.org".to_owned()));
        assert_eq!(moved(called), Ok("sip:robert@example.org".to_owned()));
        assert_eq!(moved(""), Err(Refusal::UserUnknown));
        let elsewhere = "P-Called-Party-ID: <sip:bob@elsewhere.org>\r\n";
        assert_eq!(moved(elsewhere), Err(Refusal::UserUnknown));
        let served = format!("{called}P-Served-User: <sip:bob@elsewhere.org>\r\n");
        assert_eq!(moved(&served), Err(Refusal::UserUnknown));
    }

    #[test]
    fn every_spelling_of_the_request_uri_is_one_account() {
        for uri in [
            "sip:bob@example.org",
            "sips:bob@EXAMPLE.org",
            "sip:bob@example.org:5060;transport=tcp",
            "sip:b%6fb@example.org",
            "im:bob@example.org",
        ] {
            let request = example::message_with("").edit().set_uri(uri).build();
            let address = served_user(&request, &df1()).expect("served");
            assert_eq!(address.to_string(), "sip:bob@example.org", "{uri}");
        }
    }
}
