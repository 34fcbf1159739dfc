//! MSRP requests and responses on a connection (RFC 4975 §7.1).

use crate::sip::find;

/// One frame, as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// All octets, the end-line and its CRLF included.
    pub octets: Vec<u8>,
    /// Its transaction.
    pub transaction: String,
    /// What follows the transaction in the first line: the method, or status code and phrase.
    pub kind: String,
    /// Header lines.
    pub lines: Vec<String>,
    /// The octets between the empty line and the CRLF before the end-line; empty without a body.
    pub body: Vec<u8>,
    /// The last character of the end-line.
    pub flag: char,
}

impl Frame {
    /// The value of a header field; empty if there is none.
    pub fn field(&self, name: &str) -> &str {
        let mut fields = self.lines.iter().filter_map(|line| line.split_once(": "));
        fields
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value)
    }

    /// The status code of a response; 0 for a request.
    pub fn status(&self) -> u16 {
        let code = self.kind.split(' ').next();
        code.and_then(|code| code.parse().ok()).unwrap_or_default()
    }

    /// Takes the first whole frame from the front of `octets`.
    ///
    /// # Panics
    /// When what arrived is no MSRP.
    pub fn take(octets: &mut Vec<u8>) -> Option<Self> {
        let line = find(octets, b"\r\n")?;
        let first = String::from_utf8(octets[..line].to_vec()).expect("text");
        let mut words = first.splitn(3, ' ');
        assert_eq!(words.next(), Some("MSRP"), "no MSRP: {first}");
        let transaction = words.next().expect("a transaction").to_owned();
        let kind = words.next().expect("a method or status").to_owned();
        let end_line = format!("\r\n-------{transaction}");
        let end = find(octets, end_line.as_bytes())?;
        let after = end + end_line.len();
        if octets.len() < after + 3 {
            return None;
        }
        assert_eq!(
            &octets[after + 1..after + 3],
            b"\r\n",
            "the end-line goes on"
        );
        let flag = char::from(octets[after]);
        let octets: Vec<u8> = octets.drain(..after + 3).collect();
        let (head, body) = match find(&octets[..end], b"\r\n\r\n") {
            Some(split) => (&octets[line + 2..split], octets[split + 4..end].to_vec()),
            None => (&octets[(line + 2).min(end)..end], Vec::new()),
        };
        let head = String::from_utf8(head.to_vec()).expect("text");
        let lines = head.split("\r\n").map(str::to_owned).collect();
        Some(Self {
            octets,
            transaction,
            kind,
            lines,
            body,
            flag,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Frame;

    #[test]
    fn frames_are_taken_one_by_one() {
        let send =
            "MSRP a1 SEND\r\nTo-Path: x\r\nContent-Type: t/p\r\n\r\nbo\r\n\r\ndy\r\n-------a1+\r\n";
        let mut octets = format!("{send}MSRP b2 200 OK\r\nTo-Path: y\r\n-------b2$\r").into_bytes();
        let first = Frame::take(&mut octets).expect("whole");
        assert_eq!(
            (first.body.as_slice(), first.flag),
            (b"bo\r\n\r\ndy".as_slice(), '+')
        );
        assert_eq!(
            (first.octets.as_slice(), first.field("to-path")),
            (send.as_bytes(), "x")
        );
        assert_eq!(Frame::take(&mut octets), None);
        octets.push(b'\n');
        let second = Frame::take(&mut octets).expect("whole");
        assert_eq!((second.kind.as_str(), second.lines.len()), ("200 OK", 1));
    }
}
