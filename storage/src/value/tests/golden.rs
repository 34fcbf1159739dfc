//! One value of each kind, and the file that holds it: hexadecimal, as version 1 wrote it. A file
//! that is not there yet is not made: print the octets with a failing test and look at them.

use std::fmt::Debug;
use std::fs;
use std::path::Path;

use bytes::Bytes;

use crate::column_family::Family;
use crate::model::{
    Address, Barring, Binding, Class, CopyControl, Device, DeviceDelivery, DeviceState,
    Disposition, Entity, EntityTag, Envelope, Event, EventKind, FileAttributes, Flow, Generation,
    Group, GroupDocument, GroupMember, Headers, Job, JobClass, JobCounts, JobNumber, JobState,
    KnownDevice, LegName, LegTemplate, MailboxId, MessageCount, MessageId, MessageNumber,
    MessageReport, Notified, Override, Owner, PartKind, Priority, Publication, Receipt,
    RegistrationKind, Report, ReportKind, ReportName, ReportRequest, ReportState, ReportStatus,
    ReportSubject, RosterEntry, Sequence, Setting, SettingValues, State, Subscription,
    SubscriptionDialog, Suspended, Suspension, UnixMillis, UploadId,
};
use crate::rule::settings::Sayings;
use crate::value::{
    AccountValue, AddressValue, AttemptValue, BindingsValue, ClaimValue, Counters, DuplicateValue,
    EnvelopeValue, EventValue, GroupDocumentValue, GroupValue, Identity, JobValue, LegListValue,
    LegPhase, LegValue, Link, LocationValue, MailboxValue, Mark, OwnerValue, PieceRow, ReportValue,
    RosterValue, SenderJobsValue, SenderValue, StateValue, SubscriptionsValue, SuspensionsValue,
    TemplateValue, UploadsValue, Value, WaitingValue, decode, decode_piece, encode, encode_piece,
};

const AT: UnixMillis = UnixMillis(1_700_000_000_000);
pub(super) const NUMBER: MessageNumber = MessageNumber(1_700_000_000_000_000);

fn id() -> MessageId {
    MessageId {
        number: NUMBER,
        hostname: "store.example.org".to_owned(),
    }
}

pub(super) fn text(text: &str) -> String {
    text.to_owned()
}

pub(super) fn envelope() -> EnvelopeValue {
    EnvelopeValue {
        envelope: Envelope {
            id: id(),
            mailbox: MailboxId(7),
            sequence: Sequence(NUMBER.0),
            served_user: Address::new("sip:bob@example.org"),
            sender: Some(Address::new("sip:alice@example.org")),
            class: Class::Pager,
            priority: Priority::Urgent,
            is_text: true,
            headers: Headers {
                from: text("\"Alice\" <sip:alice@example.org>;tag=1"),
                to: text("<sip:bob@example.org>"),
                call_id: text("call-1"),
                subject: text("Lunch"),
                date: text("Tue, 14 Nov 2023 22:13:20 GMT"),
                priority: text("urgent"),
                privacy: text("id"),
                asserted_identity: text("<sip:alice@example.org>"),
                contact: text("<sip:alice@192.0.2.1>"),
                content_type: text("text/plain"),
                imdn_message_id: text("imdn-1"),
                conversation_id: text("conversation-1"),
                contribution_id: text("contribution-1"),
                content_disposition: text("attachment"),
            },
            body_octets: 5,
            body_offset: 300,
            received_at: AT,
            expires_at: UnixMillis(AT.0 + 604_800_000),
            received_from: text("udp 192.0.2.1:5060"),
            sha256: Some([7; 32]),
            file: Some(FileAttributes {
                name: text("plan.pdf"),
                media_type: text("application/pdf"),
                octets: Some(300),
                hash: text("sha-1:72:24"),
                disposition: text("attachment"),
                icon: text("icon1@198.51.100.7"),
                transfer_id: text("transfer-1"),
                description: text("the plan"),
            }),
            report_request: None,
            traceparent: None,
            group: None,
        },
        order: 300,
        parts: vec![(PartKind::Message, 305)],
        staged: Some(UploadId(5)),
        sender_exempt: false,
        content_key: None,
    }
}

