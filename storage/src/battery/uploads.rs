//! DEF-12, DEF-14, DEF-15, DEF-17, DEF-19, STO-05, STO-10, requirements §3.3, §3.6.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::bench::{Bench, EVERYTHING, Engine, MINUTE, address, letter};
use crate::config::{Quota, Retention, SenderLimits, StoreConfig, UploadLimits};
use crate::model::{
    Admission, AdmissionOutcome, Class, DepositOutcome, FileAttributes, Headers, LargeDeposit,
    MessageNumber, Part, PartKind, Priority, Receipt, Refusal, State, TakeLimit, UploadId, Verb,
};
use crate::rule::duplicate::sha256;
use crate::store::{Store, StoreError};

const SMALL: usize = 5_000;
const LARGE: usize = 700_000;

/// Octets that differ from place to place.
pub(crate) fn octets(length: usize) -> Bytes {
    let octets = (0..length).map(|place| u8::try_from(place / 7 % 251).expect("small"));
    octets.collect()
}

pub(crate) fn large_deposit(user: &str, msrp_message_id: &str, octets: usize) -> LargeDeposit {
    LargeDeposit {
        sender_exempt: false,
        served_user: address(user),
        sender: Some(address("alice")),
        class: Class::Large,
        priority: Priority::Normal,
        is_text: false,
        headers: Headers {
            from: "<sip:alice@example.org>;tag=1".to_owned(),
            content_disposition: "attachment; filename=\"plan.pdf\"".to_owned(),
            ..Headers::default()
        },
        msrp_message_id: msrp_message_id.to_owned(),
        octets: octets as u64,
        parts: vec![Part {
            kind: PartKind::Invite,
            octets: Bytes::from_static(b"INVITE sip:bob@example.org SIP/2.0\r\n\r\n"),
        }],
        lifetime: None,
        received_from: "tcp 192.0.2.1:5060".to_owned(),
        file: None,
        report_request: None,
        traceparent: None,
        leg: None,
        deadline: Instant::now() + Duration::from_secs(400 * 86_400),
    }
}

impl<E: Engine> Bench<E> {
    async fn ask(&self, user: &str, announced_octets: Option<u64>) -> AdmissionOutcome {
        let admission = Admission {
            sender: Some(address("alice")),
            sender_exempt: false,
            served_user: address(user),
            announced_octets,
            file_transfer: false,
        };
        let outcome = self.store().admit(admission).await;
        outcome.expect("the store answers")
    }

    pub(crate) async fn admit(&self, user: &str, octets: usize) -> UploadId {
        match self.ask(user, Some(octets as u64)).await {
            AdmissionOutcome::Admitted { upload, max_octets } => {
                assert_eq!(max_octets, octets as u64);
                upload
            }
            AdmissionOutcome::Refused(refusal) => panic!("not admitted: {refusal}"),
        }
    }

    pub(crate) async fn write(
        &self,
        upload: UploadId,
        offset: usize,
        octets: &Bytes,
        length: usize,
    ) {
        let piece = octets.slice(offset..offset + length);
        let staged = self.store().stage(upload, offset as u64, piece).await;
        assert_eq!(staged, Ok(Ok(())));
    }

    /// Uploads octets in order and commits them.
    async fn upload(&self, user: &str, msrp_message_id: &str, octets: &Bytes) -> DepositOutcome {
        let upload = self.admit(user, octets.len()).await;
        self.write(upload, 0, octets, octets.len()).await;
        let deposit = large_deposit(user, msrp_message_id, octets.len());
        let outcome = self.store().commit_upload(upload, deposit).await;
        outcome.expect("the store answers")
    }

    pub(crate) async fn uploaded(
        &self,
        user: &str,
        msrp_message_id: &str,
        octets: &Bytes,
    ) -> Receipt {
        match self.upload(user, msrp_message_id, octets).await {
            DepositOutcome::Stored(receipt) => receipt.into_inner(),
            other => panic!("not stored: {other:?}"),
        }
    }

    pub(crate) async fn body(&self, number: MessageNumber) -> Result<Bytes, StoreError> {
        let part = PartKind::SendBody;
        self.store().read_part(number, part, 0, usize::MAX).await
    }

