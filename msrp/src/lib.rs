//! MSRP frames, sessions and SDP without I/O.
