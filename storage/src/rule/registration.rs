//! What a REGISTER does to the bindings of an account (RFC 3261 §10.3, REG-03).

use crate::model::{
    Binding, BindingChange, Registration, RegistrationKind, RegistrationRefusal, UnixMillis,
};

/// Most bindings of one account (REG-03).
pub(crate) const MAX_BINDINGS: usize = 10;

/// The bindings that are still alive.
pub(crate) fn live(bindings: &[Binding], now: UnixMillis) -> Vec<Binding> {
    bindings
        .iter()
        .filter(|binding| binding.expires_at > now)
        .cloned()
        .collect()
}

/// The bindings after `registration`: all of its changes or none.
pub(crate) fn apply(
    bindings: &[Binding],
    registration: &Registration,
    now: UnixMillis,
) -> Result<Vec<Binding>, RegistrationRefusal> {
    let mut bindings = live(bindings, now);
    check_order(&bindings, registration)?;
    for change in &registration.changes {
        match change {
            BindingChange::Bind(new) => bind(&mut bindings, new),
            BindingChange::Unbind { .. } | BindingChange::UnbindAll => {
                bindings.retain(|old| !concerns(change, old));
            }
            BindingChange::Query => {}
        }
    }
    bindings.retain(|binding| binding.expires_at > now);
    make_room(&mut bindings)?;
    Ok(bindings)
}

/// A client that registers with us is told that there are too many (REG-03). What a core tells us has
/// happened already, and an error could make it de-register its user: the binding of its kind that
/// ends first makes room.
fn make_room(bindings: &mut Vec<Binding>) -> Result<(), RegistrationRefusal> {
    while bindings.len() > MAX_BINDINGS {
        let told = bindings.iter().enumerate();
        let told = told.filter(|(_, binding)| binding.kind != RegistrationKind::Direct);
        let first = told.min_by_key(|(_, binding)| binding.expires_at);
        let (place, _) = first.ok_or(RegistrationRefusal::TooManyBindings)?;
        bindings.remove(place);
    }
    Ok(())
}

/// Whether anything is asked for but the list of bindings.
pub(crate) fn is_query(registration: &Registration) -> bool {
    let mut changes = registration.changes.iter();
    changes.all(|change| *change == BindingChange::Query)
}

/// Whether a binding is added, which makes the account if there is none.
pub(crate) fn binds(registration: &Registration) -> bool {
    let mut changes = registration.changes.iter();
    changes.any(|change| matches!(change, BindingChange::Bind(_)))
}

/// A binding that is replaced keeps its place.
fn bind(bindings: &mut Vec<Binding>, new: &Binding) {
    let replaced = bindings
        .iter_mut()
        .find(|old| is_same(old, &new.contact, &new.instance, new.reg_id));
    match replaced {
        Some(old) => *old = new.clone(),
        None => bindings.push(new.clone()),
    }
}

/// RFC 3261 §10.3 step 7: within one Call-ID the CSeq must grow.
fn check_order(
    bindings: &[Binding],
    registration: &Registration,
) -> Result<(), RegistrationRefusal> {
    let is_older =
        |old: &&Binding| old.call_id == registration.call_id && registration.cseq <= old.cseq;
    let would_change = |old: &Binding| {
        let mut changes = registration.changes.iter();
        changes.any(|change| concerns(change, old))
    };
    match bindings.iter().filter(is_older).any(would_change) {
        true => Err(RegistrationRefusal::OutOfOrder),
        false => Ok(()),
    }
}

fn concerns(change: &BindingChange, old: &Binding) -> bool {
    match change {
        BindingChange::Bind(new) => is_same(old, &new.contact, &new.instance, new.reg_id),
        BindingChange::Unbind {
            contact,
            instance,
            reg_id,
        } => is_same(old, contact, instance, *reg_id),
        BindingChange::UnbindAll => true,
        BindingChange::Query => false,
    }
}

/// The same flow of the same device (RFC 5626 §6), else the same contact.
fn is_same(old: &Binding, contact: &str, instance: &str, reg_id: u32) -> bool {
    let names_flow = reg_id != 0 && !instance.is_empty();
    let same_flow = names_flow && old.instance == instance && old.reg_id == reg_id;
    same_flow || old.contact == contact
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Address;

    const NOW: UnixMillis = UnixMillis(1_000);

    fn binding(number: u64, kind: RegistrationKind) -> Binding {
        Binding {
            contact: format!("sip:bob@192.0.2.{number}"),
            instance: String::new(),
            reg_id: 0,
            call_id: format!("call-{number}"),
            cseq: 1,
            path: Vec::new(),
            flow: None,
            has_im_tag: true,
            allows_message: true,
            kind,
            user_agent: String::new(),
            gruu: String::new(),
            expires_at: UnixMillis(2_000 + number),
        }
    }

    fn eleven(kind: RegistrationKind) -> Result<Vec<Binding>, RegistrationRefusal> {
        let ten: Vec<_> = (0..10).map(|number| binding(number, kind)).collect();
        let registration = Registration {
            address: Address::new("sip:bob@example.org"),
            aliases: Vec::new(),
            call_id: "call-10".to_owned(),
            cseq: 1,
            changes: vec![BindingChange::Bind(binding(10, kind))],
        };
        apply(&ten, &registration, NOW)
    }

    #[test]
    fn reg_03_an_eleventh_binding_of_a_client_is_refused() {
        let refused = eleven(RegistrationKind::Direct);
        assert_eq!(refused, Err(RegistrationRefusal::TooManyBindings));
    }

    #[test]
    fn an_eleventh_binding_told_by_a_core_replaces_the_one_that_ends_first() {
        let kept = eleven(RegistrationKind::ThirdParty).expect("no error for a core");
        assert_eq!(kept.len(), MAX_BINDINGS);
        assert_eq!(
            kept.first().map(|held| held.call_id.as_str()),
            Some("call-1")
        );
        assert_eq!(
            kept.last().map(|held| held.call_id.as_str()),
            Some("call-10")
        );
    }
}
