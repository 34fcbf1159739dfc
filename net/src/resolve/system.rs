//! Records from the DNS by the configuration of this machine.
//!
//! Answers, negative ones too, are kept as long as their TTL says, within bounds. Where no name server is configured or
//! none answers, addresses come from the operating system, whose other sources (mDNS, the container's own name) may
//! know more.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tracing::warn;

use super::record::{Answer, Lookup, LookupError, Naptr, Srv};

/// Longest wait for a name server, of which there are two rounds at most: of the time of a resolution, NAPTR, SRV and
/// address take a fifth each when nobody answers.
const NAME_SERVER_TIMEOUT: Duration = Duration::from_secs(1);

/// Repetitions of an unanswered question.
const RETRIES: usize = 1;

/// Answers kept at the same time.
const CACHED_ANSWERS: u64 = 4096;

/// A record is asked for anew after this time whatever its TTL says.
const LONGEST_TTL: Duration = Duration::from_secs(3600);

/// A negative answer is asked for anew after this time: the record may have been forgotten, and be there now.
const LONGEST_NEGATIVE_TTL: Duration = Duration::from_secs(60);

/// A negative answer without a TTL of its own is believed for this time.
const SHORTEST_NEGATIVE_TTL: Duration = Duration::from_secs(5);

/// Threads that may wait for the operating system at the same time.
const SYSTEM_QUESTIONS: usize = 16;

/// The DNS and the host table of this machine, read at the first question; later changes of `/etc/resolv.conf` and
/// `/etc/hosts` take a restart.
pub struct SystemLookup {
    sources: OnceLock<Sources>,
    system_questions: Arc<Semaphore>,
}

struct Sources {
    dns: Option<TokioResolver>,
    hosts: Hosts,
}

impl SystemLookup {
    /// Asks these name servers instead of those of the machine; the host table stays.
    pub fn with_name_servers(servers: &[SocketAddr]) -> Result<Self, LookupError> {
        let servers = servers.iter().copied().map(name_server).collect();
        let config = ResolverConfig::from_name_servers(servers);
        let sources = Sources {
            dns: Some(connected(config, ResolverOpts::default())?),
            hosts: Hosts::from_system().unwrap_or_default(),
        };
        Ok(Self {
            sources: OnceLock::from(sources),
            ..Self::default()
        })
    }

    fn sources(&self) -> &Sources {
        self.sources.get_or_init(Sources::read)
    }

    /// The data of all records of a type; none if there is no DNS or no such record.
    async fn records<T>(
        &self,
        name: &str,
        record_type: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, LookupError> {
        let mut name = domain_name(name)?;
        // No search list: it would hand the requests of one domain to the servers of another.
        name.set_fqdn(true);
        let Some(dns) = &self.sources().dns else {
            return Ok(Vec::new());
        };
        match dns.lookup(name, record_type).await {
            Ok(found) => Ok(found
                .answers()
                .iter()
                .filter_map(|record| read(&record.data))
                .collect()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    async fn host(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        let Some(dns) = &self.sources().dns else {
            return self.system_addresses(host).await;
        };
        match dns.lookup_ip(domain_name(host)?).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => {
                let found = self.system_addresses(host).await;
                found.map_err(|_| error.into())
            }
        }
    }

    async fn system_addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        let permit = Arc::clone(&self.system_questions).acquire_owned().await;
        let host = host.to_owned();
        let asked = spawn_blocking(move || {
            // Held by the thread: it goes on when nobody waits for the answer any more.
            let _permit = permit;
            let found = (host.as_str(), 0).to_socket_addrs()?;
            Ok(found.map(|address| address.ip()).collect())
        });
        asked
            .await
            .unwrap_or_else(|error| Err(error.into()))
            .map_err(LookupError::System)
    }
}

impl Sources {
    fn read() -> Self {
        let dns = hickory_resolver::system_conf::read_system_conf()
            .map_err(LookupError::from)
            .and_then(|(config, options)| connected(config, options));
        if let Err(error) = &dns {
            warn!(event = "resolver.no_name_server", %error, "no name server, names are left to the system");
        }
        Self {
            dns: dns.ok(),
            hosts: Hosts::from_system().unwrap_or_default(),
        }
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}

/// Nothing is sent before the first question.
fn connected(
    config: ResolverConfig,
    mut options: ResolverOpts,
) -> Result<TokioResolver, LookupError> {
    options.timeout = options.timeout.min(NAME_SERVER_TIMEOUT);
    options.attempts = options.attempts.min(RETRIES);
    options.cache_size = CACHED_ANSWERS;
    options.positive_max_ttl = Some(LONGEST_TTL);
    options.negative_max_ttl = Some(LONGEST_NEGATIVE_TTL);
    options.negative_min_ttl = Some(SHORTEST_NEGATIVE_TTL);
    options.use_hosts_file = ResolveHosts::Never;
    let provider = TokioRuntimeProvider::default();
    let builder = TokioResolver::builder_with_config(config, provider).with_options(options);
    Ok(builder.build()?)
}

fn domain_name(name: &str) -> Result<Name, LookupError> {
    Name::from_ascii(name).map_err(|_| LookupError::Name)
}

impl From<NetError> for LookupError {
    fn from(error: NetError) -> Self {
        Self::Dns(Box::new(error))
    }
}

impl Lookup for SystemLookup {
    fn naptr<'a>(&'a self, domain: &'a str) -> Answer<'a, Naptr> {
        self.records(domain, RecordType::NAPTR, naptr).boxed()
    }

    fn srv<'a>(&'a self, service: &'a str) -> Answer<'a, Srv> {
        self.records(service, RecordType::SRV, srv).boxed()
    }

    fn addresses<'a>(&'a self, host: &'a str) -> Answer<'a, IpAddr> {
        self.host(host).boxed()
    }

    fn host_table(&self, host: &str) -> Vec<IpAddr> {
        let Ok(name) = domain_name(host) else {
            return Vec::new();
        };
        let hosts = &self.sources().hosts;
        [RecordType::AAAA, RecordType::A]
            .into_iter()
            .filter_map(|kind| hosts.lookup_static_host(&Query::query(name.clone(), kind)))
            .flat_map(|found| found.answers().to_vec())
            .filter_map(|record| record.data.ip_addr())
            .collect()
    }
}

fn naptr(data: &RData) -> Option<Naptr> {
    let RData::NAPTR(record) = data else {
        return None;
    };
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    Some(Naptr {
        order: record.order,
        preference: record.preference,
        flags: text(&record.flags),
        services: text(&record.services),
        regexp: text(&record.regexp),
        replacement: record.replacement.to_ascii(),
    })
}

fn srv(data: &RData) -> Option<Srv> {
    let RData::SRV(record) = data else {
        return None;
    };
    Some(Srv {
        priority: record.priority,
        weight: record.weight,
        port: record.port,
        target: record.target.to_ascii(),
    })
}

impl Default for SystemLookup {
    fn default() -> Self {
        Self {
            sources: OnceLock::new(),
            system_questions: Arc::new(Semaphore::new(SYSTEM_QUESTIONS)),
        }
    }
}

impl fmt::Debug for SystemLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemLookup").finish_non_exhaustive()
    }
}
