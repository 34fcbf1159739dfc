//! Arbitrary values.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::model::{
    Address, Barring, Binding, Class, Device, DeviceDelivery, DeviceState, Entity, EntityTag,
    Envelope, Event, EventKind, FileAttributes, Flow, Generation, Headers, KnownDevice, MailboxId,
    MessageCount, MessageId, MessageNumber, Notified, Override, Owner, PartKind, Priority,
    Publication, Receipt, RegistrationKind, Sequence, Setting, SettingValues, State, Subscription,
    SubscriptionDialog, UnixMillis, UploadId,
};
use crate::rule::settings::Sayings;
use crate::sealing::ContentKey;
use crate::value::{
    AccountValue, AddressValue, AttemptValue, BindingsValue, ClaimValue, Counters, DuplicateValue,
    EnvelopeValue, EventValue, Identity, MailboxValue, StateValue, SubscriptionsValue,
    WaitingValue,
};

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,20}"
}

fn name() -> impl Strategy<Value = Address> {
    text().prop_map(Address::new)
}

fn time() -> impl Strategy<Value = UnixMillis> {
    any::<u64>().prop_map(UnixMillis)
}

fn id() -> impl Strategy<Value = MessageId> {
    (any::<u64>(), text()).prop_map(|(number, hostname)| MessageId {
        number: MessageNumber(number),
        hostname,
    })
}

fn headers() -> impl Strategy<Value = Headers> {
    vec(text(), 14).prop_map(|texts| {
        let mut texts = texts.into_iter();
        let mut next = || texts.next().expect("there are fourteen");
        Headers {
            from: next(),
            to: next(),
            call_id: next(),
            subject: next(),
            date: next(),
            priority: next(),
            privacy: next(),
            asserted_identity: next(),
            contact: next(),
            content_type: next(),
            imdn_message_id: next(),
            conversation_id: next(),
            contribution_id: next(),
            content_disposition: next(),
        }
    })
}

fn part_kind() -> impl Strategy<Value = PartKind> {
    prop_oneof![
        Just(PartKind::Message),
        Just(PartKind::Invite),
        Just(PartKind::InviteResponse),
        Just(PartKind::SendHead),
        Just(PartKind::SendBody),
        Just(PartKind::Bye),
    ]
}

fn file() -> impl Strategy<Value = FileAttributes> {
    (vec(text(), 7), any::<Option<u64>>()).prop_map(|(texts, octets)| {
        let mut texts = texts.into_iter();
        let mut next = || texts.next().expect("there are seven");
        FileAttributes {
            name: next(),
            media_type: next(),
            octets,
            hash: next(),
            disposition: next(),
            icon: next(),
            transfer_id: next(),
            description: next(),
        }
    })
}

pub(super) fn envelope() -> impl Strategy<Value = EnvelopeValue> {
    let class = prop_oneof![Just(Class::Pager), Just(Class::Large), Just(Class::Imdn)];
    let priority = prop_oneof![
        Just(Priority::NonUrgent),
        Just(Priority::Normal),
        Just(Priority::Urgent),
        Just(Priority::Emergency),
    ];
    let names = (id(), any::<u64>(), name(), option::of(name()), text());
    let kinds = (class, priority, any::<bool>(), headers());
    let numbers = (any::<u64>(), any::<u64>(), time(), time(), any::<u64>());
    let staged = option::of(any::<u64>().prop_map(UploadId));
    let parts = (
        vec((part_kind(), any::<u64>()), 0..4),
        staged,
        (
            any::<bool>(),
            option::of("00-[0-9a-f]{32}-[0-9a-f]{16}-01"),
            option::of(name()),
        ),
    );
    let parts = (parts, any::<Option<[u8; 32]>>(), option::of(file()));
    (names, kinds, numbers, parts).prop_map(|(names, kinds, numbers, parts)| {
        let (id, mailbox, served_user, sender, received_from) = names;
        let (class, priority, is_text, headers) = kinds;
        let ((parts, staged, (sender_exempt, traceparent, group)), sha256, file) = parts;
        let (body_octets, body_offset, received_at, expires_at, order) = numbers;
        let envelope = Envelope {
            sequence: Sequence(id.number.0),
            id,
            mailbox: MailboxId(mailbox),
            served_user,
            sender,
            class,
            priority,
            is_text,
            headers,
            body_octets,
            body_offset,
            received_at,
            expires_at,
            received_from,
            sha256,
            file,
            report_request: None,
            traceparent,
            group,
        };
        EnvelopeValue {
            envelope,
            order,
            parts,
            staged,
            sender_exempt,
            content_key: sender_exempt.then(ContentKey::random),
        }
    })
}

