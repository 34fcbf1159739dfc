//! Large messages from admission to push, over gRPC (DEF-12, DEF-15, DEF-17, STO-05, STO-10).

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use proto::v1;
use storage::MemoryStore;
use storage::model::SystemClock;
use storage_client::delivery::TakeLimits;
use storage_client::message::{Class, FileAttributes, Headers, Part, PartKind, Priority};
use storage_client::{
    AdmissionAnswer, AdmissionRequest, DepositAnswer, LargeDeposit, ReadPartError, RefusalReason,
    StorageClient, Upload, UploadError,
};

use crate::support::{
    ALICE, BOB, Service, config, delivered, deposited, memory, message_to, next, register, soon,
    take,
};

const OCTETS: usize = 1_000_000;

fn octets() -> Bytes {
    (0..OCTETS)
        .map(|place| u8::try_from(place / 5 % 251).expect("small"))
        .collect()
}

fn request(announced_octets: Option<u64>) -> AdmissionRequest {
    AdmissionRequest {
        served_user: BOB.to_owned(),
        sender: Some(ALICE.to_owned()),
        sender_exempt: false,
        announced_octets,
        file_transfer: true,
    }
}

async fn admit(client: &StorageClient, octets: usize) -> Upload {
    match client.admit(request(Some(octets as u64))).await {
        Ok(AdmissionAnswer::Admitted(upload)) => upload,
        other => panic!("not admitted: {other:?}"),
    }
}

