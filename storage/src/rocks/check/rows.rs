//! Each row for itself: its key is of its family, its value opens and is of its kind.

use super::{CheckReport, Finding};
use crate::column_family::Family;
use crate::key::{self, Due, JobRow, MessageRow};
use crate::model::MailboxId;
use crate::rocks::shared::Shared;
use crate::rule::settings::Sayings;
use crate::store::StoreError;
use crate::value::{self, Value};

impl Shared {
    pub(super) fn check_rows(&self, report: &mut CheckReport) -> Result<(), StoreError> {
        for family in Family::ALL {
            let mut scan = self.database.scan(family, &[], None);
            while let Some(found) = scan.examine(|key, octets| {
                let read = octets.and_then(|octets| read(family, key, octets));
                read.err().map(|error| (key.to_vec(), error))
            })? {
                report.rows += 1;
                let Some((key, error)) = found else {
                    continue;
                };
                if !self.is_forgotten(family, &key, &error)? {
                    report.add(Finding::Row {
                        family: family.label(),
                        key,
                        problem: problem(error),
                    });
                }
            }
        }
        Ok(())
    }

    /// What an account has left that was erased with its key; earlier versions left some.
    fn is_forgotten(
        &self,
        family: Family,
        key: &[u8],
        error: &StoreError,
    ) -> Result<bool, StoreError> {
        let is_of_mailbox = matches!(family, Family::Attempts | Family::Settings);
        match (error, key.first_chunk()) {
            (StoreError::NotFound, Some(mailbox)) if is_of_mailbox => {
                self.is_erased(MailboxId(u64::from_be_bytes(*mailbox)))
            }
            _ => Ok(false),
        }
    }
}

fn problem(error: StoreError) -> String {
    match error {
        StoreError::NotFound => "it is encrypted by a key that is not there".to_owned(),
        error => error.to_string(),
    }
}

fn read(family: Family, key: &[u8], octets: &[u8]) -> Result<(), StoreError> {
    match family {
        Family::Meta => meta(key, octets),
        Family::Messages => match key::decode_message(key)? {
            (_, _, MessageRow::Envelope) => kind::<value::EnvelopeValue>(octets),
            (_, _, MessageRow::State) => kind::<value::StateValue>(octets),
        },
        // Pieces are opened with their content.
        Family::Contents => key::decode_content(key).map(drop),
        Family::Large => match key::decode_block(key)? {
            (_, key::OWNER_BLOCK) => kind::<value::OwnerValue>(octets),
            _ => Ok(()),
        },
        Family::Locations => of(
            key::decode_location(key),
            octets,
            kind::<value::LocationValue>,
        ),
        Family::Waiting => of(
            key::decode_waiting(key),
            octets,
            kind::<value::WaitingValue>,
        ),
        Family::Due => of(Due::decode(key), octets, kind::<value::Mark>),
        Family::Duplicates => kind::<value::DuplicateValue>(octets),
        Family::Mailboxes => of(
            key::decode_mailbox(key),
            octets,
            kind::<value::MailboxValue>,
        ),
        Family::Accounts => of(
            key::decode_mailbox(key),
            octets,
            kind::<value::AccountValue>,
        ),
        Family::Addresses => of(
            key::decode_address(key),
            octets,
            kind::<value::AddressValue>,
        ),
        Family::Bindings => of(
            key::decode_mailbox(key),
            octets,
            kind::<value::BindingsValue>,
        ),
        Family::Settings => of(key::decode_mailbox(key), octets, kind::<Sayings>),
        Family::Claims => of(key::decode_mailbox(key), octets, kind::<value::ClaimValue>),
        Family::Subscriptions => {
            let place = key::decode_mailbox(key);
            of(place, octets, kind::<value::SubscriptionsValue>)
        }
        Family::Events => of(key::decode_event(key), octets, kind::<value::EventValue>),
        Family::Attempts => of(
            key::decode_attempt(key),
            octets,
            kind::<value::AttemptValue>,
        ),
        Family::Groups => of(key::decode_address(key), octets, kind::<value::GroupValue>),
        Family::GroupDocuments => kind::<value::GroupDocumentValue>(octets),
        Family::Jobs
        | Family::Legs
        | Family::LegDue
        | Family::LargeLegDue
        | Family::LegLists
        | Family::Turns
        | Family::LargeTurns => of_many(family, key, octets),
        Family::Reports => of(key::decode_report(key), octets, kind::<value::ReportValue>),
        Family::ReportDue => of(key::decode_report_due(key), octets, kind::<value::Mark>),
        Family::Senders => of(key::decode_address(key), octets, kind::<value::SenderValue>),
        Family::EventLog => {
            let position = key::decode_log_position(key);
            of(position, octets, kind::<value::LogEntryValue>)
        }
        // Each was opened when the store was.
        Family::DataKeys => key::decode_data_key(key).map(drop),
    }
}

/// Rows of messages to many.
fn of_many(family: Family, key: &[u8], octets: &[u8]) -> Result<(), StoreError> {
    match family {
        Family::Jobs => match key::decode_job(key)? {
            (_, JobRow::Job) => kind::<value::JobValue>(octets),
            (_, JobRow::Template) => kind::<value::TemplateValue>(octets),
            (_, JobRow::Roster(_)) => kind::<value::RosterValue>(octets),
        },
        Family::Legs => of(key::decode_leg(key), octets, kind::<value::LegValue>),
        Family::LegDue | Family::LargeLegDue => {
            of(key::decode_leg_due(key), octets, kind::<value::Mark>)
        }
        Family::LegLists => of(
            key::decode_address(key),
            octets,
            kind::<value::LegListValue>,
        ),
        Family::Turns | Family::LargeTurns => match key::decode_turn(key)? {
            (_, Some(_)) => kind::<value::Mark>(octets),
            (_, None) => kind::<value::SenderJobsValue>(octets),
        },
        _ => Err(StoreError::Corrupt {
            what: family.name(),
        }),
    }
}

fn meta(key: &[u8], octets: &[u8]) -> Result<(), StoreError> {
    if key == key::IDENTITY {
        return kind::<value::Identity>(octets);
    }
    if key == key::COUNTERS {
        return kind::<value::Counters>(octets);
    }
    if key == key::UPLOADS {
        return kind::<value::UploadsValue>(octets);
    }
    if key == key::SENDERS_COUNTED || key == key::OBSOLETE_KEYS {
        return kind::<value::Mark>(octets);
    }
    if key == key::EVENT_LOG {
        return kind::<value::LogValue>(octets);
    }
    if key == key::SUSPENSIONS {
        return kind::<value::SuspensionsValue>(octets);
    }
    Err(StoreError::Corrupt { what: "meta rows" })
}

fn of<K>(
    key: Result<K, StoreError>,
    octets: &[u8],
    read: impl FnOnce(&[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    key?;
    read(octets)
}

fn kind<V: Value>(octets: &[u8]) -> Result<(), StoreError> {
    value::decode::<V>(octets).map(drop)
}
