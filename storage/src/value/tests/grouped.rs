//! Rows of messages to groups.

use super::golden::{large_job, reported_envelope, still_reads};
use crate::model::Address;

#[test]
fn a_group_is_written_and_still_read() {
    let mut grouped = reported_envelope();
    grouped.envelope.group = Some(Address::new("sip:team@example.org"));
    // With all that may follow the fields that every envelope has.
    grouped.envelope.traceparent =
        Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    still_reads("grouped_envelope.hex", &grouped);
    let mut job = large_job();
    job.job.to_group = true;
    still_reads("group_job.hex", &job);
}