pub(super) fn state() -> StateValue {
    StateValue {
        state: State::Refused,
        attempts: 3,
        redeliveries: 1,
        refusals: 3,
        refused_on: Some(5),
        settled_at: Some(AT),
        content_retained: true,
        due_at: UnixMillis(AT.0 + 1),
        events: 200,
        earliest_generation: Generation(2),
        reason: text("MSRP 413"),
        reports: Vec::new(),
        devices: Vec::new(),
    }
}

fn state_with_devices() -> StateValue {
    StateValue {
        devices: vec![DeviceDelivery {
            device: Device::new("<urn:uuid:1>"),
            state: DeviceState::Refused,
            at: AT,
            refusals: 3,
            refused_on: Some(5),
            reason: text("MSRP 415"),
        }],
        ..state()
    }
}

fn report_request() -> ReportRequest {
    ReportRequest {
        asked: vec![Disposition::NegativeDelivery, Disposition::Processing],
        imdn_message_id: text("imdn-1"),
        from: text("Alice <sip:alice@example.org>"),
        to: text("Bob <sip:bob@example.org>"),
        original_recipient: text("sip:bob@example.org"),
    }
}

/// Of a message whose sender asks for reports.
pub(super) fn reported_envelope() -> EnvelopeValue {
    let mut value = envelope();
    value.envelope.report_request = Some(report_request());
    value
}

/// Octets that only envelopes of such messages have.
pub(super) fn request_octets() -> usize {
    encode(&reported_envelope()).len() - encode(&envelope()).len()
}

/// Of a message whose sender was told something.
pub(super) fn reported_state() -> StateValue {
    StateValue {
        reports: vec![
            MessageReport {
                status: ReportStatus::Stored,
                state: ReportState::Sent,
            },
            MessageReport {
                status: ReportStatus::Failed,
                state: ReportState::Waiting,
            },
        ],
        ..state()
    }
}

pub(super) fn report() -> ReportValue {
    ReportValue {
        report: Report {
            name: ReportName {
                subject: ReportSubject::Message(NUMBER),
                kind: ReportKind::Delivery,
            },
            status: ReportStatus::Forbidden,
            to: Address::new("sip:alice@example.org"),
            recipient: Address::new("sip:bob@example.org"),
            request: report_request(),
            made_at: AT,
            expires_at: UnixMillis(AT.0 + 86_400_000),
        },
        due_at: UnixMillis(AT.0 + 60_000),
        generation: 300,
        tries: 2,
        loops: 0,
    }
}

pub(super) fn job_report() -> ReportValue {
    let mut value = report();
    value.report.name = ReportName {
        subject: ReportSubject::Job(JobNumber(NUMBER.0)),
        kind: ReportKind::Processing,
    };
    value.report.status = ReportStatus::Stored;
    value
}

fn mailbox() -> MailboxValue {
    MailboxValue {
        text: MessageCount {
            new: 1,
            old: 2,
            new_urgent: 3,
            old_urgent: 4,
        },
        multimedia: MessageCount {
            new: 5,
            old: 6,
            new_urgent: 7,
            old_urgent: 8,
        },
        imdn: 9,
        octets: 1_000_000,
        deliverable: 10,
        version: 11,
        last_order: 128,
        last_number: NUMBER,
        head: MessageNumber(NUMBER.0 - 1),
        barring: Barring {
            pager: true,
            large: false,
            file_transfer: true,
        },
        settings_until: Some(AT),
        provisioned: true,
        members: vec![MailboxId(8), MailboxId(9)],
    }
}

pub(super) fn account() -> AccountValue {
    AccountValue {
        address: Address::new("sip:bob@example.org"),
        aliases: vec![Address::new("tel:+15551234")],
        deleted: false,
    }
}

pub(super) fn address() -> AddressValue {
    AddressValue {
        mailbox: MailboxId(7),
        address: Address::new("sip:bob@example.org"),
    }
}

pub(super) fn bindings() -> BindingsValue {
    BindingsValue {
        registrations: 4,
        bindings: vec![Binding {
            contact: text("sip:bob@192.0.2.7:5070"),
            instance: text("<urn:uuid:00000000-0000-0000-0000-000000000001>"),
            reg_id: 1,
            call_id: text("register-1"),
            cseq: 300,
            path: vec![text("<sip:edge.example.org;lr>")],
            flow: Some(Flow {
                edge: text("edge-1"),
                token: text("42"),
            }),
            has_im_tag: true,
            allows_message: false,
            kind: RegistrationKind::Direct,
            user_agent: text("phone/1.0"),
            expires_at: AT,
            gruu: String::new(),
        }],
        devices: Vec::new(),
    }
}

