//! Sessions that we set up to send in: INVITE, MSRP connection, SENDs.
//!
//! Pure decisions: `early`, [`invite`], [`terms`]. [`establish()`] drives them.

mod early;
mod establish;
mod failure;
pub mod invite;
pub mod terms;

pub use establish::{Errand, Established, establish, rules};
pub use failure::{InviteFailure, SendEnd};
