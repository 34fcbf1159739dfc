//! Registrations and bindings.

use proto::v1;
use proto::v1::binding_change::Change;

use super::{time, timestamp};
use crate::registration::{
    Binding, BindingChange, Flow, Registered, Registration, RegistrationKind,
};

pub(crate) fn registration(registration: Registration) -> v1::RegisterRequest {
    v1::RegisterRequest {
        address: registration.address,
        aliases: registration.aliases,
        call_id: registration.call_id,
        cseq: registration.cseq,
        changes: registration.changes.into_iter().map(change).collect(),
    }
}

pub(crate) fn registered(reply: v1::RegisterReply) -> Registered {
    Registered {
        bindings: bindings(reply.bindings),
        refused_aliases: reply.refused_aliases,
    }
}

/// Bindings that this version does not understand are left out.
pub(crate) fn bindings(bindings: Vec<v1::Binding>) -> Vec<Binding> {
    bindings.into_iter().filter_map(binding).collect()
}

fn change(change: BindingChange) -> v1::BindingChange {
    let change = match change {
        BindingChange::Bind(binding) => Change::Bind(proto_binding(binding)),
        BindingChange::Unbind {
            contact,
            instance,
            reg_id,
        } => Change::Unbind(v1::Unbind {
            contact,
            instance,
            reg_id,
        }),
        BindingChange::UnbindAll => Change::UnbindAll(v1::UnbindAll {}),
    };
    v1::BindingChange {
        change: Some(change),
    }
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

fn binding(binding: v1::Binding) -> Option<Binding> {
    let kind = match binding.kind() {
        v1::RegistrationKind::Unspecified => return None,
        v1::RegistrationKind::ThirdParty => RegistrationKind::ThirdParty,
        v1::RegistrationKind::Copied => RegistrationKind::Copied,
        v1::RegistrationKind::Direct => RegistrationKind::Direct,
    };
    Some(Binding {
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
        expires_at: time(binding.expires_at?)?,
        gruu: binding.gruu,
    })
}
