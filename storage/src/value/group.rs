//! Groups.

use super::{Decoder, Encoder, Malformed, Value};
use crate::model::{Address, Group, GroupDocument, GroupMember};

/// A group with its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupValue(pub(crate) Group);

impl Value for GroupValue {
    const WHAT: &'static str = "group";

    fn write(&self, out: &mut Encoder) {
        let group = &self.0;
        out.u64(group.version);
        out.flag(group.allow_anonymity);
        out.flag(group.non_members_may_send);
        out.flag(group.disclose_members);
        out.seal();
        out.text(group.uri.as_str());
        out.text(&group.display_name);
        out.option(group.owner.as_ref(), |out, owner| out.text(owner.as_str()));
        out.list(&group.members, |out, member| {
            out.text(member.uri.as_str());
            out.text(&member.display_name);
        });
        out.option(group.document.as_ref(), |out, name| out.text(name));
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let version = fields.u64()?;
        let allow_anonymity = fields.flag()?;
        let non_members_may_send = fields.flag()?;
        let disclose_members = fields.flag()?;
        Ok(Self(Group {
            uri: Address::new(fields.text()?),
            display_name: fields.text()?,
            owner: fields.option(Decoder::text)?.map(Address::new),
            allow_anonymity,
            non_members_may_send,
            disclose_members,
            members: fields.list(|fields| {
                Ok(GroupMember {
                    uri: Address::new(fields.text()?),
                    display_name: fields.text()?,
                })
            })?,
            // Earlier versions knew no documents.
            document: match fields.is_at_end() {
                true => None,
                false => fields.option(Decoder::text)?,
            },
            version,
        }))
    }
}

/// The document of a group, and the group that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupDocumentValue {
    pub(crate) uri: Address,
    pub(crate) document: GroupDocument,
}

impl Value for GroupDocumentValue {
    const WHAT: &'static str = "group document";

    fn write(&self, out: &mut Encoder) {
        out.seal();
        out.text(self.uri.as_str());
        out.text(&self.document.name);
        out.octets(&self.document.octets);
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            uri: Address::new(fields.text()?),
            document: GroupDocument {
                name: fields.text()?,
                octets: fields.octets()?.to_vec(),
            },
        })
    }
}
