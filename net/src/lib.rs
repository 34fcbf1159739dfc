//! Sockets, TLS, name resolution and timers that drive sip and msrp.

pub mod msrp;
