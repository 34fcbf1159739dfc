//! A REGISTER of the client itself, received from it or copied by a proxy (REG-03, RFC 3261 §10.3).

use std::time::{Duration, SystemTime};

use sip::{Aor, Contacts, NameAddr, Request};
use storage_client::registration::{BindingChange, Flow, Registration, RegistrationKind};

use super::binding::{Origin, changes};
use crate::config::Registrar;
use crate::im_tag::ImTags;
use edge::refuse::Refusal;

/// Rules of the registrar.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    shortest: Duration,
    default: Duration,
    longest: Duration,
    tags: ImTags,
}

impl Rules {
    /// From the configuration.
    pub(crate) fn new(config: &Registrar) -> Self {
        Self {
            shortest: config.min_expires,
            default: config.default_expires,
            longest: config.max_expires,
            tags: ImTags::new(&config.im_tags),
        }
    }

    /// Lifetime where a REGISTER names none.
    pub(crate) fn default_lifetime(&self) -> Duration {
        self.default
    }

    /// What the client asks the store for. P-Associated-URI is not looked at: a client names itself
    /// only (REG-04).
    ///
    /// # Errors
    /// `Contact: *` with a lifetime, a lifetime below the shortest, or a malformed header.
    pub(crate) fn registration(
        &self,
        request: &Request,
        address: &Aor,
        kind: RegistrationKind,
        flow: Option<Flow>,
        now: SystemTime,
    ) -> Result<Registration, Refusal> {
        let mut origin = Origin::of(request.headers(), kind);
        origin.flow = flow;
        let expires = request.headers().expires()?;
        let changes = match request.headers().contacts()? {
            Contacts::Wildcard if expires == Some(0) => vec![BindingChange::UnbindAll],
            Contacts::Wildcard => return Err(Refusal::WildcardContact),
            Contacts::List(contacts) => {
                let lifetimes = self.lifetimes(&contacts, expires)?;
                changes(&origin, contacts.iter().zip(lifetimes), &self.tags, now)
            }
        };
        let (call_id, cseq) = (origin.call_id, origin.cseq);
        Ok(Registration {
            address: address.to_string(),
            aliases: Vec::new(),
            call_id,
            cseq,
            changes,
        })
    }

    /// The lifetime of each Contact: its own `expires`, else Expires, else the default; capped.
    fn lifetimes(
        &self,
        contacts: &[NameAddr],
        expires: Option<u32>,
    ) -> Result<Vec<Duration>, Refusal> {
        let lifetime = |contact: &NameAddr| {
            let seconds = contact.expires().or(expires);
            let asked = seconds.map_or(self.default, |seconds| Duration::from_secs(seconds.into()));
            if !asked.is_zero() && asked < self.shortest {
                return Err(Refusal::IntervalTooBrief(self.shortest));
            }
            Ok(asked.min(self.longest))
        };
        contacts.iter().map(lifetime).collect()
    }
}

#[cfg(test)]
mod tests;
