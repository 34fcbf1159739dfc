//! Groups: changed under conditions, kept, listed.

use super::{Bench, Engine, address};
use crate::config::{FanOutLimits, StoreConfig};
use crate::fan_out::FanOutStore;
use crate::model::{
    GROUP_MEMBERS_MAX, Group, GroupChange, GroupDocument, GroupMember, GroupOrder, GroupRefusal,
};

fn member(name: &str) -> GroupMember {
    GroupMember {
        uri: address(name),
        display_name: String::new(),
    }
}

pub(crate) fn group(name: &str, members: &[&str]) -> Group {
    Group {
        uri: address(name),
        display_name: "Team".to_owned(),
        owner: None,
        allow_anonymity: false,
        non_members_may_send: true,
        disclose_members: false,
        members: members.iter().map(|name| member(name)).collect(),
        document: None,
        version: 0,
    }
}

/// A group of Alice.
fn of_alice(name: &str) -> Group {
    Group {
        owner: Some(address("alice")),
        ..group(name, &["bob"])
    }
}

impl<E: Engine> Bench<E> {
    /// Alice writes a document about a group.
    async fn write_about(
        &self,
        group: Group,
        document: &str,
        text: &str,
    ) -> Result<Group, GroupRefusal> {
        let order = GroupOrder {
            change: GroupChange::Put(group),
            expected_version: None,
            editor: Some(address("alice")),
            document: Some(GroupDocument {
                name: document.to_owned(),
                octets: text.as_bytes().to_vec(),
            }),
        };
        let changed = self.store().change_group(order).await;
        let changed = changed.expect("the store answers");
        changed.map(crate::Synced::into_inner)
    }

    /// The group and the text of a document.
    async fn document(&self, owner: &str, name: &str) -> Option<(Group, Option<String>)> {
        let found = self.store().group_document(address(owner), name.to_owned());
        let (group, octets) = found.await.expect("the store answers")?;
        let text = octets.map(|octets| String::from_utf8(octets).expect("text"));
        Some((group, text))
    }

    async fn group(&self, name: &str) -> Option<Group> {
        let group = self.store().group(address(name)).await;
        group.expect("the store answers")
    }

    pub(crate) async fn change(&self, change: GroupChange) -> Result<Group, GroupRefusal> {
        self.change_if(change, None, None).await
    }

    async fn change_if(
        &self,
        change: GroupChange,
        expected_version: Option<u64>,
        editor: Option<&str>,
    ) -> Result<Group, GroupRefusal> {
        let order = GroupOrder {
            change,
            expected_version,
            editor: editor.map(address),
            document: None,
        };
        let changed = self.store().change_group(order).await;
        let changed = changed.expect("the store answers");
        changed.map(crate::Synced::into_inner)
    }
}

pub(crate) async fn a_group_is_there_after_reopening<E: Engine>() {
    let bench = Bench::<E>::new();
    let made = group("team", &["bob", "carol"]);
    let made = bench.change(GroupChange::Create(made)).await;
    let made = made.expect("it is new");
    assert!(made.version > 0);
    let again = bench.change(GroupChange::Create(group("team", &[]))).await;
    assert_eq!(again, Err(GroupRefusal::Exists));
    let bench = bench.reopen().await;
    assert_eq!(bench.group("team").await, Some(made));
    assert_eq!(bench.group("other").await, None);
}

pub(crate) async fn members_are_added_once_and_removed<E: Engine>() {
    let bench = Bench::<E>::new();
    let made = group("team", &["bob", "carol", "bob"]);
    let made = bench.change(GroupChange::Create(made)).await;
    let made = made.expect("it is new");
    assert_eq!(made.members, [member("bob"), member("carol")]);
    let named = GroupMember {
        display_name: "Bob".to_owned(),
        ..member("bob")
    };
    let added = vec![member("dave"), named.clone(), member("dave")];
    let added = bench.change(GroupChange::Add(address("team"), added)).await;
    let added = added.expect("it is there");
    assert_eq!(
        added.members,
        [named.clone(), member("carol"), member("dave")]
    );
    assert!(added.version > made.version);
    let removed = vec![address("carol"), address("erin")];
    let removed = GroupChange::Remove(address("team"), removed);
    let removed = bench.change(removed).await.expect("it is there");
    assert_eq!(removed.members, [named, member("dave")]);
    let nobody = GroupChange::Add(address("other"), vec![member("bob")]);
    assert_eq!(bench.change(nobody).await, Err(GroupRefusal::Unknown));
}

