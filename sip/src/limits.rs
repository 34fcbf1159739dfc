//! Bounds of what the parsers accept from a peer.

/// Limits on one message; what exceeds them is refused before it costs memory (requirements 3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Start line, header lines and the empty line together, in octets.
    pub header_block_octets: usize,
    /// Number of header fields; a folded field counts once.
    pub header_lines: usize,
    /// One header field with its continuation lines, or the start line, in octets without the final CRLF.
    pub line_octets: usize,
    /// Largest `Content-Length` taken in, in octets.
    pub body_octets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_block_octets: 65_536,
            header_lines: 256,
            line_octets: 8_192,
            body_octets: 1_048_576,
        }
    }
}
