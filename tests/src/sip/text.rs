//! A message that was received.

use std::fmt;

/// A SIP message as it arrived.
#[derive(Clone, PartialEq, Eq)]
pub struct SipText {
    octets: Vec<u8>,
    head: String,
}

impl SipText {
    /// A message of these octets; the head is what is before the first empty line.
    pub fn new(octets: Vec<u8>) -> Self {
        let end = find(&octets, b"\r\n\r\n").unwrap_or(octets.len());
        let head = String::from_utf8_lossy(&octets[..end]).into_owned();
        Self { octets, head }
    }

    /// All octets.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The octets after the empty line.
    pub fn body(&self) -> &[u8] {
        let end = find(&self.octets, b"\r\n\r\n");
        end.map_or(&[], |end| &self.octets[end + 4..])
    }

    /// The first line.
    pub fn start_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The status code of a response.
    pub fn status(&self) -> Option<u16> {
        let status = self.start_line().strip_prefix("SIP/2.0 ")?;
        status.get(..3)?.parse().ok()
    }

    /// The method of a request.
    pub fn method(&self) -> Option<&str> {
        match self.status() {
            Some(_) => None,
            None => self.start_line().split(' ').next(),
        }
    }

    /// The values of a header field, one per line, by its full name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let value = |line: &'_ str| -> Option<usize> {
            let (found, _) = line.split_once(':')?;
            found
                .trim_end()
                .eq_ignore_ascii_case(name)
                .then_some(found.len() + 1)
        };
        let lines = self.head.lines().skip(1);
        lines
            .filter_map(|line| Some(line[value(line)?..].trim()))
            .collect()
    }

    /// The first value of a header field.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// The first value of a header field that must be there.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn field(&self, name: &str) -> &str {
        self.find(name)
            .unwrap_or_else(|| panic!("no {name} in\n{self}"))
    }

    /// The tag of From or To.
    pub fn tag(&self, name: &str) -> Option<&str> {
        parameter(self.find(name)?, "tag")
    }

    /// The branch of the topmost Via.
    pub fn branch(&self) -> Option<&str> {
        parameter(self.find("Via")?, "branch")
    }

    /// Whether this is an answer to that request, by branch, Call-ID and CSeq.
    pub fn answers(&self, request: &SipText) -> bool {
        let same = |name| self.find(name) == request.find(name);
        let is_same_branch = self.branch() == request.branch();
        self.status().is_some() && same("Call-ID") && same("CSeq") && is_same_branch
    }
}

/// The value of a parameter after the address of a header value.
pub(crate) fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let after = value.rfind('>').map_or(value, |end| &value[end + 1..]);
    let mut parameters = after.split(';').skip(1);
    parameters.find_map(|parameter| {
        let (found, value) = parameter.split_once('=')?;
        found
            .trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim())
    })
}

/// Where `wanted` begins in `octets`.
pub(crate) fn find(octets: &[u8], wanted: &[u8]) -> Option<usize> {
    octets
        .windows(wanted.len())
        .position(|window| window == wanted)
}

impl fmt::Display for SipText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.octets))
    }
}

impl fmt::Debug for SipText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_parameters_are_found() {
        let text = SipText::new(
            b"SIP/2.0 202 Accepted\r\nVia: SIP/2.0/UDP h;branch=a\r\nTO : \"x;tag=no\" <sip:b;tag=no@h>;tag=1\r\n\r\nbody".to_vec(),
        );
        assert_eq!(text.status(), Some(202));
        assert_eq!(text.method(), None);
        assert_eq!(text.tag("To"), Some("1"));
        assert_eq!(text.all("via"), ["SIP/2.0/UDP h;branch=a"]);
        assert_eq!(text.body(), b"body");
    }
}
