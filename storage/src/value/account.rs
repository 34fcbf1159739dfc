//! Accounts, the addresses that lead to them, and their bindings.

use super::{Decoder, Encoder, Malformed, Value};
use crate::model::{
    Address, Binding, Device, Flow, KnownDevice, MailboxId, RegistrationKind, UnixMillis,
};

/// Where an address leads. Its key is a hash of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressValue {
    pub(crate) mailbox: MailboxId,
    pub(crate) address: Address,
}

impl Value for AddressValue {
    const WHAT: &'static str = "address";

    fn write(&self, out: &mut Encoder) {
        out.u64(self.mailbox.0);
        out.seal();
        out.text(self.address.as_str());
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let mailbox = MailboxId(fields.u64()?);
        Ok(Self {
            mailbox,
            address: Address::new(fields.text()?),
        })
    }
}

/// The names of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountValue {
    pub(crate) address: Address,
    pub(crate) aliases: Vec<Address>,
    /// Forgotten by an operator; the row stays for the messages that name its mailbox.
    pub(crate) deleted: bool,
}

impl AccountValue {
    /// What is left of an account that nobody shall know of any more: nothing that would need a key.
    pub(crate) fn erased() -> Self {
        Self {
            address: Address::new(""),
            aliases: Vec::new(),
            deleted: true,
        }
    }

    /// Whether nothing of it is left.
    pub(crate) fn is_erased(&self) -> bool {
        self.address.as_str().is_empty() && self.aliases.is_empty()
    }
}

impl Value for AccountValue {
    const WHAT: &'static str = "account";

    fn write(&self, out: &mut Encoder) {
        out.flag(self.deleted);
        if !self.is_erased() {
            out.seal();
        }
        out.text(self.address.as_str());
        out.list(&self.aliases, |out, alias| out.text(alias.as_str()));
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let deleted = fields.flag()?;
        Ok(Self {
            deleted,
            address: Address::new(fields.text()?),
            aliases: fields.list(|fields| fields.text().map(Address::new))?,
        })
    }
}

/// The bindings of an account that has ever registered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BindingsValue {
    /// REGISTERs that bound something.
    pub(crate) registrations: u64,
    pub(crate) bindings: Vec<Binding>,
    /// Devices the account is known to have, bound or not, where each shall have each message.
    pub(crate) devices: Vec<KnownDevice>,
}

impl BindingsValue {
    /// When the last binding ends.
    pub(crate) fn live_until(&self) -> UnixMillis {
        let ends = self.bindings.iter().map(|binding| binding.expires_at);
        ends.max().unwrap_or_default()
    }
}

impl Value for BindingsValue {
    const WHAT: &'static str = "bindings";

    fn write(&self, out: &mut Encoder) {
        out.count(self.registrations);
        if !self.bindings.is_empty() || !self.devices.is_empty() {
            out.seal();
        }
        out.list(&self.bindings, |out, binding| write_binding(binding, out));
        let has_gruus = self.bindings.iter().any(|binding| !binding.gruu.is_empty());
        if has_gruus || !self.devices.is_empty() {
            out.list(&self.bindings, |out, binding| out.text(&binding.gruu));
            out.list(&self.devices, |out, known| {
                out.text(known.device.as_str());
                out.u64(known.seen_at.0);
            });
        }
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let registrations = fields.count()?;
        let mut bindings = fields.list(read_binding)?;
        let mut devices = Vec::new();
        if !fields.is_at_end() {
            let gruus = fields.list(Decoder::text)?;
            if gruus.len() != bindings.len() {
                return Err(Malformed);
            }
            for (binding, gruu) in bindings.iter_mut().zip(gruus) {
                binding.gruu = gruu;
            }
            devices = fields.list(read_known_device)?;
        }
        Ok(Self {
            registrations,
            bindings,
            devices,
        })
    }
}

fn write_binding(binding: &Binding, out: &mut Encoder) {
    out.u8(binding.kind as u8);
    out.u64(binding.expires_at.0);
    out.count(u64::from(binding.reg_id));
    out.count(u64::from(binding.cseq));
    out.flag(binding.has_im_tag);
    out.flag(binding.allows_message);
    out.text(&binding.contact);
    out.text(&binding.instance);
    out.text(&binding.call_id);
    out.text(&binding.user_agent);
    out.list(&binding.path, |out, path| out.text(path));
    out.option(binding.flow.as_ref(), |out, flow| {
        out.text(&flow.edge);
        out.text(&flow.token);
    });
}

fn read_binding(fields: &mut Decoder<'_>) -> Result<Binding, Malformed> {
    Ok(Binding {
        kind: kind(fields.u8()?)?,
        expires_at: UnixMillis(fields.u64()?),
        reg_id: fields.count32()?,
        cseq: fields.count32()?,
        has_im_tag: fields.flag()?,
        allows_message: fields.flag()?,
        contact: fields.text()?,
        instance: fields.text()?,
        call_id: fields.text()?,
        user_agent: fields.text()?,
        path: fields.list(Decoder::text)?,
        flow: fields.option(|fields| {
            Ok(Flow {
                edge: fields.text()?,
                token: fields.text()?,
            })
        })?,
        gruu: String::new(),
    })
}

fn read_known_device(fields: &mut Decoder<'_>) -> Result<KnownDevice, Malformed> {
    Ok(KnownDevice {
        device: Device::new(fields.text()?),
        seen_at: UnixMillis(fields.u64()?),
    })
}

fn kind(number: u8) -> Result<RegistrationKind, Malformed> {
    [
        RegistrationKind::ThirdParty,
        RegistrationKind::Copied,
        RegistrationKind::Direct,
    ]
    .into_iter()
    .find(|kind| *kind as u8 == number)
    .ok_or(Malformed)
}
