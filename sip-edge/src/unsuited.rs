//! Registrations whose client has answered that it can do no session: they get MESSAGEs for their
//! rest (DLM-01).
//!
//! A registration is the binding of one REGISTER Call-ID from its first REGISTER until it expires or
//! is taken away; refreshes go on with it. It is remembered in this edge only: after a restart, or
//! at another edge, the client is invited once more and answers the same.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use storage_client::registration::Binding;

/// Users remembered; for one more another is forgotten, and his client invited once more.
const MAX_USERS: usize = 65_536;

/// The registrations, by their users.
#[derive(Debug, Default)]
pub(crate) struct Unsuited(Mutex<HashMap<String, Vec<Registration>>>);

/// What tells one registration from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Registration {
    call_id: String,
    /// The instance where there is one: its contact may change with a refresh.
    client: String,
    reg_id: u32,
    until: SystemTime,
}

impl Registration {
    fn of(binding: &Binding) -> Self {
        let client = match binding.instance.as_str() {
            "" => &binding.contact,
            instance => instance,
        };
        Self {
            call_id: binding.call_id.clone(),
            client: client.to_owned(),
            reg_id: binding.reg_id,
            until: binding.expires_at,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.call_id, &self.client, self.reg_id) == (&other.call_id, &other.client, other.reg_id)
    }
}

impl Unsuited {
    /// Remembers these bindings of a user; whether any of them is news.
    pub(crate) fn remember<'a>(
        &self,
        user: &str,
        bindings: impl IntoIterator<Item = &'a Binding>,
    ) -> bool {
        let mut users = self.lock();
        if users.len() >= MAX_USERS && !users.contains_key(user) {
            let other = users.keys().next().cloned();
            other.and_then(|other| users.remove(&other));
        }
        let known = users.entry(user.to_owned()).or_default();
        let before = known.len();
        for registration in bindings.into_iter().map(Registration::of) {
            if !known.iter().any(|known| known.is_same(&registration)) {
                known.push(registration);
            }
        }
        known.len() > before
    }

    /// Takes note of all live bindings of a user: what was refreshed lasts longer, what is gone or
    /// has expired before is forgotten.
    pub(crate) fn follow(&self, user: &str, bindings: &[Binding], now: SystemTime) {
        let mut users = self.lock();
        let Some(known) = users.get_mut(user) else {
            return;
        };
        let live: Vec<_> = bindings.iter().map(Registration::of).collect();
        known.retain_mut(|known| {
            let refreshed = live.iter().find(|live| live.is_same(known));
            let is_alive = known.until > now;
            known.until = refreshed.map_or(known.until, |live| live.until);
            is_alive && refreshed.is_some()
        });
        if known.is_empty() {
            users.remove(user);
        }
    }

    /// Whether this binding of a user is remembered.
    pub(crate) fn contains(&self, user: &str, binding: &Binding) -> bool {
        let wanted = Registration::of(binding);
        let users = self.lock();
        let mut known = users.get(user).into_iter().flatten();
        known.any(|known| known.is_same(&wanted))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Registration>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::delivery::example::binding;

    const BOB: &str = "sip:bob@example.org";

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// Bob's client, registered until then.
    fn until(seconds: u64) -> Binding {
        Binding {
            expires_at: at(seconds),
            ..binding("sip:bob@203.0.113.9", true, true)
        }
    }

    #[test]
    fn a_refresh_in_time_is_the_same_registration() {
        let unsuited = Unsuited::default();
        assert!(unsuited.remember(BOB, [&until(100)]));
        assert!(!unsuited.remember(BOB, [&until(100)]), "it was known");
        unsuited.follow(BOB, &[until(190)], at(90));
        unsuited.follow(BOB, &[until(280)], at(180));
        assert!(unsuited.contains(BOB, &until(280)));
        assert!(!unsuited.contains("sip:carol@example.org", &until(280)));
    }

    #[test]
    fn what_expired_was_taken_away_or_has_another_call_id_is_another_registration() {
        let expired = Unsuited::default();
        expired.remember(BOB, [&until(100)]);
        expired.follow(BOB, &[until(200)], at(100));
        assert!(!expired.contains(BOB, &until(200)));

        let gone = Unsuited::default();
        gone.remember(BOB, [&until(100)]);
        gone.follow(BOB, &[], at(50));
        gone.follow(BOB, &[until(150)], at(60));
        assert!(!gone.contains(BOB, &until(150)));

        let renamed = Unsuited::default();
        renamed.remember(BOB, [&until(100)]);
        let other = Binding {
            call_id: "another".to_owned(),
            ..until(100)
        };
        assert!(!renamed.contains(BOB, &other));
    }

    #[test]
    fn an_instance_keeps_its_registration_when_its_contact_changes() {
        let unsuited = Unsuited::default();
        let with = |contact: &str| Binding {
            contact: contact.to_owned(),
            instance: "<urn:uuid:1>".to_owned(),
            ..until(100)
        };
        unsuited.remember(BOB, [&with("sip:bob@203.0.113.9")]);
        assert!(unsuited.contains(BOB, &with("sip:bob@203.0.113.10")));
    }

    #[test]
    fn no_more_users_are_remembered_than_there_is_room_for() {
        let unsuited = Unsuited::default();
        for number in 0..=MAX_USERS {
            unsuited.remember(&number.to_string(), [&until(100)]);
        }
        assert_eq!(unsuited.lock().len(), MAX_USERS);
        assert!(unsuited.contains(&MAX_USERS.to_string(), &until(100)));
    }
}
