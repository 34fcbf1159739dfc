//! Messages on a connection: framed by Content-Length (RFC 3261 §18.3).

use super::text::{SipText, find};

/// Octets received that make no whole message yet.
#[derive(Debug, Default)]
pub(super) struct Framing {
    octets: Vec<u8>,
}

impl Framing {
    pub(super) fn push(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// The next whole message.
    pub(super) fn next(&mut self) -> Option<SipText> {
        while self.octets.starts_with(b"\r\n") {
            self.octets.drain(..2);
        }
        let head = find(&self.octets, b"\r\n\r\n")? + 4;
        let length = SipText::new(self.octets[..head].to_vec())
            .find("Content-Length")?
            .parse::<usize>()
            .ok()?;
        let end = head + length;
        (self.octets.len() >= end).then(|| SipText::new(self.octets.drain(..end).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::Framing;

    #[test]
    fn messages_come_out_whole_and_one_by_one() {
        let mut framing = Framing::default();
        framing.push(b"\r\n\r\nA b SIP/2.0\r\nContent-Length: 2\r\n\r\nh");
        assert_eq!(framing.next(), None);
        framing.push(b"iC d SIP/2.0\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(framing.next().expect("whole").body(), b"hi");
        assert_eq!(framing.next().expect("whole").method(), Some("C"));
        assert_eq!(framing.next(), None);
    }
}
