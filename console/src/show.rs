//! How times, sizes, states and texts of strangers are shown.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};
use prost_types::Timestamp;
use proto::v1::{EventKind, MessageClass, MessageState, Priority, PushPlan};

/// Whether a character may reorder a text, hide in it, or break its line: controls, bidirectional controls (UAX #9 §2), line
/// and paragraph separators, what has no width, annotation anchors and tags.
fn is_deceiving(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match is_escaped(character) {
            // Writing to a String does not fail.
            true => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
            }
            false => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

/// One line of a stranger's text: what deceives is shown as its number. Markup is escaped by the template.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, is_deceiving)
}

/// Several lines of it.
pub(crate) fn visible_lines(text: &str) -> Cow<'_, str> {
    let stays = ['\n', '\r', '\t'];
    escaped(text, |character| {
        is_deceiving(character) && !stays.contains(&character)
    })
}

/// A text of a stranger, whose direction of writing is its own; a dash if there is none.
pub(crate) fn foreign(text: &str) -> Markup {
    html! {
        @if text.is_empty() { span.quiet { "–" } } @else { bdi { (visible(text)) } }
    }
}

fn time(timestamp: &Timestamp) -> Option<DateTime<Utc>> {
    let nanos = u32::try_from(timestamp.nanos).ok()?;
    DateTime::from_timestamp(timestamp.seconds, nanos)
}

/// A point in time, in UTC.
pub(crate) fn moment(timestamp: Option<&Timestamp>) -> Markup {
    let time = timestamp.and_then(time);
    html! {
        @if let Some(time) = time {
            time datetime=(time.to_rfc3339_opts(SecondsFormat::Millis, true)) {
                (time.format("%Y-%m-%d %H:%M:%S").to_string()) span.quiet { " UTC" }
            }
        } @else { span.quiet { "–" } }
    }
}

/// How far a point in time is from now; the point itself is its title.
pub(crate) fn distance(timestamp: Option<&Timestamp>) -> Markup {
    let time = timestamp.and_then(time);
    let now = DateTime::<Utc>::from(SystemTime::now());
    html! {
        @if let Some(time) = time {
            @let seconds = (now - time).num_seconds();
            time datetime=(time.to_rfc3339_opts(SecondsFormat::Millis, true)) title=(time.format("%Y-%m-%d %H:%M:%S UTC").to_string()) {
                @if seconds < 0 { "in " (span(seconds.unsigned_abs())) } @else { (span(seconds.unsigned_abs())) " ago" }
            }
        } @else { span.quiet { "–" } }
    }
}

/// A length of time, in its largest unit.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A number of octets.
pub(crate) fn octets(count: u64) -> String {
    const UNITS: [&str; 3] = ["KiB", "MiB", "GiB"];
    if count < 1_024 {
        return format!("{count} B");
    }
    let mut tenths = u128::from(count) * 10;
    let mut unit = "B";
    for next in UNITS {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1_024;
        unit = next;
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// A state in one word.
pub(crate) fn state_word(state: MessageState) -> &'static str {
    match state {
        MessageState::Unspecified => "unknown",
        MessageState::Stored => "stored",
        MessageState::Claimed => "claimed",
        MessageState::Held => "held",
        MessageState::Delivered => "delivered",
        MessageState::Expired => "expired",
        MessageState::Refused => "refused",
        MessageState::Recalled => "recalled",
        MessageState::Deleted => "deleted",
    }
}

/// A state as a mark whose colour says whether it goes well, waits or ended badly.
pub(crate) fn badge(state: MessageState) -> Markup {
    let kind = match state {
        MessageState::Stored | MessageState::Claimed => "waiting",
        MessageState::Held => "held",
        MessageState::Delivered => "good",
        MessageState::Expired | MessageState::Refused => "bad",
        MessageState::Recalled | MessageState::Deleted | MessageState::Unspecified => "over",
    };
    html! { span.badge.(kind) { (state_word(state)) } }
}

/// A kind of message in words.
pub(crate) fn class_word(class: MessageClass) -> &'static str {
    match class {
        MessageClass::Unspecified => "unknown",
        MessageClass::Pager => "pager",
        MessageClass::Large => "large",
        MessageClass::Imdn => "notification",
    }
}

/// A priority in words.
pub(crate) fn priority_word(priority: Priority) -> &'static str {
    match priority {
        Priority::Unspecified | Priority::Normal => "normal",
        Priority::NonUrgent => "non-urgent",
        Priority::Urgent => "urgent",
        Priority::Emergency => "emergency",
    }
}

/// What happened, in words.
pub(crate) fn event_words(kind: EventKind) -> String {
    let name = kind.as_str_name();
    let name = name.strip_prefix("EVENT_KIND_").unwrap_or(name);
    name.to_ascii_lowercase().replace('_', " ")
}

/// What came of the order to push, as a sentence.
pub(crate) fn plan_sentence(plan: PushPlan) -> &'static str {
    match plan {
        PushPlan::Unspecified => "The service answered something that this console does not know.",
        PushPlan::Started => "A push starts now.",
        PushPlan::Joined => "A push is running already: it will look again.",
        PushPlan::NothingWaiting => "Nothing waits.",
        PushPlan::NotRegistered => "Not pushed: the user is not registered.",
        PushPlan::SwitchedOff => "Not pushed: the user has switched offline delivery off.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_deceives_is_shown_as_its_number() {
        assert_eq!(visible("Lunch?"), "Lunch?");
        assert_eq!(visible("a\u{202e}b\0"), "a\\u{202e}b\\u{0}");
        assert_eq!(visible("a\nb"), "a\\u{a}b");
        assert_eq!(visible_lines("a\nb\tc\u{200b}"), "a\nb\tc\\u{200b}");
        assert_eq!(
            foreign("<b>&\"'").into_string(),
            "<bdi>&lt;b&gt;&amp;&quot;'</bdi>"
        );
    }

    #[test]
    fn sizes_and_times_have_one_unit() {
        let sizes = [0, 1_023, 1_024, 1_536, 10 << 20, u64::MAX].map(octets);
        let expected = ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "10.0 MiB"];
        assert_eq!(&sizes[..5], expected);
        assert!(sizes[5].ends_with(" GiB"), "{}", sizes[5]);
        let spans = [59, 60, 3_600, 172_799, 172_800].map(span);
        assert_eq!(spans, ["59 s", "1 min", "1 h", "47 h", "2 d"]);
    }

    #[test]
    fn events_are_called_by_their_words() {
        assert_eq!(event_words(EventKind::AttemptFailed), "attempt failed");
    }
}
