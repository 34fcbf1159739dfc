//! Asks for the records one after the other and lists the hops they lead to.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rand::Rng;
use sip::{Host, SipUri, Uri};
use tokio::time::timeout;
use tracing::debug;

use super::service::{self, Plan, Server, Service};
use super::{Lookup, LookupError, ResolveError, Sending, Srv, SystemLookup, srv};
use crate::hop::Hop;

/// Servers of one domain whose addresses are asked for; a domain with more has their first ones used.
const MAX_SERVERS: usize = 16;

/// Hops of one list; nobody tries more before the request has become pointless.
const MAX_HOPS: usize = 32;

/// Finds the hops of a URI. Clones share one source of records and its cache.
#[derive(Clone)]
pub struct Resolver {
    lookup: Arc<dyn Lookup>,
    time_limit: Duration,
}

impl Resolver {
    /// Longest time a resolution takes unless told otherwise: less than a third of Timer B and F.
    pub const TIME_LIMIT: Duration = Duration::from_secs(10);

    /// Asks the DNS and the host table of this machine, read at the first question.
    pub fn system() -> Self {
        Self::new(Arc::new(SystemLookup::default()), Self::TIME_LIMIT)
    }

    /// Asks `lookup`; a resolution that takes longer than `time_limit` fails as a whole.
    pub fn new(lookup: Arc<dyn Lookup>, time_limit: Duration) -> Self {
        Self { lookup, time_limit }
    }

    /// The hops of `uri` in the order in which they are to be tried (RFC 3263 §4.3), each one once, at least one.
    pub async fn hops(&self, uri: &Uri, sending: &Sending<'_>) -> Result<Vec<Hop>, ResolveError> {
        let Uri::Sip(uri) = uri else {
            return Err(ResolveError::NotSip);
        };
        // Deviation: RFC 3263 §4 takes the value of `maddr` for the host. It is a deprecated form of source routing
        // (RFC 3261 §19.1.1) by which whoever wrote the URI would choose an address other than that of the host that
        // trust and the name in a certificate are judged by.
        if uri.params.has("maddr") {
            debug!("maddr of a URI ignored");
        }
        let found = timeout(self.time_limit, self.found(uri, sending)).await;
        found.map_err(|_| ResolveError::Timeout)?
    }

    /// The addresses of a host name or literal in the order in which they are to be tried, at least one.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        if let Ok(literal) = host.parse() {
            return Ok(vec![literal]);
        }
        let found = timeout(self.time_limit, addresses(&*self.lookup, host)).await;
        let found = found.map_err(|_| ResolveError::Timeout)??;
        match found.is_empty() {
            true => Err(ResolveError::NoAddress),
            false => Ok(found),
        }
    }

    async fn found(&self, uri: &SipUri, sending: &Sending<'_>) -> Result<Vec<Hop>, ResolveError> {
        let mut search = Search {
            lookup: &*self.lookup,
            failure: None,
        };
        let servers = search.servers(uri, sending).await?;
        let hops = search.hops(&servers).await;
        match (hops.is_empty(), search.failure) {
            (false, _) => Ok(hops),
            (true, Some(failure)) => Err(ResolveError::LookUp(failure)),
            (true, None) => Err(ResolveError::NoAddress),
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time_limit = &self.time_limit;
        f.debug_struct("Resolver")
            .field("time_limit", time_limit)
            .finish_non_exhaustive()
    }
}

/// One resolution. A question without an answer counts as one without records: some name servers fail on types they do
/// not know. What went wrong is told only if nothing else leads to a hop.
struct Search<'a> {
    lookup: &'a dyn Lookup,
    failure: Option<LookupError>,
}

