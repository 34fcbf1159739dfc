//! What we have said of an MSRP session, and what a later offer of the peer must repeat (RFC 3264 §8).
//!
//! A session is for one message, or for one push: it is refreshed, never moved. An offer that names
//! another path is another session, whose octets would have no beginning here (DEF-14).

use msrp::Path;
use msrp::sdp::{MsrpMedia, Origin, Role, SessionDescription, Setup};

/// Our side of the session.
#[derive(Debug, Clone)]
pub struct Described {
    origin: Origin,
    media: MsrpMedia,
    /// Which of the media lines it is.
    place: usize,
    text: String,
    /// What the peer said; none as long as our offer is not answered.
    peer: Option<(Path, Role)>,
}

impl Described {
    /// By our offer of this one line.
    pub fn offered(origin: Origin, media: MsrpMedia) -> Self {
        Self {
            text: SessionDescription::print_offer(&origin, &media),
            origin,
            media,
            place: 0,
            peer: None,
        }
    }

    /// By our answer to an offer: this line for that at `place`.
    pub fn answered(
        origin: Origin,
        media: MsrpMedia,
        (offer, place): (&SessionDescription, usize),
        peer: (Path, Role),
    ) -> Self {
        Self {
            text: offer.print_answer(&origin, place, &media),
            origin,
            media,
            place,
            peer: Some(peer),
        }
    }

    /// Leaves these attributes out of an offer that goes out once more.
    pub fn leave_out(&mut self, names: &[&str]) {
        let attributes = &mut self.media.attributes;
        attributes.retain(|(name, _)| !names.contains(&name.as_str()));
        self.text = SessionDescription::print_offer(&self.origin, &self.media);
    }

    /// The answer to our offer is here.
    pub fn agreed(&mut self, peer_path: Path, role: Role) {
        self.peer = Some((peer_path, role));
    }

    /// The description as it was last sent.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Our answer to an offer within the dialog; none where it is not about the same session.
    pub fn answer(&mut self, offer: &[u8]) -> Option<&str> {
        let (peer_path, role) = self.peer.as_ref()?;
        let offer = SessionDescription::parse(offer).ok()?;
        let repeated = offer.msrp_media().find(|(place, _)| *place == self.place);
        let repeated = repeated.and_then(|(_, media)| media.ok())?;
        let is_same = repeated.path == *peer_path
            && repeated.port != 0
            && repeated.protocol == self.media.protocol;
        let flows = if self.media.direction.sends() {
            repeated.direction.receives()
        } else {
            repeated.direction.sends()
        };
        if !is_same || !flows {
            return None;
        }
        self.media.setup = repeated.setup.map(|setup| match (setup, role) {
            (Setup::Active, _) | (Setup::ActPass, Role::Passive) => Setup::Passive,
            (Setup::Passive, _) | (Setup::ActPass, Role::Active) => Setup::Active,
        });
        let text = offer.print_answer(&self.origin, self.place, &self.media);
        if text != self.text {
            self.origin.version += 1;
            self.text = offer.print_answer(&self.origin, self.place, &self.media);
        }
        Some(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "msrp://203.0.113.9:49200/b0bS3ss;tcp";

    fn origin() -> Origin {
        Origin {
            user: "restante".to_owned(),
            session_id: 1,
            version: 1,
            host: "192.0.2.20".to_owned(),
        }
    }

    /// A push that was answered by a client that connects.
    fn push() -> Described {
        let path = "msrp://192.0.2.20:2855/k7Qp0x3mZ1uWc9RtE4sHaV;tcp".parse();
        let media = MsrpMedia::push_offer(path.expect("a path"));
        let mut described = Described::offered(origin(), media);
        described.agreed(PEER.parse().expect("a path"), Role::Passive);
        described
    }

    fn offer(lines: &str) -> String {
        format!(
            "v=0\r\no=bob 8801 2 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\n\
             m=message 49200 TCP/MSRP *\r\na=path:{PEER}\r\na=accept-types:*\r\n{lines}"
        )
    }

    #[test]
    fn an_answer_says_who_connected_and_has_a_line_for_each_of_the_offer() {
        let mut described = push();
        let offered = described.text().to_owned();
        assert!(offered.contains("a=setup:actpass\r\n"));
        let again = offer("a=recvonly\r\na=setup:actpass\r\nm=audio 4000 RTP/AVP 0\r\n");
        let answer = described.answer(again.as_bytes()).expect("the session");
        assert!(answer.contains("a=setup:passive\r\n"), "{answer}");
        assert!(answer.contains("a=sendonly\r\n"), "{answer}");
        assert!(answer.contains("m=audio 0 RTP/AVP 0\r\n"), "{answer}");
        assert!(answer.contains("o=restante 1 2 IN IP4 192.0.2.20\r\n"));
        let answer = answer.to_owned();
        assert_eq!(described.answer(again.as_bytes()), Some(answer.as_str()));
    }

    #[test]
    fn another_session_is_not_agreed_to() {
        let same = offer("a=recvonly\r\n");
        for other in [
            same.replace(PEER, "msrp://203.0.113.9:49200/moved;tcp"),
            same.replace("message 49200", "message 0"),
            same.replace("recvonly", "inactive"),
            same.replace("recvonly", "sendonly"),
            same.replace("TCP/MSRP", "TCP/TLS/MSRP"),
            same.replace("m=message", "m=audio 4000 RTP/AVP 0\r\nm=message"),
            "rubbish".to_owned(),
        ] {
            assert_eq!(push().answer(other.as_bytes()), None, "{other}");
        }
        assert!(push().answer(same.as_bytes()).is_some());
    }
}
