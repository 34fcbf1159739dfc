//! The client's side of MSRP sessions, as text: SDP, connections, SENDs and answers, in a push session and
//! in one for a large message of its own.

mod frame;
mod pushed;
mod sender;
mod session;

pub use frame::Frame;
pub use pushed::Pushed;
pub use sender::{MsrpConnection, Sender, Upload, chunk};
pub use session::{Acceptance, PushSession, Setup, acceptance};

pub(crate) use session::{attribute, response};
