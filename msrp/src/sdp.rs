//! The media description of an MSRP session: reading, offering, answering, judging (RFC 4975 §8,
//! RFC 6135).
//!
//! It does not decide whether a session is wanted: limits, types and trust are the caller's.

mod error;
mod media;
mod negotiate;
mod session;

pub use error::{AnswerRefused, SdpError};
pub use media::{Direction, MsrpMedia, Protocol, Setup};
pub use negotiate::{Agreement, Role, agree, answer_media};
pub use session::{Origin, SessionDescription};
