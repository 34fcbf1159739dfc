//! What the black-box tests are made of: deployments of the real binaries, and peers that speak SIP and
//! MSRP to them.
//!
//! The peers write and read messages as text and share no code with the codecs they test. Nothing
//! here sleeps for a fixed time: every wait is for an event, or for what looks find that nobody tells
//! of ([`patience::eventually`]), and has a deadline, after which the test fails and says what it
//! waited for. Every deployment has loopback addresses of its own, so that tests run side by
//! side and a process can come back on the ports it had. Against a deployment that runs already
//! ([`target`]), they run one after the other.

pub mod binaries;
pub mod clients;
pub mod conformance;
pub mod date;
pub mod deployment;
pub mod exposition;
pub mod http;
pub mod large;
pub mod load;
pub mod log_events;
pub mod msrp;
pub mod net;
pub mod operator;
pub mod otlp;
pub mod patience;
pub mod process;
pub mod replay;
pub mod rounds;
pub mod run;
pub mod scene;
pub mod shim;
pub mod sip;
pub mod subscriber;
pub mod target;
pub mod uploads;
pub mod webhook;

pub use deployment::{Deployment, Part};
pub use net::LoopbackNet;
pub use operator::Operator;
pub use scene::{Scene, somebody, uri};
