//! One copy, for one recipient.

use bytes::{BufMut as _, Bytes, BytesMut};
use edge::leg_name::call_id_prefix;
use memchr::memmem;
use sip::{Limits, MediaType, Message, Request, parse_datagram};
use storage_client::LegName;

use super::Template;

/// Octets that any way to a device carries (RFC 3428 §8).
const SAFE_OCTETS: usize = 1_300;

/// For whom a copy is, and which of the copies of its message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leg<'a> {
    /// The fan-out.
    pub(crate) job: u64,
    /// The place of the recipient in its roster.
    pub(crate) index: u32,
    /// Request-URI and To.
    pub(crate) target: &'a str,
    /// The host that names the fan-out: that of the store, which is the same for all edges.
    pub(crate) host: &'a str,
}

/// What is stored makes no request: it is no template of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the template makes no request")]
pub(crate) struct NotATemplate;

impl Leg<'_> {
    /// Call-ID of the copy, the same in every try.
    pub(crate) fn call_id(&self) -> String {
        format!("{}@{}", self.call_id_prefix(), self.host)
    }

    /// What the Call-ID of an INVITE begins with. Its tries are dialogs, so each has a Call-ID of its own; the message is
    /// known by its Message-ID.
    pub(crate) fn call_id_prefix(&self) -> String {
        call_id_prefix(LegName {
            job: self.job,
            index: self.index,
        })
    }

    /// The copy with these values of Route, and without Via, which belongs to the try. It has the history if that fits, or
    /// if every hop is congestion safe (CFP-15, DLM-04); `via` are the octets that Via will take. A history that no request
    /// can hold is left out too.
    ///
    /// # Errors
    /// [`NotATemplate`].
    pub(crate) fn copy(
        &self,
        template: &Template,
        routes: &[String],
        is_congestion_safe: bool,
        via: impl FnOnce() -> usize,
    ) -> Result<Request, NotATemplate> {
        let whole = self.with(&template.head, routes, &template.entity);
        let Some(without_history) = &template.entity_without_history else {
            return whole;
        };
        match whole {
            Ok(copy) if is_congestion_safe || copy.as_bytes().len() + via() <= SAFE_OCTETS => {
                Ok(copy)
            }
            _ => self.with(&template.head, routes, without_history),
        }
    }

    fn with(
        &self,
        head: &Bytes,
        routes: &[String],
        entity: &Bytes,
    ) -> Result<Request, NotATemplate> {
        let (fields, body) = parted(entity).ok_or(NotATemplate)?;
        let own = self.own_content(fields, body);
        let body = own.as_deref().unwrap_or(body);
        let target = self.target;
        let own = format!(
            "To: <{target}>\r\nCall-ID: {}\r\nContent-Length: {}\r\n\r\n",
            self.call_id(),
            body.len()
        );
        let first: usize = routes.iter().map(|route| route.len() + 9).sum();
        let first = first + target.len() + "MESSAGE  SIP/2.0\r\n".len();
        let mut octets =
            BytesMut::with_capacity(first + head.len() + fields.len() + own.len() + body.len());
        for part in ["MESSAGE ", target, " SIP/2.0\r\n"] {
            octets.put(part.as_bytes());
        }
        for route in routes {
            for part in ["Route: ", route, "\r\n"] {
                octets.put(part.as_bytes());
            }
        }
        octets.put(head.as_ref());
        octets.put(fields);
        octets.put(own.as_bytes());
        octets.put(body);
        match parse_datagram(octets.freeze(), &Limits::default()) {
            Ok(Message::Request(copy)) => Ok(copy),
            _ => Err(NotATemplate),
        }
    }
}

impl Leg<'_> {
    /// The body where it is not the same in all copies: a message in CPIM whose sender wants to be told of each recipient
    /// (CFP-19).
    fn own_content(&self, fields: &[u8], body: &[u8]) -> Option<Bytes> {
        let lines = std::str::from_utf8(fields).ok()?.lines();
        let is_cpim = |line: &str| {
            let (name, value) = line.split_once(':')?;
            let is_type = name.trim().eq_ignore_ascii_case("Content-Type");
            Some(is_type && value.parse::<MediaType>().ok()?.is("message/cpim"))
        };
        if !lines.filter_map(is_cpim).any(|is_cpim| is_cpim) {
            return None;
        }
        let message = cpim::Message::parse(&Bytes::copy_from_slice(body)).ok()?;
        cpim::imdn::addressed_to(&message, self.target)
    }
}

/// The lines of an entity, each with its CRLF, and the octets behind the empty line.
fn parted(entity: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(body) = entity.strip_prefix(b"\r\n") {
        return Some((&[], body));
    }
    let end = memmem::find(entity, b"\r\n\r\n")? + 2;
    let (fields, rest) = entity.split_at(end);
    Some((fields, rest.strip_prefix(b"\r\n")?))
}

#[cfg(test)]
mod tests {
    use sip::Name;

    use super::*;

