//! Bugs that are planted to see that they are found.

use clap::ValueEnum;

/// What is broken on purpose. All are made by what stands around the product, none is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Plant {
    /// Now and then the disk says that a sync has completed and has done nothing (P1).
    SyncSkipped,
    /// The store takes an acknowledgement of a superseded claim for one of the present claim (P4).
    LateAcknowledgement,
    /// The store forgets acknowledgements that it has confirmed (P4).
    ForgottenAcknowledgement,
    /// What an edge takes counts as delivered before its client has it (P2).
    DeliveredWhenTaken,
    /// What a controlling edge is to send counts as sent before it is (CFP-18).
    CopiedWhenClaimed,
    /// Messages get a fifth of the lifetime that their sender gave them (P2).
    ShortenedLife,
    /// Now and then nobody is told that a message came for a user who is there (DLV-17).
    LostWakeUp,
}