    async fn octets_of(&self, user: &str) -> u64 {
        let summary = self.store().summary(self.mailbox(user).await).await;
        summary.expect("it is there").octets
    }
}

pub(crate) fn quota(octets: u64) -> StoreConfig {
    StoreConfig {
        sender: SenderLimits {
            messages: None,
            octets: None,
        },
        quota: Quota {
            octets,
            ..Quota::default()
        },
        ..StoreConfig::default()
    }
}

pub(crate) async fn an_upload_becomes_a_message<E: Engine>() {
    let bench = Bench::<E>::new();
    for length in [1, SMALL, 262_144, 262_145, LARGE] {
        let sent = octets(length);
        let id = format!("msrp-{length}");
        let number = bench.uploaded("bob", &id, &sent).await.id.number;
        assert_eq!(bench.body(number).await, Ok(sent.clone()));
        let envelope = bench.message(number).await.envelope;
        assert_eq!(envelope.body_octets, length as u64);
        assert_eq!(envelope.sha256, Some(sha256(&sent)));
        assert_eq!(
            envelope.headers.content_disposition,
            "attachment; filename=\"plan.pdf\""
        );
        assert_eq!(bench.store().timeline(number).await.map(|t| t.len()), Ok(1));
    }
}

pub(crate) async fn pieces_come_in_any_order_and_the_later_wins<E: Engine>() {
    let bench = Bench::<E>::new();
    for length in [SMALL, LARGE] {
        let sent = octets(length);
        let upload = bench.admit("bob", length).await;
        let garbage = Bytes::from(vec![b'x'; length / 2]);
        let half = length / 2;
        bench
            .write(upload, 1_000, &Bytes::from(vec![b'y'; half]), 0)
            .await;
        let early = bench.store().stage(upload, 1_000, garbage).await;
        assert_eq!(early, Ok(Ok(())));
        let piece = 1_500;
        let mut places: Vec<_> = (0..length).step_by(piece).collect();
        places.reverse();
        for place in places {
            let length = piece.min(length - place);
            bench.write(upload, place, &sent, length).await;
        }
        let deposit = large_deposit("bob", &format!("{length}"), length);
        let outcome = bench.store().commit_upload(upload, deposit).await;
        let Ok(DepositOutcome::Stored(receipt)) = outcome else {
            panic!("not stored: {outcome:?}");
        };
        let number = receipt.id.number;
        assert_eq!(bench.body(number).await, Ok(sent.clone()));
        let hash = bench.message(number).await.envelope.sha256;
        assert_eq!(hash, Some(sha256(&sent)));
    }
}

pub(crate) async fn nothing_is_visible_before_the_commit<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.mail("bob").await;
    let sent = octets(LARGE);
    let upload = bench.admit("bob", LARGE).await;
    bench.write(upload, 0, &sent, LARGE).await;
    let claim = bench.claim("bob").await;
    assert_eq!(bench.take_numbers(claim).await, [first]);
    let summary = bench.store().summary(bench.mailbox("bob").await).await;
    assert_eq!(summary.expect("it is there").multimedia.new, 0);
    bench.store().abandon(upload).await;
    let late = bench.store().stage(upload, 0, octets(1)).await;
    assert_eq!(late, Err(StoreError::UnknownUpload));
    let late = large_deposit("bob", "late", LARGE);
    let late = bench.store().commit_upload(upload, late).await;
    assert!(matches!(late, Err(StoreError::UnknownUpload)), "{late:?}");
    assert_eq!(bench.mail("bob").await.0, first.0 + 1, "no id was spent");
}

pub(crate) async fn what_is_not_whole_is_not_committed<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.mail("bob").await;
    for length in [SMALL, LARGE] {
        let sent = octets(length);
        for (from, to, announced) in [
            (0, length - 1, length),
            (1, length, length),
            (0, length, length - 1),
        ] {
            let upload = bench.admit("bob", length).await;
            bench.write(upload, from, &sent, to - from).await;
            let deposit = large_deposit("bob", "a", announced);
            let outcome = bench.store().commit_upload(upload, deposit).await;
            let refused = matches!(outcome, Err(StoreError::UploadIncomplete));
            assert!(refused, "{from}..{to} of {announced}: {outcome:?}");
        }
    }
    assert_eq!(bench.mail("bob").await.0, first.0 + 1);
}

