//! Which devices shall have a message, and what becomes of it at each (requirements §3.13).

use std::time::Duration;

use super::registration;
use crate::config::DeliveryScope;
use crate::model::{
    Binding, Device, DeviceDelivery, DeviceState, EventKind, KnownDevice, Settlement, State,
    UnixMillis,
};

/// Most devices that an account is known to have: twice its bindings. Of more the one unseen for longest
/// is forgotten.
pub(crate) const DEVICES_MAX: usize = 2 * registration::MAX_BINDINGS;

/// The devices of these bindings that live: those of IM clients; where there is none, the account is one device.
pub(crate) fn live(bindings: &[Binding], now: UnixMillis) -> Vec<Device> {
    let mut devices = of_im_clients(bindings, now);
    if devices.is_empty() {
        devices.push(Device::default());
    }
    devices
}

fn of_im_clients(bindings: &[Binding], now: UnixMillis) -> Vec<Device> {
    let bindings = bindings.iter().filter(|binding| binding.expires_at > now);
    let im_clients = bindings.filter(|binding| binding.has_im_tag);
    let mut devices: Vec<Device> = im_clients
        .map(|binding| Device::new(binding.instance.as_str()))
        .collect();
    devices.sort_unstable();
    devices.dedup();
    devices
}

/// The devices that an account is known to have, once it has these bindings. Where the first device that
/// answers gets everything, nobody asks.
pub(crate) fn seen(
    known: &[KnownDevice],
    bindings: &[Binding],
    scope: DeliveryScope,
    now: UnixMillis,
) -> Vec<KnownDevice> {
    let DeliveryScope::All { forget_after } = scope else {
        return Vec::new();
    };
    let live = of_im_clients(bindings, now);
    let unbound = remembered(known, forget_after, now)
        .filter(|known| !live.contains(&known.device))
        .cloned();
    let mut devices: Vec<KnownDevice> = unbound.collect();
    devices.extend(live.iter().map(|device| KnownDevice {
        device: device.clone(),
        seen_at: now,
    }));
    devices.sort_by_key(|device| device.seen_at);
    devices.split_off(devices.len().saturating_sub(DEVICES_MAX))
}

fn remembered(
    known: &[KnownDevice],
    forget_after: Duration,
    now: UnixMillis,
) -> impl Iterator<Item = &KnownDevice> {
    known
        .iter()
        .filter(move |known| known.seen_at.after(forget_after) > now)
}

/// Whether a device has still to get a message that is so far with these: one that is known, or one that is bound now. Nobody
/// is known yet where a store gets this scope, until the next REGISTER of each.
pub(crate) fn is_missing(
    deliveries: &[DeviceDelivery],
    (known, bindings): (&[KnownDevice], &[Binding]),
    scope: DeliveryScope,
    now: UnixMillis,
) -> bool {
    let DeliveryScope::All { forget_after } = scope else {
        return false;
    };
    let bound = of_im_clients(bindings, now);
    let known = remembered(known, forget_after, now).map(|known| &known.device);
    known
        .chain(&bound)
        .any(|device| !is_done(deliveries, device))
}

/// Whether nothing more will happen to the message at this device.
pub(crate) fn is_done(deliveries: &[DeviceDelivery], device: &Device) -> bool {
    done(deliveries).any(|done| done == device)
}

/// The devices at which nothing more will happen to the message.
pub(crate) fn done(deliveries: &[DeviceDelivery]) -> impl Iterator<Item = &Device> {
    let done = deliveries
        .iter()
        .filter(|delivery| delivery.state != DeviceState::Waiting);
    done.map(|delivery| &delivery.device)
}

/// What a device said of a message.
pub(crate) struct Word<'a> {
    pub(crate) device: &'a Device,
    pub(crate) settlement: &'a Settlement,
    /// Registrations of the account so far.
    pub(crate) registrations: u64,
    pub(crate) at: UnixMillis,
}

/// The deliveries once a device has said this. Its refusals count once per registration; the last is for good.
pub(crate) fn told(
    deliveries: &[DeviceDelivery],
    word: &Word<'_>,
    max_refusals: u32,
) -> Vec<DeviceDelivery> {
    let mut told = deliveries.to_vec();
    let place = told.iter().position(|known| known.device == *word.device);
    let old = place.map(|place| told.swap_remove(place));
    let (mut refusals, mut refused_on) =
        old.map_or((0, None), |old| (old.refusals, old.refused_on));
    let (state, reason) = match word.settlement {
        Settlement::Delivered { by } => (DeviceState::Delivered, by),
        Settlement::Refused { reason } => (DeviceState::Refused, reason),
        Settlement::Failed { reason, refusal } => {
            if *refusal && refused_on != Some(word.registrations) {
                refused_on = Some(word.registrations);
                refusals += 1;
            }
            match *refusal && refusals >= max_refusals {
                true => (DeviceState::Refused, reason),
                false => (DeviceState::Waiting, reason),
            }
        }
    };
    told.push(DeviceDelivery {
        device: word.device.clone(),
        state,
        at: word.at,
        refusals,
        refused_on,
        reason: reason.clone(),
    });
    told.sort_by(|a, b| a.device.cmp(&b.device));
    told
}