    fn template(entity: &str, without: Option<&str>) -> Template {
        Template {
            head: Bytes::from_static(
                b"Max-Forwards: 67\r\nFrom: \"Alice\" <sip:alice@example.org>;tag=cf-1\r\nCSeq: 1 MESSAGE\r\n",
            ),
            entity: entity.to_owned().into(),
            entity_without_history: without.map(|without| without.to_owned().into()),
        }
    }

    fn to_bob() -> Leg<'static> {
        Leg {
            job: 7,
            index: 2,
            target: "sip:bob@example.org",
            host: "im.example.org",
        }
    }

    #[test]
    fn cfp_18_a_copy_is_the_same_octets_in_every_try() {
        let template = template("Content-Type: text/plain\r\n\r\nhi\r\n\r\nho", None);
        let made = || {
            to_bob()
                .copy(&template, &[], false, || 200)
                .expect("a template")
        };
        assert_eq!(made().as_bytes(), made().as_bytes());
        let copy = made();
        assert_eq!(copy.raw_uri(), "sip:bob@example.org");
        let value = |name| {
            let field = copy.headers().first(name);
            field.map(|field| field.value().into_owned())
        };
        assert_eq!(
            value(Name::CallId).as_deref(),
            Some("cf-7-2@im.example.org")
        );
        assert_eq!(value(Name::To).as_deref(), Some("<sip:bob@example.org>"));
        assert_eq!(value(Name::ContentType).as_deref(), Some("text/plain"));
        assert_eq!(copy.body(), "hi\r\n\r\nho");
    }

    #[test]
    fn routes_come_first_and_count() {
        let routes = ["<sip:core.example.org;lr>".to_owned()];
        let short = template("\r\nhi", None);
        let copy = to_bob().copy(&short, &routes, false, || 0);
        let copy = copy.expect("a template");
        let lines = String::from_utf8_lossy(copy.as_bytes()).into_owned();
        let expected = "MESSAGE sip:bob@example.org SIP/2.0\r\nRoute: <sip:core.example.org;lr>\r\nMax-Forwards: 67\r\n";
        assert!(lines.starts_with(expected), "{lines}");
        let long = "x".repeat(1_050);
        let long = template(&format!("\r\n{long}"), Some("\r\nshort"));
        for (routes, octets) in [(&[][..], 1_050), (&routes, 5)] {
            let copy = to_bob().copy(&long, routes, false, || 30);
            assert_eq!(copy.expect("a template").body().len(), octets);
        }
    }

    #[test]
    fn a_body_without_fields_is_one_too() {
        let copy = to_bob().copy(&template("\r\nhi", None), &[], false, || 0);
        assert_eq!(copy.expect("a template").body(), "hi");
    }

    #[test]
    fn cfp_15_the_history_goes_along_where_it_fits_or_nothing_can_be_congested() {
        let long = format!("Content-Type: text/plain\r\n\r\n{}", "long".repeat(240));
        let template = template(&long, Some("Content-Type: text/plain\r\n\r\nshort"));
        let body = |is_safe: bool, overhead: usize| {
            let copy = to_bob().copy(&template, &[], is_safe, || overhead);
            copy.expect("a template").body().len()
        };
        assert_eq!(body(false, 40), 960);
        assert_eq!(body(false, 400), 5);
        assert_eq!(body(true, 400), 960);
    }

    #[test]
    fn cfp_15_a_history_that_no_request_can_hold_is_left_out() {
        let endless = format!(
            "Content-Type: text/plain\r\n\r\n{}",
            "x".repeat(Limits::default().body_octets + 1)
        );
        let template = template(&endless, Some("Content-Type: text/plain\r\n\r\nshort"));
        for is_safe in [false, true] {
            let copy = to_bob().copy(&template, &[], is_safe, || 0);
            assert_eq!(copy.expect("a template").body(), "short");
        }
    }

    #[test]
    fn cfp_19_a_sender_who_wants_to_be_told_of_each_is() {
        let cpim = "Content-Type: message/cpim\r\n\r\nTo: <sip:team@example.org>\r\nNS: imdn <urn:ietf:params:imdn>\r\n\
                    imdn.Message-ID: 1\r\nimdn.Disposition-Notification: positive-delivery\r\n\r\n\
                    Content-Type: text/plain\r\n\r\nhi";
        let copy = to_bob()
            .copy(&template(cpim, None), &[], false, || 0)
            .expect("a template");
        let body = String::from_utf8_lossy(copy.body()).into_owned();
        assert!(body.starts_with("To: <sip:bob@example.org>\r\n"), "{body}");
        assert!(
            body.contains("\r\nimdn.Original-To: <sip:team@example.org>\r\n"),
            "{body}"
        );
        assert!(
            body.contains("imdn.Message-ID: 1\r\n") && body.ends_with("\r\n\r\nhi"),
            "{body}"
        );
    }

    #[test]
    fn what_is_no_template_makes_no_copy() {
        for entity in ["", "no empty line", "\r"] {
            let copy = to_bob().copy(&template(entity, None), &[], false, || 0);
            assert_eq!(copy.err(), Some(NotATemplate), "{entity}");
        }
    }
}
