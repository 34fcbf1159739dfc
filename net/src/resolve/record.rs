//! The records that lead from a domain to its servers, and where they come from.

use std::io;
use std::net::IpAddr;

use futures_util::future::BoxFuture;

/// A NAPTR record (RFC 3403 §4.1) as RFC 3263 §4.1 uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naptr {
    /// Lower ones first; once one matches, higher ones are not looked at.
    pub order: u16,
    /// Lower ones first among equal orders.
    pub preference: u16,
    /// `s` where the replacement has SRV records.
    pub flags: String,
    /// Such as `SIP+D2U`.
    pub services: String,
    /// Empty in the records of SIP.
    pub regexp: String,
    /// The name to go on with.
    pub replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Srv {
    /// Lower ones first.
    pub priority: u16,
    /// Share of the requests among equal priorities.
    pub weight: u16,
    /// Port of the server.
    pub port: u16,
    /// Name of the server; `.` says that the service is decidedly not there.
    pub target: String,
}

/// A question got no answer; a negative answer is an empty list instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// The text cannot be a domain name.
    #[error("not a domain name")]
    Name,
    /// No name server answered, or the answer was an error.
    #[error("no answer from the DNS: {0}")]
    Dns(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The operating system knows no address.
    #[error("no answer from the system: {0}")]
    System(#[from] io::Error),
}

/// Records on their way.
pub type Answer<'a, T> = BoxFuture<'a, Result<Vec<T>, LookupError>>;

/// A source of records; their order within an answer means nothing, except that addresses come as they are to be
/// tried.
pub trait Lookup: Send + Sync {
    /// NAPTR records of a domain.
    fn naptr<'a>(&'a self, domain: &'a str) -> Answer<'a, Naptr>;

    /// SRV records of a service such as `_sip._udp.example.org`.
    fn srv<'a>(&'a self, service: &'a str) -> Answer<'a, Srv>;

    /// A and AAAA records of a host.
    fn addresses<'a>(&'a self, host: &'a str) -> Answer<'a, IpAddr>;

    /// What the machine's own host table says. A name that stands there is taken from there alone: the operator's word
    /// overrides the records of the domain.
    fn host_table(&self, host: &str) -> Vec<IpAddr>;
}
