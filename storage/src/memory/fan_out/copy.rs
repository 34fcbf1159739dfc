//! Which group a deposit has come through.

use std::convert::Infallible;

use crate::memory::model::Model;
use crate::model::{Address, JobNumber, LegName, MailboxId};
use crate::rule::fan_out::copy::{Origins, group_of};
use crate::value::{JobValue, LegValue};

/// What there is to find the group of a copy in.
struct ModelOrigins<'a>(&'a Model);

impl Origins for ModelOrigins<'_> {
    type Stop = Infallible;

    fn secret(&self) -> &[u8; 32] {
        &self.0.secret
    }

    fn job(&self, number: JobNumber) -> Result<Option<JobValue>, Infallible> {
        Ok(self.0.fan_out.jobs.get(&number).cloned())
    }

    fn leg(&self, name: LegName) -> Result<Option<LegValue>, Infallible> {
        Ok(self.0.fan_out.legs.get(&name).cloned())
    }

    fn target(&self, name: LegName) -> Result<Option<Address>, Infallible> {
        let roster = self.0.fan_out.rosters.get(&name.job);
        let place = usize::try_from(name.index).unwrap_or(usize::MAX);
        let entry = roster.and_then(|roster| roster.get(place));
        Ok(entry.map(|entry| entry.target.clone()))
    }

    fn mailbox(&self, address: &Address) -> Option<MailboxId> {
        Some(self.0.owner(self.0.mailbox(address)?))
    }
}

impl Model {
    /// The group through which a message came; none for what is no leg.
    pub(in crate::memory) fn group_of(
        &self,
        leg: Option<LegName>,
        served_user: &Address,
    ) -> Option<Address> {
        let Ok(group) = group_of(&ModelOrigins(self), leg?, served_user);
        group
    }
}
