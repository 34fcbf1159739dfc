//! Deliveries in which each device of a user shall get each message (`delivery.scope = all`, requirements
//! §3.13): what is for which device, how a request finds it, and the devices of one job in turn.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use sip::{Aor, Uri};
use storage_client::PushJob;
use storage_client::delivery::{DeliveryOutcome, DeliveryResult, Settlement};
use storage_client::registration::Binding;

use super::mailbox::{Ending, Mailbox, give_back};
use super::{NONE, deliver_to};
use crate::edge::Edge;
use crate::event;

/// A job, or that part of it which is for one device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery<'a> {
    job: &'a PushJob,
    /// `+sip.instance`, empty for the account as one device; `None`: the first device that answers gets it.
    pub(crate) device: Option<&'a str>,
}

impl<'a> Delivery<'a> {
    /// For whichever device answers first.
    pub(crate) fn of(job: &'a PushJob) -> Self {
        Self { job, device: None }
    }
}

impl Deref for Delivery<'_> {
    type Target = PushJob;

    fn deref(&self) -> &PushJob {
        self.job
    }
}

/// Where requests for one device go: its GRUU, or the user with its instance among what is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Aim {
    /// Request-URI.
    pub(super) uri: String,
    /// What Accept-Contact asks for besides the IM tag; empty if nothing.
    pub(super) feature: String,
}

impl Aim {
    /// At the device of this binding, if it is for one. A GRUU is the core's to resolve, and believed if it is
    /// one of the user.
    pub(super) fn new(delivery: &Delivery<'_>, binding: Option<&Binding>, is_core: bool) -> Self {
        let user = &delivery.served_user;
        let gruu = binding.filter(|_| delivery.device.is_some() && is_core);
        if let Some(uri) = gruu.and_then(|binding| gruu_of(&binding.gruu, user)) {
            return Self {
                uri,
                feature: String::new(),
            };
        }
        let instance = delivery.device.unwrap_or_default().trim_matches('"');
        // What would end the quotes is no instance (RFC 5626 §4.1), and would ask for what it likes.
        let feature = match instance.contains(['"', '\\']) || instance.is_empty() {
            true => String::new(),
            false => format!(";+sip.instance=\"{instance}\""),
        };
        Self {
            uri: user.clone(),
            feature,
        }
    }
}

/// The address of the user with the parameters that make it the GRUU of a device (RFC 5627 §3.2), and no other; `None` if the
/// text is no such one.
fn gruu_of(gruu: &str, user: &str) -> Option<String> {
    let aor = |text: &str| text.parse::<Uri>().ok().and_then(|uri| Aor::from_uri(&uri));
    let address = aor(gruu).filter(|address| aor(user).as_ref() == Some(address))?;
    let parameters = gruu.split('?').next()?.split(';').skip(1);
    let own = parameters.filter(|parameter| {
        let name = parameter.split('=').next().unwrap_or_default();
        name.eq_ignore_ascii_case("gr")
    });
    let own = own.last()?;
    Some(format!("{address};{own}"))
}

/// A device while a job goes on.
struct Device {
    instance: String,
    bindings: Vec<Binding>,
    /// Last place in the mailbox that was looked at for it.
    last_sequence: u64,
    /// Why nothing more is delivered to it now.
    failed: Option<DeliveryOutcome>,
}

/// The devices of these bindings: those of IM clients; where there is none, the account is one device.
fn devices(bindings: &[Binding]) -> Vec<Device> {
    let mut found: BTreeMap<&str, Vec<Binding>> = BTreeMap::new();
    for binding in bindings.iter().filter(|binding| binding.has_im_tag) {
        let device = found.entry(binding.instance.as_str()).or_default();
        device.push(binding.clone());
    }
    if found.is_empty() {
        found.insert("", bindings.to_vec());
    }
    let device = |(instance, bindings): (&str, Vec<Binding>)| Device {
        instance: instance.to_owned(),
        bindings,
        last_sequence: 0,
        failed: None,
    };
    found.into_iter().map(device).collect()
}

/// Delivers to one device after the other what it has still to get, until there is nothing for any; also
/// says by what it was.
///
/// A device that cannot be reached holds up no other: if there is one that has everything, the others are tried
/// again at the next trigger, which their next REGISTER is.
pub(super) async fn deliver_by_device(edge: &Arc<Edge>, job: &PushJob) -> (&'static str, Ending) {
    let mut channel = NONE;
    let mut devices = devices(&job.bindings);
    let mut is_told_to_look = false;
    loop {
        let mut has_news = false;
        let mut stopped = None;
        for device in &mut devices {
            match turn(edge, job, device, &mut channel).await {
                Ok(Turn::Nothing) => {}
                Ok(Turn::Done) => has_news = true,
                Err(outcome) => {
                    stopped = Some(outcome);
                    break;
                }
            }
        }
        if let Some(outcome) = stopped {
            return (channel, ending(&devices, outcome));
        }
        if has_news {
            is_told_to_look = false;
            continue;
        }
        let failed = devices.iter().all(|device| device.failed.is_some());
        let failure = devices.iter().find_map(|device| device.failed.clone());
        if let Some(failure) = failure.filter(|_| failed) {
            return (channel, ending(&devices, failure));
        }
        let last_sequence = last_sequence(&devices);
        match give_back(edge, job, last_sequence).await {
            Some(ending) => return (channel, ending),
            // Nothing for anybody although told so: another look would bring the same.
            None if is_told_to_look => {
                let nothing = DeliveryOutcome::new(DeliveryResult::Broken, "nothing to take");
                return (channel, ending(&devices, nothing));
            }
            None => is_told_to_look = true,
        }
    }
}

