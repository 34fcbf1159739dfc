//! The default file and the defaults are one thing.

use super::super::{Section, SectionDoc, conflicts, render_default};
use super::{Backoff, Common, Edge, Push, document, lines};

const ALL: [&SectionDoc; 4] = [&Push::DOC, &Edge::DOC, &Common::DOC, &Backoff::DOC];

fn assert_gives_the_defaults(text: &str) {
    let mut document = document(text);
    assert_eq!(document.read::<Common>(), Common::default());
    assert_eq!(document.read::<Push>(), Push::default());
    assert_eq!(document.read::<Backoff>(), Backoff::default());
    assert_eq!(document.read::<Edge>(), Edge::default());
    assert_eq!(lines(document), [""; 0]);
}

#[test]
fn an_empty_file_gives_the_defaults() {
    assert_gives_the_defaults("");
}

#[test]
fn the_default_file_gives_the_defaults_as_printed() {
    assert_gives_the_defaults(&render_default(&ALL));
}

#[test]
fn the_default_file_gives_the_defaults_with_every_key_in_force() {
    let printed = render_default(&ALL);
    let in_force = |line: &str| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => key.to_owned(),
        _ => line.to_owned(),
    };
    let text: Vec<_> = printed.lines().map(in_force).collect();
    let text = text.join("\n");
    assert!(text.contains("\nmax_refusals = 3"), "{text}");
    assert_gives_the_defaults(&text);
}

#[test]
fn the_default_file_describes_each_key_once() {
    let printed = render_default(&[&Backoff::DOC, &Common::DOC, &Push::DOC]);
    let expected = "\
# Configuration of Restante.
#
# Every key is shown with its default; remove the `#` before a key to change it.
# A key can also be set in the environment: [push] delay as RESTANTE_PUSH__DELAY.

# Keys that belong to no section.

# Domains served here.
# Takes a list, each element a text.
#domains = [\"example.org\", \"example.net\"]

# What the sweeper knows of pushes.
# When messages are pushed.
[push]

# Shared with the other struct of this section.
# Takes a duration with a unit, such as `500ms`, `30s`, `10m`, `24h` or `7d`.
#delay = \"1s\"

# Refusals until a message is given up.
# Takes a whole number from 0 to 255.
#max_refusals = 3

# Sessions open at one time.
# Takes a whole number from 0 to 65535.
#sessions = 256

# Time from a deposit to a push.
# Takes a duration with a unit, such as `500ms`, `30s`, `10m`, `24h` or `7d`, or `off`.
#on_deposit = \"off\"

# Share of the delay that is drawn by lot.
# Takes a number.
#jitter = 0.25
";
    assert_eq!(printed, expected);
}

#[test]
fn a_preset_yields_to_the_file() {
    for (text, expected) in [("", 7), ("[push]\nsessions = 9", 9)] {
        let mut document = document(text);
        document.preset("push.sessions", "7");
        assert_eq!(document.read::<Push>().sessions, expected);
        assert_eq!(lines(document), [""; 0]);
    }
}

crate::section! {
    /// A third view of the section, at odds with the others.
    pub(super) struct Odd in "push" {
        /// Another default.
        delay: std::time::Duration = "2s",
        /// Another type.
        sessions: u32 = 256,
        /// The same.
        max_refusals: u8 = 3,
    }
}

#[test]
fn keys_declared_twice_must_be_alike() {
    assert!(conflicts(&ALL).is_empty());
    let found: Vec<_> = conflicts(&[&Push::DOC, &Backoff::DOC, &Odd::DOC])
        .into_iter()
        .collect();
    assert_eq!(found, ["push.delay", "push.sessions"]);
}

crate::section! {
    /// Peers of a long list.
    struct Wide in "wide" {
        /// Names, more than fit on a line.
        names: Vec<String> = ["the-first-of-many-names-that-are-long", "the-second-of-many-names-that-are-long", "the-third-of-many-names-that-are-long", "the-fourth-of-many-names-that-are-long"],
    }
}

#[test]
fn a_list_that_does_not_fit_on_a_line_stays_in_its_comment() {
    let printed = render_default(&[&Wide::DOC, &Wide::DOC]);
    let lost = printed
        .lines()
        .find(|line| !line.is_empty() && !line.starts_with(['#', '[']));
    assert_eq!(lost, None, "{printed}");
    assert_eq!(
        printed.matches("# Peers of a long list.").count(),
        1,
        "{printed}"
    );
    let in_force = printed.replace("#names", "names");
    let mut document = document(&in_force);
    assert_eq!(document.read::<Wide>().names.len(), 4);
}
