//! Messages of another store.

use std::time::{Duration, Instant};

use proto::v1;
use storage::model::{Ahead, Class, Deposit, DuplicateKey, Import, Part, PartKind, UnixMillis};
use tonic::Status;

use super::message::{class, headers, priority};
use super::{invalid, named, required, time};

/// Octets of a message.
const MESSAGE_OCTETS_MAX: usize = 65_536;

/// Octets of the name that its source has for it.
const SOURCE_ID_OCTETS_MAX: usize = 512;

/// 2000-01-01T00:00:00Z: no store of messages is older.
const EARLIEST: UnixMillis = UnixMillis(946_684_800_000);

/// How far the clock of the other store may be ahead.
const AHEAD: Duration = Duration::from_secs(60);

/// The method in the duplicate key: no SIP method has a space.
const METHOD: &str = "an import";

/// A message that makes sense.
pub(crate) fn import(
    message: v1::ImportedMessage,
    now: UnixMillis,
    deadline: Instant,
) -> Result<Import, Status> {
    let class = required(class(message.class()), "the class is missing")?;
    let priority = priority(message.priority());
    if message.served_user.is_empty() {
        return Err(invalid("the recipient is missing"));
    }
    let served_user = named(message.served_user)?;
    let sender = match message.sender {
        anonymous if anonymous.is_empty() => None,
        sender => Some(named(sender)?),
    };
    if class == Class::Large {
        return Err(invalid("messages of the class LARGE cannot be imported"));
    }
    if message.source_id.is_empty() || message.source_id.len() > SOURCE_ID_OCTETS_MAX {
        return Err(invalid("source_id has 1 to 512 octets"));
    }
    let octets = message.message.len();
    if octets > MESSAGE_OCTETS_MAX {
        let text = format!("it has {octets} octets, and at most {MESSAGE_OCTETS_MAX} are taken");
        return Err(Status::invalid_argument(text));
    }
    let body_octets = (octets as u64).checked_sub(message.body_offset);
    let body_octets = required(body_octets, "the body begins after the end of the message")?;
    if body_octets == 0 {
        return Err(invalid("it has no body"));
    }
    let expires_at = required(message.expires_at, "the time of its expiry is missing")?;
    Ok(Import {
        received_at: received_at(message.received_at, now)?,
        expires_at: time(expires_at),
        ahead: Ahead {
            messages: message.messages_ahead,
            octets: message.octets_ahead,
        },
        deposit: Deposit {
            served_user,
            sender,
            // What one sender may have stored is to keep him from flooding; he has sent these before.
            sender_exempt: true,
            class,
            priority,
            is_text: message.is_text,
            headers: headers(message.headers.unwrap_or_default()),
            duplicate_key: DuplicateKey {
                method: METHOD.to_owned(),
                call_id: message.source_id,
                ..DuplicateKey::default()
            },
            imdn_key: None,
            parts: vec![Part {
                kind: PartKind::Message,
                octets: message.message,
            }],
            body_octets,
            body_offset: message.body_offset,
            lifetime: None,
            received_from: message.received_from,
            sha256: None,
            file: None,
            report_request: None,
            traceparent: None,
            leg: None,
            deadline,
        },
    })
}

fn received_at(
    timestamp: Option<prost_types::Timestamp>,
    now: UnixMillis,
) -> Result<UnixMillis, Status> {
    let received_at = time(required(
        timestamp,
        "the time of its acceptance is missing",
    )?);
    if received_at < EARLIEST {
        return Err(invalid("it was accepted before 2000"));
    }
    if received_at > now.after(AHEAD) {
        return Err(invalid("it was accepted in the future"));
    }
    Ok(received_at.min(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

    fn message() -> v1::ImportedMessage {
        let at = |millis| Some(super::super::timestamp(UnixMillis(millis)));
        v1::ImportedMessage {
            source_id: "msilo 17".to_owned(),
            served_user: "sip:bob@example.org".to_owned(),
            sender: "sip:alice@example.org".to_owned(),
            class: v1::MessageClass::Pager.into(),
            message: "MESSAGE\r\n\r\nHello".into(),
            body_offset: 11,
            received_at: at(NOW.0 - 86_400_000),
            expires_at: at(NOW.0 + 86_400_000),
            ..v1::ImportedMessage::default()
        }
    }

    fn read(message: v1::ImportedMessage) -> Result<Import, String> {
        let read = import(message, NOW, Instant::now());
        read.map_err(|status| status.message().to_owned())
    }

    #[test]
    fn a_message_keeps_what_the_other_store_has_promised() {
        let import = read(message()).expect("it makes sense");
        assert_eq!(import.received_at, UnixMillis(NOW.0 - 86_400_000));
        assert_eq!(import.expires_at, UnixMillis(NOW.0 + 86_400_000));
        assert_eq!(import.deposit.body_octets, 5);
        assert!(import.deposit.sender_exempt);
    }

    #[test]
    fn times_are_bounded() {
        let at = |received_at: u64| {
            let received_at = Some(super::super::timestamp(UnixMillis(received_at)));
            read(v1::ImportedMessage {
                received_at,
                ..message()
            })
            .map(|import| import.received_at)
        };
        assert_eq!(at(EARLIEST.0), Ok(EARLIEST));
        assert_eq!(at(NOW.0 + 60_000), Ok(NOW));
        assert!(at(EARLIEST.0 - 1).unwrap_err().contains("before 2000"));
        assert!(at(0).unwrap_err().contains("before 2000"));
        assert!(at(NOW.0 + 60_001).unwrap_err().contains("in the future"));
    }

    fn refused_for<const N: usize>(cases: [(v1::ImportedMessage, &str); N]) {
        for (message, expected) in cases {
            let error = read(message).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let large = v1::MessageClass::Large.into();
        let cases = [
            (
                v1::ImportedMessage {
                    served_user: String::new(),
                    ..message()
                },
                "recipient",
            ),
            (
                v1::ImportedMessage {
                    served_user: "sip:bob @example.org".to_owned(),
                    ..message()
                },
                "no blanks",
            ),
            (
                v1::ImportedMessage {
                    sender: "sip:".to_owned() + &"a".repeat(1_024),
                    ..message()
                },
                "1,024 octets",
            ),
            (
                v1::ImportedMessage {
                    source_id: String::new(),
                    ..message()
                },
                "source_id",
            ),
            (
                v1::ImportedMessage {
                    source_id: "x".repeat(513),
                    ..message()
                },
                "source_id",
            ),
            (
                v1::ImportedMessage {
                    class: large,
                    ..message()
                },
                "LARGE",
            ),
            (
                v1::ImportedMessage {
                    class: 0,
                    ..message()
                },
                "class",
            ),
        ];
        refused_for(cases);
    }

    #[test]
    fn what_is_missing_or_too_much_of_the_message_is_said() {
        let cases = [
            (
                v1::ImportedMessage {
                    body_offset: 17,
                    ..message()
                },
                "begins after the end",
            ),
            (
                v1::ImportedMessage {
                    body_offset: 16,
                    ..message()
                },
                "no body",
            ),
            (
                v1::ImportedMessage {
                    expires_at: None,
                    ..message()
                },
                "expiry",
            ),
            (
                v1::ImportedMessage {
                    received_at: None,
                    ..message()
                },
                "acceptance",
            ),
            (
                v1::ImportedMessage {
                    message: vec![b'a'; 65_537].into(),
                    ..message()
                },
                "65537 octets",
            ),
        ];
        refused_for(cases);
    }
}
