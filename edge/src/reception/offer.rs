//! What an INVITE offers, and whether it is a large message (DEF-02, LMO-07, LMO-08).

use crate::refuse::Refusal;
use bytes::Bytes;
use msrp::sdp::{Direction, MsrpMedia, SessionDescription};
use sip::{MediaType, Name, Request, multipart};
use storage_client::message::FileAttributes;

use super::file;

/// Type of a session description.
pub const SDP: &str = "application/sdp";

/// Attributes that announce the size of the message, by precedence.
const SIZES: [&str; 2] = ["filelength", "filesize"];

/// A session for one large message.
#[derive(Debug)]
pub struct Offer {
    /// The whole description.
    pub description: SessionDescription,
    /// Which of its media lines is taken.
    pub place: usize,
    /// That line.
    pub media: MsrpMedia,
    /// The size announced, in octets.
    pub announced: Option<u64>,
    /// What is said of a file; none if nothing is.
    pub file: Option<FileAttributes>,
}

impl Offer {
    /// Reads a description: the first MSRP line that only sends is the message.
    ///
    /// # Errors
    /// 480 for a chat, 488 for anything else that is no large message.
    pub fn read(description: &[u8]) -> Result<Offer, Refusal> {
        let undecodable = |_| Refusal::NotAcceptable("undecodable session description");
        let description = SessionDescription::parse(description).map_err(undecodable)?;
        let mut lines = description
            .msrp_media()
            .filter_map(|(place, media)| media.ok().map(|media| (place, media)))
            .filter(|(_, media)| media.port != 0);
        let taken = lines.find(|(_, media)| media.direction == Direction::SendOnly);
        drop(lines);
        let Some((place, media)) = taken else {
            return Err(no_large_message(&description));
        };
        Ok(Offer {
            announced: announced(&media),
            file: file::attributes(&media, description.title(place)),
            description,
            place,
            media,
        })
    }

    /// Reads a description: the first MSRP line that receives is where one message is wanted
    /// (requirements §3.14).
    ///
    /// # Errors
    /// 488 for anything else.
    pub fn read_receiving(description: &[u8]) -> Result<Offer, Refusal> {
        let undecodable = |_| Refusal::NotAcceptable("undecodable session description");
        let description = SessionDescription::parse(description).map_err(undecodable)?;
        let mut lines = description
            .msrp_media()
            .filter_map(|(place, media)| media.ok().map(|media| (place, media)))
            .filter(|(_, media)| media.port != 0);
        let wanted = lines.find(|(_, media)| media.direction.receives());
        drop(lines);
        let (place, media) =
            wanted.ok_or(Refusal::NotAcceptable("no line to receive a message"))?;
        Ok(Offer {
            announced: None,
            file: None,
            description,
            place,
            media,
        })
    }
}

/// A line that we understand and that sends both ways, or none, is a chat with somebody who is away.
fn no_large_message(description: &SessionDescription) -> Refusal {
    let is_chat = description
        .msrp_media()
        .any(|(_, media)| media.is_ok_and(|media| media.port != 0));
    if is_chat {
        Refusal::TemporarilyUnavailable
    } else if description.has_msrp() {
        Refusal::NotAcceptable("malformed message media line")
    } else {
        Refusal::NotAcceptable("no message media line")
    }
}

/// First found wins; a number that is none says nothing, one too large to count is too large.
fn announced(media: &MsrpMedia) -> Option<u64> {
    let direct = SIZES.iter().find_map(|name| octets(media.attribute(name)?));
    direct.or_else(|| file::selected_octets(media))
}

/// A number of octets as an attribute has it.
pub(super) fn octets(text: &str) -> Option<u64> {
    let digits = text.trim();
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// Whether an INVITE may bring a list of recipients beside its session description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// Yes: who they are is read elsewhere.
    Taken,
    /// No.
    Refused,
}

