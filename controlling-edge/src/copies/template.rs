//! What all copies of a message have in common (CFP-10..15, CFP-20, CFP-22).

use std::fmt::Display;

use bytes::{Bytes, BytesMut};
use edge::identity::AssertedIdentity;
use edge::privacy;
use rand::CryptoRng;
use sip::digest::Credentials;
use sip::{Field, Name, NameAddr, Request, token};
use storage_client::fan_out::LegTemplate;

use super::content::Content;
use crate::recipients::Recipient;
use crate::site::Site;

/// Only IM clients shall get it (CFP-11).
pub(super) const ACCEPT_CONTACT: &str = "*;+g.oma.sip-im;explicit";

/// Hops of a request that says nothing (RFC 3261 §16.6 (3)).
const MAX_FORWARDS: u8 = 70;

/// What goes along as the sender wrote it (CFP-22).
const COPIED: [&str; 12] = [
    "Privacy",
    "Subject",
    "Date",
    "Expires",
    "Priority",
    "In-Reply-To",
    "Reply-To",
    "Organization",
    "Call-Info",
    "Accept-Language",
    "Conversation-ID",
    "Contribution-ID",
];

/// What a recipient, To and Call-ID make a copy of, as octets that the store keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// Header lines, each with its CRLF.
    pub(crate) head: Bytes,
    /// What is sent where it fits: `Content-*` lines, an empty line, the octets; with the history if there is one.
    pub(crate) entity: Bytes,
    /// The same without history, if there is one.
    pub(crate) entity_without_history: Option<Bytes>,
}

impl From<Template> for LegTemplate {
    fn from(template: Template) -> Self {
        Self {
            head: template.head,
            body: template.entity,
            body_without_history: template.entity_without_history,
            send_head: Bytes::new(),
        }
    }
}

impl From<&LegTemplate> for Template {
    fn from(stored: &LegTemplate) -> Self {
        Self {
            head: stored.head.clone(),
            entity: stored.body.clone(),
            entity_without_history: stored.body_without_history.clone(),
        }
    }
}

/// Fixes what the copies of a request have in common.
///
/// `named` are those whom a history names; there is none where it would make the body larger than participating edges
/// take. `None` if the request has no hop left or no From.
pub(crate) fn template(
    request: &Request,
    content: &Content,
    originator: &AssertedIdentity,
    named: &[Recipient],
    site: &Site,
    rng: &mut impl CryptoRng,
) -> Option<Template> {
    let head = head(request, originator, site, rng)?;
    let plain = content.body(rng).entity();
    let with_history = content.body_with_history(named, rng);
    let with_history = with_history.filter(|body| body.octets() <= site.message_body_octets);
    let with_history = with_history.map(|body| body.entity());
    Some(match with_history {
        Some(entity) => Template {
            head,
            entity,
            entity_without_history: Some(plain),
        },
        None => Template {
            head,
            entity: plain,
            entity_without_history: None,
        },
    })
}

/// Hops that a copy may take; `None` if the request has none left (CFP-20).
pub(crate) fn hops_of_a_copy(request: &Request) -> Option<u8> {
    let hops = request.headers().max_forwards().ok()?;
    hops.map_or(Some(MAX_FORWARDS), |hops| hops.checked_sub(1))
}

fn head(
    request: &Request,
    originator: &AssertedIdentity,
    site: &Site,
    rng: &mut impl CryptoRng,
) -> Option<Bytes> {
    let mut lines = Lines::default();
    let mut from = from(request)?;
    from.params
        .set("tag", Some(&format!("cf-{}", token::tag(rng))));
    lines.put(Name::MaxForwards, &hops_of_a_copy(request)?);
    lines.put(Name::From, &from);
    lines.put(Name::CSeq, &"1 MESSAGE");
    lines.put(Name::AcceptContact, &ACCEPT_CONTACT);
    lines.put(Name::UserAgent, &site.signature.product());
    lines.put_common(request, originator, site, |_| true);
    Some(lines.0.freeze())
}

