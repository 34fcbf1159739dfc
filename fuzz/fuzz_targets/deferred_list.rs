//! Whatever senders write into their headers stands in the list of deferred messages as they wrote it, and whatever a
//! client is given for a list is read or refused. Of a text the lines are id, From, To and Subject of messages.

#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use libfuzzer_sys::fuzz_target;
use xcap::deferred_list::{History, read, write};

fuzz_target!(|text: &str| {
    let _ = read(text.as_bytes());
    let lines: Vec<&str> = text.split('\n').collect();
    let histories: Vec<History> = lines.chunks(4).map(history).collect();
    let listed = read(write(&histories).as_bytes()).expect("we read what we write");
    assert_eq!(listed.len(), histories.len());
    for (listed, history) in listed.iter().zip(&histories) {
        assert_eq!(listed.id, of_xml(&history.id));
        assert_eq!(listed.from, of_xml(&history.from));
        assert_eq!(listed.subject, history.subject.as_deref().map(of_xml));
        assert_eq!(listed.size, history.size.to_string());
    }
});

fn history(lines: &[&str]) -> History {
    let line = |place: usize| lines.get(place).map(|line| (*line).to_owned());
    let octets: usize = lines.iter().map(|line| line.len()).sum();
    let date = UNIX_EPOCH + Duration::from_secs(octets as u64);
    History {
        id: line(0).unwrap_or_default(),
        reference: "sip:1@store.example.org".to_owned(),
        size: octets as u64,
        expiry: date,
        subject: line(3),
        date,
        from: line(1).unwrap_or_default(),
        to: line(2).unwrap_or_default(),
        authenticated: line(2),
    }
}

/// What XML cannot hold is replaced.
fn of_xml(text: &str) -> String {
    let replaced = |c: char| match c {
        '\t' | '\n' | '\r' => c,
        '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c => c,
    };
    text.chars().map(replaced).collect()
}