impl Search<'_> {
    /// The servers of a URI, best first; at least one.
    async fn servers(
        &mut self,
        uri: &SipUri,
        sending: &Sending<'_>,
    ) -> Result<Vec<Server>, ResolveError> {
        let services = match Plan::of(uri)? {
            Plan::Host => Vec::new(),
            _ if self.is_in_host_table(&uri.host) => Vec::new(),
            Plan::Service(service) => vec![service],
            Plan::Domain(domain) => {
                let records = self.lookup.naptr(&domain).await;
                let records = self.or_none(records);
                service::services(&domain, &records, uri.secure, sending)
            }
        };
        match self.offered(services).await {
            // Without SRV records the domain itself is the host (RFC 3263 §4.2).
            None => service::servers(uri, sending),
            Some(servers) if servers.is_empty() => Err(ResolveError::NotOffered),
            Some(servers) => Ok(servers),
        }
    }

    /// The servers of all services; `None` if there is no record of any.
    async fn offered(&mut self, services: Vec<Service>) -> Option<Vec<Server>> {
        let questions = services
            .iter()
            .map(|service| self.lookup.srv(&service.name));
        let answers = join_all(questions).await;
        let answers = answers.into_iter().map(|answer| self.or_none(answer));
        let answers: Vec<_> = services.iter().zip(answers).collect();
        let has_records = answers.iter().any(|(_, records)| !records.is_empty());
        has_records.then(|| servers_of(answers, &mut rand::rng()))
    }

    /// The addresses of all servers, asked for at the same time.
    async fn hops(&mut self, servers: &[Server]) -> Vec<Hop> {
        let servers = &servers[..servers.len().min(MAX_SERVERS)];
        let mut names: Vec<_> = servers.iter().filter_map(name).collect();
        names.sort_unstable();
        names.dedup();
        let answers = join_all(names.iter().map(|name| addresses(self.lookup, name))).await;
        let answers = answers.into_iter().map(|answer| self.or_none(answer));
        hops_of(servers, &names.into_iter().zip(answers).collect())
    }

    fn is_in_host_table(&self, host: &Host) -> bool {
        matches!(host, Host::Name(name) if !self.lookup.host_table(name).is_empty())
    }

    fn or_none<T>(&mut self, answer: Result<Vec<T>, LookupError>) -> Vec<T> {
        answer.unwrap_or_else(|error| {
            debug!(%error, "question without answer");
            self.failure.get_or_insert(error);
            Vec::new()
        })
    }
}

async fn addresses(lookup: &dyn Lookup, name: &str) -> Result<Vec<IpAddr>, LookupError> {
    match lookup.host_table(name) {
        own if own.is_empty() => lookup.addresses(name).await,
        own => Ok(own),
    }
}

fn name(server: &Server) -> Option<&str> {
    match &server.host {
        Host::Name(name) => Some(name),
        Host::V4(_) | Host::V6(_) => None,
    }
}

/// The servers behind the SRV records of each service, service by service.
pub(super) fn servers_of(answers: Vec<(&Service, Vec<Srv>)>, rng: &mut impl Rng) -> Vec<Server> {
    let mut servers = Vec::new();
    for (service, mut records) in answers {
        records.retain(|record| !srv::is_denial(record));
        let ordered = srv::ordered(records, rng).into_iter();
        servers.extend(ordered.map(|record| Server {
            transport: service.transport,
            host: Host::Name(record.target),
            port: record.port,
        }));
    }
    servers
}

/// One hop per server and address, each once, where it comes first.
pub(super) fn hops_of(servers: &[Server], addresses: &HashMap<&str, Vec<IpAddr>>) -> Vec<Hop> {
    let mut hops = Vec::new();
    for server in servers {
        let literal: Vec<_> = server.host.address().into_iter().collect();
        let found = name(server).and_then(|name| addresses.get(name));
        for address in found.unwrap_or(&literal) {
            let hop = Hop {
                transport: server.transport,
                address: SocketAddr::new(*address, server.port),
            };
            if hops.len() < MAX_HOPS && !hops.contains(&hop) {
                hops.push(hop);
            }
        }
    }
    hops
}
