//! The rows that decisions are made on, as keys and values of their own types.

use std::sync::Arc;

use crate::column_family::Family;
use crate::key::{self, AddressKey, DuplicateKey};
use crate::model::{
    Class, Generation, JobNumber, LegName, MailboxId, MessageNumber, ReportName, Sequence,
};
use crate::rule::settings::Sayings;
use crate::store::StoreError;
use crate::value::{
    self, AccountValue, AddressValue, BindingsValue, ClaimValue, DuplicateValue, Encoded,
    EnvelopeValue, GroupDocumentValue, GroupValue, JobValue, LegListValue, LegValue, LocationValue,
    LogValue, MailboxValue, ReportValue, SenderJobsValue, SenderValue, StateValue,
    SubscriptionsValue, SuspensionsValue,
};

/// Names a row. No peer chooses what is in it: numbers are the store's own, the others are keyed hashes. So the maps
/// of rows need no hasher that withstands chosen keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum RowKey {
    Address(AddressKey),
    Account(MailboxId),
    Mailbox(MailboxId),
    Bindings(MailboxId),
    Settings(MailboxId),
    Claim(MailboxId),
    Subscriptions(MailboxId),
    Location(MessageNumber),
    Envelope(MailboxId, MessageNumber),
    State(MailboxId, MessageNumber),
    Duplicate(DuplicateKey),
    Group(AddressKey),
    GroupDocument(AddressKey, AddressKey),
    Job(JobNumber),
    Leg(LegName),
    LegList(AddressKey),
    SenderJobs(AddressKey),
    Report(ReportName),
    Sender(AddressKey),
    EventLog,
    Suspensions,
    /// Not a row: the result of a scan, good as long as somebody looks at each of them again.
    Oldest(Oldest),
    /// Not a row: the result of a scan, good for as long as the mailbox does not change.
    FirstWaiting(FirstWaiting),
}

/// Asks for the first message of a mailbox that a claim can deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FirstWaiting {
    pub(super) mailbox: MailboxId,
    pub(super) after: Sequence,
    pub(super) generation: Generation,
    /// [`MailboxValue::last_order`]: a mailbox that has changed since is another question.
    pub(super) order: u64,
}

/// Asks for the messages of a mailbox that make way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Oldest {
    pub(super) mailbox: MailboxId,
    /// For a new message of this class that is urgent, or not.
    pub(super) new: (Class, bool),
}

/// A row, decoded.
#[derive(Clone, Debug)]
pub(super) enum Row {
    Address(AddressValue),
    Account(AccountValue),
    Mailbox(MailboxValue),
    Bindings(Arc<BindingsValue>),
    Settings(Sayings),
    Claim(ClaimValue),
    Subscriptions(Arc<SubscriptionsValue>),
    Location(LocationValue),
    Envelope(Arc<EnvelopeValue>),
    State(StateValue),
    Duplicate(DuplicateValue),
    Group(Arc<GroupValue>),
    GroupDocument(Arc<GroupDocumentValue>),
    Job(JobValue),
    Leg(LegValue),
    LegList(LegListValue),
    SenderJobs(SenderJobsValue),
    Report(ReportValue),
    Sender(SenderValue),
    EventLog(LogValue),
    Suspensions(Arc<SuspensionsValue>),
    FirstWaiting(Sequence),
    Oldest(Arc<[MessageNumber]>),
}

impl RowKey {
    /// Where the row is on disk; `None` for what is not a row.
    pub(super) fn place(&self) -> Option<(Family, Vec<u8>)> {
        let place = match self {
            Self::Address(address) => (Family::Addresses, address.to_vec()),
            Self::Account(mailbox) => (Family::Accounts, key::mailbox(*mailbox).to_vec()),
            Self::Mailbox(mailbox) => (Family::Mailboxes, key::mailbox(*mailbox).to_vec()),
            Self::Bindings(mailbox) => (Family::Bindings, key::mailbox(*mailbox).to_vec()),
            Self::Settings(mailbox) => (Family::Settings, key::mailbox(*mailbox).to_vec()),
            Self::Claim(mailbox) => (Family::Claims, key::mailbox(*mailbox).to_vec()),
            Self::Subscriptions(mailbox) => {
                (Family::Subscriptions, key::mailbox(*mailbox).to_vec())
            }
            Self::Location(number) => (Family::Locations, key::location(*number).to_vec()),
            Self::Envelope(mailbox, number) => {
                (Family::Messages, key::envelope(*mailbox, *number).to_vec())
            }
            Self::State(mailbox, number) => {
                (Family::Messages, key::state(*mailbox, *number).to_vec())
            }
            Self::Duplicate(duplicate) => (Family::Duplicates, duplicate.to_vec()),
            Self::Group(uri) => (Family::Groups, uri.to_vec()),
            Self::GroupDocument(owner, name) => (
                Family::GroupDocuments,
                key::group_document(*owner, *name).to_vec(),
            ),
            Self::Job(number) => (Family::Jobs, key::job(*number).to_vec()),
            Self::Leg(name) => (Family::Legs, key::leg(*name).to_vec()),
            Self::LegList(list) => (Family::LegLists, list.to_vec()),
            Self::SenderJobs(sender) => (Family::Turns, sender.to_vec()),
            Self::Report(name) => (Family::Reports, key::report(*name).to_vec()),
            Self::Sender(sender) => (Family::Senders, sender.to_vec()),
            Self::EventLog => (Family::Meta, key::EVENT_LOG.to_vec()),
            Self::Suspensions => (Family::Meta, key::SUSPENSIONS.to_vec()),
            Self::FirstWaiting(_) | Self::Oldest(_) => return None,
        };
        Some(place)
    }

