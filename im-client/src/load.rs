//! A load of pager messages for benchmarks: many senders write to many offline users.
//!
//! Two modes. **Closed**: a fixed number of requests is in flight, each answer starts the next; the
//! latency is that of the answer. **Open**: requests are due at a fixed rate, whether answers come or
//! not; the latency counts from the moment a request was *due*, so that a stalled server cannot hide
//! behind requests that were never sent (coordinated omission).
//!
//! It writes requests from a template and looks for two things in an answer, its status and its
//! branch, so that the generator takes as little of a shared machine as it can. It is not a UAC: no
//! transactions but the retransmission of RFC 3261 §17.1.2 over UDP.

mod drive;
mod link;
mod plan;
mod report;
mod template;
pub mod uploads;

pub use plan::{Pacing, Plan, Transport};
pub use report::Report;

/// Runs a plan to its end on this thread's runtime and reports.
///
/// # Errors
/// If no socket can be opened or connected to the target.
pub async fn run(plan: &Plan) -> std::io::Result<Report> {
    drive::run(plan).await
}
