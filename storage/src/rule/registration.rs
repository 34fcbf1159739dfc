//! What a REGISTER does to the bindings of an account (RFC 3261 §10.3, REG-03).

use crate::model::{Binding, BindingChange, Registration, RegistrationRefusal, UnixMillis};

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
    if bindings.len() > MAX_BINDINGS {
        return Err(RegistrationRefusal::TooManyBindings);
    }
    Ok(bindings)
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