fn message(msrp_message_id: &str, octets: usize) -> LargeDeposit {
    LargeDeposit {
        served_user: BOB.to_owned(),
        sender: Some(ALICE.to_owned()),
        sender_exempt: false,
        class: Class::Large,
        priority: Priority::Normal,
        is_text: false,
        headers: Headers {
            content_type: "application/pdf".to_owned(),
            content_disposition: "attachment; filename=plan.pdf".to_owned(),
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
        file: Some(FileAttributes {
            name: "plan.pdf".to_owned(),
            octets: Some(octets as u64),
            ..FileAttributes::default()
        }),
        report_request: None,
        traceparent: None,
        leg: None,
    }
}

/// Uploads in pieces of 10,000 octets, the last ones first if `backwards`.
async fn upload(client: &StorageClient, id: &str, sent: &Bytes, backwards: bool) -> String {
    let mut upload = admit(client, sent.len()).await;
    let mut places: Vec<_> = (0..sent.len()).step_by(10_000).collect();
    if backwards {
        places.reverse();
    }
    for place in places {
        let end = sent.len().min(place + 10_000);
        let written = upload.write(place as u64, sent.slice(place..end)).await;
        written.expect("taken");
    }
    match soon(upload.commit(message(id, sent.len()))).await {
        Ok(DepositAnswer::Deposited(deposited)) => deposited.message_id().to_owned(),
        other => panic!("not stored: {other:?}"),
    }
}

async fn read(client: &StorageClient, id: &str, range: std::ops::Range<u64>) -> Bytes {
    let part = PartKind::SendBody;
    let reader = client.read_part(id, part, range, None).await;
    let mut reader = reader.expect("it is there");
    let mut read = BytesMut::new();
    while let Some(piece) = soon(reader.next()).await.expect("read") {
        assert!(piece.len() <= 64 << 10);
        read.extend_from_slice(&piece);
    }
    read.freeze()
}

#[tokio::test]
async fn a_large_message_is_stored_shown_and_read_in_ranges() {
    let service = Service::on_disk(config()).await;
    let client = service.client();
    let sent = octets();
    for backwards in [false, true] {
        let id = upload(&client, &format!("{backwards}"), &sent, backwards).await;
        assert_eq!(read(&client, &id, 0..OCTETS as u64).await, sent);
        let middle = read(&client, &id, 70_000..300_001).await;
        assert_eq!(middle, sent.slice(70_000..300_001));
        let mut mailboxes = service.mailboxes().await;
        let request = v1::GetMessageRequest {
            message_id: id.clone(),
        };
        let shown = mailboxes.get_message(request).await.expect("found");
        let shown = shown.into_inner().message.expect("whole");
        assert_eq!(shown.sha256.len(), 32);
        assert_eq!(shown.file.expect("announced").name, "plan.pdf");
        let headers = shown.headers.expect("whole");
        assert_eq!(headers.content_disposition, "attachment; filename=plan.pdf");
        client
            .add_sender_bye(
                &id,
                Bytes::from_static(b"BYE sip:im@example.org SIP/2.0\r\n\r\n"),
            )
            .await
            .expect("added");
        let request = v1::ReadContentRequest {
            message_id: id,
            part: v1::PartKind::Bye.into(),
            ..Default::default()
        };
        let mut bye = mailboxes
            .read_content(request)
            .await
            .expect("found")
            .into_inner();
        let bye = bye.message().await.expect("read").expect("not empty");
        assert!(bye.octets.starts_with(b"BYE "));
    }
    let again = upload(&client, "true", &sent, false).await;
    assert_eq!(service.messages().await.len(), 2, "{again} is a duplicate");
    service.stop().await.expect("a clean end");
}

#[tokio::test]
async fn an_upload_that_is_dropped_leaves_nothing_and_spends_no_id() {
    let service = Service::on_disk(config()).await;
    let client = service.client();
    let first = deposited(&client, message_to(BOB, 1)).await;
    let mut upload = admit(&client, 40 << 20).await;
    upload.write(0, octets()).await.expect("taken");
    let full = client.admit(request(Some(40 << 20))).await;
    let Ok(AdmissionAnswer::Refused(refusal)) = full else {
        panic!("not refused: {full:?}");
    };
    assert_eq!(refusal.reason, RefusalReason::MailboxFull);
    assert!(refusal.retry_after.is_some());
    drop(upload);
    // The service notices; then there is place again.
    let again = soon(async {
        loop {
            let answer = client.admit(request(Some(40 << 20))).await;
            match answer.expect("reached") {
                AdmissionAnswer::Admitted(upload) => return upload,
                AdmissionAnswer::Refused(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    });
    drop(again.await);
    let second = deposited(&client, message_to(BOB, 2)).await;
    let number = |id: &str| {
        id.split('@')
            .next()
            .and_then(|digits| digits.parse::<u64>().ok())
    };
    let expected = number(first.message_id()).map(|first| first + 1);
    assert_eq!(number(second.message_id()), expected);
    service.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_mailbox_that_fills_up_refuses_in_the_middle() {
    let mut store = config().store();
    store.quota.octets = 3 << 20;
    let store = Arc::new(MemoryStore::new(store, SystemClock));
    let service = Service::over(config(), store);
    let client = service.client();
    let Ok(AdmissionAnswer::Admitted(mut unannounced)) = client.admit(request(None)).await else {
        panic!("not admitted");
    };
    assert_eq!(unannounced.max_octets(), 3 << 20);
    unannounced.write(0, octets()).await.expect("taken");
    let other = soon(async {
        // What is announced by the other takes what is left once the first has its place.
        loop {
            let answer = client.admit(request(Some(1_100_000))).await;
            if let AdmissionAnswer::Admitted(upload) = answer.expect("reached") {
                return upload;
            }
        }
    })
    .await;
    let refused = soon(async {
        let mut offset = OCTETS as u64;
        loop {
            match unannounced.write(offset, octets().slice(..100_000)).await {
                Ok(()) => offset += 100_000,
                Err(error) => return error,
            }
        }
    });
    match refused.await {
        UploadError::Refused(refusal) => assert_eq!(refusal.reason, RefusalReason::MailboxFull),
        UploadError::TooLarge => panic!("refused by its own bound"),
        other => panic!("{other}"),
    }
    let mut other = other;
    let beyond = other.write(1_099_999, octets().slice(..2)).await;
    assert_eq!(beyond, Err(UploadError::TooLarge));
    assert!(service.messages().await.is_empty());
}

#[tokio::test]
async fn a_push_reads_large_bodies_under_its_claim() {
    let service = Service::on_disk(config()).await;
    let client = service.client();
    let sent = octets();
    let id = upload(&client, "a", &sent, false).await;
    let mut jobs = client.attach(4);
    client.register(register(BOB, 1)).await.expect("registered");
    let job = next(&mut jobs).await;
    let taken = take(&client, job.claim, 0).await;
    assert_eq!(taken[0].message.message_id, id);
    assert_eq!(taken[0].message.body_octets, OCTETS as u64);
    assert_eq!(
        taken[0].message.file.as_ref().map(|f| f.name.as_str()),
        Some("plan.pdf")
    );
    let kinds: Vec<_> = taken[0].parts.iter().map(|part| part.kind).collect();
    assert_eq!(kinds, [PartKind::Invite]);
    let range = 0..OCTETS as u64;
    let reader = client
        .read_part(&id, PartKind::SendBody, range.clone(), Some(job.claim))
        .await;
    let first = reader.expect("claimed").next().await.expect("read");
    assert_eq!(first, Some(sent.slice(..64 << 10)));
    let mut other = job.claim;
    other.generation += 1;
    let superseded = client
        .read_part(&id, PartKind::SendBody, range.clone(), Some(other))
        .await;
    assert_eq!(
        superseded.map(drop).expect_err("no claim"),
        ReadPartError::Superseded
    );
    client
        .acknowledge(job.claim, &id, delivered())
        .await
        .expect("settled");
    let nothing = client.take(job.claim, 0, TakeLimits::default()).await;
    assert_eq!(nothing.expect("taken").messages, []);
    let gone = client
        .read_part("7@store.example", PartKind::SendBody, range, None)
        .await;
    assert_eq!(gone.map(drop).expect_err("unknown"), ReadPartError::Gone);
    service.stop().await.expect("a clean end");
}

/// Its sender is silent: nobody asks the store for anything.
#[tokio::test]
async fn a_store_that_fails_ends_an_upload_by_itself() {
    let config = config();
    let store = memory(&config);
    let service = Service::over(config, Arc::clone(&store));
    let client = service.client();
    let mut upload = admit(&client, OCTETS).await;
    let first = upload.write(0, octets().slice(..1_000)).await;
    first.expect("taken");
    store.fail_syncs();
    client
        .deposit(message_to(BOB, 1))
        .await
        .expect_err("it cannot be synced");
    let ended = soon(upload.ended()).await;
    assert!(matches!(ended, UploadError::Unavailable(_)), "{ended}");
    let late = upload.write(1_000, octets().slice(..1_000)).await;
    assert_eq!(late, Err(ended));
}

#[tokio::test]
async fn an_upload_without_progress_ends_with_its_lease() {
    let mut config = config();
    config.limits.upload_lease = Duration::from_secs(1);
    let service = Service::in_memory(config);
    let mut upload = admit(&service.client(), OCTETS).await;
    assert_eq!(upload.lease(), Duration::from_secs(1));
    assert_eq!(soon(upload.ended()).await, UploadError::Lapsed);
}

/// Refused like any other message that cannot be taken, also if its commit is on its way already.
#[tokio::test]
async fn scattered_octets_are_too_large_at_the_latest_for_the_commit() {
    let service = Service::in_memory(config());
    let mut upload = admit(&service.client(), OCTETS).await;
    let octet = Bytes::from_static(b"x");
    for place in 0..1_024 {
        let written = upload.write(2 * place, octet.clone()).await;
        written.expect("taken");
    }
    let last = upload.write(2_048, octet).await;
    let outcome = match last {
        Ok(()) => soon(upload.commit(message("a", OCTETS))).await.map(drop),
        Err(error) => Err(error),
    };
    assert_eq!(outcome, Err(UploadError::TooLarge));
}

#[tokio::test]
async fn a_drain_ends_an_upload_however_busy_it_is() {
    let mut config = config();
    config.process.drain_time = Duration::from_secs(1);
    let service = Service::in_memory(config);
    let mut upload = admit(&service.client(), OCTETS).await;
    let busy = tokio::spawn(async move {
        loop {
            if let Err(ended) = upload.write(0, Bytes::from_static(b"busy")).await {
                return ended;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    service.stop().await.expect("a clean end");
    let ended = soon(busy).await.expect("no panic");
    let UploadError::Unavailable(unavailable) = ended else {
        panic!("not told of the drain: {ended}");
    };
    assert!(
        unavailable.reason.contains("draining"),
        "{}",
        unavailable.reason
    );
}
