//! Response codes of MSRP (RFC 4975 §10).

/// The request was taken.
pub const OK: u16 = 200;
/// The request was not understood.
pub const BAD_REQUEST: u16 = 400;
/// The request is not allowed in this session.
pub const FORBIDDEN: u16 = 403;
/// A downstream transaction timed out.
pub const TIMED_OUT: u16 = 408;
/// The receiver does not want the rest of this message.
pub const STOP_SENDING: u16 = 413;
/// The media type is not acceptable.
pub const UNSUPPORTED_TYPE: u16 = 415;
/// A parameter is out of bounds.
pub const OUT_OF_BOUNDS: u16 = 423;
/// The session does not exist.
pub const NO_SESSION: u16 = 481;
/// The method is unknown.
pub const UNKNOWN_METHOD: u16 = 501;
/// The session is already bound to another connection.
pub const WRONG_CONNECTION: u16 = 506;

/// The comment printed after a code; empty for codes outside RFC 4975 §10.
pub fn comment(code: u16) -> &'static str {
    match code {
        OK => "OK",
        BAD_REQUEST => "Bad Request",
        FORBIDDEN => "Forbidden",
        TIMED_OUT => "Request Timeout",
        STOP_SENDING => "Stop Sending",
        UNSUPPORTED_TYPE => "Unsupported Media Type",
        OUT_OF_BOUNDS => "Parameter Out Of Bounds",
        NO_SESSION => "No Such Session",
        UNKNOWN_METHOD => "Unknown Method",
        WRONG_CONNECTION => "Session Already Bound",
        _ => "",
    }
}