/// What a device's turn has come to.
enum Turn {
    /// There was nothing for it, or it has failed before.
    Nothing,
    /// There was something.
    Done,
}

/// Delivers to one device what there is for it.
///
/// # Errors
/// Why none of the others is to be tried.
async fn turn(
    edge: &Arc<Edge>,
    job: &PushJob,
    device: &mut Device,
    channel: &mut &'static str,
) -> Result<Turn, DeliveryOutcome> {
    if device.failed.is_some() {
        return Ok(Turn::Nothing);
    }
    let delivery = Delivery {
        job,
        device: Some(&device.instance),
    };
    let started = Instant::now();
    let mut mailbox = Mailbox::after(edge, delivery, device.last_sequence);
    let Some(first) = mailbox.peek().await? else {
        return Ok(Turn::Nothing);
    };
    let first = first.message.message_id.clone();
    let (by, ending) = deliver_to(edge, delivery, &device.bindings, &mut mailbox).await;
    *channel = by;
    let outcome = ending.outcome;
    device.last_sequence = device.last_sequence.max(ending.last_sequence);
    match outcome.result {
        DeliveryResult::Completed => return Ok(Turn::Done),
        DeliveryResult::HopDown | DeliveryResult::EdgeDraining | DeliveryResult::Interrupted => {
            return Err(outcome);
        }
        _ => {}
    }
    event::delivery_ended(&job.served_user, &outcome, started.elapsed());
    // So that operators see it where they look for the message, although another device may have it.
    let failed = Settlement::Failed {
        reason: outcome.reason.clone(),
        refusal: false,
    };
    let storage = &edge.storage;
    let told = storage.acknowledge_for(job.claim, delivery.device, first, failed, None);
    told.await
        .map_err(|_| DeliveryOutcome::new(DeliveryResult::Interrupted, "store unavailable"))?;
    device.failed = Some(outcome);
    Ok(Turn::Done)
}

fn last_sequence(devices: &[Device]) -> u64 {
    let places = devices.iter().map(|device| device.last_sequence);
    places.max().unwrap_or_default()
}

fn ending(devices: &[Device], outcome: DeliveryOutcome) -> Ending {
    Ending {
        outcome,
        last_sequence: last_sequence(devices),
        is_released: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::example::binding;

    fn bound(instance: &str, contact: &str, has_im_tag: bool) -> Binding {
        Binding {
            instance: instance.to_owned(),
            ..binding(contact, has_im_tag, true)
        }
    }

    #[test]
    fn bindings_of_one_instance_are_one_device() {
        let bindings = [
            bound("<urn:uuid:b>", "b1", true),
            bound("<urn:uuid:a>", "a", true),
            bound("<urn:uuid:b>", "b2", true),
            bound("", "phone", false),
            bound("", "im", true),
        ];
        let found: Vec<_> = devices(&bindings)
            .into_iter()
            .map(|device| {
                let contacts = device.bindings.into_iter().map(|binding| binding.contact);
                (device.instance, contacts.collect::<Vec<_>>().join(" "))
            })
            .collect();
        let expected = [("", "im"), ("<urn:uuid:a>", "a"), ("<urn:uuid:b>", "b1 b2")];
        let expected =
            expected.map(|(instance, contacts)| (instance.to_owned(), contacts.to_owned()));
        assert_eq!(found, expected);
    }

    #[test]
    fn without_an_im_client_the_account_is_one_device() {
        let found = devices(&[
            bound("<urn:uuid:p>", "phone", false),
            bound("", "p2", false),
        ]);
        let [device] = &found[..] else {
            panic!("one device");
        };
        assert_eq!((device.instance.as_str(), device.bindings.len()), ("", 2));
        assert_eq!(devices(&[]).len(), 1, "a forced delivery");
    }

    #[test]
    fn a_gruu_is_the_address_of_the_user_and_its_parameter() {
        let bob = "sip:bob@example.org";
        let table = [
            ("sip:bob@example.org;gr=urn:uuid:a", Some("gr=urn:uuid:a")),
            ("sip:bob@EXAMPLE.org;transport=tcp;gr=x", Some("gr=x")),
            (
                "sip:bob@example.org;gr=x;maddr=192.0.2.1?Route=y",
                Some("gr=x"),
            ),
            ("sip:bob@example.org", None),
            ("sip:carol@example.org;gr=urn:uuid:a", None),
            ("sip:bob@elsewhere.example;gr=urn:uuid:a", None),
            ("nonsense;gr=1", None),
            ("", None),
        ];
        for (gruu, expected) in table {
            let expected = expected.map(|parameter| format!("{bob};{parameter}"));
            assert_eq!(gruu_of(gruu, bob), expected, "{gruu}");
        }
    }
}