pub(crate) async fn what_is_announced_is_reserved<E: Engine>() {
    let bench = Bench::<E>::with(quota(50_000));
    let first = bench.admit("bob", 30_000).await;
    let second = bench.ask("bob", Some(30_000)).await;
    let full = Refusal::MailboxFull {
        retry_after: Duration::from_secs(3_600),
    };
    assert_eq!(second, AdmissionOutcome::Refused(full));
    let mut long = letter("bob");
    long.parts[0].octets = octets(30_000);
    assert!(matches!(
        bench.refuse(long.clone()).await,
        Refusal::MailboxFull { .. }
    ));
    bench.admit("carol", 30_000).await;
    bench.store().abandon(first).await;
    bench.admit("bob", 30_000).await;
    // Its reservation is not in its own way.
    let sent = octets(19_000);
    bench.uploaded("bob", "a", &sent).await;
}

pub(crate) async fn an_upload_that_just_fits_is_stored<E: Engine>() {
    for length in [SMALL, LARGE] {
        let bench = Bench::<E>::with(quota(length as u64));
        bench.uploaded("bob", "a", &octets(length)).await;
        let full = bench.ask("bob", Some(1)).await;
        assert!(matches!(
            full,
            AdmissionOutcome::Refused(Refusal::MailboxFull { .. })
        ));
    }
}

pub(crate) async fn a_reservation_ends_with_its_lease<E: Engine>() {
    let bench = Bench::<E>::with(quota(50_000));
    let quiet = bench.admit("bob", 30_000).await;
    let busy = bench.admit("bob", 10_000).await;
    bench.clock.advance(MINUTE / 2);
    bench.write(busy, 0, &octets(10), 10).await;
    bench.clock.advance(MINUTE / 2);
    let late = bench.store().stage(quiet, 0, octets(10)).await;
    assert_eq!(late, Err(StoreError::UnknownUpload));
    bench.admit("bob", 30_000).await;
    bench.write(busy, 10, &octets(30), 10).await;
    let swept = bench.sweep().await;
    assert_eq!(swept.uploads_forgotten, 1);
}

pub(crate) async fn octets_unannounced_fill_a_mailbox<E: Engine>() {
    let bench = Bench::<E>::with(quota(500_000));
    let outcome = bench.ask("bob", None).await;
    let AdmissionOutcome::Admitted { upload, max_octets } = outcome else {
        panic!("not admitted: {outcome:?}");
    };
    assert_eq!(max_octets, 500_000);
    let sent = octets(400_000);
    bench.write(upload, 0, &sent, 300_000).await;
    let beside = octets(150_000);
    assert!(matches!(
        bench.ask("bob", Some(250_000)).await,
        AdmissionOutcome::Refused(Refusal::MailboxFull { .. })
    ));
    // Another one takes what was left but reserved ahead of need.
    let other = bench.ask("bob", Some(beside.len() as u64)).await;
    assert!(
        matches!(other, AdmissionOutcome::Admitted { .. }),
        "{other:?}"
    );
    let more = sent.slice(300_000..400_000);
    let refused = bench.store().stage(upload, 300_000, more).await;
    assert!(matches!(refused, Ok(Err(Refusal::MailboxFull { .. }))));
    bench.store().abandon(upload).await;
    let beyond = bench.ask("bob", None).await;
    let AdmissionOutcome::Admitted { upload, max_octets } = beyond else {
        panic!("not admitted: {beyond:?}");
    };
    assert_eq!(max_octets, 350_000);
    let piece = octets(10);
    let beyond = bench.store().stage(upload, 349_991, piece).await;
    assert_eq!(beyond, Err(StoreError::UploadTooLarge));
}

