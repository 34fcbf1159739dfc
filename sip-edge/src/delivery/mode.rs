//! How a mailbox is delivered (DLM-01): by a push session to an IM client, or by MESSAGE to others.
//!
//! Delivery by MESSAGE has its place here and is not served yet: a mailbox whose user has only
//! bindings without an IM tag is released as unsupported and keeps its messages.

use storage_client::registration::Binding;

/// The way a mailbox is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A push session (requirements §2.4.2).
    Session,
    /// One MESSAGE per message (requirements §2.4.4).
    Message,
}

/// The mode for a user with these live bindings. Without any, an operator has forced the push: the
/// core may know where the user is (DLV-15).
pub(crate) fn mode(bindings: &[Binding]) -> Mode {
    let is_im = bindings.is_empty() || bindings.iter().any(|binding| binding.has_im_tag);
    if is_im { Mode::Session } else { Mode::Message }
}
