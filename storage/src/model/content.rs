//! What the sender sent, kept byte for byte (P7, STO-02).

use bytes::Bytes;

/// One stored octet string of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which one.
    pub kind: PartKind,
    /// Its octets, exactly as received.
    pub octets: Bytes,
}

/// Which octets of a message a part holds. The number is the one in keys on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PartKind {
    /// The complete MESSAGE request, start line to last body octet (STO-02).
    Message = 1,
    /// The complete INVITE of a large message (STO-03).
    Invite = 2,
    /// The 200 to that INVITE (STO-03).
    InviteResponse = 3,
    /// The header of the canonical MSRP SEND (STO-04).
    SendHead = 4,
    /// The body of the canonical MSRP SEND (STO-04).
    SendBody = 5,
    /// The BYE of the sender (STO-05).
    Bye = 6,
}
