//! SIP as text, no more of it than is needed.

use memchr::memmem::find;

/// Octets of a message's body.
pub(super) const BODY: usize = 300;

/// Marks the number of a message within its body.
const MARK: &str = "number-";

/// A request and what its answer is known by.
pub(super) struct Request {
    pub(super) call_id: String,
    pub(super) text: String,
}

/// Message `number`, for one of `users` users.
pub(super) fn message(origin: &str, number: usize, users: usize) -> Request {
    let user = number % users;
    let mut body = marked(number);
    while body.len() < BODY {
        let letter = u8::try_from((number / 7 + body.len() * 31) % 26).unwrap_or_default();
        body.push(char::from(b'a' + letter));
    }
    message_to(
        origin,
        &format!("sip:user-{user}@example.org"),
        number,
        &body,
    )
}

/// The beginning of the body of message `number`.
pub(super) fn marked(number: usize) -> String {
    format!("{MARK}{number:09} ")
}

/// Message `number`, to this URI.
pub(super) fn message_to(origin: &str, to: &str, number: usize, body: &str) -> Request {
    let sender = number % 1_000;
    let call_id = format!("bench-{number}");
    let octets = body.len();
    let text = format!(
        "MESSAGE {to} SIP/2.0\r\n\
         {origin};branch=z9hG4bK-m{number}\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:sender-{sender}@example.org>;tag=m{number}\r\n\
         To: <{to}>\r\n\
         Call-ID: {call_id}\r\n\
         CSeq: 1 MESSAGE\r\n\
         P-Asserted-Identity: <sip:sender-{sender}@example.org>\r\n\
         Content-Type: text/plain\r\n\
         Content-Length: {octets}\r\n\r\n{body}"
    );
    Request { call_id, text }
}

/// The REGISTER of a user, as the core copies it.
pub(super) fn register(origin: &str, user: &str, has_im_tag: bool) -> Request {
    let call_id = format!("register-{user}");
    let tag = if has_im_tag { ";+g.oma.sip-im" } else { "" };
    let text = format!(
        "REGISTER sip:example.org SIP/2.0\r\n\
         {origin};branch=z9hG4bK-r{user}\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:{user}@example.org>;tag=r\r\n\
         To: <sip:{user}@example.org>\r\n\
         Call-ID: {call_id}\r\n\
         CSeq: 1 REGISTER\r\n\
         Contact: <sip:{user}@127.0.0.1:5062>{tag}\r\n\
         Expires: 3600\r\n\
         Content-Length: 0\r\n\r\n"
    );
    Request { call_id, text }
}

/// The number of the message in these octets.
pub(super) fn number(octets: &[u8]) -> Option<usize> {
    let at = find(octets, MARK.as_bytes())? + MARK.len();
    let digits = octets.get(at..at + 9)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The lines of a message's head.
fn lines(octets: &[u8]) -> impl Iterator<Item = &str> {
    let end = find(octets, b"\r\n\r\n").unwrap_or(octets.len());
    let head = std::str::from_utf8(&octets[..end]).unwrap_or_default();
    head.split("\r\n")
}

/// The value of a field.
pub(super) fn field<'a>(octets: &'a [u8], name: &str) -> Option<&'a str> {
    lines(octets).skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The user part of a request's URI.
pub(super) fn user(request: &[u8]) -> Option<&str> {
    let uri = lines(request).next()?.split(' ').nth(1)?;
    let (user, _) = uri.strip_prefix("sip:")?.split_once('@')?;
    Some(user)
}

/// Length of the first message in these octets of a stream, if it is whole.
pub(super) fn framed(octets: &[u8]) -> Option<usize> {
    let head = find(octets, b"\r\n\r\n")? + 4;
    let body: usize = field(&octets[..head], "Content-Length")?.parse().ok()?;
    (octets.len() >= head + body).then_some(head + body)
}

/// A 200 to a request, with these lines and this body.
pub(super) fn ok(request: &[u8], more: &str, body: &str) -> String {
    let mut text = String::with_capacity(512);
    text.push_str("SIP/2.0 200 OK\r\n");
    for line in lines(request).skip(1) {
        let name = line.split(':').next().unwrap_or_default();
        let is_copied = ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"]
            .iter()
            .any(|copied| name.eq_ignore_ascii_case(copied));
        if is_copied {
            text.push_str(line);
            if name.eq_ignore_ascii_case("To") && !line.contains(";tag=") {
                text.push_str(";tag=bench");
            }
            text.push_str("\r\n");
        }
    }
    text.push_str(more);
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    text
}
