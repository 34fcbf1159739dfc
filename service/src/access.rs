//! Who may call what. Over TLS a certificate's names have roles (`[roles]`), and each method needs one; whoever reaches a
//! listener without TLS, by loopback or the operators' Unix socket, may call all of it.

mod guard;
mod method;
mod role;

pub(crate) use guard::Guard;
pub(crate) use role::{Granted, Role};
