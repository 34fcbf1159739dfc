//! A request to be sent, as lines of text.

/// Lines and body of a request. `{hop}` and `{edge}` stand for what is known when it is sent: the Via
/// value of the peer that sends it, and the address it is sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestText {
    start_line: String,
    lines: Vec<Vec<u8>>,
    body: Vec<u8>,
}

impl RequestText {
    /// Takes the head from a text with one header field per line; no body.
    pub fn new(head: &str) -> Self {
        let mut lines = head.lines().map(str::trim).filter(|line| !line.is_empty());
        Self {
            start_line: lines.next().unwrap_or_default().to_owned(),
            lines: lines.map(|line| line.as_bytes().to_owned()).collect(),
            body: Vec::new(),
        }
    }

    /// Changes the first line.
    #[must_use]
    pub fn start_line(mut self, line: &str) -> Self {
        line.clone_into(&mut self.start_line);
        self
    }

    /// Gives a header field this value, in its place if there is one, else at the end.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        let line = format!("{name}: {value}").into_bytes();
        match self.place(name) {
            Some(place) => self.lines[place] = line,
            None => self.push(line),
        }
        self
    }

    /// Without any line of this name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        while let Some(place) = self.place(name) {
            self.lines.remove(place);
        }
        self
    }

    /// With one more line, as it is.
    #[must_use]
    pub fn line(mut self, line: impl Into<Vec<u8>>) -> Self {
        self.push(line.into());
        self
    }

    /// With this body and its type and length.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.without("Content-Type")
            .line(format!("Content-Type: {content_type}"))
            .set("Content-Length", &length)
    }

    /// The value of a header field; empty if there is none.
    pub fn field(&self, name: &str) -> String {
        let line = self.place(name).map(|place| &self.lines[place]);
        let line = line.map(|line| String::from_utf8_lossy(line));
        let value = line.as_deref().and_then(|line| line.split_once(':'));
        value
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    }

    /// The octets, with the placeholders filled.
    pub fn octets(&self, hop: &str, edge: &str) -> Vec<u8> {
        let fill = |line: &[u8]| match std::str::from_utf8(line) {
            Ok(text) => text
                .replace("{hop}", hop)
                .replace("{edge}", edge)
                .into_bytes(),
            Err(_) => line.to_owned(),
        };
        let mut octets = fill(self.start_line.as_bytes());
        for line in &self.lines {
            octets.extend_from_slice(b"\r\n");
            octets.extend(fill(line));
        }
        octets.extend_from_slice(b"\r\n\r\n");
        octets.extend_from_slice(&self.body);
        octets
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.lines.iter().position(|line| {
            let colon = line
                .iter()
                .position(|octet| *octet == b':')
                .unwrap_or_default();
            line[..colon].eq_ignore_ascii_case(name.as_bytes())
        })
    }

    /// Before Content-Length, which stays the last line.
    fn push(&mut self, line: Vec<u8>) {
        let place = self.place("Content-Length").unwrap_or(self.lines.len());
        self.lines.insert(place, line);
    }
}

#[cfg(test)]
mod tests {
    use super::RequestText;

    #[test]
    fn lines_are_replaced_in_place_and_added_before_the_length() {
        let request = RequestText::new("M sip:b SIP/2.0\nVia: {hop}\nTo: x\nContent-Length: 0")
            .set("to", "y")
            .line("X: 1")
            .body("text/plain", "hi");
        let expected = "M sip:b SIP/2.0\r\nVia: H\r\nto: y\r\nX: 1\r\nContent-Type: text/plain\r\n\
                        Content-Length: 2\r\n\r\nhi";
        assert_eq!(
            String::from_utf8(request.octets("H", "E")),
            Ok(expected.to_owned())
        );
    }
}
