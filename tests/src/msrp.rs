//! The client's side of a push session, as text: SDP answer, MSRP connection, answers to SENDs.

mod frame;
mod pushed;
mod session;

pub use frame::Frame;
pub use pushed::Pushed;
pub use session::{PushSession, Setup};

pub(crate) use session::{acceptance, attribute, response};
