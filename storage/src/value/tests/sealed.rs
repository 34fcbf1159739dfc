//! Values of stores that encrypt, as version 1 wrote them.

use super::golden::{NUMBER, envelope, large_job, octets_of, still_reads};
use crate::column_family::Family;
use crate::key;
use crate::model::{Generation, MailboxId, PartKind, UnixMillis};
use crate::sealing::{ContentKey, KeyOwner, Keyring, MasterKeys, SealingKey};
use crate::value::{ClaimValue, EnvelopeValue, JobValue, PieceRow, decode, decode_piece};

fn content_key() -> ContentKey {
    let octets: Vec<u8> = (0..32).collect();
    ContentKey(SealingKey::from_octets(&octets).expect("it is as long as a key"))
}

/// Values of stores that encrypt.
#[test]
fn files_of_sealed_contents_are_still_read_and_written() {
    let keyed = EnvelopeValue {
        content_key: Some(content_key()),
        ..envelope()
    };
    still_reads("keyed_envelope.hex", &keyed);
    let keyed = JobValue {
        content_key: Some(content_key()),
        ..large_job()
    };
    still_reads("keyed_job.hex", &keyed);
    let key = key::content(NUMBER, PartKind::Message, 3);
    let row = PieceRow {
        family: Family::Contents,
        key: &key,
    };
    let written = octets_of("sealed_piece.hex");
    let piece = decode_piece(&written[..], Some(&content_key()), row);
    assert_eq!(&piece.expect("it is one")[..], b"hi\0\xff");
}

/// Made by another implementation of HKDF and AES-GCM, after `docs/storage-format.md`.
#[test]
fn sealed_values_are_read_that_another_implementation_has_written() {
    let digits: String = (0..32).map(|octet| format!("{octet:02x}")).collect();
    let masters = MasterKeys::parse(&format!("1:{digits}")).expect("it is one");
    let keyring = Keyring::new(Some(masters));
    let owner = KeyOwner::Mailbox(MailboxId(7));
    let wrapped = octets_of("data_key.hex");
    assert_eq!(keyring.learn(&key::data_key(owner), &wrapped), Ok(()));
    let place = key::mailbox(MailboxId(7));
    let written = octets_of("sealed_claim.hex");
    let row = keyring.open(Family::Claims, &place, written.into());
    let claim = ClaimValue {
        generation: Generation(7),
        claimed_at: UnixMillis(1),
        lease_until: UnixMillis(2),
        released: false,
        edge: "edge-1".to_owned(),
    };
    assert_eq!(decode(&row.expect("it is its key")), Ok(claim));
}
