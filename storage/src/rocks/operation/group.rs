//! Changing groups: one row each, rewritten as a whole.

use std::sync::Arc;

use crate::model::{Group, GroupOrder, GroupRefusal};
use crate::rocks::queue::Lane;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rule::group;
use crate::store::StoreError;
use crate::value::GroupValue;

/// Octets of a member, roughly.
const MEMBER_OCTETS: usize = 64;

impl Operation for GroupOrder {
    type Answer = Result<Group, GroupRefusal>;

    const LANE: Lane = Lane::Requests;

    fn octets(&self) -> usize {
        use crate::model::GroupChange::{Add, Create, Put, Replace};
        let members = match &self.change {
            Create(group) | Replace(group) | Put(group) => group.members.len(),
            Add(_, members) => members.len(),
            _ => 0,
        };
        (members + 16) * MEMBER_OCTETS
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Answer, Interrupt> {
        let key = transaction.shared.address_key(self.change.uri());
        let known = transaction.group(key)?;
        let known = known.as_ref().map(|row| &row.0);
        let version = transaction.counters.next_serial;
        let changed = match group::apply(known, self, version) {
            Ok(changed) => changed,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let answer = match (&changed, known) {
            (Some(group), _) | (None, Some(group)) => group.clone(),
            (None, None) => return Err(StoreError::Corrupt { what: "group" }.into()),
        };
        transaction.counters.next_serial += 1;
        transaction.set_group(key, changed.map(|group| Arc::new(GroupValue(group))));
        Ok(Ok(answer))
    }
}