pub(crate) async fn a_retry_gets_the_first_receipt<E: Engine>() {
    let bench = Bench::<E>::new();
    for length in [SMALL, LARGE] {
        let sent = octets(length);
        let first = bench.uploaded("bob", "a", &sent).await;
        let held = bench.octets_of("bob").await;
        match bench.upload("bob", "a", &sent).await {
            DepositOutcome::Duplicate(receipt) => assert_eq!(*receipt, first),
            other => panic!("not a duplicate: {other:?}"),
        }
        assert_eq!(bench.octets_of("bob").await, held);
        assert_eq!(bench.body(first.id.number).await, Ok(sent.clone()));
        let mut other = sent.to_vec();
        other[length / 2] ^= 1;
        let other = bench.uploaded("bob", "a", &Bytes::from(other)).await;
        let renamed = bench.uploaded("bob", "b", &sent).await;
        assert_eq!(other.id.number.0, first.id.number.0 + 1);
        assert_eq!(renamed.id.number.0, first.id.number.0 + 2);
    }
}

pub(crate) async fn a_commit_meets_what_has_changed_meanwhile<E: Engine>() {
    let bench = Bench::<E>::with(StoreConfig {
        quota: Quota {
            messages: 2,
            ..Quota::default()
        },
        ..StoreConfig::default()
    });
    let sent = octets(LARGE);
    bench.mail("bob").await;
    let upload = bench.admit("bob", LARGE).await;
    bench.write(upload, 0, &sent, LARGE).await;
    assert!(matches!(
        bench.refuse(letter("bob")).await,
        Refusal::MailboxFull { .. }
    ));
    let held = bench.claim("bob").await;
    bench.take_numbers(held).await;
    let deposit = large_deposit("bob", "a", LARGE);
    let outcome = bench.store().commit_upload(upload, deposit).await;
    assert!(matches!(outcome, Ok(DepositOutcome::Stored(_))));
    let full = bench.ask("bob", Some(1)).await;
    assert!(matches!(
        full,
        AdmissionOutcome::Refused(Refusal::MailboxFull { .. })
    ));
}

pub(crate) async fn only_so_many_uploads_are_under_way<E: Engine>() {
    let bench = Bench::<E>::with(StoreConfig {
        uploads: UploadLimits {
            concurrent: 2,
            ..UploadLimits::default()
        },
        ..StoreConfig::default()
    });
    let first = bench.admit("bob", 10).await;
    bench.admit("bob", 10).await;
    let admission = Admission {
        sender: Some(address("alice")),
        sender_exempt: false,
        served_user: address("carol"),
        announced_octets: Some(10),
        file_transfer: false,
    };
    let third = bench.store().admit(admission.clone()).await;
    assert_eq!(third, Err(StoreError::Overloaded));
    bench.store().abandon(first).await;
    let third = bench.store().admit(admission).await;
    assert!(matches!(third, Ok(AdmissionOutcome::Admitted { .. })));
}

pub(crate) async fn what_the_disk_has_no_room_for_is_not_admitted<E: Engine>() {
    let bench = Bench::<E>::with(quota(u64::MAX));
    let refused = bench.ask("bob", Some(1 << 60)).await;
    assert_eq!(refused, AdmissionOutcome::Refused(Refusal::DiskFull));
    bench.uploaded("bob", "a", &octets(SMALL)).await;
}

pub(crate) async fn no_octet_is_beyond_what_a_body_can_have<E: Engine>() {
    let bench = Bench::<E>::with(quota(u64::MAX));
    let outcome = bench.ask("bob", None).await;
    let AdmissionOutcome::Admitted { upload, .. } = outcome else {
        panic!("not admitted: {outcome:?}");
    };
    for offset in [u64::from(u32::MAX) << 16, u64::MAX - 1, u64::MAX] {
        let staged = bench.store().stage(upload, offset, octets(1)).await;
        assert_eq!(staged, Err(StoreError::UploadTooLarge), "{offset}");
    }
}

pub(crate) async fn reservations_of_a_later_alias_count_for_its_account<E: Engine>() {
    let bench = Bench::<E>::with(quota(50_000));
    bench.mail("carol").await;
    let early = bench.admit("bob", 30_000).await;
    bench.mail("bob").await;
    let store = bench.store();
    let joined = store.add_alias(address("carol"), address("bob")).await;
    assert!(joined.is_ok(), "{joined:?}");
    let beyond = bench.ask("carol", Some(30_000)).await;
    assert!(matches!(
        beyond,
        AdmissionOutcome::Refused(Refusal::MailboxFull { .. })
    ));
    store.abandon(early).await;
    bench.admit("carol", 30_000).await;
}

