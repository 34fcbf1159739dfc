//! Rules of the repository that no compiler checks: who may import whom, what stays behind which
//! wall, how sources, citations and links are written.
//!
//! Each rule is a function from text to offences with a test of its own, so that it is known to
//! find what it looks for; the claim about the repository then is that there are none. Only files
//! that git tracks are looked at.

mod boundaries;
mod citations;
mod conformance;
mod dependencies;
mod links;
mod log_events;
mod metrics;
mod places;
mod promises;
mod sources;
mod threats;
mod tree;
