//! What a document must say besides being one: addresses, of whom we serve.

use edge::xcap::reply::Fault;
use sip::{Aor, Uri};
use storage_client::fan_out::{Group, GroupMember};
use xcap::conflict::Conflict;
use xcap::group_document::{self, GroupDocument, Member};

use crate::site::Site;

/// The spelling by which addresses are compared and stored; what is none stays as it is.
pub(super) fn canonical(text: &str) -> String {
    let uri: Option<Uri> = text.parse().ok();
    let address = uri.as_ref().and_then(Aor::from_uri);
    address.map_or_else(|| text.to_owned(), |address| address.to_string())
}

/// A group as documents have it.
pub(super) fn view(group: &Group) -> GroupDocument {
    let members = group.members.iter().map(|member| Member {
        uri: member.uri.clone(),
        display_name: member.display_name.clone(),
    });
    GroupDocument {
        uri: group.uri.clone(),
        display_name: group.display_name.clone(),
        members: members.collect(),
        allow_anonymity: group.allow_anonymity,
        non_members_may_send: group.non_members_may_send,
    }
}

/// The group that a document says.
///
/// # Errors
/// [`Fault::Conflict`].
pub(super) fn group_of(text: &str, owner: &str, site: &Site) -> Result<Group, Fault> {
    let document = group_document::read(text.as_bytes());
    let document = document.map_err(|error| Fault::Conflict(error.into()))?;
    let uri = address(&document.uri)
        .filter(|address| address.user().is_some() && site.serves(address))
        .ok_or_else(|| {
            refused("the identity of the group is no address of a domain served here")
        })?;
    let members = document
        .members
        .into_iter()
        .map(|held| member(held, site))
        .collect::<Result<_, _>>()?;
    Ok(Group {
        uri: uri.to_string(),
        display_name: document.display_name,
        owner: Some(owner.to_owned()),
        allow_anonymity: document.allow_anonymity,
        non_members_may_send: document.non_members_may_send,
        members,
        ..Group::default()
    })
}

/// As for lists that are sent (CFP-21): people, and those of foreign domains only where that is wanted.
fn member(member: Member, site: &Site) -> Result<GroupMember, Fault> {
    let address = address(&member.uri)
        .filter(|address| address.domain().is_none() || address.user().is_some())
        .ok_or_else(|| refused("an entry is no address"))?;
    if !site.foreign_recipients && !site.serves(&address) {
        return Err(refused("an entry is of a foreign domain"));
    }
    Ok(GroupMember {
        uri: address.to_string(),
        display_name: member.display_name,
    })
}

/// Whether a user may make a group of this identity: it takes what is sent to that address from whoever has it.
///
/// # Errors
/// [`Fault::Conflict`].
pub(super) fn may_be_made(uri: &str, site: &Site) -> Result<(), Fault> {
    let read: Option<Uri> = uri.parse().ok();
    let address = address(uri);
    let is_ours = read.is_none_or(|uri| site.is_own(&uri))
        || address
            .as_ref()
            .is_none_or(|address| site.is_store(address));
    let user = address.as_ref().and_then(Aor::user).unwrap_or_default();
    let prefix = site.group_prefix.as_str();
    if is_ours || user.len() == prefix.len() || !user.starts_with(prefix) {
        let sentence = format!("the identity of a group is sip:{prefix}NAME@DOMAIN here");
        return Err(refused(&sentence));
    }
    Ok(())
}

fn address(text: &str) -> Option<Aor> {
    let uri: Uri = text.parse().ok()?;
    Aor::from_uri(&uri)
}

fn refused(sentence: &str) -> Fault {
    Fault::Conflict(Conflict::Constraint(sentence.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::fixture::cf1;

    fn document(uri: &str, members: &[&str]) -> String {
        group_document::write(&GroupDocument {
            uri: uri.to_owned(),
            members: members
                .iter()
                .map(|uri| Member {
                    uri: (*uri).to_owned(),
                    display_name: String::new(),
                })
                .collect(),
            ..GroupDocument::default()
        })
    }

    fn read(uri: &str, members: &[&str]) -> Result<Group, Fault> {
        group_of(&document(uri, members), "sip:alice@example.org", &cf1())
    }

    #[test]
    fn addresses_are_kept_in_one_spelling() {
        let group = read(
            "sip:group-a@EXAMPLE.org",
            &["sip:bob@EXAMPLE.org:5060", "tel:+1-555-0100"],
        );
        let group = group.expect("a group");
        assert_eq!(group.uri, "sip:group-a@example.org");
        let members: Vec<_> = group.members.iter().map(|held| held.uri.as_str()).collect();
        assert_eq!(members, ["sip:bob@example.org", "tel:+15550100"]);
        assert_eq!(group.owner.as_deref(), Some("sip:alice@example.org"));
    }

    #[test]
    fn who_is_no_address_or_not_served_is_no_member() {
        for (uri, members) in [
            ("group-a", &[][..]),
            ("sip:example.org", &[]),
            ("sip:group-a@elsewhere.org", &[]),
            ("sip:group-a@example.org", &["bob"]),
            ("sip:group-a@example.org", &["sip:example.org"]),
            ("sip:group-a@example.org", &["sip:bob@elsewhere.org"]),
        ] {
            let refused = read(uri, members);
            assert!(
                matches!(refused, Err(Fault::Conflict(Conflict::Constraint(_)))),
                "{uri} {members:?}"
            );
        }
    }

    #[test]
    fn users_make_groups_beside_the_addresses_of_users() {
        for (uri, is_allowed) in [
            ("sip:group-a@example.org", true),
            ("sip:group-@example.org", false),
            ("sip:bob@example.org", false),
            ("sip:group-a@cf1.im.example.org", false),
        ] {
            assert_eq!(may_be_made(uri, &cf1()).is_ok(), is_allowed, "{uri}");
        }
    }
}
