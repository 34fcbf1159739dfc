//! What an order does to a group.

use std::collections::{HashMap, HashSet};

use crate::model::{
    Address, GROUP_MEMBERS_MAX, Group, GroupChange, GroupMember, GroupOrder, GroupRefusal,
};

/// The group afterwards, `None` if there is none any more. `version` is the next one.
pub(crate) fn apply(
    known: Option<&Group>,
    order: &GroupOrder,
    version: u64,
) -> Result<Option<Group>, GroupRefusal> {
    check(known, order)?;
    let changed = match (&order.change, known) {
        (GroupChange::Create(_), Some(_)) => return Err(GroupRefusal::Exists),
        (GroupChange::Put(group) | GroupChange::Create(group), None)
        | (GroupChange::Put(group) | GroupChange::Replace(group), Some(_)) => group.clone(),
        (_, None) => return Err(GroupRefusal::Unknown),
        (GroupChange::Delete(_), Some(_)) => return Ok(None),
        (GroupChange::Add(_, members), Some(known)) => with_members(known, members),
        (GroupChange::Remove(_, members), Some(known)) => without_members(known, members),
    };
    let document = document(known, order, &changed)?;
    let members = unique(changed.members);
    if members.len() > GROUP_MEMBERS_MAX {
        return Err(GroupRefusal::TooManyMembers);
    }
    Ok(Some(Group {
        members,
        document,
        version,
        ..changed
    }))
}

/// Whose it is comes first: nobody else learns its version.
fn check(known: Option<&Group>, order: &GroupOrder) -> Result<(), GroupRefusal> {
    let is_foreign = |group: &Group| order.editor.is_some() && group.owner != order.editor;
    if known.is_some_and(is_foreign) {
        return Err(GroupRefusal::NotOwner);
    }
    let version = known.map_or(0, |group| group.version);
    match order.expected_version {
        Some(expected) if expected != version => Err(GroupRefusal::Stale),
        _ => Ok(()),
    }
}

/// The document that the group has afterwards. It stays when operators change the group, and goes with its owner.
fn document(
    known: Option<&Group>,
    order: &GroupOrder,
    changed: &Group,
) -> Result<Option<String>, GroupRefusal> {
    let kept = known.filter(|known| known.owner == changed.owner);
    let kept = kept.and_then(|known| known.document.clone());
    match (&order.document, kept) {
        (None, kept) => Ok(kept),
        (Some(new), Some(kept)) if new.name != kept => Err(GroupRefusal::OtherDocument),
        (Some(new), _) => Ok(Some(new.name.clone())),
    }
}

fn with_members(known: &Group, added: &[GroupMember]) -> Group {
    let mut group = known.clone();
    let places = group.members.iter().enumerate();
    let mut places: HashMap<_, _> = places.map(|(at, known)| (known.uri.clone(), at)).collect();
    for member in added {
        let place = places
            .entry(member.uri.clone())
            .or_insert(group.members.len());
        match group.members.get_mut(*place) {
            Some(there) => there.display_name.clone_from(&member.display_name),
            None => group.members.push(member.clone()),
        }
    }
    group
}

fn without_members(known: &Group, removed: &[Address]) -> Group {
    let removed: HashSet<_> = removed.iter().collect();
    let mut group = known.clone();
    group
        .members
        .retain(|member| !removed.contains(&member.uri));
    group
}

/// Each address once, where it was named first.
fn unique(members: Vec<GroupMember>) -> Vec<GroupMember> {
    let mut seen = HashSet::new();
    let is_new = |member: &GroupMember| seen.insert(member.uri.clone());
    members.into_iter().filter(is_new).collect()
}
