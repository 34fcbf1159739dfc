//! What every Restante process does alike: configuration, logging, metrics, readiness, signals,
//! drain and exit codes.
//!
//! It is not a framework: a process calls these parts in its own order, and none of them knows a
//! mailbox, a SIP message or a gRPC service. It imports no other crate of the workspace.

pub mod config;
