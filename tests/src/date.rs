//! SIP dates (RFC 3261 §20.17), without a library.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The present.
pub fn now() -> String {
    at(SystemTime::now())
}

/// A time as a SIP date.
pub fn at(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let weekday = DAYS[(days % 7) as usize];
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!(
        "{weekday}, {day:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT",
        MONTHS[month]
    )
}

/// The time of a SIP date, if it is one and is written as we write it.
pub fn parse(text: &str) -> Option<SystemTime> {
    let mut words = text.split([' ', ':']);
    let _weekday = words.next()?;
    let day: u64 = words.next()?.parse().ok()?;
    let name = words.next()?;
    let month = MONTHS.iter().position(|month| *month == name)?;
    let year: u64 = words.next()?.parse().ok()?;
    let [hour, minute, second] =
        [(); 3].map(|()| words.next().and_then(|word| word.parse::<u64>().ok()));
    let days = (1970..year).map(days_of_year).sum::<u64>()
        + (0..month)
            .map(|month| days_of_month(year, month))
            .sum::<u64>()
        + day.checked_sub(1)?;
    let time =
        UNIX_EPOCH + Duration::from_secs(days * 86_400 + hour? * 3_600 + minute? * 60 + second?);
    (at(time) == text).then_some(time)
}

/// Year, month from 0 and day of the month of a day since the epoch.
fn civil(mut days: u64) -> (u64, usize, u64) {
    let mut year = 1970;
    while days >= days_of_year(year) {
        days -= days_of_year(year);
        year += 1;
    }
    let mut month = 0;
    while days >= days_of_month(year, month) {
        days -= days_of_month(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn days_of_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_of_month(year: u64, month: usize) -> u64 {
    match month {
        1 if is_leap(year) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_and_read() {
        let time = UNIX_EPOCH + Duration::from_secs(1_795_166_045);
        assert_eq!(at(time), "Fri, 20 Nov 2026 09:14:05 GMT");
        assert_eq!(parse("Fri, 20 Nov 2026 09:14:05 GMT"), Some(time));
        assert_eq!(parse("Thu, 20 Nov 2026 09:14:05 GMT"), None);
        assert_eq!(parse("Fri, 20 Nov 2026 09:14:05 CET"), None);
    }
}
