//! Groups.

use super::{Decoder, Encoder, Malformed, Value};
use crate::model::{Address, Group, GroupMember};

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
            version,
        }))
    }
}
