//! The connections that clients registered on, by the names the store knows them by (REG-03).
//!
//! Nothing here matters after a restart: a name that is not known any more leads to the Contact.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use net::sip::Flow;

/// Flows remembered at most; one more finds no place and its binding is reached by its Contact.
const MAX_FLOWS: usize = 200_000;

/// Flows by name.
#[derive(Debug, Default)]
pub(crate) struct Flows(Mutex<HashMap<String, Flow>>);

impl Flows {
    /// Remembers a flow and returns its name, which is the same for each REGISTER on it.
    pub(crate) fn remember(&self, flow: &Flow) -> Option<String> {
        let name = format!("{}/{}/{}", flow.transport(), flow.local(), flow.remote());
        let mut flows = self.lock();
        if flows.len() >= MAX_FLOWS {
            flows.retain(|_, flow| flow.is_open());
        }
        if flows.len() >= MAX_FLOWS {
            return None;
        }
        flows.insert(name.clone(), flow.clone());
        Some(name)
    }

    /// The flow of this name, while it is open.
    pub(crate) fn find(&self, name: &str) -> Option<Flow> {
        self.lock().get(name).filter(|flow| flow.is_open()).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Flow>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
