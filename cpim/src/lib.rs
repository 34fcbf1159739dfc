//! CPIM and IMDN documents (RFC 3862, RFC 5438) without I/O.
//!
//! A [`Message`] is read without being changed: it gives the values of message headers, the type of
//! what it wraps and where that begins. [`imdn`] says what a sender wants to be told, and writes and reads what he is told.
//!
//! It is not a MIME library, it never rewrites a body (P7), and it looks only at the head of a
//! message: a wrapped content may be of any size or encrypted.

mod error;
pub mod imdn;
mod message;
mod text;

pub use error::NotCpim;
pub use message::{HEAD_LIMIT_OCTETS, Message};
