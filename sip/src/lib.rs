//! Lossless SIP codec and protocol machines without I/O.
