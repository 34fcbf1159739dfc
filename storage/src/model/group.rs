//! Groups: who gets a copy of what is sent to a group identity (CFP-05).

use super::Address;

/// Members of one group.
pub const GROUP_MEMBERS_MAX: usize = 10_000;

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The group identity.
    pub uri: Address,
    /// For people; may be empty.
    pub display_name: String,
    /// Who may change it himself; `None`: operators alone.
    pub owner: Option<Address>,
    /// Messages of anonymous senders are taken (CFP-04).
    pub allow_anonymity: bool,
    /// Not only members may send (CFP-03).
    pub non_members_may_send: bool,
    /// Copies name the members.
    pub disclose_members: bool,
    /// In the order in which they were added, each once.
    pub members: Vec<GroupMember>,
    /// Name of the document by which its owner edits it (RFC 4825), kept beside it. Made by the store.
    pub document: Option<String>,
    /// Another one after every change, also after the group was deleted and made again; never zero.
    /// Made by the store.
    pub version: u64,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// Canonical address.
    pub uri: Address,
    /// May be empty.
    pub display_name: String,
}

/// A group as its owner has written it, with all that we do not interpret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDocument {
    /// Its name in the tree of the owner.
    pub name: String,
    /// As it came.
    pub octets: Vec<u8>,
}

/// What is done to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupChange {
    /// Makes it.
    Create(Group),
    /// Puts it in the place of what is there.
    Replace(Group),
    /// Makes it, or puts it in the place of what is there.
    Put(Group),
    /// Adds members; one that is there gets the new display name.
    Add(Address, Vec<GroupMember>),
    /// Removes members, if they are there.
    Remove(Address, Vec<Address>),
    /// Forgets it.
    Delete(Address),
}

impl GroupChange {
    /// The group that is changed.
    #[must_use]
    pub fn uri(&self) -> &Address {
        match self {
            Self::Create(group) | Self::Replace(group) | Self::Put(group) => &group.uri,
            Self::Add(uri, _) | Self::Remove(uri, _) | Self::Delete(uri) => uri,
        }
    }
}

/// A change and its conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOrder {
    /// What is done.
    pub change: GroupChange,
    /// Only if the group has this version; zero: only if there is no group.
    pub expected_version: Option<u64>,
    /// Who changes it, unless it is an operator: only his own groups.
    pub editor: Option<Address>,
    /// With [`GroupChange::Put`]: the document that says so, kept with the group.
    pub document: Option<GroupDocument>,
}

/// Why a group was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupRefusal {
    /// There is one of that address.
    #[error("there is such a group")]
    Exists,
    /// There is none.
    #[error("no such group")]
    Unknown,
    /// It has another version.
    #[error("the group has another version")]
    Stale,
    /// The document is another group's, or the group has another document.
    #[error("the group has another document")]
    OtherDocument,
    /// It belongs to somebody else.
    #[error("the group belongs to somebody else")]
    NotOwner,
    /// More than [`GROUP_MEMBERS_MAX`].
    #[error("too many members")]
    TooManyMembers,
    /// The owner has made as many groups as he may.
    #[error("the owner has too many groups")]
    TooManyGroups,
}
