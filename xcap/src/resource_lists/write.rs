//! Writing a list: what a client sends, and the history that a URI-list service adds to each copy (CFP-15).

use std::fmt::Write as _;

use super::{COPY_CONTROL, CopyControl, Entry, RESOURCE_LISTS};
use crate::xml::escape;

/// Whom a history names in the place of those who are not to be named (RFC 5364 §6).
const ANONYMOUS: &str = "sip:anonymous@anonymous.invalid";

/// The document with these entries, in their order. Those who are not to be named are counted, once for each kind
/// of copy, behind the others.
#[must_use]
pub fn write(entries: &[Entry]) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<resource-lists xmlns=\"{RESOURCE_LISTS}\" \
         xmlns:cp=\"{COPY_CONTROL}\">\r\n<list>\r\n"
    );
    for entry in entries.iter().filter(|entry| !entry.anonymize) {
        line(&mut out, &entry.uri, entry.copy_control, "");
    }
    for copy_control in [CopyControl::To, CopyControl::Cc, CopyControl::Bcc] {
        let unnamed = entries
            .iter()
            .filter(|entry| entry.anonymize && entry.copy_control == copy_control)
            .count();
        if unnamed > 0 {
            line(
                &mut out,
                ANONYMOUS,
                copy_control,
                &format!(" cp:count=\"{unnamed}\""),
            );
        }
    }
    out.push_str("</list>\r\n</resource-lists>\r\n");
    out
}

fn line(out: &mut String, uri: &str, copy_control: CopyControl, rest: &str) {
    let (uri, copy_control) = (escape(uri), copy_control.as_str());
    // A String takes whatever is written to it.
    let _ = write!(
        out,
        "<entry uri=\"{uri}\" cp:copyControl=\"{copy_control}\"{rest}/>\r\n"
    );
}
