//! The text of an exchange, read.

use crate::sip::Transport;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// We send a message that is not the answer to one.
    Send(Transport, Vec<String>),
    /// The last message we sent is answered with this status, and with these lines.
    Answered(u16, Vec<String>),
    /// The edge sends a request of this method with these lines.
    Asked(String, Vec<String>),
    /// We answer its last request: status with phrase, further lines and body.
    Answer(String, Vec<String>),
    /// The user has so many messages in this state.
    Count(String, usize),
    /// The user is pushed so many messages, which have these lines.
    Pushed(usize, Vec<String>),
}

/// Reads the steps; what stands before the first is for people.
///
/// # Errors
/// The line that is no step.
pub(super) fn read(text: &str) -> Result<Vec<Step>, String> {
    let mut steps: Vec<(&str, Vec<String>)> = Vec::new();
    for line in text.lines() {
        let is_step = ["=> ", "<= ", "<< ", ">> ", "== "]
            .iter()
            .any(|mark| line.starts_with(mark));
        match steps.last_mut() {
            _ if is_step => steps.push((line, Vec::new())),
            Some((_, lines)) => lines.push(line.to_owned()),
            None => {}
        }
    }
    steps
        .into_iter()
        .map(|(line, lines)| step(line, lines).ok_or_else(|| line.to_owned()))
        .collect()
}

fn step(line: &str, mut lines: Vec<String>) -> Option<Step> {
    // Steps stand apart by an empty line, which is not theirs.
    if lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    let (mark, rest) = line.split_once(' ')?;
    let rest = rest.trim();
    let step = match mark {
        "=>" => {
            let transport = match rest {
                "TCP" => Transport::Tcp,
                "UDP" => Transport::Udp,
                _ => return None,
            };
            Step::Send(transport, lines)
        }
        "<=" => Step::Answered(rest.parse().ok()?, lines),
        "<<" => Step::Asked(rest.to_owned(), lines),
        ">>" => Step::Answer(rest.to_owned(), lines),
        _ => {
            let (word, number) = rest.split_once(' ')?;
            let number = number.parse().ok()?;
            match word {
                "pushed" => Step::Pushed(number, lines),
                state => Step::Count(state.to_owned(), number),
            }
        }
    };
    Some(step)
}

/// A message of these lines: head, empty line, body. Each line of the body ends with CRLF, but the last does not
/// where the Content-Length says so.
pub(super) fn octets(lines: &[String]) -> Vec<u8> {
    let end = lines.iter().position(String::is_empty);
    let (head, body) = lines.split_at(end.unwrap_or(lines.len()));
    let body: String = body
        .iter()
        .skip(1)
        .map(|line| format!("{line}\r\n"))
        .collect();
    let mut length = None;
    let mut octets = String::new();
    for line in head {
        let line = line.replace("{length}", &body.len().to_string());
        let named = line.split_once(':');
        let named = named
            .filter(|(name, _)| ["content-length", "l"].contains(&&*name.to_ascii_lowercase()));
        length = length.or(named.and_then(|(_, value)| value.trim().parse().ok()));
        octets += &line;
        octets += "\r\n";
    }
    octets += "\r\n";
    let is_cut = length.is_some_and(|length: usize| length + 2 == body.len());
    octets += if is_cut {
        body.trim_end_matches("\r\n")
    } else {
        &body
    };
    octets.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn steps_are_told_apart_by_their_marks() {
        let text = "# A quirk.\n\n=> UDP\nA b\nC: d\n\nbody\n\n<= 202\nServer: x\n\n<< NOTIFY\n>> 489 Bad Event\n== stored 2\n== pushed 1\nbody\n";
        let expected = [
            Step::Send(Transport::Udp, lines("A b\nC: d\n\nbody")),
            Step::Answered(202, lines("Server: x")),
            Step::Asked("NOTIFY".to_owned(), Vec::new()),
            Step::Answer("489 Bad Event".to_owned(), Vec::new()),
            Step::Count("stored".to_owned(), 2),
            Step::Pushed(1, lines("body")),
        ];
        assert_eq!(read(text), Ok(expected.into()));
        assert_eq!(read("=> SCTP\nA b"), Err("=> SCTP".to_owned()));
        assert_eq!(read("== stored"), Err("== stored".to_owned()));
    }

    #[test]
    fn the_length_says_how_a_body_ends() {
        let message =
            |length: &str| octets(&lines(&format!("A b\nContent-Length: {length}\n\nhi\nho")));
        assert!(message("8").ends_with(b"\r\n\r\nhi\r\nho\r\n"));
        assert!(message("6").ends_with(b"\r\n\r\nhi\r\nho"));
        assert!(message("{length}").ends_with(b": 8\r\n\r\nhi\r\nho\r\n"));
        assert_eq!(octets(&lines("A b\nC: d")), b"A b\r\nC: d\r\n\r\n");
    }
}