pub(super) fn state() -> impl Strategy<Value = StateValue> {
    let state = prop_oneof![
        Just(State::Stored),
        Just(State::Held),
        Just(State::Delivered),
        Just(State::Expired),
        Just(State::Refused),
        Just(State::Recalled),
        Just(State::Deleted),
    ];
    let counts = any::<(u32, u32, u32, u32)>();
    let times = (option::of(time()), time());
    let rest = (
        any::<Option<u64>>(),
        any::<bool>(),
        any::<u64>(),
        text(),
        vec(device(), 0..3),
    );
    (state, counts, times, rest).prop_map(|(state, counts, (settled_at, due_at), rest)| {
        let (attempts, redeliveries, refusals, events) = counts;
        let (refused_on, content_retained, generation, reason, devices) = rest;
        StateValue {
            state,
            attempts,
            redeliveries,
            refusals,
            refused_on,
            settled_at,
            content_retained,
            due_at,
            events,
            earliest_generation: Generation(generation),
            reason,
            reports: Vec::new(),
            devices,
        }
    })
}

fn device() -> impl Strategy<Value = DeviceDelivery> {
    let state = prop_oneof![
        Just(DeviceState::Waiting),
        Just(DeviceState::Delivered),
        Just(DeviceState::Refused),
    ];
    (text(), state, time(), any::<(u32, Option<u64>)>(), text()).prop_map(
        |(device, state, at, (refusals, refused_on), reason)| DeviceDelivery {
            device: Device::new(device),
            state,
            at,
            refusals,
            refused_on,
            reason,
        },
    )
}

fn count() -> impl Strategy<Value = MessageCount> {
    any::<(u64, u64, u64, u64)>().prop_map(|(new, old, new_urgent, old_urgent)| MessageCount {
        new,
        old,
        new_urgent,
        old_urgent,
    })
}

pub(super) fn mailbox() -> impl Strategy<Value = MailboxValue> {
    let counters = any::<(u64, u64, u64, u64, u64, u64, u64)>();
    let flags = any::<(bool, bool, bool, bool)>();
    let until = option::of(any::<u64>().prop_map(UnixMillis));
    let members = vec(any::<u64>().prop_map(MailboxId), 0..3);
    (count(), count(), counters, flags, until, members).prop_map(
        |(
            text,
            multimedia,
            counters,
            (pager, large, file_transfer, provisioned),
            until,
            members,
        )| MailboxValue {
            text,
            multimedia,
            imdn: counters.0,
            octets: counters.1,
            deliverable: counters.2,
            version: counters.3,
            last_order: counters.4,
            last_number: MessageNumber(counters.5),
            head: MessageNumber(counters.6),
            barring: Barring {
                pager,
                large,
                file_transfer,
            },
            settings_until: until,
            provisioned,
            members,
        },
    )
}

fn setting_values() -> impl Strategy<Value = SettingValues> {
    any::<[Option<bool>; 7]>().prop_map(|said| {
        let said = Setting::ALL.into_iter().zip(said);
        said.fold(
            SettingValues::default(),
            |values, (setting, said)| match said {
                Some(active) => values.with(setting, active),
                None => values,
            },
        )
    })
}

fn publication() -> impl Strategy<Value = Publication> {
    let entity = (text(), setting_values()).prop_map(|(id, values)| Entity { id, values });
    (any::<u64>(), vec(entity, 0..3), time(), time()).prop_map(
        |(tag, entities, published_at, expires_at)| Publication {
            tag: EntityTag(tag),
            entities,
            published_at,
            expires_at,
        },
    )
}

pub(super) fn sayings() -> impl Strategy<Value = Sayings> {
    let overridden = (setting_values(), text(), text(), time(), option::of(time())).prop_map(
        |(values, reason, actor, since, until)| Override {
            values,
            reason,
            actor,
            since,
            until,
        },
    );
    let publications = vec(publication(), 0..3);
    (publications, setting_values(), option::of(overridden)).prop_map(
        |(publications, preset, overridden)| Sayings {
            publications,
            preset,
            overridden,
        },
    )
}

fn binding() -> impl Strategy<Value = Binding> {
    let kind = prop_oneof![
        Just(RegistrationKind::ThirdParty),
        Just(RegistrationKind::Copied),
        Just(RegistrationKind::Direct),
    ];
    let flow = option::of((text(), text()).prop_map(|(edge, token)| Flow { edge, token }));
    let texts = (text(), text(), text(), text(), vec(text(), 0..3), text());
    let numbers = any::<(u32, u32, bool, bool)>();
    (texts, numbers, time(), kind, flow).prop_map(|(texts, numbers, expires_at, kind, flow)| {
        let (contact, instance, call_id, user_agent, path, gruu) = texts;
        let (reg_id, cseq, has_im_tag, allows_message) = numbers;
        Binding {
            contact,
            instance,
            reg_id,
            call_id,
            cseq,
            path,
            flow,
            has_im_tag,
            allows_message,
            kind,
            user_agent,
            expires_at,
            gruu,
        }
    })
}

