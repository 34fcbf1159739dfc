//! Sessions that we set up to send in: INVITE, MSRP connection, SENDs.
//!
//! Pure decisions: `early`, [`invite`], [`terms`]. [`establish()`] drives them, a [`Session`] is what it
//! makes.

mod early;
mod establish;
mod failure;
pub mod invite;
mod session;
mod stored;
pub mod terms;

pub use establish::{Errand, Established, establish, rules};
pub use failure::{InviteFailure, SendEnd};
pub use session::{Session, Step};
pub use stored::StoredBody;
