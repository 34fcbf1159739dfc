//! Pager mode or large message mode (OPG-01, LMO-01).

/// Largest complete request that goes in pager mode whatever the transports on its way (RFC 3428 §8).
pub const PAGER_OCTETS: usize = 1300;

/// Largest body that is put into a MESSAGE where every hop is known to be a connection: what a
/// server must take by default. Beyond it only [`Mode::Pager`] insists.
pub const CONNECTED_PAGER_OCTETS: u64 = 64 * 1024;

/// By which procedure a message goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// By its size.
    #[default]
    Auto,
    /// By MESSAGE, whatever its size.
    Pager,
    /// By a session, whatever its size.
    Large,
}

/// How a client chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// What the user wants.
    pub mode: Mode,
    /// He knows that every hop to the recipient is a connection (the exception of RFC 3428 §8).
    pub end_to_end_tcp: bool,
}

impl Choice {
    /// Whether content of this length may be a pager message at all: whether composing one is worth it.
    #[must_use]
    pub fn allows_pager(self, body_octets: u64) -> bool {
        match self.mode {
            Mode::Pager => true,
            Mode::Large => false,
            Mode::Auto if self.end_to_end_tcp => body_octets <= CONNECTED_PAGER_OCTETS,
            Mode::Auto => body_octets <= PAGER_OCTETS as u64,
        }
    }

    /// Whether a complete request of this length, our Via included, goes in pager mode.
    #[must_use]
    pub fn is_pager(self, request_octets: usize) -> bool {
        match self.mode {
            Mode::Pager => true,
            Mode::Large => false,
            Mode::Auto => self.end_to_end_tcp || request_octets <= PAGER_OCTETS,
        }
    }
}
