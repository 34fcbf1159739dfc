//! What can happen in an exchange.

use arbitrary::Arbitrary;

/// One of the two elements; also what they call each other as peers.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Side {
    /// The first layer.
    Left,
    /// The second layer.
    Right,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// One thing that happens. Numbers choose among what there is.
#[derive(Arbitrary, Clone, Debug)]
pub(super) enum Operation {
    /// A transaction user sends a request.
    Send {
        from: Side,
        invite: bool,
        reliable: bool,
    },
    /// A transaction user answers a request it was given, perhaps once more.
    Respond { at: Side, request: u8, status: u8 },
    /// A transaction user gives up on a request.
    Cancel { at: Side, request: u8 },
    /// A transaction user acknowledges a 2xx, whether there was one or not.
    Acknowledge { at: Side, request: u8 },
    /// The bytes of a request could not be sent.
    Fail { at: Side, request: u8 },
    /// The network delivers a message.
    Deliver { message: u8, reliable: bool },
    /// The network delivers a message and keeps it.
    Repeat { message: u8, reliable: bool },
    /// The network loses a message.
    Lose { message: u8 },
    /// A stranger sends a request; equal calls by other branches are merged requests.
    Forge {
        to: Side,
        method: u8,
        branch: u8,
        call: u8,
        tagged: bool,
    },
    /// A peer answers whatever it likes.
    Reply { to: Side, request: u8, status: u8 },
    /// Tenths of a second pass.
    Wait { tenths: u8 },
    /// Time passes until the next timer fires.
    Ring,
}
