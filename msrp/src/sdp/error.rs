//! Why a description is of no use.

/// Why a text is no session description that MSRP can work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// The text is no SDP (RFC 8866).
    #[error("undecodable SDP")]
    Undecodable,
    /// An MSRP media line without `a=path`.
    #[error("a=path is missing")]
    PathMissing,
    /// An attribute's value breaks its grammar.
    #[error("a={0} is malformed")]
    Attribute(&'static str),
}

/// Why an answer gives no session to send in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerRefused {
    /// The media line has port 0 or is missing.
    #[error("the media was rejected")]
    Rejected,
    /// The protocol or the path's scheme differs from the offer.
    #[error("the protocol differs from the offer")]
    Protocol,
    /// The peer does not take what the offer sends, or sends what the offer does not take.
    #[error("the direction does not answer the offer")]
    Direction,
    /// `a=setup` is no answer to the offer (RFC 4145 §4.1).
    #[error("the setup role does not answer the offer")]
    Setup,
}
