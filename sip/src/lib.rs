//! Lossless SIP codec and protocol machines without I/O.
//!
//! A message keeps the bytes it was received or printed with; the codec indexes header lines and leaves their values
//! alone until somebody asks for one ([`Headers`] offers the typed views). Everything that leaves goes through one
//! printer ([`RequestBuilder`], [`ResponseBuilder`], [`RequestEditor`]), so no peer can smuggle a line break into it.
//!
//! It is not a stack: no sockets, no clock, no tokio. Bytes come in and go out, time is an argument.
//!
//! ```
//! # use restante_sip as sip;
//! use sip::{Limits, Message, Name, ResponseBuilder, StatusCode, parse_datagram};
//!
//! let datagram = "MESSAGE sip:bob@example.org SIP/2.0\r\n\
//!     Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
//!     From: <sip:alice@example.org>;tag=a\r\nTo: <sip:bob@example.org>\r\n\
//!     Call-ID: 1\r\nCSeq: 1 MESSAGE\r\nContent-Length: 2\r\n\r\nhi";
//! let Message::Request(request) = parse_datagram(datagram.into(), &Limits::default())? else {
//!     unreachable!()
//! };
//! assert!(request.check().is_ok());
//! let accepted = ResponseBuilder::reply_to(&request, StatusCode::ACCEPTED)
//!     .to_tag("t1")
//!     .header(Name::Server, "Example/1.0")
//!     .build();
//! assert!(accepted.as_bytes().starts_with(b"SIP/2.0 202 Accepted\r\n"));
//! # Ok::<(), sip::ParseError>(())
//! ```

pub mod dialog;
pub mod digest;
pub mod header;
mod limits;
pub mod message;
pub mod message_summary;
mod method;
pub mod multipart;
mod params;
#[cfg(feature = "rsip")]
pub mod rsip_conversion;
pub mod session_timer;
mod status;
pub mod subscription;
mod text;
pub mod token;
pub mod transaction;
mod transport;
pub mod uri;

pub use header::{
    CSeq, Contacts, EventHeader, HeaderError, MediaType, Name, NameAddr, Priority, Refresher,
    ServedUserHeader, SessionCase, SessionExpires, SipDate, Via,
};
pub use limits::Limits;
pub use message::{
    Field, Headers, Message, ParseError, ParseErrorKind, Request, RequestBuilder, RequestEditor,
    Response, ResponseBuilder, StreamDecoder, StreamError, StreamItem, Violation, parse_datagram,
};
pub use method::{Method, NotAToken, OtherMethod};
pub use params::{Param, Params};
pub use status::StatusCode;
pub use transport::{Transport, UnknownTransport};
pub use uri::{Aor, Host, HostPort, SipUri, TelUri, Uri, UriError};