/// Header lines of the INVITEs to the recipients of a large message; its dialog is not made yet, so that From has no tag
/// (CFL-08). `None` as for [`template`].
pub(crate) fn head_of_invite(
    request: &Request,
    originator: &AssertedIdentity,
    site: &Site,
) -> Option<Bytes> {
    let mut lines = Lines::default();
    lines.put(Name::MaxForwards, &hops_of_a_copy(request)?);
    lines.put(Name::From, &from(request)?);
    // Expires says how long a user may ring (RFC 3261 §20.19), which we say ourselves.
    lines.put_common(request, originator, site, |field| {
        field.known() != Some(Name::Expires)
    });
    Some(lines.0.freeze())
}

/// The sender as he names himself, without his tag.
fn from(request: &Request) -> Option<NameAddr> {
    let mut from: NameAddr = request.headers().from().ok().flatten()?;
    from.params = sip::Params::default();
    Some(from)
}

/// Header lines, each with its CRLF.
#[derive(Default)]
struct Lines(BytesMut);

impl Lines {
    fn put(&mut self, name: Name, value: &dyn Display) {
        let line = format!("{}: {value}\r\n", name.as_str());
        self.0.extend_from_slice(line.as_bytes());
    }

    /// Who vouches for the sender, and what goes along as he wrote it.
    fn put_common(
        &mut self,
        request: &Request,
        originator: &AssertedIdentity,
        site: &Site,
        is_wanted: impl Fn(&Field<'_>) -> bool,
    ) {
        // Beyond the trust domain nobody learns who wants not to be known (CFP-14, RFC 3325 §7).
        if site.next_hop.is_some() || !privacy::is_wanted(request) {
            self.put(Name::PAssertedIdentity, &originator.value);
        }
        let fields = request.headers().iter();
        for field in fields.filter(|field| is_copied(field, site) && is_wanted(field)) {
            self.0.extend_from_slice(field.raw());
            self.0.extend_from_slice(b"\r\n");
        }
    }
}

fn is_copied(field: &Field<'_>, site: &Site) -> bool {
    let name = field.known().map_or(field.name(), |name| name.as_str());
    let is_foreign_proof =
        || name.eq_ignore_ascii_case("Authorization") && !is_own_realm(&field.value(), site);
    COPIED
        .iter()
        .any(|copied| copied.eq_ignore_ascii_case(name))
        || is_foreign_proof()
}

/// Whether credentials are for us, and nobody else's to see. What cannot be read is taken for ours.
fn is_own_realm(value: &str, site: &Site) -> bool {
    value
        .parse::<Credentials>()
        .ok()
        .is_none_or(|credentials| site.is_own_realm(&credentials.realm))
}

#[cfg(test)]
mod tests {
    use edge::example;
    use edge::identity::originator;

    use super::*;
    use crate::copies::Leg;
    use crate::recipients::members;
    use crate::site::fixture::cf1;

    fn template_of(lines: &str, site: &Site) -> Option<Request> {
        let request = example::message_with(lines);
        let originator = originator(request.headers(), site)
            .expect("well-formed")
            .expect("asserted");
        let content = Content::whole(&request);
        let made = template(&request, &content, &originator, &[], site, &mut rand::rng())?;
        assert_eq!(made.entity_without_history, None);
        let leg = Leg {
            job: 1,
            index: 0,
            target: "sip:bob@example.org",
            host: "im.example.org",
        };
        Some(leg.copy(&made, &[], false, || 0).expect("a template"))
    }

    #[test]
    fn cfp_15_a_history_of_more_than_participating_edges_take_is_left_out() {
        let request = example::message_with(IDENTITY);
        let site = cf1();
        let originator = originator(request.headers(), &site)
            .expect("well-formed")
            .expect("asserted");
        let content = Content::whole(&request);
        let has_history = |count: usize| {
            let uris: Vec<_> = (0..count)
                .map(|number| format!("sip:member-{number}@example.org"))
                .collect();
            let named = members(uris.iter().map(String::as_str), &originator.address, &site);
            assert_eq!(named.len(), count);
            let rng = &mut rand::rng();
            let made = template(&request, &content, &originator, &named, &site, rng);
            made.expect("hops left").entity_without_history.is_some()
        };
        assert!(has_history(10));
        assert!(!has_history(5_000));
    }

