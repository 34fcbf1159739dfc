//! The steps of a history. Names are small numbers, so that steps meet each other.

use std::time::Duration;

use proptest::prelude::*;

use crate::model::{Class, Priority, Setting, State, Verb};

/// Which of a few users.
pub(super) type User = u8;
/// Which of the messages so far, counted from the first; those beyond do not exist.
pub(super) type Nth = u64;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Deposit {
        user: User,
        call: u8,
        class: Class,
        priority: Priority,
        lifetime: Option<Duration>,
    },
    Claim(User),
    /// By the claim granted last, or the one before.
    Take {
        older: bool,
        messages: usize,
        device: Option<u8>,
    },
    Acknowledge {
        older: bool,
        nth: Nth,
        ending: Ending,
        device: Option<u8>,
    },
    Renew {
        older: bool,
    },
    Release {
        older: bool,
        last_seen: Nth,
        failed: bool,
    },
    Order(Nth, Verb),
    /// Take it back or, with a duration, have it expire after that; under a promise of the claim granted last.
    Recall {
        nth: Nth,
        expires: Option<Duration>,
        promised: bool,
    },
    Register {
        user: User,
        device: u8,
        alias: Option<User>,
        ends: bool,
    },
    AddAlias(User, User),
    RemoveAlias(User),
    CreateAccount(User),
    DeleteAccount(User),
    /// A document of one setting, or an end, by the tag of an earlier one.
    Publish {
        user: User,
        publisher: User,
        setting: Setting,
        active: bool,
        kind: PublishKind,
        nth: Nth,
        lifetime: Duration,
    },
    /// The operator's override of one setting; `None` clears it.
    Override(User, Option<(Setting, bool, Duration)>),
    Admit {
        user: User,
        /// One of [`BODIES`].
        body: usize,
        is_announced: bool,
    },
    /// Sixteenths of the body from the first place up to the second.
    Stage {
        upload: usize,
        from: usize,
        upto: usize,
        content: u8,
    },
    CommitUpload {
        upload: usize,
        msrp: u8,
    },
    Abandon {
        upload: usize,
    },
    /// All of it, from admission to commit.
    Upload {
        user: User,
        body: usize,
        msrp: u8,
        content: u8,
    },
    ReadBody {
        nth: Nth,
        from: usize,
        length: usize,
    },
    Advance(Duration),
    Sweep,
    Reopen,
    /// As after `kill -9`.
    Crash,
    Look(Nth),
    List {
        user: Option<User>,
        state: Option<State>,
        page_size: usize,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    Delivered,
    Refused,
    Failed,
    RefusedThisTime,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum PublishKind {
    Initial,
    Modify,
    Refresh,
    Remove,
}

/// Octets of bodies: kept in memory until the commit, or staged in blocks.
pub(super) const BODIES: [usize; 5] = [1, 3_000, 66_000, 262_145, 400_000];

fn user() -> impl Strategy<Value = User> {
    0..4u8
}

fn nth() -> impl Strategy<Value = Nth> {
    0..12u64
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::from_secs(20)),
        Just(Duration::from_secs(60)),
        Just(Duration::from_secs(3_600)),
        Just(Duration::from_secs(86_400)),
        Just(Duration::from_secs(7 * 86_400)),
    ]
}

fn deposit() -> impl Strategy<Value = Step> {
    let class =
        prop_oneof![4 => Just(Class::Pager), 1 => Just(Class::Large), 1 => Just(Class::Imdn)];
    let priority = prop_oneof![Just(Priority::Normal), Just(Priority::Urgent)];
    let lifetime = proptest::option::of(duration());
    (user(), 0..6u8, class, priority, lifetime).prop_map(
        |(user, call, class, priority, lifetime)| Step::Deposit {
            user,
            call,
            class,
            priority,
            lifetime,
        },
    )
}

fn delivery() -> impl Strategy<Value = Step> {
    let ending = prop_oneof![
        Just(Ending::Delivered),
        Just(Ending::Refused),
        Just(Ending::Failed),
        Just(Ending::RefusedThisTime),
    ];
    let older = || proptest::bool::weighted(0.2);
    prop_oneof![
        4 => user().prop_map(Step::Claim),
        4 => (older(), 0..4usize, device())
            .prop_map(|(older, messages, device)| Step::Take { older, messages, device }),
        6 => (older(), nth(), ending, device()).prop_map(|(older, nth, ending, device)| {
            Step::Acknowledge { older, nth, ending, device }
        }),
        1 => older().prop_map(|older| Step::Renew { older }),
        3 => (older(), nth(), any::<bool>()).prop_map(|(older, last_seen, failed)| Step::Release {
            older,
            last_seen,
            failed,
        }),
    ]
}