pub(crate) async fn scattered_octets_are_given_up<E: Engine>() {
    let bench = Bench::<E>::new();
    let sent = octets(LARGE);
    let upload = bench.admit("bob", LARGE).await;
    for place in 0..1_024 {
        bench.write(upload, place * 2, &sent, 1).await;
    }
    let piece = sent.slice(2_048..2_049);
    let refused = bench.store().stage(upload, 2_048, piece).await;
    assert_eq!(refused, Err(StoreError::UploadTooScattered));
}

pub(crate) async fn ranges_of_a_body_are_read<E: Engine>() {
    let bench = Bench::<E>::new();
    for length in [SMALL, LARGE] {
        let sent = octets(length);
        let id = format!("{length}");
        let number = bench.uploaded("bob", &id, &sent).await.id.number;
        let ends = [0, 1, 4_999, 65_535, 65_536, 65_537, 262_144, length];
        for start in ends.into_iter().filter(|end| *end <= length) {
            for wanted in [1, 3, 65_536, 200_000] {
                let end = length.min(start + wanted);
                let part = PartKind::SendBody;
                let read = bench
                    .store()
                    .read_part(number, part, start as u64, wanted)
                    .await;
                assert_eq!(read, Ok(sent.slice(start..end)), "{start} {wanted}");
            }
        }
    }
}

pub(crate) async fn a_large_body_is_not_taken_with_its_message<E: Engine>() {
    let bench = Bench::<E>::new();
    let small = bench.uploaded("bob", "a", &octets(SMALL)).await.id.number;
    let large = bench.uploaded("bob", "b", &octets(LARGE)).await.id.number;
    let last = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    let taken = bench.take(claim, EVERYTHING).await;
    let kinds: Vec<Vec<_>> = taken
        .iter()
        .map(|taken| taken.parts.iter().map(|part| part.kind).collect())
        .collect();
    assert_eq!(kinds[0], [PartKind::Invite, PartKind::SendBody]);
    assert_eq!(kinds[1], [PartKind::Invite]);
    assert_eq!(taken[1].message.envelope.body_octets, LARGE as u64);
    let limit = TakeLimit {
        messages: 10,
        octets: 10_000,
    };
    assert_eq!(
        bench.take(claim, limit).await.len(),
        3,
        "it counts as its head"
    );
    for number in [small, large, last] {
        assert_eq!(bench.store().holds(claim, number).await, Ok(true));
    }
    let elsewhere = bench.mail("carol").await;
    assert_eq!(bench.store().holds(claim, elsewhere).await, Ok(false));
    bench.clock.advance(2 * MINUTE);
    bench.claim("bob").await;
    assert_eq!(bench.store().holds(claim, large).await, Ok(false));
}

pub(crate) async fn the_bye_of_the_sender_is_kept_once<E: Engine>() {
    let bench = Bench::<E>::new();
    for length in [SMALL, LARGE] {
        let id = format!("{length}");
        let number = bench.uploaded("bob", &id, &octets(length)).await.id.number;
        let held = bench.octets_of("bob").await;
        for bye in ["BYE 1", "BYE 22"] {
            let added = bench.store().add_sender_bye(number, bye.into()).await;
            assert!(added.is_ok(), "{added:?}");
        }
        assert_eq!(bench.octets_of("bob").await, held + 5);
        let read = bench.store().read_part(number, PartKind::Bye, 0, 100).await;
        assert_eq!(read, Ok(Bytes::from_static(b"BYE 1")));
    }
    let claim = bench.claim("bob").await;
    let taken = bench.take(claim, EVERYTHING).await;
    assert!(
        taken
            .iter()
            .all(|t| t.parts.iter().any(|p| p.kind == PartKind::Bye))
    );
    let letter = bench.mail("bob").await;
    for number in [letter, MessageNumber(7)] {
        let refused = bench.store().add_sender_bye(number, octets(1)).await;
        assert_eq!(refused, Err(StoreError::NotFound));
    }
}

