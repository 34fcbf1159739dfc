//! What the fuzz targets of keys and values try (`fuzz/`): it is there for them and for tests alone, since cargo-fuzz
//! compiles with `cfg(fuzzing)`.

use std::fmt::Debug;

use crate::column_family::Family;
use crate::key::{self, Due, JobRow, MessageRow};
use crate::model::LogPosition;
use crate::rule::settings::Sayings;
use crate::sealing::SealingKey;
use crate::value::{self, PieceRow, SealedValue, Value};

/// Whatever stands as a key: each decoder refuses it, or finds the names that its builder makes the same key of.
///
/// # Panics
/// If a key is not the one that its names make.
pub fn key(octets: &[u8]) {
    let same = |built: &[u8]| assert_eq!(built, octets);
    if let Ok(owner) = key::decode_data_key(octets) {
        same(&key::data_key(owner));
    }
    if let Ok((mailbox, number)) = key::decode_waiting(octets) {
        same(&key::waiting(mailbox, number));
    }
    if let Ok((mailbox, number, row)) = key::decode_message(octets) {
        match row {
            MessageRow::Envelope => same(&key::envelope(mailbox, number)),
            MessageRow::State => same(&key::state(mailbox, number)),
        }
    }
    if let Ok((number, part, chunk)) = key::decode_content(octets)
        && let Ok(part) = value::part_kind(part)
    {
        same(&key::content(number, part, chunk));
    }
    if let Ok((upload, block)) = key::decode_block(octets) {
        same(&key::block(upload, block));
    }
    if let Ok(number) = key::decode_location(octets) {
        same(&key::location(number));
    }
    if let Ok(mailbox) = key::decode_mailbox(octets) {
        same(&key::mailbox(mailbox));
    }
    if let Ok(address) = key::decode_address(octets) {
        same(&address);
    }
    if let Ok((number, ordinal)) = key::decode_event(octets) {
        same(&key::event(number, ordinal));
    }
    if let Ok(LogPosition(position)) = key::decode_log_position(octets) {
        same(&position.to_be_bytes());
    }
    if let Ok((mailbox, order)) = key::decode_attempt(octets) {
        same(&key::attempt(mailbox, order));
    }
    if let Ok(due) = Due::decode(octets) {
        same(&due.key());
    }
    keys_of_jobs_and_reports(octets);
}

fn keys_of_jobs_and_reports(octets: &[u8]) {
    let same = |built: &[u8]| assert_eq!(built, octets);
    if let Ok((number, row)) = key::decode_job(octets) {
        match row {
            JobRow::Job => same(&key::job(number)),
            JobRow::Template => same(&key::template(number)),
            JobRow::Roster(chunk) => same(&key::roster(number, chunk)),
        }
    }
    if let Ok(leg) = key::decode_leg(octets) {
        same(&key::leg(leg));
    }
    if let Ok((at, leg)) = key::decode_leg_due(octets) {
        same(&key::leg_due(at, leg));
    }
    if let Ok(report) = key::decode_report(octets) {
        same(&key::report(report));
    }
    if let Ok((at, report)) = key::decode_report_due(octets) {
        same(&key::report_due(at, report));
    }
    match key::decode_turn(octets) {
        Ok((sender, Some(number))) => same(&key::turn(sender, number)),
        Ok((sender, None)) => same(&sender),
        Err(_) => {}
    }
}

/// Whatever stands as a value: each kind refuses it, or is written so that it reads the same. The octets may be others:
/// those of an earlier version had fewer fields.
///
/// # Panics
/// If a value reads differently once written.
pub fn value(octets: &[u8]) {
    round_trip::<value::EnvelopeValue>(octets);
    round_trip::<value::StateValue>(octets);
    round_trip::<value::LocationValue>(octets);
    round_trip::<value::OwnerValue>(octets);
    round_trip::<value::WaitingValue>(octets);
    round_trip::<value::Mark>(octets);
    round_trip::<value::DuplicateValue>(octets);
    round_trip::<value::ClaimValue>(octets);
    round_trip::<value::MailboxValue>(octets);
    round_trip::<value::AddressValue>(octets);
    round_trip::<value::AccountValue>(octets);
    round_trip::<value::BindingsValue>(octets);
    round_trip::<Sayings>(octets);
    round_trip::<value::SubscriptionsValue>(octets);
    round_trip::<value::EventValue>(octets);
    round_trip::<value::AttemptValue>(octets);
    round_trip::<value::Identity>(octets);
    round_trip::<value::Counters>(octets);
    round_trip::<value::UploadsValue>(octets);
    round_trip::<value::GroupValue>(octets);
    round_trip::<value::GroupDocumentValue>(octets);
    round_trip::<value::JobValue>(octets);
    round_trip::<value::TemplateValue>(octets);
    round_trip::<value::RosterValue>(octets);
    round_trip::<value::LegValue>(octets);
    round_trip::<value::LegListValue>(octets);
    round_trip::<value::SenderJobsValue>(octets);
    round_trip::<value::ReportValue>(octets);
    round_trip::<value::SenderValue>(octets);
    round_trip::<value::LogEntryValue>(octets);
    round_trip::<value::LogValue>(octets);
    let row = PieceRow {
        family: Family::Contents,
        key: &[0; 13],
    };
    if let Ok(piece) = value::decode_piece(octets, None, row) {
        assert_eq!(value::encode_piece(&piece, None, row)[..], *octets);
    }
    // Nobody has sealed what somebody has made up.
    if let Some(sealed) = SealedValue::parse(octets) {
        let key = SealingKey::random();
        assert!(sealed.open(&key, row.family, row.key).is_err());
    }
    if let Some(until) = value::DuplicateValue::encoded_until(octets)
        && let Ok(receipt) = value::decode::<value::DuplicateValue>(octets)
    {
        assert_eq!(receipt.until, until);
    }
}

fn round_trip<V: Value + Debug + PartialEq>(octets: &[u8]) {
    let Ok(value) = value::decode::<V>(octets) else {
        return;
    };
    let written = value::encode(&value);
    let again = value::decode::<V>(&written);
    assert_eq!(again.as_ref(), Ok(&value), "{}", V::WHAT);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_key_is_refused_or_made_again(octets in proptest::collection::vec(any::<u8>(), 0..40)) {
            key(&octets);
        }

        #[test]
        fn any_value_is_refused_or_reads_the_same(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            value(&octets);
            value(&[&[value::FORMAT, 0, 0, 0, 0], &octets[..]].concat());
        }
    }

    /// A seed of the corpus that no decoder takes would teach the target nothing.
    #[test]
    fn the_values_of_the_first_version_read_the_same() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/v1");
        for file in std::fs::read_dir(folder).expect("the fixtures") {
            let text = std::fs::read_to_string(file.expect("a file").path()).expect("text");
            let digits: String = text.split_whitespace().collect();
            let octets: Vec<u8> = (0..digits.len() / 2)
                .map(|place| u8::from_str_radix(&digits[2 * place..2 * place + 2], 16))
                .collect::<Result<_, _>>()
                .expect("hexadecimal");
            assert!(!octets.is_empty());
            value(&octets);
        }
    }
}