/// The session description in the body of an INVITE: all of it, or the one part that is one.
///
/// # Errors
/// 415 for other bodies, 488 without any, 404 for a list of recipients where none is taken.
pub fn session_description(request: &Request, lists: Lists) -> Result<Bytes, Refusal> {
    let body = request.body();
    let mut encodings = request.headers().values(Name::ContentEncoding);
    if encodings.any(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(Refusal::BodyType);
    }
    let Some(content_type) = request.headers().content_type()? else {
        return Err(if body.is_empty() {
            Refusal::NotAcceptable("no session description")
        } else {
            Refusal::BodyType
        });
    };
    if content_type.is(SDP) {
        return Ok(body.clone());
    }
    if !content_type.is_of_type("multipart") {
        return Err(Refusal::BodyType);
    }
    let value = request.headers().first(Name::ContentType);
    let value = value.map_or_else(String::new, |field| field.value().into_owned());
    let parts = multipart::parse(&value, body)
        .map_err(|_| Refusal::NotAcceptable("malformed multipart body"))?;
    let of_type = |wanted: &'static str| {
        parts
            .iter()
            .filter(move |part| part_type(part).is_some_and(|held| held.is(wanted)))
    };
    let has_list = of_type("application/resource-lists+xml").next().is_some();
    if has_list && lists == Lists::Refused {
        return Err(Refusal::UserUnknown);
    }
    let mut descriptions = of_type(SDP);
    match (descriptions.next(), descriptions.next()) {
        (Some(one), None) => Ok(one.body.clone()),
        (Some(_), Some(_)) => Err(Refusal::NotAcceptable("more than one session description")),
        (None, _) => Err(Refusal::BodyType),
    }
}

fn part_type(part: &multipart::Part) -> Option<MediaType> {
    part.headers.content_type().ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "a=path:msrp://198.51.100.7:7394/2s93i9idj;tcp\r\n";

    fn description(lines: &str) -> String {
        format!(
            "v=0\r\no=alice 3973 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n{lines}"
        )
    }

    fn message(attributes: &str) -> String {
        description(&format!(
            "m=message 7394 TCP/MSRP *\r\n{PATH}a=accept-types:*\r\n{attributes}"
        ))
    }

    fn refusal(text: &str) -> Refusal {
        Offer::read(text.as_bytes()).expect_err("no large message")
    }

    #[test]
    fn the_first_line_that_only_sends_is_the_message() {
        let two = format!(
            "m=audio 4000 RTP/AVP 0\r\nm=message 7394 TCP/MSRP *\r\n{PATH}\
             m=message 7395 TCP/MSRP *\r\n{PATH}a=sendonly\r\n"
        );
        let offer = Offer::read(description(&two).as_bytes()).expect("an offer");
        assert_eq!((offer.place, offer.media.port), (2, 7395));
        let by_session = format!("a=sendonly\r\nm=message 7394 TCP/MSRP *\r\n{PATH}");
        assert!(Offer::read(description(&by_session).as_bytes()).is_ok());
    }

    #[test]
    fn a_chat_is_unavailable_and_everything_else_not_acceptable() {
        for direction in ["", "a=sendrecv\r\n", "a=inactive\r\n", "a=recvonly\r\n"] {
            assert_eq!(
                refusal(&message(direction)),
                Refusal::TemporarilyUnavailable,
                "{direction}"
            );
        }
        for text in [
            "",
            "v=0\r\nrubbish",
            &description("m=audio 4000 RTP/AVP 0\r\na=sendonly\r\n"),
            &description("m=message 7394 TCP/MSRP *\r\na=sendonly\r\n"),
            &message("a=sendonly\r\n").replace("message 7394", "message 0"),
        ] {
            assert!(matches!(refusal(text), Refusal::NotAcceptable(_)), "{text}");
        }
    }

    #[test]
    fn the_size_is_read_from_every_spelling_and_the_first_wins() {
        let announced = |attributes: &str| {
            let text = message(&format!("a=sendonly\r\n{attributes}"));
            Offer::read(text.as_bytes()).expect("an offer").announced
        };
        let selector = "a=file-selector:name:\"size:1 x\" type:text/plain size:30\r\n";
        let table = [
            ("", None),
            ("a=filelength:10\r\n", Some(10)),
            ("a=filesize:20\r\n", Some(20)),
            (selector, Some(30)),
            ("a=filesize:20\r\na=filelength:10\r\n", Some(10)),
            ("a=filelength:many\r\n", None),
            ("a=filelength:99999999999999999999999\r\n", Some(u64::MAX)),
        ];
        for (attributes, expected) in table {
            assert_eq!(announced(attributes), expected, "{attributes}");
        }
    }
}
