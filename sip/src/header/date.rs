//! SIP-date (RFC 3261 §20.17, §25.1).

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};

/// 31 December 9999, the last day a four-digit year can name.
const LAST_SECOND: i64 = 253_402_300_799;

/// As RFC 1123 writes them.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A moment of second resolution, always written in GMT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SipDate(i64);

impl SipDate {
    /// The moment so many seconds after 1970-01-01T00:00:00Z, brought into the years 1970 to 9999.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.clamp(0, LAST_SECOND))
    }

    /// Seconds after 1970-01-01T00:00:00Z.
    pub fn unix_seconds(self) -> i64 {
        self.0
    }
}

/// The text is no RFC 1123 date in GMT; the header is then to be ignored (requirements 2.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SIP-date")]
pub struct BadDate;

impl FromStr for SipDate {
    type Err = BadDate;

    /// Reads `Fri, 20 Nov 2026 09:14:05 GMT`; the weekday must fit.
    fn from_str(text: &str) -> Result<Self, BadDate> {
        let moment = NaiveDateTime::parse_from_str(text, "%a, %d %b %Y %H:%M:%S GMT");
        let seconds = moment.map_err(|_| BadDate)?.and_utc().timestamp();
        Some(Self(seconds))
            .filter(|_| (0..=LAST_SECOND).contains(&seconds))
            .ok_or(BadDate)
    }
}

impl fmt::Display for SipDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = DateTime::from_timestamp(self.0, 0).unwrap_or_default();
        let month = MONTHS.get(moment.month0() as usize).unwrap_or(&"Jan");
        write!(
            f,
            "{}, {:02} {month} {:04} {:02}:{:02}:{:02} GMT",
            moment.weekday(),
            moment.day(),
            moment.year(),
            moment.hour(),
            moment.minute(),
            moment.second()
        )
    }
}
