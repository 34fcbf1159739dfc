//! What a NOTIFY says: exact counters, and the headers of the messages that are named (MWI-02..05, MWI-09).

use sip::NameAddr;
use sip::message_summary::{Block, ClassCount, MessageSummary, one_line};
use storage_client::message::Message;
use storage_client::subscription::{Count, Counts};

use crate::config::{MessageWaitingConfig, SummaryHeader};
use crate::delivery::is_private;
use edge::response::sip_date;

/// Messages named in one document.
pub(super) const BLOCKS_MAX: u32 = 25;

/// Octets of all blocks of one document.
const BLOCKS_OCTETS: usize = 8 << 10;

/// The document. `messages` come with the newest first, and are named with the oldest first.
pub(super) fn summary(
    account: &str,
    counts: &Counts,
    messages: &[Message],
    is_trusted: bool,
    config: &MessageWaitingConfig,
) -> MessageSummary {
    let voice = config.voice_line.then(|| ClassCount {
        class: "Voice-Message".to_owned(),
        ..ClassCount::default()
    });
    let counted = [
        class("Text-Message", counts.text),
        class("Multimedia-Message", counts.multimedia),
    ];
    let mut room = BLOCKS_OCTETS;
    let blocks = messages
        .iter()
        .map(|message| block(message, is_trusted, config));
    let mut blocks: Vec<_> = blocks
        .take(usize::try_from(BLOCKS_MAX).unwrap_or(usize::MAX))
        .take_while(|block| {
            let octets = octets(block);
            let fits = octets <= room;
            room = room.saturating_sub(octets);
            fits
        })
        .collect();
    blocks.reverse();
    MessageSummary {
        is_waiting: counts.is_waiting(),
        account: Some(account.to_owned()),
        counts: voice.into_iter().chain(counted).collect(),
        blocks,
    }
}

fn class(class: &str, count: Count) -> ClassCount {
    let capped = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    ClassCount {
        class: class.to_owned(),
        new: capped(count.new),
        old: capped(count.old),
        urgent: Some((capped(count.new_urgent), capped(count.old_urgent))),
    }
}

fn octets(block: &Block) -> usize {
    let lines = block
        .iter()
        .map(|(name, value)| name.len() + value.len() + 4);
    lines.sum::<usize>() + 2
}

/// Absent Subject and identity are left out; an absent Priority is `normal`.
fn block(message: &Message, is_trusted: bool, config: &MessageWaitingConfig) -> Block {
    let headers = config.summary_headers();
    let lines = headers.into_iter().filter_map(|header| {
        let value = value(message, header, is_trusted)?;
        let value: String = one_line(&value).collect();
        Some((header.as_str().to_owned(), value)).filter(|(_, value)| !value.is_empty())
    });
    lines.collect()
}

fn value(message: &Message, header: SummaryHeader, is_trusted: bool) -> Option<String> {
    let headers = &message.headers;
    Some(match header {
        SummaryHeader::To => without_tag(&headers.to),
        SummaryHeader::From => without_tag(&headers.from),
        SummaryHeader::Date => sip_date(message.received_at).to_string(),
        SummaryHeader::Subject => headers.subject.clone(),
        SummaryHeader::Priority if headers.priority.is_empty() => "normal".to_owned(),
        SummaryHeader::Priority => headers.priority.clone(),
        SummaryHeader::MessageId => message.message_id.clone(),
        SummaryHeader::AssertedIdentity if is_trusted && !is_private(&headers.privacy) => {
            headers.asserted_identity.clone()
        }
        SummaryHeader::AssertedIdentity => return None,
    })
}

