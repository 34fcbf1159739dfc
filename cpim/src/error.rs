//! Why something is no CPIM message.

/// What is wrong with a body of type `message/cpim`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotCpim {
    /// There is no empty line after the message headers, or it is too far away.
    #[error("the message headers do not end")]
    HeadersUnended,
    /// There is no empty line after the content headers, or it is too far away.
    #[error("the content headers do not end")]
    ContentHeadersUnended,
    /// A line of the message headers is no header (RFC 3862 §2.1).
    #[error("a line of the message headers has no colon")]
    NoColon,
}
