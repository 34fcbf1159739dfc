//! Whatever a sender gives as a list of recipients: it is refused, or those who are read are within the bounds, and
//! read the same once written, but for those who are not to be named: they are counted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use xcap::resource_lists::{CopyControl, Entry, Limits, read, write};

const LIMITS: Limits = Limits { entries: 20 };
/// What is written has a line more for each kind of copy, and escapes make it longer.
const AGAIN: Limits = Limits { entries: 500 };
const KINDS: [CopyControl; 3] = [CopyControl::To, CopyControl::Cc, CopyControl::Bcc];

fuzz_target!(|octets: &[u8]| {
    let Ok(entries) = read(octets, LIMITS) else {
        return;
    };
    assert!(entries.len() <= LIMITS.entries);
    for entry in &entries {
        assert!(!entry.uri.is_empty() && entry.uri == entry.uri.trim());
    }
    let written = write(&entries);
    let again = read(written.as_bytes(), AGAIN).expect("we read what we write");
    let named: Vec<&Entry> = entries.iter().filter(|entry| !entry.anonymize).collect();
    assert!(again.len() <= named.len() + KINDS.len());
    assert!(again.iter().all(|entry| !entry.anonymize));
    let (names, counts) = again.split_at(named.len());
    assert!(names.iter().eq(named));
    for entry in counts {
        let kind = entry.copy_control;
        assert!(
            entries
                .iter()
                .any(|entry| entry.anonymize && entry.copy_control == kind)
        );
    }
});
