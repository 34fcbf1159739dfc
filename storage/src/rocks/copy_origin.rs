//! Which group a deposit has come through: read before the committer decides on it.

use super::database::{Reach, ReadError};
use super::operation::deposit::DepositMessage;
use super::shared::Shared;
use crate::column_family::Family;
use crate::key;
use crate::model::{Address, Deposit, JobNumber, LegName, MailboxId};
use crate::rule::fan_out::copy::{Origins, group_of};
use crate::rule::fan_out::find::roster_place;
use crate::store::StoreError;
use crate::value::{self, JobValue, LegValue, RosterValue};

/// Rows of fan-out, as far as a read may go.
struct Rows<'a> {
    shared: &'a Shared,
    reach: Reach,
}

impl Rows<'_> {
    fn row<V: value::Value>(&self, family: Family, key: &[u8]) -> Result<Option<V>, ReadError> {
        let row = self.shared.database.get(family, key, self.reach)?;
        Ok(row.map(|row| value::decode(&row)).transpose()?)
    }
}

impl Origins for Rows<'_> {
    type Stop = ReadError;

    fn secret(&self) -> &[u8; 32] {
        &self.shared.secret
    }

    fn job(&self, number: JobNumber) -> Result<Option<JobValue>, ReadError> {
        self.row(Family::Jobs, &key::job(number))
    }

    fn leg(&self, name: LegName) -> Result<Option<LegValue>, ReadError> {
        self.row(Family::Legs, &key::leg(name))
    }

    fn target(&self, name: LegName) -> Result<Option<Address>, ReadError> {
        let (chunk, place) = roster_place(name.index);
        let row: Option<RosterValue> = self.row(Family::Jobs, &key::roster(name.job, chunk))?;
        let entry = row.and_then(|row| row.0.into_iter().nth(place));
        Ok(entry.map(|entry| entry.target))
    }

    fn mailbox(&self, address: &Address) -> Option<MailboxId> {
        let directory = &self.shared.directory;
        let mailbox = directory.address(&self.shared.address_key(address))?;
        Some(directory.owner(mailbox))
    }
}

impl Shared {
    /// The group through which a message came; none for what is no leg.
    pub(super) fn group_of(
        &self,
        leg: Option<LegName>,
        served_user: &Address,
        reach: Reach,
    ) -> Result<Option<Address>, ReadError> {
        let rows = Rows {
            shared: self,
            reach,
        };
        match leg {
            Some(leg) => group_of(&rows, leg, served_user),
            None => Ok(None),
        }
    }

    /// As [`Shared::group_of`], if that can be told without the disk.
    pub(super) fn group_in_memory(
        &self,
        deposit: &Deposit,
    ) -> Result<Option<Option<Address>>, StoreError> {
        match self.group_of(deposit.leg, &deposit.served_user, Reach::Memory) {
            Ok(group) => Ok(Some(group)),
            Err(ReadError::NeedsDisk) => Ok(None),
            Err(ReadError::Failed(error)) => Err(error),
        }
    }

    /// A deposit with what is computed and read before its turn comes. Blocks.
    pub(super) fn deposit_message(&self, deposit: Deposit) -> Result<DepositMessage, StoreError> {
        let group = self.group_of(deposit.leg, &deposit.served_user, Reach::Disk)?;
        Ok(DepositMessage::new(deposit, group, self))
    }
}
