//! Whatever a peer sends as a message summary: it is refused, or what was read reads the same once written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::message_summary::MessageSummary;

fuzz_target!(|octets: &[u8]| {
    let Ok(text) = std::str::from_utf8(octets) else {
        return;
    };
    let Ok(read) = text.parse::<MessageSummary>() else {
        return;
    };
    let written = read.to_string();
    let again: MessageSummary = written.parse().expect("we read what we write");
    assert_eq!(again.is_waiting, read.is_waiting);
    assert_eq!(again.account, read.account);
    assert_eq!(again.counts, read.counts);
    let names = |summary: &MessageSummary| -> Vec<Vec<String>> {
        let blocks = summary.blocks.iter();
        blocks
            .map(|block| block.iter().map(|(name, _)| name.clone()).collect())
            .collect()
    };
    assert_eq!(names(&again), names(&read));
    // Control characters have become blanks, and those at the ends are gone: from then on nothing changes.
    assert_eq!(again.to_string().parse(), Ok(again));
});