fn bindings_with_devices() -> BindingsValue {
    let mut value = bindings();
    for binding in &mut value.bindings {
        binding.gruu = text("sip:bob@example.org;gr=urn:uuid:1");
    }
    value.devices = vec![KnownDevice {
        device: Device::new("<urn:uuid:1>"),
        seen_at: AT,
    }];
    value
}

pub(super) fn sayings() -> Sayings {
    let values = SettingValues::default().with(Setting::OfflineDelivery, false);
    Sayings {
        publications: vec![Publication {
            tag: EntityTag(0xdf1e_0000_0000_0042),
            entities: vec![Entity {
                id: text("urn:uuid:00000000-0000-1000-8000-000A95A0E128"),
                values: values.with(Setting::MessageBarring, true),
            }],
            published_at: AT,
            expires_at: UnixMillis(AT.0 + 3_600_000),
        }],
        preset: values,
        overridden: Some(Override {
            values,
            reason: text("as asked"),
            actor: text("operator"),
            since: AT,
            until: Some(UnixMillis(AT.0 + 1)),
        }),
    }
}

pub(super) fn claim() -> ClaimValue {
    ClaimValue {
        generation: Generation(300),
        claimed_at: AT,
        lease_until: UnixMillis(AT.0 + 60_000),
        released: false,
        edge: text("edge-1"),
    }
}

fn receipt() -> DuplicateValue {
    DuplicateValue {
        receipt: Receipt {
            id: id(),
            received_at: AT,
        },
        until: UnixMillis(AT.0 + 86_400_000),
    }
}

fn waiting() -> WaitingValue {
    WaitingValue {
        octets: 305,
        expires_at: AT,
        earliest_generation: Generation(1),
        done: Vec::new(),
    }
}

fn waiting_with_devices() -> WaitingValue {
    WaitingValue {
        done: vec![Device::new("<urn:uuid:1>")],
        ..waiting()
    }
}

pub(super) fn subscriptions() -> SubscriptionsValue {
    SubscriptionsValue {
        subscriptions: vec![Subscription {
            local_tag: text("df1-n5"),
            address: Address::new("sip:bob@example.org"),
            dialog: SubscriptionDialog {
                call_id: text("mwi-31@203.0.113.9"),
                remote_tag: text("b-s77"),
                local: text("<sip:bob@example.org>;tag=df1-n5"),
                remote: text("<sip:bob@example.org>;tag=b-s77"),
                target: text("sip:bob@203.0.113.9:5060;transport=tcp"),
                routes: vec![text("<sip:scscf1.example.org;transport=tcp;lr>")],
                remote_cseq: 300,
            },
            event_id: text("1"),
            is_trusted: true,
            expires_at: UnixMillis(AT.0 + 3_600_000),
            owner: Owner {
                edge: text("edge-1"),
                incarnation: 9,
            },
            epoch: 2,
            notified: Notified {
                version: 300,
                sequence: Sequence(NUMBER.0),
            },
        }],
    }
}

pub(super) fn event() -> EventValue {
    EventValue {
        order: 300,
        event: Event {
            at: AT,
            kind: EventKind::Held,
            generation: Some(Generation(2)),
            actor: text("operator"),
            detail: text("as asked"),
        },
    }
}

pub(super) fn attempt() -> AttemptValue {
    AttemptValue {
        at: AT,
        generation: Generation(2),
        edge: text("edge-1"),
        reason: text("INVITE 480"),
    }
}

pub(super) fn group() -> GroupValue {
    let member = |uri: &str, name: &str| GroupMember {
        uri: Address::new(uri),
        display_name: text(name),
    };
    GroupValue(Group {
        uri: Address::new("sip:team@example.org"),
        display_name: text("Team"),
        owner: Some(Address::new("sip:alice@example.org")),
        allow_anonymity: false,
        non_members_may_send: true,
        disclose_members: true,
        members: vec![
            member("sip:bob@example.org", "Bob"),
            member("tel:+15551234", ""),
        ],
        document: Some(text("friends")),
        version: NUMBER.0,
    })
}

