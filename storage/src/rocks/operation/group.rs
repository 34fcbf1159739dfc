//! Changing groups: one row each, rewritten as a whole.

use std::sync::Arc;

use crate::key::AddressKey;
use crate::model::{Address, Group, GroupOrder, GroupRefusal};
use crate::rocks::queue::Lane;
use crate::rocks::shared::Shared;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rule::group;
use crate::store::StoreError;
use crate::value::{GroupDocumentValue, GroupValue};

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
        let document = self.document.as_ref();
        let document = document.map_or(0, |document| document.octets.len());
        (members + 16) * MEMBER_OCTETS + document
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
        if self.is_of_another(transaction)? {
            return Ok(Err(GroupRefusal::OtherDocument));
        }
        self.keep_document(transaction, known, changed.as_ref());
        let answer = match (&changed, known) {
            (Some(group), _) | (None, Some(group)) => group.clone(),
            (None, None) => return Err(StoreError::Corrupt { what: "group" }.into()),
        };
        transaction.counters.next_serial += 1;
        transaction.set_group(key, changed.map(|group| Arc::new(GroupValue(group))));
        Ok(Ok(answer))
    }
}

impl GroupOrder {
    /// Whether the document is there and is about another group.
    fn is_of_another(&self, transaction: &mut Transaction<'_>) -> Result<bool, Interrupt> {
        let (Some(document), Some(owner)) = (&self.document, &self.editor) else {
            return Ok(false);
        };
        let (owner, name) = place(transaction.shared, owner, &document.name);
        let row = transaction.group_document(owner, name)?;
        Ok(row.is_some_and(|row| row.uri != *self.change.uri()))
    }

    /// Writes the document that came, and removes one that the group has no longer.
    fn keep_document(
        &self,
        transaction: &mut Transaction<'_>,
        known: Option<&Group>,
        changed: Option<&Group>,
    ) {
        let before = known.and_then(|group| place_of(transaction.shared, group));
        let after = changed.and_then(|group| place_of(transaction.shared, group));
        if let Some((owner, name)) = before.filter(|before| Some(*before) != after) {
            transaction.set_group_document(owner, name, None);
        }
        if let (Some((owner, name)), Some(document)) = (after, &self.document) {
            let row = GroupDocumentValue {
                uri: self.change.uri().clone(),
                document: document.clone(),
            };
            transaction.set_group_document(owner, name, Some(Arc::new(row)));
        }
    }
}

/// Where the document of a group is kept.
fn place_of(shared: &Shared, group: &Group) -> Option<(AddressKey, AddressKey)> {
    let owner = group.owner.as_ref()?;
    Some(place(shared, owner, group.document.as_ref()?))
}

fn place(shared: &Shared, owner: &Address, name: &str) -> (AddressKey, AddressKey) {
    let owner = shared.address_key(owner);
    (owner, shared.address_key(&Address::new(name)))
}
