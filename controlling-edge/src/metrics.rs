//! What this edge counts, one function per series. No label holds a user or a Call-ID.

use edge::refuse::Refusal;
use metrics::counter;
use storage_client::fan_out::LegOutcome;

/// A message to many is on disk and answered with 202.
pub(crate) fn job_accepted(is_duplicate: bool) {
    if is_duplicate {
        counter!("restante_duplicates_answered_total", "kind" => "job").increment(1);
    } else {
        counter!("restante_jobs_accepted_total").increment(1);
    }
}

/// A MESSAGE was refused.
pub(crate) fn rejected(refusal: &Refusal) {
    counter!("restante_jobs_rejected_total", "reason" => refusal.label()).increment(1);
}

/// A try to send a copy has ended.
pub(crate) fn leg_tried(outcome: &LegOutcome) {
    let outcome = match outcome {
        LegOutcome::Answered { status, .. } => match status {
            200..=299 => "delivered",
            _ => "failed",
        },
        LegOutcome::HopDown { .. } => "hop_down",
        LegOutcome::Returned => "returned",
    };
    counter!("restante_leg_attempts_total", "outcome" => outcome).increment(1);
}

/// A group of the XDMS was wanted.
pub(crate) fn xdms(result: &'static str) {
    counter!("restante_xdms_requests_total", "result" => result).increment(1);
}