    const IDENTITY: &str = "P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n";

    #[test]
    fn cfp_22_copied_fields_go_along_and_no_others() {
        let copied = "Subject: Lunch\r\nDate: Fri, 20 Nov 2026 09:14:05 GMT\r\nExpires: 60\r\nPriority: urgent\r\n\
                      In-Reply-To: 1@h\r\nReply-To: <sip:r@example.org>\r\nOrganization: O\r\nCall-Info: <http://h/>\r\n\
                      Accept-Language: de\r\nConversation-ID: 1\r\nContribution-ID: 2\r\nPrivacy: none\r\n";
        let dropped = "Require: recipient-list-message\r\nProxy-Require: x\r\nRoute: <sip:cf1.im.example.org;lr>\r\n\
                       Record-Route: <sip:h;lr>\r\nP-Served-User: <sip:alice@example.org>\r\n\
                       P-Charging-Vector: icid-value=1\r\nContact: <sip:alice@h>\r\nP-Access-Network-Info: x\r\n\
                       X-Other: y\r\n";
        let made = template_of(&format!("{IDENTITY}{copied}{dropped}"), &cf1()).expect("hops left");
        let text = String::from_utf8_lossy(made.as_bytes()).into_owned();
        for line in copied.lines() {
            assert!(
                text.contains(&format!("\r\n{line}\r\n")),
                "{line} in {text}"
            );
        }
        for line in dropped.lines() {
            let (name, _) = line.split_once(':').expect("a field");
            assert!(!text.contains(&format!("\r\n{name}:")), "{name} in {text}");
        }
        assert!(!text.contains("\r\nVia:"), "{text}");
    }

    #[test]
    fn cfp_10_it_is_a_request_of_our_own_in_the_name_of_the_sender() {
        let made = template_of(IDENTITY, &cf1()).expect("hops left");
        let from = made.from().expect("valid").expect("present");
        assert_eq!(from.uri.to_string(), "sip:alice@example.org");
        assert!(from.tag().is_some_and(|tag| tag.starts_with("cf-")));
        let headers = made.headers();
        assert_eq!(headers.max_forwards(), Ok(Some(69)));
        let value = |name| headers.first(name).map(|field| field.value().into_owned());
        assert_eq!(value(Name::AcceptContact).as_deref(), Some(ACCEPT_CONTACT));
        assert_eq!(
            value(Name::PAssertedIdentity).as_deref(),
            Some("\"Alice\" <sip:alice@example.org>")
        );
        assert_eq!(made.body(), "hi");
    }

    #[test]
    fn cfp_14_an_untrusted_hop_learns_nothing_of_a_private_sender() {
        let lines = format!("{IDENTITY}Privacy: id\r\n");
        let count = |site: &Site| {
            let made = template_of(&lines, site).expect("hops left");
            made.headers().count(Name::PAssertedIdentity)
        };
        assert_eq!(count(&cf1()), 1);
        assert_eq!(count(&crate::site::fixture::laptop()), 0);
    }

    #[test]
    fn cfp_14_only_credentials_for_others_go_along() {
        let digest = |realm: &str| {
            format!(
                "Authorization: Digest username=\"a\", realm=\"{realm}\", nonce=\"n\", uri=\"sip:h\", \
                 response=\"0123456789abcdef0123456789abcdef\", cnonce=\"c\", qop=auth, nc=00000001\r\n"
            )
        };
        let lines = format!(
            "{IDENTITY}{}{}Authorization: Basic eA==\r\n",
            digest("example.org"),
            digest("far.example.net")
        );
        let made = template_of(&lines, &cf1()).expect("hops left");
        let text = String::from_utf8_lossy(made.as_bytes()).into_owned();
        assert_eq!(text.matches("Authorization:").count(), 1, "{text}");
        assert!(text.contains("realm=\"far.example.net\""), "{text}");
    }
}
