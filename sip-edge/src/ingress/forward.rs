//! A MESSAGE of the originating session case (OPG-03): it is on its way out, past us. The next Route gets it, as it is
//! but for what a proxy changes (RFC 3261 §16.6); it is never stored.
//!
//! Deviation: not stateless, since the transaction layer has taken the request already. Its copies are absorbed here and
//! those of the onward request made here. Other methods are not passed on.

use sip::{Name, NameAddr, Request, Response, ResponseBuilder, Uri, token};

use net::sip::Target;

use super::served_user::is_originating;
use crate::edge::Edge;
use crate::site::Site;
use edge::refuse::Refusal;

/// Hops left to a request that says nothing (RFC 3261 §16.6 (3)).
const MAX_FORWARDS: u8 = 70;

/// A request on its way to the next Route.
#[derive(Debug)]
pub(crate) struct Onward {
    request: Request,
    next: Uri,
}

/// The request as it goes on; `None` if it is of the terminating case, or nothing follows us in its Route.
///
/// # Errors
/// Its hops are spent, or a header is malformed.
pub(crate) fn onward(request: &Request, site: &Site) -> Result<Option<Onward>, Refusal> {
    if !is_originating(request, site)? {
        return Ok(None);
    }
    let routes = request.headers().routes()?;
    let behind = behind(&routes, site);
    let Some(next) = behind.first().map(|route| route.uri.clone()) else {
        return Ok(None);
    };
    let hops = hops_left(request)?.ok_or(Refusal::TooManyHops)?;
    Ok(Some(Onward {
        request: routed(request, behind, hops),
        next,
    }))
}

/// The Routes that follow ours. We may be named more than once, and would only send it to ourselves.
pub(super) fn behind<'a>(routes: &'a [NameAddr], site: &Site) -> &'a [NameAddr] {
    let own = routes.iter().take_while(|route| site.is_own(&route.uri));
    routes.get(own.count()..).unwrap_or_default()
}

/// The hops that a request may go after this one; `None` if they are spent.
///
/// # Errors
/// The header is malformed.
pub(super) fn hops_left(request: &Request) -> Result<Option<u8>, Refusal> {
    let hops = request.headers().max_forwards()?;
    Ok(hops.map_or(Some(MAX_FORWARDS), |hops| hops.checked_sub(1)))
}

/// With these Routes instead of its own; a strict router gets its own URI for the Request-URI (RFC 3261 §16.6 (6)).
pub(super) fn routed(request: &Request, routes: &[NameAddr], hops: u8) -> Request {
    let mut editor = request
        .edit()
        .remove(Name::Route)
        .remove(Name::MaxForwards)
        .prepend(Name::MaxForwards, hops);
    let is_strict = |route: &&NameAddr| {
        let uri = route.uri.as_sip();
        uri.is_some_and(|uri| !uri.is_loose_router())
    };
    let (routes, last) = match routes.split_first().filter(|(first, _)| is_strict(first)) {
        Some((first, behind)) => {
            editor = editor.set_uri(&first.uri);
            (behind, Some(format!("<{}>", request.raw_uri())))
        }
        None => (routes, None),
    };
    let values = routes.iter().map(ToString::to_string).chain(last);
    // Each is put before the others.
    let values: Vec<_> = values.collect();
    values
        .iter()
        .rev()
        .fold(editor, |editor, value| editor.prepend(Name::Route, value))
        .build()
}

/// Sends it on and brings back the answer.
///
/// # Errors
/// It cannot be sent, or nobody answers.
pub(crate) async fn forward(
    edge: &Edge,
    request: &Request,
    onward: Onward,
) -> Result<Response, Refusal> {
    let branch = token::branch(&mut rand::rng());
    let target = Target::Uri(onward.next);
    let sent = edge.sip.request(onward.request, &target, branch).await;
    let mut transaction = sent.map_err(|error| {
        tracing::debug!(%error, "request.not_forwarded");
        Refusal::Unavailable(None)
    })?;
    while let Some(Ok(response)) = transaction.next().await {
        if response.status().is_final() {
            return Ok(brought_back(request, &response));
        }
    }
    Err(Refusal::Unavailable(None))
}

