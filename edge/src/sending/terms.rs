//! What the client's answer lets us send (PSH-10, LMT-05).

use msrp::Path;
use msrp::sdp::{Agreement, MsrpMedia, Role, SessionDescription, agree};
use net::tls::Fingerprint;

/// The terms of one session in which we send.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Where our SENDs go.
    pub peer_path: Path,
    /// Who connects.
    pub role: Role,
    /// Whether only REPORTs prove delivery (P4).
    pub needs_reports: bool,
    /// Whose certificate the connection must show; `None` in clear (MSR-03).
    pub fingerprint: Option<Fingerprint>,
    answer: MsrpMedia,
}

impl Terms {
    /// Judges the answer to our offer of a session for content of this type.
    ///
    /// # Errors
    /// Why no message can be sent in this session.
    pub(crate) fn of(
        offer: &MsrpMedia,
        answer: &[u8],
        content_type: &str,
    ) -> Result<Self, &'static str> {
        let description = SessionDescription::parse(answer).map_err(|_| "answer is no SDP")?;
        let answer = description.first_msrp().ok_or("no MSRP in the answer")?;
        let agreement = agree(offer, &answer).map_err(|_| "answer does not fit the offer")?;
        if !answer.accepts(content_type) {
            return Err("client does not take the type of the session");
        }
        Ok(Self {
            peer_path: agreement.peer_path,
            role: agreement.role,
            needs_reports: agreement.needs_reports,
            fingerprint: fingerprint(&answer)?,
            answer,
        })
    }

    /// Judges an offer of the client, who wants to receive content of this type, by what we have agreed
    /// to.
    ///
    /// # Errors
    /// Why no message can be sent in this session.
    pub fn offered(
        offer: &MsrpMedia,
        agreement: &Agreement,
        content_type: &str,
    ) -> Result<Self, &'static str> {
        if !offer.accepts(content_type) {
            return Err("client does not take the type of the session");
        }
        Ok(Self {
            peer_path: offer.path.clone(),
            role: agreement.role,
            needs_reports: agreement.needs_reports,
            fingerprint: fingerprint(offer)?,
            answer: offer.clone(),
        })
    }

    /// Whether a part of this type may be sent inside a container.
    #[must_use]
    pub fn accepts_wrapped(&self, content_type: &str) -> bool {
        self.answer.accepts_wrapped(content_type)
    }

    /// Whether so many octets may be sent in one message.
    ///
    /// # Errors
    /// Why they are not.
    pub fn fits(&self, octets: u64) -> Result<(), &'static str> {
        if self.answer.max_size.is_some_and(|limit| octets > limit) {
            return Err("larger than the client takes");
        }
        Ok(())
    }
}

