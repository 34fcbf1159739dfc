//! Through which group a copy has come that is to be stored.

use crate::key::AddressKey;
use crate::model::{Address, JobNumber, LegName, MailboxId};
use crate::rule::duplicate::target_key;
use crate::value::{JobValue, LegValue};

/// What is read to find that out.
pub(crate) trait Origins {
    type Stop;

    fn secret(&self) -> &[u8; 32];
    fn job(&self, number: JobNumber) -> Result<Option<JobValue>, Self::Stop>;
    fn leg(&self, name: LegName) -> Result<Option<LegValue>, Self::Stop>;
    /// Whom the leg is for.
    fn target(&self, name: LegName) -> Result<Option<Address>, Self::Stop>;
    /// Where an address or alias leads.
    fn mailbox(&self, address: &Address) -> Option<MailboxId>;
}

/// The group of a copy that says it is this leg, and is for this user. It is believed of a leg that has been sent and has
/// no outcome yet, and for the member it was sent to: what a member has seen of his own copy serves nobody else.
pub(crate) fn group_of<O: Origins>(
    origins: &O,
    name: LegName,
    served_user: &Address,
) -> Result<Option<Address>, O::Stop> {
    let Some(job) = origins.job(name.job)?.filter(|row| row.job.to_group) else {
        return Ok(None);
    };
    let Some(leg) = origins.leg(name)?.filter(is_under_way) else {
        return Ok(None);
    };
    let expected: AddressKey = target_key(origins.secret(), leg.class, served_user);
    let is_theirs = leg.target == expected || {
        // A core may have written an alias.
        let target = origins.target(name)?;
        let target = target.and_then(|target| origins.mailbox(&target));
        target.is_some() && target == origins.mailbox(served_user)
    };
    Ok(is_theirs.then_some(job.job.addressed_to))
}

/// Also where its edge has died since: what it has sent arrives all the same.
fn is_under_way(leg: &LegValue) -> bool {
    leg.generation.0 > 0 && !leg.phase.is_settled()
}
