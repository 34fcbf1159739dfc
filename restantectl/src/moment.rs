//! Times as operators write and read them: RFC 3339 in UTC, and spans such as `90s` or `7d`.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use prost_types::Timestamp;
use thiserror::Error;

const UNITS: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// Why a text is no span of time.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("write a whole number and its unit: 500ms, 10s, 15m, 2h, 7d or 4w")]
pub(crate) struct InvalidSpan;

/// Why a text is no moment.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "write a time such as 2026-08-23T14:30:00Z, a day such as 2026-08-23 (from midnight UTC), or \
     how long ago: 15m, 2h, 7d"
)]
pub(crate) struct InvalidMoment;

/// Why a text is no moment to come.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("write a time such as 2026-08-23T14:30:00Z, or how long from now: 15m, 2h, 7d")]
pub(crate) struct InvalidComing;

/// Reads a span of time.
pub(crate) fn parse_span(text: &str) -> Result<Duration, InvalidSpan> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or(InvalidSpan)?;
    let (number, unit) = text.split_at(digits);
    let (_, millis) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or(InvalidSpan)?;
    let number: u64 = number.parse().map_err(|_| InvalidSpan)?;
    number
        .checked_mul(*millis)
        .map(Duration::from_millis)
        .ok_or(InvalidSpan)
}

/// Reads the time to wait for an answer, which cannot be nothing.
pub(crate) fn parse_timeout(text: &str) -> Result<Duration, InvalidSpan> {
    parse_span(text)
        .ok()
        .filter(|span| !span.is_zero())
        .ok_or(InvalidSpan)
}

/// A span in its largest whole unit, as [`parse_span`] reads it.
pub(crate) fn span(span: Duration) -> String {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let whole = UNITS
        .iter()
        .rev()
        .find(|(_, unit)| millis % unit == 0 && millis >= *unit);
    whole.map_or_else(
        || "0s".to_owned(),
        |(name, unit)| format!("{}{name}", millis / unit),
    )
}

/// Reads a moment; `now` is what a span counts back from.
pub(crate) fn parse_moment(text: &str, now: DateTime<Utc>) -> Result<Timestamp, InvalidMoment> {
    if let Ok(ago) = parse_span(text) {
        let ago = chrono::Duration::from_std(ago).map_err(|_| InvalidMoment)?;
        return now
            .checked_sub_signed(ago)
            .map(timestamp)
            .ok_or(InvalidMoment);
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(timestamp(day.and_time(NaiveTime::MIN).and_utc()));
    }
    let moment = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidMoment)?;
    Ok(timestamp(moment.to_utc()))
}

/// [`parse_moment`] for arguments, which count back from the start of the command.
pub(crate) fn parse_argument(text: &str) -> Result<Timestamp, InvalidMoment> {
    parse_moment(text, Utc::now())
}

/// Reads a moment to come: as [`parse_moment`] does, but a span counts from now on.
pub(crate) fn parse_coming(text: &str) -> Result<Timestamp, InvalidComing> {
    let now = Utc::now();
    let Ok(span) = parse_span(text) else {
        return parse_moment(text, now).map_err(|_| InvalidComing);
    };
    let span = chrono::Duration::from_std(span).map_err(|_| InvalidComing)?;
    let coming = now.checked_add_signed(span);
    coming.map(timestamp).ok_or(InvalidComing)
}

/// A time in RFC 3339, UTC, with milliseconds; nothing if it is absent or beyond the calendar.
pub(crate) fn rfc3339(time: Option<Timestamp>) -> Option<String> {
    Some(moment(time?)?.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// How long before `now` a time was, in one unit, for a narrow column; `-` if it is unknown.
pub(crate) fn age(time: Option<Timestamp>, now: DateTime<Utc>) -> String {
    let Some(then) = time.and_then(moment) else {
        return "-".to_owned();
    };
    let seconds = (now - then).num_seconds().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn moment(time: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.seconds, u32::try_from(time.nanos).ok()?)
}

fn timestamp(moment: DateTime<Utc>) -> Timestamp {
    // A leap second counts more than 999,999,999 ns in chrono, which the wire does not know.
    let nanos = moment.timestamp_subsec_nanos().min(999_999_999);
    Timestamp {
        seconds: moment.timestamp(),
        nanos: i32::try_from(nanos).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-08-23T12:00:00Z".parse().unwrap()
    }

    fn read(text: &str) -> Option<String> {
        rfc3339(parse_moment(text, noon()).ok())
    }

    #[test]
    fn moments_are_read_in_three_forms() {
        assert_eq!(
            read("2026-08-23T14:30:00+02:00").unwrap(),
            "2026-08-23T12:30:00.000Z"
        );
        assert_eq!(read("2026-08-23").unwrap(), "2026-08-23T00:00:00.000Z");
        assert_eq!(read("90m").unwrap(), "2026-08-23T10:30:00.000Z");
    }

    #[test]
    fn other_texts_are_no_moments() {
        for text in [
            "",
            "yesterday",
            "12",
            "2026-13-01",
            "2026-08-23 12:00",
            "-5m",
            "5y",
        ] {
            assert_eq!(parse_moment(text, noon()), Err(InvalidMoment), "{text}");
        }
        assert_eq!(parse_moment("99999999999w", noon()), Err(InvalidMoment));
    }

    #[test]
    fn a_timeout_of_nothing_is_refused() {
        assert_eq!(parse_timeout("0s"), Err(InvalidSpan));
        assert_eq!(parse_timeout("10s"), Ok(Duration::from_secs(10)));
    }

    #[test]
    fn ages_fit_a_narrow_column() {
        let ages = [
            "2026-08-23T11:59:30Z",
            "2026-08-23T11:00:00Z",
            "2026-08-23",
            "2026-08-01",
        ]
        .map(|text| age(parse_moment(text, noon()).ok(), noon()));
        assert_eq!(ages, ["30s", "60m", "12h", "22d"]);
        assert_eq!(age(None, noon()), "-");
    }

    #[test]
    fn times_beyond_the_calendar_are_absent() {
        assert_eq!(
            rfc3339(Some(Timestamp {
                seconds: i64::MAX,
                nanos: 0
            })),
            None
        );
        assert_eq!(
            rfc3339(Some(Timestamp {
                seconds: 0,
                nanos: -1
            })),
            None
        );
    }

    proptest! {
        #[test]
        fn spans_survive_writing(millis in 1u64..u64::MAX) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_span(&span(duration)), Ok(duration));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = parse_moment(&text, noon());
        }
    }
}