fn device() -> impl Strategy<Value = Option<u8>> {
    proptest::option::weighted(0.7, 0..3u8)
}

fn order() -> impl Strategy<Value = Step> {
    let verb = prop_oneof![
        3 => Just(Verb::Redeliver),
        1 => Just(Verb::Hold),
        1 => Just(Verb::Unhold),
        1 => Just(Verb::Expire),
        1 => Just(Verb::Delete),
    ];
    (nth(), verb).prop_map(|(nth, verb)| Step::Order(nth, verb))
}

fn recall() -> impl Strategy<Value = Step> {
    let expires = proptest::option::of(duration());
    (nth(), expires, any::<bool>()).prop_map(|(nth, expires, promised)| Step::Recall {
        nth,
        expires,
        promised,
    })
}

fn account() -> impl Strategy<Value = Step> {
    let alias = proptest::option::weighted(0.3, user());
    let lasting = (setting(), any::<bool>(), duration());
    prop_oneof![
        5 => (user(), 0..3u8, alias, any::<bool>()).prop_map(|(user, device, alias, ends)| {
            Step::Register { user, device, alias, ends }
        }),
        2 => (user(), user()).prop_map(|(user, alias)| Step::AddAlias(user, alias)),
        1 => user().prop_map(Step::RemoveAlias),
        1 => user().prop_map(Step::CreateAccount),
        1 => user().prop_map(Step::DeleteAccount),
        3 => publish(),
        1 => (user(), proptest::option::of(lasting))
            .prop_map(|(user, lasting)| Step::Override(user, lasting)),
    ]
}

fn setting() -> impl Strategy<Value = Setting> {
    prop_oneof![
        3 => Just(Setting::MessageBarring),
        1 => Just(Setting::OfflineDelivery),
    ]
}

fn publish() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        2 => Just(PublishKind::Initial),
        1 => Just(PublishKind::Modify),
        1 => Just(PublishKind::Refresh),
        1 => Just(PublishKind::Remove),
    ];
    let publisher = proptest::option::weighted(0.2, user());
    let what = (setting(), any::<bool>(), kind);
    (user(), publisher, what, 0..6u64, duration()).prop_map(
        |(user, publisher, (setting, active, kind), nth, lifetime)| Step::Publish {
            user,
            publisher: publisher.unwrap_or(user),
            setting,
            active,
            kind,
            nth,
            lifetime,
        },
    )
}

fn upload() -> impl Strategy<Value = Step> {
    let body = || 0..BODIES.len();
    let upload = || 0..3_usize;
    let place = (0..16_usize, 1..17_usize);
    prop_oneof![
        3 => (user(), body(), proptest::bool::weighted(0.8)).prop_map(
            |(user, body, is_announced)| Step::Admit { user, body, is_announced }
        ),
        4 => (upload(), place, 0..2u8).prop_map(|(upload, (from, upto), content)| Step::Stage {
            upload,
            from,
            upto,
            content,
        }),
        3 => (upload(), 0..2u8).prop_map(|(upload, content)| Step::Stage {
            upload,
            from: 0,
            upto: 16,
            content,
        }),
        3 => (upload(), 0..2u8).prop_map(|(upload, msrp)| Step::CommitUpload { upload, msrp }),
        1 => upload().prop_map(|upload| Step::Abandon { upload }),
        4 => (user(), body(), 0..2u8, 0..2u8).prop_map(|(user, body, msrp, content)| {
            Step::Upload { user, body, msrp, content }
        }),
        2 => (nth(), 0..420_000_usize, 0..300_000_usize)
            .prop_map(|(nth, from, length)| Step::ReadBody { nth, from, length }),
    ]
}

fn look() -> impl Strategy<Value = Step> {
    let user = proptest::option::of(user());
    let state = prop_oneof![
        Just(None),
        Just(Some(State::Stored)),
        Just(Some(State::Claimed)),
        Just(Some(State::Delivered)),
    ];
    prop_oneof![
        nth().prop_map(Step::Look),
        (user, state, 1..5usize).prop_map(|(user, state, page_size)| Step::List {
            user,
            state,
            page_size,
        }),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => deposit(),
        12 => delivery(),
        3 => order(),
        1 => recall(),
        4 => account(),
        8 => upload(),
        2 => duration().prop_map(Step::Advance),
        2 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
        3 => look(),
    ]
}
