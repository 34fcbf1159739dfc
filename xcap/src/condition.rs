//! Conditional requests by entity tag (RFC 9110 §13, RFC 4825 §7.11).

/// What a request with conditions comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is carried out.
    Proceed,
    /// 304: the reader has it.
    NotModified,
    /// 412: it is not what the writer has seen.
    Failed,
}

/// Compares the conditions with the tag of a document that exists.
#[must_use]
pub fn evaluate(
    if_match: Option<&str>,
    if_none_match: Option<&str>,
    tag: &str,
    reads: bool,
) -> Verdict {
    if if_match.is_some_and(|listed| !lists(listed, tag, false)) {
        return Verdict::Failed;
    }
    match if_none_match.is_some_and(|listed| lists(listed, tag, true)) {
        true if reads => Verdict::NotModified,
        true => Verdict::Failed,
        false => Verdict::Proceed,
    }
}

/// Whether a list of quoted tags, or `*`, names this one. A weak tag matches only where that is
/// enough (RFC 9110 §8.8.3.2).
fn lists(listed: &str, tag: &str, weak_is_enough: bool) -> bool {
    let mut rest = listed.trim();
    if rest == "*" {
        return true;
    }
    while !rest.is_empty() {
        let (is_weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let Some((value, after)) = quoted
            .strip_prefix('"')
            .and_then(|open| open.split_once('"'))
        else {
            return false;
        };
        if value == tag && (weak_is_enough || !is_weak) {
            return true;
        }
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn conditions_decide_by_the_tag() {
        use Verdict::{Failed, NotModified, Proceed};
        let table = [
            (None, None, Proceed, Proceed),
            (Some("\"7\""), None, Proceed, Proceed),
            (Some("\"6\", \"7\""), None, Proceed, Proceed),
            (Some("*"), None, Proceed, Proceed),
            (Some("\"6\""), None, Failed, Failed),
            (Some("W/\"7\""), None, Failed, Failed),
            (Some("7"), None, Failed, Failed),
            (None, Some("\"7\""), NotModified, Failed),
            (None, Some("W/\"7\""), NotModified, Failed),
            (None, Some("\"6\",\"8\""), Proceed, Proceed),
            (None, Some("*"), NotModified, Failed),
        ];
        for (if_match, if_none_match, read, write) in table {
            let verdict = |reads| evaluate(if_match, if_none_match, "7", reads);
            assert_eq!(verdict(true), read, "{if_match:?} {if_none_match:?}");
            assert_eq!(verdict(false), write, "{if_match:?} {if_none_match:?}");
        }
    }

    proptest! {
        #[test]
        fn any_list_is_read(listed in ".{0,60}", tag in "[a-z]{0,4}") {
            let verdict = evaluate(Some(&listed), Some(&listed), &tag, true);
            prop_assert!(verdict != Verdict::Proceed || listed.contains('"'));
        }
    }
}
