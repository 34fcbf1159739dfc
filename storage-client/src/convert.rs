//! The contract's messages and our own types: the only place that knows both.

mod delivery;
mod deposit;
mod fan_out;
mod large;
mod message;
mod registration;
mod report;
mod settings;
mod subscription;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) use delivery::{
    acknowledge, acknowledge_result, claim, claim_request, deferred_page, release, release_result,
    taken,
};
pub(crate) use deposit::{answer, deposit};
pub(crate) use fan_out::{
    fan_out_job, group, group_answer, job_admission, job_admitted, job_answer, job_request,
    large_job, leg_claim, leg_settlement, owned_group, proto_group, proto_group_document,
    proto_leg_claim, roster_entry,
};
pub(crate) use large::{
    admission, admission_request, large_deposit, upload_answer, upload_job_answer,
};
pub(crate) use message::proto_part_kind;
pub(crate) use registration::{bindings, registered, registration};
pub(crate) use report::{report, report_settlement};
pub(crate) use settings::{publish, published};
pub(crate) use subscription::{
    change, notified_states, owned, owner, subscribe, subscription_name, waiting, waiting_question,
};

/// A timestamp of the contract.
pub(crate) fn timestamp(time: SystemTime) -> prost_types::Timestamp {
    time.into()
}

/// An instant after 1970; `None` for anything else.
pub(crate) fn time(timestamp: prost_types::Timestamp) -> Option<SystemTime> {
    let time = SystemTime::try_from(timestamp).ok()?;
    (time >= UNIX_EPOCH).then_some(time)
}

/// A duration of the contract; saturates.
pub(crate) fn proto_duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration::try_from(duration).unwrap_or(prost_types::Duration {
        seconds: i64::MAX,
        nanos: 0,
    })
}

/// A duration that is not negative. Not prost's conversion: it panics on the most negative number.
pub(crate) fn duration(duration: prost_types::Duration) -> Option<Duration> {
    let seconds = u64::try_from(duration.seconds).ok()?;
    let nanos = u32::try_from(duration.nanos).ok()?;
    Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanos.into()))
}

/// An optional text: the contract writes nothing as an empty string.
fn optional(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
