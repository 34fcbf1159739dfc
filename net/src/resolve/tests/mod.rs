//! Resolution from a zone in memory, and once through real questions to a name server on loopback.

mod dns;
mod failover;
mod property;
mod rfc3263;
mod searching;
mod weights;

use std::collections::HashMap;
use std::future::{pending, ready};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use sip::Transport;

use super::*;

const ALL: &[Transport] = &[Transport::Udp, Transport::Tcp, Transport::Tls];
const SMALL: Sending<'static> = Sending {
    transports: ALL,
    is_large: false,
};
const LARGE: Sending<'static> = Sending {
    transports: ALL,
    is_large: true,
};
const NO_TLS: Sending<'static> = Sending {
    transports: &[Transport::Udp, Transport::Tcp],
    is_large: false,
};

/// What no test should need.
const TOO_LONG: Duration = Duration::from_secs(20);

/// Records in memory; remembers what it was asked.
#[derive(Default)]
struct Zone {
    naptr: HashMap<String, Vec<Naptr>>,
    srv: HashMap<String, Vec<Srv>>,
    addresses: HashMap<String, Vec<IpAddr>>,
    hosts: HashMap<String, Vec<IpAddr>>,
    /// Questions for these names are refused.
    refused: Vec<String>,
    /// Questions for these names stay without an answer.
    silent: Vec<String>,
    questions: Mutex<Vec<String>>,
}

impl Zone {
    fn naptr(mut self, domain: &str, order: u16, service: &str, replacement: &str) -> Self {
        let record = Naptr {
            order,
            preference: 50,
            flags: "s".to_owned(),
            services: service.to_owned(),
            regexp: String::new(),
            replacement: replacement.to_owned(),
        };
        self.naptr
            .entry(domain.to_owned())
            .or_default()
            .push(record);
        self
    }

    /// `priority weight port target`, as in a zone file.
    fn srv(mut self, service: &str, record: &str) -> Self {
        let fields: Vec<_> = record.split(' ').collect();
        let number = |field: usize| fields[field].parse().unwrap();
        let record = Srv {
            priority: number(0),
            weight: number(1),
            port: number(2),
            target: fields[3].to_owned(),
        };
        self.srv.entry(service.to_owned()).or_default().push(record);
        self
    }

    fn address(mut self, host: &str, address: &str) -> Self {
        let addresses = self.addresses.entry(host.to_owned()).or_default();
        addresses.push(address.parse().unwrap());
        self
    }

    fn answer<T: Clone + Send + 'static>(
        &self,
        kind: &str,
        name: &str,
        records: &HashMap<String, Vec<T>>,
    ) -> Answer<'static, T> {
        let name = name.to_owned();
        self.questions
            .lock()
            .unwrap()
            .push(format!("{kind} {name}"));
        if self.silent.contains(&name) {
            return pending().boxed();
        }
        if self.refused.contains(&name) {
            return ready(Err(LookupError::System(io::Error::other("refused")))).boxed();
        }
        ready(Ok(records.get(&name).cloned().unwrap_or_default())).boxed()
    }

    async fn resolved(self, uri: &str, sending: &Sending<'_>) -> Result<Vec<String>, ResolveError> {
        Arc::new(self).resolve(uri, sending).await
    }

    /// The hops as text.
    async fn resolve(
        self: &Arc<Self>,
        uri: &str,
        sending: &Sending<'_>,
    ) -> Result<Vec<String>, ResolveError> {
        let lookup: Arc<dyn Lookup> = Arc::clone(self) as _;
        let resolver = Resolver::new(lookup, TOO_LONG);
        let hops = resolver.hops(&uri.parse().unwrap(), sending).await?;
        Ok(hops.iter().map(ToString::to_string).collect())
    }

    fn asked(&self) -> Vec<String> {
        self.questions.lock().unwrap().clone()
    }
}

impl Lookup for Zone {
    fn naptr<'a>(&'a self, domain: &'a str) -> Answer<'a, Naptr> {
        self.answer("NAPTR", domain, &self.naptr)
    }

    fn srv<'a>(&'a self, service: &'a str) -> Answer<'a, Srv> {
        self.answer("SRV", service, &self.srv)
    }

    fn addresses<'a>(&'a self, host: &'a str) -> Answer<'a, IpAddr> {
        self.answer("A", host, &self.addresses)
    }

    fn host_table(&self, host: &str) -> Vec<IpAddr> {
        self.hosts.get(host).cloned().unwrap_or_default()
    }
}
