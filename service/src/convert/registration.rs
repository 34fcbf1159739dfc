//! Registrations and bindings.

use proto::v1;
use proto::v1::binding_change::Change;
use storage::model::{
    Address, Binding, BindingChange, Flow, Registered, Registration, RegistrationKind,
};
use tonic::Status;

use super::{invalid, required, time, timestamp};

/// A REGISTER that makes sense. No change at all only asks for the bindings.
pub(crate) fn registration(request: v1::RegisterRequest) -> Result<Registration, Status> {
    if request.address.is_empty() {
        return Err(invalid("the address is missing"));
    }
    let changes = request.changes.into_iter().map(change);
    let mut changes: Vec<_> = changes.collect::<Result<_, _>>()?;
    if changes.is_empty() {
        changes.push(BindingChange::Query);
    }
    Ok(Registration {
        address: Address::new(request.address),
        aliases: request.aliases.into_iter().map(Address::new).collect(),
        call_id: request.call_id,
        cseq: request.cseq,
        changes,
    })
}

fn change(change: v1::BindingChange) -> Result<BindingChange, Status> {
    match required(change.change, "a change is empty")? {
        Change::Bind(new) => binding(new).map(BindingChange::Bind),
        Change::Unbind(unbind) => Ok(BindingChange::Unbind {
            contact: unbind.contact,
            instance: unbind.instance,
            reg_id: unbind.reg_id,
        }),
        Change::UnbindAll(v1::UnbindAll {}) => Ok(BindingChange::UnbindAll),
    }
}

fn binding(binding: v1::Binding) -> Result<Binding, Status> {
    let kind = match binding.kind() {
        v1::RegistrationKind::Unspecified => return Err(invalid("a binding has no kind")),
        v1::RegistrationKind::ThirdParty => RegistrationKind::ThirdParty,
        v1::RegistrationKind::Copied => RegistrationKind::Copied,
        v1::RegistrationKind::Direct => RegistrationKind::Direct,
    };
    Ok(Binding {
        contact: binding.contact,
        instance: binding.instance,
        reg_id: binding.reg_id,
        call_id: binding.call_id,
        cseq: binding.cseq,
        path: binding.path,
        flow: binding.flow.map(|flow| Flow {
            edge: flow.edge,
            token: flow.token,
        }),
        has_im_tag: binding.has_im_tag,
        allows_message: binding.allows_message,
        kind,
        user_agent: binding.user_agent,
        expires_at: time(required(binding.expires_at, "a binding has no end")?),
        gruu: binding.gruu,
    })
}

/// Live bindings.
pub(crate) fn bindings(bindings: Vec<Binding>) -> Vec<v1::Binding> {
    bindings.into_iter().map(proto_binding).collect()
}

fn proto_binding(binding: Binding) -> v1::Binding {
    let kind = match binding.kind {
        RegistrationKind::ThirdParty => v1::RegistrationKind::ThirdParty,
        RegistrationKind::Copied => v1::RegistrationKind::Copied,
        RegistrationKind::Direct => v1::RegistrationKind::Direct,
    };
    v1::Binding {
        contact: binding.contact,
        instance: binding.instance,
        reg_id: binding.reg_id,
        call_id: binding.call_id,
        cseq: binding.cseq,
        path: binding.path,
        flow: binding.flow.map(|flow| v1::Flow {
            edge: flow.edge,
            token: flow.token,
        }),
        has_im_tag: binding.has_im_tag,
        allows_message: binding.allows_message,
        kind: kind.into(),
        user_agent: binding.user_agent,
        expires_at: Some(timestamp(binding.expires_at)),
        gruu: binding.gruu,
    }
}

/// A committed registration.
pub(crate) fn registered(registered: Registered) -> v1::RegisterReply {
    let refused = registered.refused_aliases.iter();
    v1::RegisterReply {
        bindings: bindings(registered.bindings),
        refused_aliases: refused.map(|alias| alias.as_str().to_owned()).collect(),
    }
}
