//! Standards are cited in one spelling, `RFC 3261 §17.2.1`, so that a search finds every use.

use crate::tree::{File, assert_none, tracked_as};

/// Why the citation whose text after `RFC` is `after` is misspelt, if it is.
fn misspelling(after: &str) -> Option<&'static str> {
    let digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    if digit(after) || after.strip_prefix('-').is_some_and(digit) {
        return Some("`RFC` and its number are two words");
    }
    let number = after.strip_prefix(' ').filter(|number| digit(number))?;
    let rest = number.trim_start_matches(|c: char| c.is_ascii_digit());
    let words = rest.trim_start_matches([',', ' ']);
    let section = ["section", "Section", "sec.", "Sec.", "s."];
    if section.iter().any(|word| words.starts_with(word)) || bare_section(rest) {
        return Some("a section is written `§17.2.1`");
    }
    let sign = words.strip_prefix('§')?;
    let spaced = rest.strip_prefix(" §").is_some() && digit_or_appendix(sign);
    (!spaced).then_some("a section follows its RFC as in `RFC 3261 §17.2.1`")
}

/// ` 17.2`: a section without its sign.
fn bare_section(rest: &str) -> bool {
    let number = rest.strip_prefix(' ').unwrap_or_default();
    let after = number.trim_start_matches(|c: char| c.is_ascii_digit());
    let fraction = after.strip_prefix('.').unwrap_or_default();
    after.len() < number.len() && fraction.starts_with(|c: char| c.is_ascii_digit())
}

fn digit_or_appendix(section: &str) -> bool {
    section.starts_with(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase())
}

/// The part of a line in which citations are prose: all of a document, the comment of a source.
fn prose<'a>(file: &File, line: &'a str) -> &'a str {
    if file.path.ends_with(".md") {
        return line;
    }
    line.split_once("//")
        .map(|(_, comment)| comment)
        .unwrap_or_default()
}

fn misspelt(file: &File) -> Vec<String> {
    let mut offences = Vec::new();
    for (number, line) in file.lines() {
        let prose = prose(file, line);
        let cited = prose
            .match_indices("RFC")
            .map(|(at, word)| &prose[at + word.len()..]);
        offences.extend(
            cited
                .filter_map(misspelling)
                .map(|why| file.offence(number, why)),
        );
    }
    offences
}

#[test]
fn citations_have_one_spelling() {
    let offences: Vec<_> = tracked_as(&["rs", "proto", "md"])
        .iter()
        .flat_map(misspelt)
        .collect();
    assert_none("misspelt citations", offences);
}

#[test]
fn the_one_spelling_is_accepted() {
    for text in [
        "RFC 3261 §17.2.1",
        "RFC 3261 §17.2.1).",
        "RFC 3261, which §17 of",
        "RFC 3261 Figure 7",
        "RFC 3261 §A",
        "the RFCs",
        "RFC 3261.",
        "RFC 6026 with 64 of T1",
    ] {
        assert_eq!(misspelt(&File::new("a.md", text)), [""; 0], "{text}");
    }
}

#[test]
fn other_spellings_are_found() {
    for text in [
        "RFC3261 §17",
        "RFC-3261",
        "RFC 3261 section 17",
        "RFC 3261, Section 17",
        "RFC 3261 17.2.1",
        "RFC 3261, §17",
        "RFC 3261§17",
        "RFC 3261 § 17",
    ] {
        let comment = format!("let a = b; // as in {text}");
        assert_eq!(misspelt(&File::new("a.rs", &comment)).len(), 1, "{text}");
    }
    assert_eq!(
        misspelt(&File::new("a.rs", "let a = \"RFC3261\";")),
        [""; 0]
    );
}
