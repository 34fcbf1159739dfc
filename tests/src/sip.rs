//! A SIP peer that works on text.

pub mod example;
mod framing;
mod peer;
mod request;
mod text;

pub use peer::{Arrival, Exchange, SipPeer, Way};
pub use request::RequestText;
pub use text::SipText;

pub(crate) use peer::local_tag;
pub(crate) use text::find;

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A connection.
    Tcp,
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}

/// A word that was never used before, of letters and digits.
pub fn fresh() -> String {
    format!("{:016x}", rand::random::<u64>())
}