pub(super) fn group_document() -> GroupDocumentValue {
    GroupDocumentValue {
        uri: Address::new("sip:team@example.org"),
        document: GroupDocument {
            name: text("friends"),
            octets: b"<group/>".to_vec(),
        },
    }
}

pub(super) fn suspensions() -> SuspensionsValue {
    let suspension = |target| Suspension {
        target,
        since: AT,
        until: UnixMillis(AT.0 + 300_000),
        actor: text("operator anna"),
        reason: text("loops"),
    };
    SuspensionsValue(vec![
        suspension(Suspended::User(Address::new("sip:bob@example.org"))),
        suspension(Suspended::Domain(text("example.net"))),
    ])
}

pub(super) fn job() -> JobValue {
    JobValue {
        job: Job {
            number: JobNumber(NUMBER.0),
            sender: Address::new("sip:alice@example.org"),
            addressed_to: Address::new("sip:team@example.org"),
            to_group: false,
            class: JobClass::Pager,
            octets: 0,
            max_forwards: 68,
            received_from: text("tcp 192.0.2.1:5060"),
            accepted_at: AT,
            expires_at: UnixMillis(AT.0 + 604_800_000),
            state: JobState::Running,
            ended_at: Some(UnixMillis(AT.0 + 5_000)),
            closing: Some(JobState::Cancelled),
            reason: text("as asked"),
            counts: JobCounts {
                total: 300,
                delivered: 200,
                failed: 1,
                expired: 2,
                cancelled: 3,
            },
        },
        cursor: 256,
        due_at: UnixMillis(AT.0 + 604_800_000),
        content: None,
        content_key: None,
    }
}

pub(super) fn large_job() -> JobValue {
    let mut job = JobValue {
        content: Some(UploadId(1 << 40)),
        ..job()
    };
    job.job.class = JobClass::Large;
    job.job.octets = 20_480;
    job
}

pub(super) fn large_template() -> TemplateValue {
    TemplateValue(LegTemplate {
        send_head: Bytes::from_static(b"Message-ID: 4564\r\n"),
        ..template().0
    })
}

pub(super) fn large_leg() -> LegValue {
    LegValue {
        class: JobClass::Large,
        ..leg()
    }
}

pub(super) fn template() -> TemplateValue {
    TemplateValue(LegTemplate {
        head: Bytes::from_static(b"Subject: Lunch\r\n"),
        body: Bytes::from_static(b"hi\0\xff and who"),
        body_without_history: Some(Bytes::from_static(b"hi\0\xff")),
        send_head: Bytes::new(),
    })
}

pub(super) fn roster() -> RosterValue {
    let entry = |target: &str, copy_control| RosterEntry {
        target: Address::new(target),
        copy_control,
        variation: Bytes::from_static(b"\x01"),
    };
    RosterValue(vec![
        entry("sip:bob@example.org", CopyControl::To),
        entry("tel:+15551234", CopyControl::None),
    ])
}

pub(super) fn leg() -> LegValue {
    let name = |index| LegName {
        job: JobNumber(NUMBER.0),
        index,
    };
    LegValue {
        class: JobClass::Pager,
        phase: LegPhase::InFlight,
        generation: Generation(2),
        attempts: 300,
        loops: 1,
        due_at: UnixMillis(AT.0 + 60_000),
        status: 482,
        settled_at: Some(AT),
        target: [0x11; 16],
        turn: [0x22; 16],
        by_target: Link {
            before: Some(name(1)),
            behind: None,
        },
        by_turn: Link {
            before: None,
            behind: Some(name(300)),
        },
        owner: Owner {
            edge: text("edge-1"),
            incarnation: 9,
        },
        reason: text("MESSAGE 482"),
    }
}

fn leg_list() -> LegListValue {
    let name = |index| {
        Some(LegName {
            job: JobNumber(NUMBER.0),
            index,
        })
    };
    LegListValue {
        in_flight: name(0),
        first: name(1),
        last: name(300),
    }
}

pub(super) fn identity() -> Identity {
    Identity {
        hostname: text("store.example.org"),
        created_at: AT,
        secret: [0xab; 32],
    }
}