pub(super) fn bindings() -> impl Strategy<Value = BindingsValue> {
    let known = (text(), time()).prop_map(|(device, seen_at)| KnownDevice {
        device: Device::new(device),
        seen_at,
    });
    (any::<u64>(), vec(binding(), 0..4), vec(known, 0..3)).prop_map(
        |(registrations, bindings, devices)| BindingsValue {
            registrations,
            bindings,
            devices,
        },
    )
}

pub(super) fn delivery() -> impl Strategy<Value = (ClaimValue, DuplicateValue, WaitingValue)> {
    let claim = (any::<u64>(), time(), time(), any::<bool>(), text());
    let claim =
        claim.prop_map(
            |(generation, claimed_at, lease_until, released, edge)| ClaimValue {
                generation: Generation(generation),
                claimed_at,
                lease_until,
                released,
                edge,
            },
        );
    let receipt = (id(), time(), time()).prop_map(|(id, received_at, until)| DuplicateValue {
        receipt: Receipt { id, received_at },
        until,
    });
    let waiting = (any::<u64>(), time(), any::<u64>(), vec(text(), 0..3));
    let waiting = waiting.prop_map(|(octets, expires_at, generation, done)| WaitingValue {
        octets,
        expires_at,
        earliest_generation: Generation(generation),
        done: done.into_iter().map(Device::new).collect(),
    });
    (claim, receipt, waiting)
}

pub(super) fn account() -> impl Strategy<Value = (AddressValue, AccountValue)> {
    let address = (any::<u64>(), name()).prop_map(|(mailbox, address)| AddressValue {
        mailbox: MailboxId(mailbox),
        address,
    });
    let account = (name(), vec(name(), 0..3), any::<bool>());
    let account = account.prop_map(|(address, aliases, deleted)| AccountValue {
        address,
        aliases,
        deleted,
    });
    (address, account)
}

pub(super) fn subscriptions() -> impl Strategy<Value = SubscriptionsValue> {
    let texts = (vec(text(), 8), vec(text(), 0..3), any::<bool>());
    let numbers = any::<(u64, u32, u64, u64, u64, u32)>();
    let one = (texts, numbers).prop_map(|((texts, routes, is_trusted), numbers)| {
        let mut texts = texts.into_iter();
        let mut next = || texts.next().expect("there are eight");
        let (expires_at, epoch, version, sequence, incarnation, remote_cseq) = numbers;
        Subscription {
            local_tag: next(),
            address: Address::new(next()),
            dialog: SubscriptionDialog {
                call_id: next(),
                remote_tag: next(),
                local: next(),
                remote: next(),
                target: next(),
                routes,
                remote_cseq,
            },
            event_id: next(),
            is_trusted,
            expires_at: UnixMillis(expires_at),
            owner: Owner {
                edge: "edge".to_owned(),
                incarnation,
            },
            epoch,
            notified: Notified {
                version,
                sequence: Sequence(sequence),
            },
        }
    });
    vec(one, 0..3).prop_map(|subscriptions| SubscriptionsValue { subscriptions })
}

pub(super) fn timeline() -> impl Strategy<Value = (EventValue, AttemptValue)> {
    let kind = prop_oneof![
        Just(EventKind::Deposited),
        Just(EventKind::DuplicateAbsorbed),
        Just(EventKind::Claimed),
        Just(EventKind::AttemptFailed),
        Just(EventKind::Delivered),
        Just(EventKind::Refused),
        Just(EventKind::Expired),
        Just(EventKind::Held),
        Just(EventKind::Unheld),
        Just(EventKind::Redelivered),
        Just(EventKind::Recalled),
        Just(EventKind::Deleted),
        Just(EventKind::ContentRemoved),
        Just(EventKind::ExpiryShortened),
        Just(EventKind::Dropped),
        Just(EventKind::Imported),
    ];
    let event = (
        any::<u64>(),
        time(),
        kind,
        any::<Option<u64>>(),
        text(),
        text(),
    );
    let event = event.prop_map(|(order, at, kind, generation, actor, detail)| EventValue {
        order,
        event: Event {
            at,
            kind,
            generation: generation.map(Generation),
            actor,
            detail,
        },
    });
    let attempt = (time(), any::<u64>(), text(), text());
    let attempt = attempt.prop_map(|(at, generation, edge, reason)| AttemptValue {
        at,
        generation: Generation(generation),
        edge,
        reason,
    });
    (event, attempt)
}

pub(super) fn meta() -> impl Strategy<Value = (Identity, Counters)> {
    let identity = (text(), time(), any::<[u8; 32]>());
    let identity = identity.prop_map(|(hostname, created_at, secret)| Identity {
        hostname,
        created_at,
        secret,
    });
    let counters = (any::<[u64; 3]>(), time(), time());
    let counters = counters.prop_map(
        |([next_number, next_mailbox, next_serial], latest, swept_until)| Counters {
            next_number,
            next_mailbox,
            next_serial,
            latest,
            swept_until,
        },
    );
    (identity, counters)
}