pub(crate) async fn a_large_body_goes_with_its_message<E: Engine>() {
    let bench = Bench::<E>::with(StoreConfig {
        retention: Retention {
            delivered: MINUTE,
            ..Retention::default()
        },
        ..StoreConfig::default()
    });
    let sent = octets(LARGE);
    let deleted = bench.uploaded("bob", "a", &sent).await.id.number;
    let expired = bench.uploaded("bob", "b", &sent).await.id.number;
    let delivered = bench.uploaded("bob", "c", &sent).await.id.number;
    bench.order(deleted, Verb::Delete).await.expect("it waits");
    bench.order(expired, Verb::Expire).await.expect("it waits");
    for number in [deleted, expired] {
        assert_eq!(bench.body(number).await, Err(StoreError::NotFound));
    }
    assert_eq!(bench.deliver_all("bob").await, [delivered]);
    assert_eq!(bench.body(delivered).await, Ok(sent.clone()));
    bench.clock.advance(2 * MINUTE);
    bench.sweep().await;
    assert_eq!(bench.body(delivered).await, Err(StoreError::NotFound));
    assert_eq!(bench.message(delivered).await.state, State::Delivered);
    assert_eq!(bench.octets_of("bob").await, 0);
}

pub(crate) async fn bodies_survive_reopening_and_unfinished_uploads_do_not<E: Engine>() {
    let bench = Bench::<E>::with(quota(2_000_000));
    let sent = octets(LARGE);
    let number = bench.uploaded("bob", "a", &sent).await.id.number;
    let upload = bench.admit("bob", LARGE).await;
    bench.write(upload, 0, &sent, LARGE).await;
    let bench = bench.reopen().await;
    assert_eq!(bench.body(number).await, Ok(sent.clone()));
    let gone = large_deposit("bob", "b", LARGE);
    let gone = bench.store().commit_upload(upload, gone).await;
    assert!(matches!(gone, Err(StoreError::UnknownUpload)), "{gone:?}");
    bench.admit("bob", 1_200_000).await;
    bench.sweep().await;
    assert_eq!(bench.body(number).await, Ok(sent));
}

pub(crate) async fn an_upload_id_is_never_used_again<E: Engine>() {
    let bench = Bench::<E>::new();
    let sent = octets(LARGE);
    let first = bench.admit("bob", LARGE).await;
    bench.write(first, 0, &sent, LARGE).await;
    let deposit = large_deposit("bob", "a", LARGE);
    let outcome = bench.store().commit_upload(first, deposit).await;
    let Ok(DepositOutcome::Stored(receipt)) = outcome else {
        panic!("not stored: {outcome:?}");
    };
    // Nothing of it is left but its envelope, which names the upload.
    let expired = bench.order(receipt.id.number, Verb::Expire).await;
    expired.expect("it waits");
    bench.sweep().await;
    let bench = bench.reopen().await;
    assert!(bench.admit("bob", LARGE).await > first);
}

pub(crate) async fn file_attributes_are_kept<E: Engine>() {
    let bench = Bench::<E>::new();
    let file = FileAttributes {
        name: "plan.pdf".to_owned(),
        media_type: "application/pdf".to_owned(),
        octets: Some(SMALL as u64),
        hash: "sha-1:72:24".to_owned(),
        disposition: "attachment".to_owned(),
        icon: "icon1@198.51.100.7".to_owned(),
        transfer_id: "Q6LM".to_owned(),
        description: "the plan".to_owned(),
    };
    let upload = bench.admit("bob", SMALL).await;
    bench.write(upload, 0, &octets(SMALL), SMALL).await;
    let deposit = LargeDeposit {
        sender_exempt: false,
        file: Some(file.clone()),
        ..large_deposit("bob", "a", SMALL)
    };
    let outcome = bench.store().commit_upload(upload, deposit).await;
    let Ok(DepositOutcome::Stored(receipt)) = outcome else {
        panic!("not stored: {outcome:?}");
    };
    let number = receipt.id.number;
    assert_eq!(bench.message(number).await.envelope.file, Some(file));
}