/// The response to our request as one to the request we got.
pub(super) fn brought_back(request: &Request, response: &Response) -> Response {
    let headers = response.headers();
    let mut builder = ResponseBuilder::reply_to(request, response.status());
    builder = builder.reason(&response.reason());
    if let Some(tag) = headers.to().ok().flatten().as_ref().and_then(NameAddr::tag) {
        builder = builder.to_tag(tag);
    }
    let own = [
        Name::Via,
        Name::From,
        Name::To,
        Name::CallId,
        Name::CSeq,
        Name::ContentLength,
        Name::ContentType,
    ];
    for field in headers.iter() {
        if !field.known().is_some_and(|name| own.contains(&name)) {
            builder = builder.raw_header(field.name(), field.value());
        }
    }
    match headers.first(Name::ContentType) {
        Some(content_type) => builder
            .body(&content_type.value(), response.body().clone())
            .build(),
        None => builder.build(),
    }
}

#[cfg(test)]
mod tests {
    use edge::example;

    use super::*;
    use crate::site::fixture::df1;

    const OWN: &str = "Route: <sip:df1.im.example.org;lr;orig>\r\n";

    fn going_on(lines: &str) -> Option<(String, Request)> {
        let request = example::message_with(lines);
        let onward = onward(&request, &df1()).expect("well-formed")?;
        Some((onward.next.to_string(), onward.request))
    }

    #[test]
    fn opg_03_only_the_originating_case_with_a_further_route_goes_on() {
        for lines in [
            "",
            OWN,
            "Route: <sip:df1.im.example.org;lr>, <sip:scscf1.example.org;lr>\r\n",
            "P-Served-User: <sip:alice@example.org>;sescase=orig\r\n",
        ] {
            assert!(going_on(lines).is_none(), "{lines}");
        }
    }

    #[test]
    fn opg_03_it_goes_on_without_our_route_and_one_hop_less() {
        let lines =
            format!("{OWN}Route: <sip:scscf1.example.org;lr>, <sip:far.example.org;lr>\r\n");
        let (next, request) = going_on(&lines).expect("goes on");
        assert_eq!(next, "sip:scscf1.example.org;lr");
        let routes = request.headers().routes().expect("well-formed");
        let routes: Vec<_> = routes.iter().map(ToString::to_string).collect();
        assert_eq!(
            routes,
            ["<sip:scscf1.example.org;lr>", "<sip:far.example.org;lr>"]
        );
        let before = example::message_with("");
        let hops = |request: &Request| request.headers().max_forwards().expect("valid");
        assert_eq!(hops(&request), hops(&before).map(|hops| hops - 1));
        assert_eq!(request.raw_uri(), before.raw_uri());
        assert_eq!(request.body(), before.body());
    }

    #[test]
    fn opg_03_a_strict_router_gets_its_uri_first_and_the_users_last() {
        let lines = format!("{OWN}Route: <sip:strict.example.org>, <sip:far.example.org;lr>\r\n");
        let (next, request) = going_on(&lines).expect("goes on");
        assert_eq!(next, "sip:strict.example.org");
        assert_eq!(request.raw_uri(), "sip:strict.example.org");
        let routes = request.headers().routes().expect("well-formed");
        let routes: Vec<_> = routes.iter().map(ToString::to_string).collect();
        assert_eq!(
            routes,
            ["<sip:far.example.org;lr>", "<sip:bob@example.org>"]
        );
    }

    #[test]
    fn opg_03_a_request_whose_hops_are_spent_goes_nowhere() {
        let lines = format!("{OWN}Route: <sip:scscf1.example.org;lr>\r\n");
        let request = example::message_with(&lines).edit();
        let request = request.replace(Name::MaxForwards, 0).build();
        let refused = onward(&request, &df1()).expect_err("spent");
        assert_eq!(refused, Refusal::TooManyHops);
    }
}
