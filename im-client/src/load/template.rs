//! Requests written from numbers.

use std::io::Write as _;

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

use super::plan::{Plan, Transport};

const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789";

/// Writes the requests of one connection.
pub(super) struct Template {
    via: String,
    domain: String,
    run: u64,
    connection: usize,
    mailboxes: u32,
    senders: u32,
    body: Vec<u8>,
    random: SmallRng,
}

impl Template {
    pub(super) fn new(plan: &Plan, connection: usize, local: std::net::SocketAddr) -> Self {
        let token = match plan.transport {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        };
        Self {
            via: format!("Via: SIP/2.0/{token} {local};rport;branch=z9hG4bK-load"),
            domain: plan.domain.clone(),
            run: plan.run,
            connection,
            mailboxes: plan.mailboxes,
            senders: plan.senders,
            body: vec![b' '; plan.body_octets],
            random: SmallRng::seed_from_u64(plan.run ^ connection as u64),
        }
    }

    /// Writes request `number` of slot `slot` over the old contents of `out`.
    pub(super) fn write(&mut self, slot: usize, number: u64, out: &mut Vec<u8>) {
        let recipient = self.random.random_range(0..self.mailboxes);
        let sender = self.random.random_range(0..self.senders);
        self.fill_body(number);
        let Self {
            via,
            domain,
            run,
            connection,
            body,
            ..
        } = self;
        let octets = body.len();
        out.clear();
        // Writing to a Vec cannot fail.
        let _ = write!(
            out,
            "MESSAGE sip:user-{recipient}@{domain} SIP/2.0\r\n\
             {via}-{slot}-{number}\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:sender-{sender}@{domain}>;tag=l{connection}-{slot}-{number}\r\n\
             To: <sip:user-{recipient}@{domain}>\r\n\
             Call-ID: load-{run:x}-{connection}-{slot}-{number}@{domain}\r\n\
             CSeq: 1 MESSAGE\r\n\
             Accept-Contact: *;+g.oma.sip-im\r\n\
             User-Agent: IM-client/OMA1.0 Restante-load\r\n\
             P-Asserted-Identity: <sip:sender-{sender}@{domain}>\r\n\
             Content-Type: text/plain;charset=utf-8\r\n\
             Content-Length: {octets}\r\n\r\n"
        );
        out.extend_from_slice(body);
    }

    /// Random letters that begin with the number: no two bodies are alike.
    fn fill_body(&mut self, number: u64) {
        for eight in self.body.chunks_mut(8) {
            let mut bits: u64 = self.random.random();
            for octet in eight {
                *octet = LETTERS[(bits & 63) as usize];
                bits >>= 8;
            }
        }
        let head = format!("{}-{number} ", self.connection);
        let length = head.len().min(self.body.len());
        self.body[..length].copy_from_slice(&head.as_bytes()[..length]);
    }
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) slot: usize,
    pub(super) number: u64,
}

/// Reads status, slot and number from an answer to a request of [`Template::write`].
pub(super) fn read_answer(octets: &[u8]) -> Option<Answer> {
    let status = std::str::from_utf8(octets.get(8..11)?).ok()?.parse().ok()?;
    let mark = b";branch=z9hG4bK-load-";
    let at = memchr::memmem::find(octets, mark)? + mark.len();
    let rest = octets.get(at..)?;
    let end = rest
        .iter()
        .position(|octet| !octet.is_ascii_digit() && *octet != b'-')?;
    let (slot, number) = std::str::from_utf8(&rest[..end]).ok()?.split_once('-')?;
    Some(Answer {
        status,
        slot: slot.parse().ok()?,
        number: number.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::Pacing;

    fn plan() -> Plan {
        Plan {
            target: ([127, 0, 0, 1], 5060).into(),
            transport: Transport::Udp,
            connections: 1,
            pacing: Pacing::Closed(1),
            warm_up: Duration::ZERO,
            duration: Duration::ZERO,
            mailboxes: 10,
            senders: 3,
            body_octets: 300,
            domain: "example.org".into(),
            run: 7,
        }
    }

    #[test]
    fn a_request_is_valid_sip_and_no_two_are_alike() {
        let mut template = Template::new(&plan(), 0, ([127, 0, 0, 1], 40000).into());
        let (mut first, mut second) = (Vec::new(), Vec::new());
        template.write(3, 1, &mut first);
        template.write(3, 2, &mut second);
        for octets in [&first, &second] {
            let message = sip::message::parse_datagram(
                bytes::Bytes::copy_from_slice(octets),
                &sip::Limits::default(),
            )
            .expect("parses");
            let sip::message::Message::Request(request) = message else {
                panic!("a request")
            };
            assert_eq!(request.check(), Ok(()));
            assert_eq!(request.body().len(), 300);
        }
        assert_ne!(first[first.len() - 300..], second[second.len() - 300..]);
    }

    #[test]
    fn an_answer_names_its_request() {
        let answer = b"SIP/2.0 202 Accepted\r\nVia: SIP/2.0/UDP 127.0.0.1:40000;rport=1;branch=z9hG4bK-load-12-345\r\n\r\n";
        assert_eq!(
            read_answer(answer),
            Some(Answer {
                status: 202,
                slot: 12,
                number: 345
            })
        );
        assert_eq!(read_answer(b"SIP/2.0 202 Accepted\r\n\r\n"), None);
        assert_eq!(read_answer(b""), None);
    }
}
