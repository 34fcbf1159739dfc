//! The column families: one per access pattern, so that each has the options its reads want.

use crate::model::JobClass;

/// A column family of the RocksDB engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    /// The identity of the store and its counters: two rows, read at opening.
    Meta,
    /// Envelopes and states: scanned in the order of a mailbox, read by mailbox and number.
    Messages,
    /// Octets of messages in chunks: read once or never, removed all at once; large ones are blobs.
    Contents,
    /// Octets of large messages in blocks, staged without the log: written once, read block by block,
    /// removed upload by upload.
    Large,
    /// Mailbox of each message: read by number alone, scanned in the order of Message-IDs.
    Locations,
    /// Deliverable messages only: scanned from the head of a mailbox by each take.
    Waiting,
    /// What becomes due when: scanned by the sweep from its cursor, removed from the front.
    Due,
    /// Receipts by fingerprint: asked for by every deposit, nearly always in vain.
    Duplicates,
    /// Counters of mailboxes: read and rewritten by every deposit and every settlement.
    Mailboxes,
    /// Addresses and aliases of accounts: read by operators.
    Accounts,
    /// Mailboxes by hashed address: read at opening, then kept in memory.
    Addresses,
    /// Bindings of accounts: read at opening, then kept in memory.
    Bindings,
    /// What is said about the settings of accounts: read by deposits only after some of it has ended.
    Settings,
    /// Claims of mailboxes: read and rewritten by every delivery.
    Claims,
    /// Subscriptions of mailboxes: rewritten by each SUBSCRIBE, scanned when the service starts.
    Subscriptions,
    /// What happened to single messages: appended, read by operators.
    Events,
    /// Deliveries of mailboxes that failed as a whole: appended, read by operators.
    Attempts,
    /// Groups by hashed address: read by each message to one.
    Groups,
    /// Documents of groups, by owner and name: read when the owner looks at his group.
    GroupDocuments,
    /// Fan-out jobs: how far each is, its template and its roster, read by whole key.
    Jobs,
    /// Legs that have been claimed or stand behind one: read and rewritten by claims and settlements.
    Legs,
    /// Legs by the time of their next try or the end of their lease: scanned from the front.
    LegDue,
    /// Legs that wait for one another, as lists: read and rewritten by claims and settlements.
    LegLists,
    /// Jobs with legs nobody has claimed, by sender: scanned in turns; and how many jobs a sender has.
    Turns,
    /// As `LegDue`, for legs of large messages: neither waits behind the other.
    LargeLegDue,
    /// As `Turns`, for large messages; how many jobs a sender has is told there.
    LargeTurns,
    /// Delivery reports on their way: read and rewritten by claims and settlements.
    Reports,
    /// Reports by the time of their next try or the end of their lease: scanned from the front.
    ReportDue,
    /// What each sender has stored and undelivered: read and rewritten by every deposit and every settlement.
    Senders,
    /// What others are told of messages: appended, read from a position, removed from the front.
    EventLog,
    /// Keys of mailboxes, jobs and the store, wrapped by a master key: read at opening, then kept in memory.
    DataKeys,
}

/// `ALL` is in the order of the numbers, so that a number is a place in it.
const _: () = {
    let mut place = 0;
    while place < Family::ALL.len() {
        assert!(Family::ALL[place] as usize == place);
        place += 1;
    }
};

impl Family {
    /// All of them, in the order they are made.
    pub(crate) const ALL: [Self; 31] = [
        Self::Meta,
        Self::Messages,
        Self::Contents,
        Self::Large,
        Self::Locations,
        Self::Waiting,
        Self::Due,
        Self::Duplicates,
        Self::Mailboxes,
        Self::Accounts,
        Self::Addresses,
        Self::Bindings,
        Self::Settings,
        Self::Claims,
        Self::Subscriptions,
        Self::Events,
        Self::Attempts,
        Self::Groups,
        Self::GroupDocuments,
        Self::Jobs,
        Self::Legs,
        Self::LegDue,
        Self::LegLists,
        Self::Turns,
        Self::LargeLegDue,
        Self::LargeTurns,
        Self::Reports,
        Self::ReportDue,
        Self::Senders,
        Self::EventLog,
        Self::DataKeys,
    ];

    /// Legs of this class by due time.
    pub(crate) fn leg_due(class: JobClass) -> Self {
        match class {
            JobClass::Pager => Self::LegDue,
            JobClass::Large => Self::LargeLegDue,
        }
    }

    /// Jobs of this class with legs nobody has claimed.
    pub(crate) fn turns(class: JobClass) -> Self {
        match class {
            JobClass::Pager => Self::Turns,
            JobClass::Large => Self::LargeTurns,
        }
    }

    /// Its name in metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            other => other.name(),
        }
    }

    /// Its name on disk.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Meta => "default",
            Self::Messages => "messages",
            Self::Contents => "contents",
            Self::Large => "large",
            Self::Locations => "locations",
            Self::Waiting => "waiting",
            Self::Due => "due",
            Self::Duplicates => "duplicates",
            Self::Mailboxes => "mailboxes",
            Self::Accounts => "accounts",
            Self::Addresses => "addresses",
            Self::Bindings => "bindings",
            Self::Settings => "settings",
            Self::Claims => "claims",
            Self::Subscriptions => "subscriptions",
            Self::Events => "events",
            Self::Attempts => "attempts",
            Self::Groups => "groups",
            Self::GroupDocuments => "group_documents",
            Self::Jobs => "jobs",
            Self::Legs => "legs",
            Self::LegDue => "leg_due",
            Self::LegLists => "leg_lists",
            Self::Turns => "turns",
            Self::LargeLegDue => "large_leg_due",
            Self::LargeTurns => "large_turns",
            Self::Reports => "reports",
            Self::ReportDue => "report_due",
            Self::Senders => "senders",
            Self::EventLog => "event_log",
            Self::DataKeys => "data_keys",
        }
    }
}
