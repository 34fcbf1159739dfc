//! Groups.

use proto::v1::{Group, GroupMember};
use serde::{Deserialize, Serialize};

use super::{ErrorRecord, Outcome, non_empty};

/// One group; what `group export` writes, `group import` reads.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct GroupRecord {
    pub(crate) uri: String,
    #[serde(default)]
    pub(crate) display_name: String,
    #[serde(default)]
    pub(crate) owner: Option<String>,
    #[serde(default)]
    pub(crate) allow_anonymity: bool,
    #[serde(default)]
    pub(crate) non_members_may_send: bool,
    #[serde(default)]
    pub(crate) disclose_members: bool,
    /// By which its owner edits it; an import leaves that to the store.
    #[serde(default)]
    pub(crate) document: Option<String>,
    #[serde(default)]
    pub(crate) version: u64,
    #[serde(default)]
    pub(crate) member_count: u32,
    /// `None` in lists.
    #[serde(default)]
    pub(crate) members: Option<Vec<MemberRecord>>,
}

/// One member of a group.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct MemberRecord {
    pub(crate) uri: String,
    #[serde(default)]
    pub(crate) display_name: String,
}

impl GroupRecord {
    /// A group whose members are not said.
    pub(crate) fn head(group: Group) -> Self {
        Self {
            members: None,
            ..Self::whole(group)
        }
    }

    /// A group with its members.
    pub(crate) fn whole(group: Group) -> Self {
        let members = group.members.into_iter().map(|member| MemberRecord {
            uri: member.uri,
            display_name: member.display_name,
        });
        Self {
            uri: group.uri,
            display_name: group.display_name,
            owner: non_empty(group.owner),
            allow_anonymity: group.allow_anonymity,
            non_members_may_send: group.non_members_may_send,
            disclose_members: group.disclose_members,
            document: non_empty(group.document),
            version: group.version,
            member_count: group.member_count,
            members: Some(members.collect()),
        }
    }
}

impl From<GroupRecord> for Group {
    fn from(record: GroupRecord) -> Self {
        let members = record.members.unwrap_or_default().into_iter();
        let members = members.map(|member| GroupMember {
            uri: member.uri,
            display_name: member.display_name,
        });
        Self {
            uri: record.uri,
            display_name: record.display_name,
            owner: record.owner.unwrap_or_default(),
            allow_anonymity: record.allow_anonymity,
            non_members_may_send: record.non_members_may_send,
            disclose_members: record.disclose_members,
            members: members.collect(),
            ..Self::default()
        }
    }
}

/// One change of a group.
#[derive(Debug, Serialize)]
pub(crate) struct GroupChangeRecord {
    pub(crate) uri: String,
    pub(crate) command: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) group: Option<GroupRecord>,
    pub(crate) error: Option<ErrorRecord>,
}