/// A value that is no address stays as it is.
fn without_tag(value: &str) -> String {
    match value.parse::<NameAddr>() {
        Ok(mut address) => {
            address.params.remove("tag");
            address.to_string()
        }
        Err(_) => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::delivery::example;

    fn lunch(number: u64) -> Message {
        let mut message = example::taken(&edge::example::message_with("")).message;
        message.message_id = format!("{number}@mailserver32.example.org");
        message.received_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_166_046);
        message.headers.from = "\"Alice\" <sip:alice@example.org>;tag=a1".to_owned();
        message.headers.to = "<sip:bob@example.org>".to_owned();
        message.headers.subject = "Lunch".to_owned();
        message.headers.priority = "urgent".to_owned();
        message.headers.privacy = String::new();
        message.headers.asserted_identity = "\"Alice\" <sip:alice@example.org>".to_owned();
        message
    }

    fn counts(new: u64, new_urgent: u64) -> Counts {
        let text = Count {
            new,
            new_urgent,
            ..Count::default()
        };
        Counts {
            text,
            ..Counts::default()
        }
    }

    fn document(messages: &[Message], is_trusted: bool, config: &MessageWaitingConfig) -> String {
        let new = messages.len() as u64;
        summary(
            "sip:bob@example.org",
            &counts(new, new),
            messages,
            is_trusted,
            config,
        )
        .to_string()
    }

    #[test]
    fn the_document_is_that_of_the_example() {
        let config = MessageWaitingConfig::default();
        assert_eq!(
            document(&[lunch(13_684_434_990)], true, &config),
            "Messages-Waiting: yes\r\nMessage-Account: sip:bob@example.org\r\nVoice-Message: 0/0\r\n\
             Text-Message: 1/0 (1/0)\r\nMultimedia-Message: 0/0 (0/0)\r\n\r\n\
             To: <sip:bob@example.org>\r\nFrom: \"Alice\" <sip:alice@example.org>\r\n\
             Date: Fri, 20 Nov 2026 09:14:06 GMT\r\nSubject: Lunch\r\nPriority: urgent\r\n\
             Message-ID: 13684434990@mailserver32.example.org\r\n\
             P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n"
        );
        assert!(document(&[], true, &config).starts_with("Messages-Waiting: no\r\n"));
    }

    #[test]
    fn mwi_05_an_identity_goes_only_to_those_who_may_see_it() {
        let config = MessageWaitingConfig::default();
        let mut private = lunch(1);
        private.headers.privacy = "id".to_owned();
        for (message, is_trusted) in [(private, true), (lunch(1), false)] {
            assert!(!document(&[message], is_trusted, &config).contains("P-Asserted-Identity"));
        }
    }

    #[test]
    fn mwi_03_the_newest_are_named_within_the_bounds() {
        let config = MessageWaitingConfig::default();
        let newest_first: Vec<_> = (1..=100).rev().map(lunch).collect();
        let text = document(&newest_first, true, &config);
        let (counts, blocks) = text.split_once("\r\n\r\n").expect("blocks");
        assert!(counts.contains("Text-Message: 100/0 (100/0)"));
        assert_eq!(blocks.split("\r\n\r\n").count(), 25);
        assert!(blocks.contains("Message-ID: 76@") && !blocks.contains("Message-ID: 75@"));
        let mut long = lunch(7);
        long.headers.subject = "x".repeat(5_000);
        let text = document(&[long.clone(), long], true, &config);
        assert_eq!(text.matches("Message-ID").count(), 1);
    }

    #[test]
    fn mwi_04_the_headers_are_chosen_by_the_operator() {
        let config = MessageWaitingConfig {
            headers: vec!["From".to_owned(), "Date".to_owned()],
            voice_line: false,
            ..MessageWaitingConfig::default()
        };
        let text = document(&[lunch(1)], true, &config);
        let names: Vec<_> = text
            .lines()
            .filter_map(|line| line.split(':').next())
            .collect();
        let counted = [
            "Messages-Waiting",
            "Message-Account",
            "Text-Message",
            "Multimedia-Message",
        ];
        assert_eq!(names[..4], counted);
        assert_eq!(names[4..], ["", "From", "Date", "Message-ID"]);
    }

    #[test]
    fn a_subject_begins_no_line() {
        let mut message = lunch(1);
        message.headers.subject = "a\r\nP-Asserted-Identity: <sip:eve@example.org>\0".to_owned();
        let text = document(&[message], false, &MessageWaitingConfig::default());
        assert!(!text.contains("\nP-Asserted-Identity"));
    }
}