fn counters() -> Counters {
    Counters {
        next_number: NUMBER.0,
        next_mailbox: 8,
        next_serial: NUMBER.0 + 5,
        latest: AT,
        swept_until: UnixMillis(AT.0 - 1),
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

pub(super) fn octets_of(file: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/v1");
    let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits
        .chunks(2)
        .map(|pair| String::from_utf8_lossy(pair).into_owned());
    pairs
        .map(|pair| u8::from_str_radix(&pair, 16).expect("it has hexadecimal digits only"))
        .collect()
}

pub(super) fn still_reads<V: Value + Debug + PartialEq>(file: &str, value: &V) {
    let written = octets_of(file);
    assert_eq!(hexadecimal(&encode(value)), hexadecimal(&written), "{file}");
    assert_eq!(decode::<V>(&written).as_ref(), Ok(value), "{file}");
}

#[test]
fn files_of_version_1_are_still_read_and_written() {
    still_reads("envelope.hex", &envelope());
    let exempt = EnvelopeValue {
        sender_exempt: true,
        ..envelope()
    };
    still_reads("exempt_envelope.hex", &exempt);
    let mut traced = envelope();
    traced.envelope.traceparent = Some(text(
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ));
    still_reads("traced_envelope.hex", &traced);
    still_reads("state.hex", &state());
    still_reads("reported_envelope.hex", &reported_envelope());
    still_reads("reported_state.hex", &reported_state());
    still_reads("report.hex", &report());
    still_reads("job_report.hex", &job_report());
    still_reads("mailbox.hex", &mailbox());
    still_reads("account.hex", &account());
    still_reads("address.hex", &address());
    still_reads("bindings.hex", &bindings());
    still_reads("settings.hex", &sayings());
    still_reads("claim.hex", &claim());
    still_reads("receipt.hex", &receipt());
    still_reads("waiting.hex", &waiting());
    still_reads("state_devices.hex", &state_with_devices());
    still_reads("bindings_devices.hex", &bindings_with_devices());
    still_reads("waiting_devices.hex", &waiting_with_devices());
    still_reads("owner.hex", &OwnerValue::Message(NUMBER));
    still_reads("location.hex", &LocationValue(MailboxId(7)));
    still_reads("mark.hex", &Mark);
    still_reads("subscriptions.hex", &subscriptions());
    still_reads("event.hex", &event());
    still_reads("attempt.hex", &attempt());
    still_reads("group.hex", &group());
    still_reads("group_document.hex", &group_document());
    still_reads("job.hex", &job());
    still_reads("template.hex", &template());
    still_reads("large_job.hex", &large_job());
    still_reads("large_template.hex", &large_template());
    still_reads("large_leg.hex", &large_leg());
    still_reads("job_owner.hex", &OwnerValue::Job(JobNumber(NUMBER.0)));
    still_reads("roster.hex", &roster());
    still_reads("leg.hex", &leg());
    still_reads("leg_list.hex", &leg_list());
    still_reads("sender_jobs.hex", &SenderJobsValue(300));
    let sender = SenderValue {
        messages: 300,
        octets: 70_000,
    };
    still_reads("sender.hex", &sender);
    still_reads("identity.hex", &identity());
    still_reads("counters.hex", &counters());
    still_reads("uploads.hex", &UploadsValue(1 << 40));
    still_reads("suspensions.hex", &suspensions());
}

/// Before there was a counter of jobs: the numbers of jobs came out of that of the Message-IDs.
#[test]
fn counters_without_one_for_jobs_are_still_read() {
    let written = octets_of("counters.hex");
    let (before, _) = written.split_at(written.len() - 8);
    let counters = Counters {
        next_serial: 0,
        ..counters()
    };
    assert_eq!(decode(before), Ok(counters));
}

#[test]
fn chunks_of_version_1_are_still_read_and_written() {
    let written = octets_of("chunk.hex");
    let row = PieceRow {
        family: Family::Contents,
        key: &[0; 13],
    };
    let piece = encode_piece(b"hi\0\xff", None, row);
    assert_eq!(hexadecimal(&piece), hexadecimal(&written));
    let piece = decode_piece(&written[..], None, row);
    assert_eq!(&piece.expect("it is one")[..], b"hi\0\xff");
}

/// Before groups had documents.
#[test]
fn groups_without_a_document_are_still_read() {
    let written = octets_of("group.hex");
    let document = 2 + "friends".len();
    let (before, _) = written.split_at(written.len() - document);
    let group = Group {
        document: None,
        ..group().0
    };
    assert_eq!(decode(before), Ok(GroupValue(group)));
}
