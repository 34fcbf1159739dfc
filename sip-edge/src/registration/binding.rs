//! From Contact values to bindings (REG-03, DLV-02, DLM-01).

use std::time::{Duration, SystemTime};

use sip::{Headers, Method, Name, NameAddr};
use storage_client::registration::{Binding, BindingChange, Flow, RegistrationKind};

use crate::im_tag::ImTags;

/// What all bindings of one REGISTER have in common.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// How it came to be known.
    pub(crate) kind: RegistrationKind,
    /// Call-ID of the client's REGISTER.
    pub(crate) call_id: String,
    /// Its CSeq number.
    pub(crate) cseq: u32,
    /// Path values, topmost first.
    pub(crate) path: Vec<String>,
    /// The connection it came by, if requests are to use it.
    pub(crate) flow: Option<Flow>,
    /// `User-Agent`.
    pub(crate) user_agent: String,
    /// Methods of `Allow`; `None` if it was absent.
    pub(crate) allow: Option<Vec<Method>>,
}

impl Origin {
    /// Reads what the headers of the client's REGISTER say.
    pub(crate) fn of(headers: &Headers, kind: RegistrationKind) -> Self {
        let cseq = headers.cseq().ok().flatten().map_or(0, |cseq| cseq.number);
        let allow = headers
            .first(Name::Allow)
            .map(|_| headers.allow().unwrap_or_default());
        Self {
            kind,
            call_id: headers.call_id().unwrap_or_default().into_owned(),
            cseq,
            path: headers
                .values(Name::Path)
                .map(std::borrow::Cow::into_owned)
                .collect(),
            flow: None,
            user_agent: headers.user_agent().unwrap_or_default(),
            allow,
        }
    }

    /// The binding of one Contact.
    pub(crate) fn bind(
        &self,
        contact: &NameAddr,
        has_im_tag: bool,
        expires_at: SystemTime,
    ) -> BindingChange {
        BindingChange::Bind(Binding {
            contact: contact.uri.to_string(),
            instance: instance(contact),
            reg_id: reg_id(contact),
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            path: self.path.clone(),
            flow: self.flow.clone(),
            has_im_tag,
            allows_message: self.allows_message(contact),
            kind: self.kind,
            user_agent: self.user_agent.clone(),
            expires_at,
            gruu: gruu(contact),
        })
    }

    /// MESSAGE in Allow or in the Contact's `methods`; true where neither says anything (DLM-01).
    fn allows_message(&self, contact: &NameAddr) -> bool {
        let by_methods = contact.params.value("methods").map(|methods| {
            methods
                .split(',')
                .any(|method| method.trim().eq_ignore_ascii_case("MESSAGE"))
        });
        let by_allow = self
            .allow
            .as_ref()
            .map(|allow| allow.contains(&Method::Message));
        by_methods.or(by_allow).unwrap_or(true)
    }
}

/// The removal of one Contact's binding.
pub(crate) fn unbind(contact: &NameAddr) -> BindingChange {
    BindingChange::Unbind {
        contact: contact.uri.to_string(),
        instance: instance(contact),
        reg_id: reg_id(contact),
    }
}

/// Bindings or removals of these Contacts, each with its lifetime: none removes (RFC 3261 §10.2.2).
pub(crate) fn changes<'a>(
    origin: &Origin,
    contacts: impl IntoIterator<Item = (&'a NameAddr, Duration)>,
    tags: &ImTags,
    now: SystemTime,
) -> Vec<BindingChange> {
    let change = |(contact, lifetime): (&NameAddr, Duration)| match lifetime {
        Duration::ZERO => unbind(contact),
        lifetime => origin.bind(contact, tags.are_on(contact), now + lifetime),
    };
    contacts.into_iter().map(change).collect()
}

/// `+sip.instance` as written; compared as text (RFC 5626 §4.1).
fn instance(contact: &NameAddr) -> String {
    contact
        .params
        .value("+sip.instance")
        .unwrap_or_default()
        .to_owned()
}

/// `pub-gruu`, which only a registrar gives (RFC 5627 §5.3).
fn gruu(contact: &NameAddr) -> String {
    contact
        .params
        .value("pub-gruu")
        .unwrap_or_default()
        .to_owned()
}

/// `reg-id`, nought if absent or malformed (RFC 5626 §4.2).
fn reg_id(contact: &NameAddr) -> u32 {
    contact
        .params
        .value("reg-id")
        .and_then(|id| id.parse().ok())
        .unwrap_or_default()
}