pub(crate) async fn a_group_has_no_more_members_than_allowed<E: Engine>() {
    let bench = Bench::<E>::new();
    let names: Vec<_> = (0..GROUP_MEMBERS_MAX).map(|n| format!("u{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let full = bench
        .change(GroupChange::Create(group("team", &names)))
        .await;
    assert_eq!(full.map(|group| group.members.len()), Ok(GROUP_MEMBERS_MAX));
    let more = GroupChange::Add(address("team"), vec![member("bob")]);
    assert_eq!(bench.change(more).await, Err(GroupRefusal::TooManyMembers));
}

pub(crate) async fn changes_of_another_version_or_editor_are_refused<E: Engine>() {
    let bench = Bench::<E>::new();
    let mine = Group {
        owner: Some(address("alice")),
        ..group("team", &["bob"])
    };
    let put = |mine: &Group| GroupChange::Put(mine.clone());
    let absent = bench.change_if(put(&mine), Some(0), Some("alice")).await;
    let version = absent.expect("there is none").version;
    let again = bench.change_if(put(&mine), Some(0), Some("alice")).await;
    assert_eq!(again, Err(GroupRefusal::Stale));
    let foreign = bench
        .change_if(put(&mine), Some(version), Some("mallory"))
        .await;
    assert_eq!(foreign, Err(GroupRefusal::NotOwner));
    let later = bench
        .change_if(put(&mine), Some(version), Some("alice"))
        .await;
    let later = later.expect("it has that version").version;
    assert!(later > version);
    let delete = || GroupChange::Delete(address("team"));
    let stale = bench
        .change_if(delete(), Some(version), Some("alice"))
        .await;
    assert_eq!(stale, Err(GroupRefusal::Stale));
    let deleted = bench.change_if(delete(), Some(later), Some("alice")).await;
    assert!(deleted.is_ok());
    assert_eq!(bench.group("team").await, None);
    assert_eq!(bench.change(delete()).await, Err(GroupRefusal::Unknown));
    let anew = bench.change(put(&mine)).await.expect("there is none");
    assert!(anew.version > later, "versions do not come again");
}

pub(crate) async fn groups_are_listed_page_by_page<E: Engine>() {
    let bench = Bench::<E>::new();
    for name in ["a", "b", "c", "d", "e"] {
        let made = bench
            .change(GroupChange::Create(group(name, &["bob"])))
            .await;
        assert!(made.is_ok());
    }
    let (mut after, mut names) = (None, Vec::new());
    loop {
        let page = bench.store().list_groups(after, 2).await;
        let page = page.expect("the store answers");
        let Some((last, _)) = page.last() else {
            break;
        };
        after = Some(*last);
        names.extend(page.into_iter().map(|(_, group)| group.uri));
    }
    names.sort();
    let expected: Vec<_> = ["a", "b", "c", "d", "e"].map(address).into();
    assert_eq!(names, expected);
}

pub(crate) async fn a_document_is_kept_with_its_group<E: Engine>() {
    let bench = Bench::<E>::new();
    let made = bench
        .write_about(of_alice("team"), "friends", "<one/>")
        .await;
    let made = made.expect("it is new");
    assert_eq!(made.document.as_deref(), Some("friends"));
    let bench = bench.reopen().await;
    let text = |text: &str| Some(text.to_owned());
    let found = bench.document("alice", "friends").await;
    assert_eq!(found, Some((made, text("<one/>"))));
    assert_eq!(bench.document("bob", "friends").await, None);
    let added = GroupChange::Add(address("team"), vec![member("carol")]);
    let added = bench.change(added).await.expect("it is there");
    let found = bench.document("alice", "friends").await;
    assert_eq!(found, Some((added, text("<one/>"))), "an operator keeps it");
    let written = bench
        .write_about(of_alice("team"), "friends", "<two/>")
        .await;
    let found = bench.document("alice", "friends").await;
    assert_eq!(found, Some((written.expect("his"), text("<two/>"))));
    let deleted = bench.change(GroupChange::Delete(address("team"))).await;
    assert!(deleted.is_ok());
    assert_eq!(bench.document("alice", "friends").await, None);
    let anew = bench
        .write_about(of_alice("club"), "friends", "<three/>")
        .await;
    assert!(anew.is_ok(), "the name is free again");
}

pub(crate) async fn a_document_is_about_one_group<E: Engine>() {
    let bench = Bench::<E>::new();
    let made = bench
        .write_about(of_alice("team"), "friends", "<one/>")
        .await;
    assert!(made.is_ok());
    let other = Err(GroupRefusal::OtherDocument);
    let club = bench
        .write_about(of_alice("club"), "friends", "<two/>")
        .await;
    assert_eq!(club, other, "the document is another group's");
    let again = bench
        .write_about(of_alice("team"), "team-mates", "<two/>")
        .await;
    assert_eq!(again, other, "the group has another document");
    assert_eq!(bench.document("alice", "team-mates").await, None);
    let given_away = Group {
        owner: Some(address("bob")),
        ..group("team", &[])
    };
    let given_away = bench.change(GroupChange::Replace(given_away)).await;
    assert_eq!(given_away.map(|group| group.document), Ok(None));
    assert_eq!(bench.document("alice", "friends").await, None);
}

pub(crate) async fn an_owner_has_no_more_groups_than_allowed<E: Engine>() {
    let bench = Bench::<E>::with(StoreConfig {
        fan_out: FanOutLimits {
            groups_per_owner: 2,
            ..FanOutLimits::default()
        },
        ..StoreConfig::default()
    });
    for name in ["team", "club"] {
        let made = bench.write_about(of_alice(name), name, "<one/>").await;
        assert!(made.is_ok());
    }
    let too_many = bench.write_about(of_alice("crew"), "crew", "<one/>").await;
    assert_eq!(too_many, Err(GroupRefusal::TooManyGroups));
    assert_eq!(bench.group("crew").await, None);
    let changed = bench.write_about(of_alice("team"), "team", "<two/>").await;
    assert!(changed.is_ok(), "what is there is changed as ever");
    let operators = bench.change(GroupChange::Create(of_alice("crew"))).await;
    assert!(operators.is_ok(), "operators are not bound");
    let deleted = bench.change(GroupChange::Delete(address("club"))).await;
    assert!(deleted.is_ok());
    let anew = bench.write_about(of_alice("crew"), "crew", "<one/>").await;
    assert!(anew.is_ok(), "there is room again");
}

pub(crate) async fn a_group_without_document_is_found_by_its_address<E: Engine>() {
    let bench = Bench::<E>::new();
    let made = bench.change(GroupChange::Create(of_alice("team"))).await;
    let made = made.expect("it is new");
    let name = address("team").as_str().to_owned();
    let found = bench.document("alice", &name).await;
    assert_eq!(found, Some((made, None)));
    assert_eq!(bench.document("bob", &name).await, None);
    let written = bench.write_about(of_alice("team"), &name, "<one/>").await;
    let found = bench.document("alice", &name).await;
    let text = Some("<one/>".to_owned());
    assert_eq!(found, Some((written.expect("his"), text)));
}

pub(crate) async fn many_addresses_are_asked_about_at_once<E: Engine>() {
    let bench = Bench::<E>::new();
    let made = bench
        .change(GroupChange::Create(group("team", &["bob"])))
        .await;
    assert!(made.is_ok());
    let asked = ["bob", "team", "carol"].map(address).to_vec();
    let found = bench.store().which_are_groups(asked).await;
    assert_eq!(found, Ok(vec![false, true, false]));
}