/// What the answer says of the client's certificate, which it must where it agrees on TLS.
fn fingerprint(answer: &MsrpMedia) -> Result<Option<Fingerprint>, &'static str> {
    if !answer.path.first().is_secure() {
        return Ok(None);
    }
    let value = answer.fingerprint.as_ref();
    let read = value.ok_or("no fingerprint in the answer")?.parse();
    read.map(Some).map_err(|_| "fingerprint cannot be used")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTAINER: &str = "multipart/mixed";

    /// Our offer of a session for such content.
    fn offer(path: &str, fingerprint: Option<&Fingerprint>) -> MsrpMedia {
        MsrpMedia {
            fingerprint: fingerprint.map(Fingerprint::to_string),
            ..MsrpMedia::push_offer(path.parse().expect("a path"))
        }
    }

    const PATH: &str = "msrp://192.0.2.20:2855/k7Qp0x3mZ1uWc9RtE4sHaV;tcp";

    fn terms(attributes: &str) -> Result<Terms, &'static str> {
        let media = offer(PATH, None);
        let answer = format!(
            "v=0\r\no=bob 1 1 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\n\
             m=message 49200 TCP/MSRP *\r\na=path:msrp://203.0.113.9:49200/b0bS3ss;tcp\r\n{attributes}"
        );
        Terms::of(&media, answer.as_bytes(), CONTAINER)
    }

    #[test]
    fn the_types_of_the_answer_decide_what_is_sent() {
        let narrow = "a=accept-types:multipart/mixed\r\na=accept-wrapped-types:message/sipfrag message/sip\r\n";
        let private_only = "a=accept-types:multipart/mixed message/sipfrag\r\n";
        let table = [
            ("a=accept-types:*\r\n", "message/sip", true),
            (
                "a=accept-types:multipart/mixed\r\na=accept-wrapped-types:*\r\n",
                "message/sip",
                true,
            ),
            (narrow, "message/sip", true),
            (narrow, "message/msrp", false),
            (private_only, "message/sipfrag", true),
            (private_only, "message/sip", false),
        ];
        for (attributes, wrapped, expected) in table {
            let terms = terms(attributes).expect("a session");
            let accepts = ["message/sipfrag", wrapped].map(|part| terms.accepts_wrapped(part));
            assert_eq!(accepts == [true; 2], expected, "{attributes} {wrapped}");
        }
        assert!(terms("a=accept-types:text/plain\r\n").is_err());
    }

    #[test]
    fn max_size_is_kept_to() {
        let terms = terms("a=accept-types:*\r\na=max-size:2000\r\n").expect("a session");
        assert!(terms.fits(2_000).is_ok());
        assert!(terms.fits(2_001).is_err());
    }

    #[test]
    fn who_connects_follows_the_answer() {
        let role = |setup: &str| {
            terms(&format!("a=accept-types:*\r\na=recvonly\r\n{setup}")).map(|terms| terms.role)
        };
        assert_eq!(role("a=setup:active\r\n"), Ok(Role::Passive));
        assert_eq!(role("a=setup:passive\r\n"), Ok(Role::Active));
        assert_eq!(role(""), Ok(Role::Active));
        assert_eq!(role("a=setup:holdconn\r\n"), Ok(Role::Active));
    }

    #[test]
    fn over_tls_the_answer_must_have_a_good_fingerprint() {
        let print = format!("sha-256 {}", ["4A"; 32].join(":"));
        let ours = print.parse().expect("a fingerprint");
        let path = "msrps://192.0.2.20:2856/k7Qp0x3mZ1uWc9RtE4sHaV;tcp";
        let media = offer(path, Some(&ours));
        let judged = |scheme: &str, attributes: &str| {
            let protocol = if scheme == "msrps" {
                "TCP/TLS/MSRP"
            } else {
                "TCP/MSRP"
            };
            let answer = format!(
                "v=0\r\no=bob 1 1 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\n\
                 m=message 49200 {protocol} *\r\na=path:{scheme}://203.0.113.9:49200/b0bS3ss;tcp\r\n\
                 a=accept-types:*\r\n{attributes}"
            );
            Terms::of(&media, answer.as_bytes(), CONTAINER).map(|terms| terms.fingerprint)
        };
        let line = format!("a=fingerprint:{print}\r\n");
        assert_eq!(judged("msrps", &line), Ok(Some(ours)));
        let missing = "no fingerprint in the answer";
        assert_eq!(judged("msrps", ""), Err(missing));
        let bad = "fingerprint cannot be used";
        assert_eq!(judged("msrps", "a=fingerprint:sha-256 4A\r\n"), Err(bad));
        assert_eq!(judged("msrps", "a=fingerprint:md5 4A\r\n"), Err(bad));
        assert_eq!(judged("msrp", &line), Err("answer does not fit the offer"));
    }

    #[test]
    fn an_answer_that_takes_nothing_gives_no_session() {
        assert!(terms("a=sendonly\r\na=accept-types:*\r\n").is_err());
        let media = offer(PATH, None);
        assert!(Terms::of(&media, b"", CONTAINER).is_err());
        assert!(
            Terms::of(
                &media,
                b"v=0\r\no=b 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\n",
                CONTAINER
            )
            .is_err()
        );
    }
}
