//! The contract's messages and the store's model: the only place that knows both.

mod account;
mod claim;
mod deposit;
mod event_log;
mod fan_out;
mod history;
mod import;
mod mailbox;
mod message;
mod registration;
mod report;
mod settings;
mod subscription;

use std::time::{Duration, UNIX_EPOCH};

use storage::model::UnixMillis;
use tonic::Status;

pub(crate) use account::{account, named, page_size};
pub(crate) use claim::{
    Acknowledgement, acknowledgement, claim, content_octets, outcome, proto_claim, release_result,
    settled, taken,
};
pub(crate) use deposit::{deposit, leg_name, refusal, traceparent};
pub(crate) use event_log::{message_event, position, read_position};
pub(crate) use fan_out::{
    asked_about, claimed_leg, document_name, fan_out_owner, group, group_document, group_head,
    job_admission, job_leg, job_refusal, job_request, job_states, job_template, large_job,
    leg_claim, leg_outcome, leg_settled, leg_states, leg_token, members, proto_group, proto_job,
};
pub(crate) use history::history;
pub(crate) use import::import;
pub(crate) use mailbox::{list_query, mailbox};
pub(crate) use message::{
    address, class, event, event_kind, file, headers, message, message_number, part, part_kind,
    priority, report_request,
};
pub(crate) use registration::{bindings, registered, registration};
pub(crate) use report::{claimed_report, report_outcome};
pub(crate) use settings::{publish, setting_values, user_settings};
pub(crate) use subscription::{
    listed_subscription, lost_subscription, mailbox_changed, notified, owned, owner, subscribe,
    subscription_id, waiting,
};

/// A timestamp of the contract.
pub(crate) fn timestamp(time: UnixMillis) -> prost_types::Timestamp {
    (UNIX_EPOCH + Duration::from_millis(time.0)).into()
}

/// An instant of the contract; what lies before 1970 counts as 1970.
pub(crate) fn time(timestamp: prost_types::Timestamp) -> UnixMillis {
    let Ok(seconds) = u64::try_from(timestamp.seconds) else {
        return UnixMillis(0);
    };
    let millis = u64::try_from(timestamp.nanos).unwrap_or(0) / 1_000_000;
    UnixMillis(seconds.saturating_mul(1_000).saturating_add(millis))
}

/// A duration of the contract; saturates.
pub(crate) fn proto_duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration::try_from(duration).unwrap_or(prost_types::Duration {
        seconds: i64::MAX,
        nanos: 0,
    })
}

/// The longest time anybody is waited for on a peer's word.
const LONGEST: Duration = Duration::from_secs(86_400);

/// A duration of the contract, cut at a day: a peer's number is added to clocks. A negative one counts
/// as none.
pub(crate) fn duration(duration: prost_types::Duration) -> Duration {
    lifetime(duration).min(LONGEST)
}

/// How long a message is to live, which the store caps.
pub(crate) fn lifetime(duration: prost_types::Duration) -> Duration {
    // Not prost's conversion: it panics on the most negative number.
    let seconds = u64::try_from(duration.seconds).unwrap_or(0);
    let nanos = u32::try_from(duration.nanos).unwrap_or(0);
    Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos.into()))
}

/// A field that makes no sense.
pub(crate) fn invalid(what: &'static str) -> Status {
    Status::invalid_argument(what)
}

/// A field that must be there.
pub(crate) fn required<T>(field: Option<T>, what: &'static str) -> Result<T, Status> {
    field.ok_or_else(|| invalid(what))
}

/// Octets of what an operator says for a reason.
const REASON_OCTETS_MAX: usize = 1_024;

/// What an operator says for a reason: it is kept with what he has done, and stands in the audit log.
pub(crate) fn reason(reason: String) -> Result<String, Status> {
    check_reason(&reason).map(|()| reason)
}

/// Refuses a reason that is too long.
pub(crate) fn check_reason(reason: &str) -> Result<(), Status> {
    match reason.len() {
        0..=REASON_OCTETS_MAX => Ok(()),
        _ => Err(invalid("a reason has at most 1,024 octets")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_bounded() {
        assert_eq!(reason("we move".to_owned()).expect("short"), "we move");
        assert!(reason("x".repeat(REASON_OCTETS_MAX)).is_ok());
        let refused = reason("x".repeat(REASON_OCTETS_MAX + 1)).expect_err("long");
        assert!(refused.message().contains("1,024"), "{refused}");
    }

    #[test]
    fn a_duration_of_a_peer_can_be_added_to_any_clock() {
        for seconds in [i64::MIN, -1, 0, 3, i64::MAX] {
            let duration = duration(prost_types::Duration { seconds, nanos: 0 });
            assert!(duration <= LONGEST, "{seconds}: {duration:?}");
        }
        let three = prost_types::Duration {
            seconds: 3,
            nanos: 0,
        };
        assert_eq!(duration(three), Duration::from_secs(3));
    }
}