    /// The mailbox it is about, if the key names one.
    pub(super) fn mailbox(&self) -> Option<MailboxId> {
        match self {
            Self::Account(mailbox)
            | Self::Mailbox(mailbox)
            | Self::Bindings(mailbox)
            | Self::Settings(mailbox)
            | Self::Claim(mailbox)
            | Self::Subscriptions(mailbox)
            | Self::Envelope(mailbox, _)
            | Self::State(mailbox, _) => Some(*mailbox),
            Self::Duplicate(duplicate) => key::duplicate_mailbox(duplicate),
            Self::Address(_)
            | Self::Location(_)
            | Self::Group(_)
            | Self::GroupDocument(..)
            | Self::Job(_)
            | Self::Leg(_)
            | Self::LegList(_)
            | Self::SenderJobs(_)
            | Self::Report(_)
            | Self::Sender(_)
            | Self::EventLog
            | Self::Suspensions
            | Self::FirstWaiting(_)
            | Self::Oldest(_) => None,
        }
    }

    /// Reads the value that stands under this key.
    pub(super) fn decode(&self, octets: &[u8]) -> Result<Row, StoreError> {
        Ok(match self {
            Self::Address(_) => Row::Address(value::decode(octets)?),
            Self::Account(_) => Row::Account(value::decode(octets)?),
            Self::Mailbox(_) => Row::Mailbox(value::decode(octets)?),
            Self::Bindings(_) => Row::Bindings(Arc::new(value::decode(octets)?)),
            Self::Settings(_) => Row::Settings(value::decode(octets)?),
            Self::Claim(_) => Row::Claim(value::decode(octets)?),
            Self::Subscriptions(_) => Row::Subscriptions(Arc::new(value::decode(octets)?)),
            Self::Location(_) => Row::Location(value::decode(octets)?),
            Self::Envelope(..) => Row::Envelope(Arc::new(value::decode(octets)?)),
            Self::State(..) => Row::State(value::decode(octets)?),
            Self::Duplicate(_) => Row::Duplicate(value::decode(octets)?),
            Self::Group(_) => Row::Group(Arc::new(value::decode(octets)?)),
            Self::GroupDocument(..) => Row::GroupDocument(Arc::new(value::decode(octets)?)),
            Self::Job(_) => Row::Job(value::decode(octets)?),
            Self::Leg(_) => Row::Leg(value::decode(octets)?),
            Self::LegList(_) => Row::LegList(value::decode(octets)?),
            Self::SenderJobs(_) => Row::SenderJobs(value::decode(octets)?),
            Self::Report(_) => Row::Report(value::decode(octets)?),
            Self::Sender(_) => Row::Sender(value::decode(octets)?),
            Self::EventLog => Row::EventLog(value::decode(octets)?),
            Self::Suspensions => Row::Suspensions(Arc::new(value::decode(octets)?)),
            Self::FirstWaiting(_) | Self::Oldest(_) => {
                return Err(StoreError::Corrupt { what: "row key" });
            }
        })
    }
}

impl Row {
    /// The octets on disk; `None` for what is not a row.
    pub(super) fn encode(&self) -> Option<Encoded> {
        Some(match self {
            Self::Address(row) => value::encode(row),
            Self::Account(row) => value::encode(row),
            Self::Mailbox(row) => value::encode(row),
            Self::Bindings(row) => value::encode(&**row),
            Self::Settings(row) => value::encode(row),
            Self::Claim(row) => value::encode(row),
            Self::Subscriptions(row) => value::encode(&**row),
            Self::Location(row) => value::encode(row),
            Self::Envelope(row) => value::encode(&**row),
            Self::State(row) => value::encode(row),
            Self::Duplicate(row) => value::encode(row),
            Self::Group(row) => value::encode(&**row),
            Self::GroupDocument(row) => value::encode(&**row),
            Self::Job(row) => value::encode(row),
            Self::Leg(row) => value::encode(row),
            Self::LegList(row) => value::encode(row),
            Self::SenderJobs(row) => value::encode(row),
            Self::Report(row) => value::encode(row),
            Self::Sender(row) => value::encode(row),
            Self::EventLog(row) => value::encode(row),
            Self::Suspensions(row) => value::encode(&**row),
            Self::FirstWaiting(_) | Self::Oldest(_) => return None,
        })
    }
}
