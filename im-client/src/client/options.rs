//! How a client behaves.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use msrp::AcceptTypes;
use msrp::sdp::Role;
use sip::StatusCode;

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address of this machine to send from and to be reached at.
    pub local: IpAddr,
    /// Port for SIP, both UDP and TCP; zero means any.
    pub port: u16,
    /// Who connects where we have a say: active, we do; passive, the peer does if it can.
    pub setup: Role,
    /// Offer message sessions over TLS.
    pub secure: bool,
    /// Longest chunk sent, in octets.
    pub chunk_octets: u64,
    /// From the answer to the last chunk to the success REPORT, where one is needed (3.1: 120 s).
    pub report_wait: Duration,
    /// Largest message taken from a session, in octets.
    pub max_message_octets: u64,
    /// Where messages are put that are too large for memory.
    pub folder: PathBuf,
    /// Types that our answers say we take.
    pub accept_types: AcceptTypes,
    /// Refuse every message and session with this status (TPG-01, LMT-01).
    pub reject: Option<StatusCode>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            local: IpAddr::from([127, 0, 0, 1]),
            port: 0,
            setup: Role::Active,
            secure: false,
            chunk_octets: 256 * 1024,
            report_wait: Duration::from_secs(120),
            max_message_octets: 64 << 20,
            folder: std::env::temp_dir(),
            accept_types: AcceptTypes::any(),
            reject: None,
        }
    }
}