/// What a word of a device means for the message as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// A device has it. Its content stays for those that are missing.
    Delivered { is_missing: bool },
    /// All that are known have refused it.
    Refused,
    /// It stays as it is.
    None,
}

/// The consequence of what `device` said, once that is among the deliveries of a message in `state`.
pub(crate) fn consequence(
    deliveries: &[DeviceDelivery],
    device: &Device,
    state: State,
    is_missing: bool,
) -> Consequence {
    let has_some = deliveries
        .iter()
        .any(|delivery| delivery.state == DeviceState::Delivered);
    if has_some {
        return Consequence::Delivered { is_missing };
    }
    match !is_missing && !state.is_settled() && is_done(deliveries, device) {
        true => Consequence::Refused,
        false => Consequence::None,
    }
}

/// What the timeline calls it.
pub(crate) fn event(consequence: Consequence, settlement: &Settlement) -> EventKind {
    match (consequence, settlement) {
        (Consequence::Refused, _) => EventKind::Refused,
        (Consequence::Delivered { .. }, Settlement::Delivered { .. }) => EventKind::Delivered,
        _ => EventKind::AttemptFailed,
    }
}

/// What the timeline says of a settlement at a device.
pub(crate) fn detail(said: &str, device: &Device) -> String {
    match device.as_str() {
        "" => said.to_owned(),
        instance => format!("{said}, {instance}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::battery::binding;

    const DAY: Duration = Duration::from_secs(86_400);
    const SCOPE: DeliveryScope = DeliveryScope::All { forget_after: DAY };
    const NOW: UnixMillis = UnixMillis(1_000_000_000);

    fn bound(instance: &str, has_im_tag: bool) -> Binding {
        Binding {
            instance: instance.to_owned(),
            has_im_tag,
            expires_at: NOW.after(DAY),
            ..binding("bob", instance, 1)
        }
    }

    fn names(devices: &[KnownDevice]) -> Vec<&str> {
        devices.iter().map(|known| known.device.as_str()).collect()
    }

    #[test]
    fn devices_are_those_of_im_clients_or_else_the_account_is_one() {
        let table = [
            (vec![], vec![""]),
            (vec![bound("p", false)], vec![""]),
            (vec![bound("", true), bound("", true)], vec![""]),
            (
                vec![bound("b", true), bound("a", true), bound("p", false)],
                vec!["a", "b"],
            ),
        ];
        for (bindings, expected) in table {
            let devices = live(&bindings, NOW);
            let devices: Vec<_> = devices.iter().map(Device::as_str).collect();
            assert_eq!(devices, expected);
        }
    }

    #[test]
    fn a_device_is_known_until_it_was_unseen_for_so_long() {
        let known = seen(&[], &[bound("a", true), bound("b", true)], SCOPE, NOW);
        assert_eq!(names(&known), ["a", "b"]);
        let half = NOW.after(DAY / 2);
        let known = seen(&known, &[bound("b", true)], SCOPE, half);
        assert_eq!(names(&known), ["a", "b"]);
        let known = seen(&known, &[bound("p", false)], SCOPE, NOW.after(DAY));
        assert_eq!(names(&known), ["b"]);
        assert!(seen(&known, &[bound("a", true)], DeliveryScope::First, NOW).is_empty());
    }

    #[test]
    fn no_more_devices_are_known_than_that() {
        let mut known = Vec::new();
        for number in 0..30 {
            let at = UnixMillis(NOW.0 + number);
            known = seen(&known, &[bound(&format!("d{number:02}"), true)], SCOPE, at);
        }
        assert_eq!(known.len(), DEVICES_MAX);
        assert_eq!(names(&known).first(), Some(&"d10"));
    }

    #[test]
    fn refusals_of_a_device_count_once_per_registration() {
        let device = Device::new("a");
        let failed = |refusal| Settlement::Failed {
            reason: "MSRP 415".to_owned(),
            refusal,
        };
        let mut deliveries = Vec::new();
        let steps = [
            (1, true, 1, DeviceState::Waiting),
            (1, true, 1, DeviceState::Waiting),
            (2, false, 1, DeviceState::Waiting),
            (2, true, 2, DeviceState::Refused),
        ];
        for (registrations, refusal, refusals, state) in steps {
            let settlement = failed(refusal);
            let word = Word {
                device: &device,
                settlement: &settlement,
                registrations,
                at: NOW,
            };
            deliveries = told(&deliveries, &word, 2);
            let [delivery] = &deliveries[..] else {
                panic!("one device: {deliveries:?}");
            };
            assert_eq!((delivery.refusals, delivery.state), (refusals, state));
        }
        assert!(is_done(&deliveries, &device));
        let said = |is_missing| consequence(&deliveries, &device, State::Stored, is_missing);
        assert_eq!(said(false), Consequence::Refused);
        assert_eq!(said(true), Consequence::None);
    }
}
