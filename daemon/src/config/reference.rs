//! The reference of all keys, for people who read.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::environment::Environment;
use super::section::{Change, KeyDoc, SectionDoc};

/// Prints a table for each section: every key with what it takes, its default, when a change of it takes effect, and its
/// meaning. With each section comes who reads it.
pub fn render_reference(head: &str, sections: &[(&str, &SectionDoc)]) -> String {
    let mut out = head.to_owned();
    let mut printed = BTreeSet::new();
    for (_, section) in sections {
        if printed.insert(section.name) {
            render_section(&mut out, section.name, sections);
        }
    }
    out
}

fn render_section(out: &mut String, name: &str, sections: &[(&str, &SectionDoc)]) {
    let parts = sections.iter().filter(|(_, section)| section.name == name);
    let title = match name {
        "" => "Top level".to_owned(),
        name => format!("[{name}]"),
    };
    let mut said = BTreeSet::new();
    let texts = parts.clone().filter(|(_, part)| said.insert(part.doc));
    let texts: Vec<_> = texts.map(|(_, part)| text(part.doc)).collect();
    let _ = write!(
        out,
        "\n## {title}\n\n{}\n\n| key | takes | default | change | read by | meaning |\n|---|---|---|---|---|---|\n",
        texts.join(" ")
    );
    let mut printed = BTreeSet::new();
    for key in parts.clone().flat_map(|(_, part)| part.keys) {
        if !printed.insert(key.name) {
            continue;
        }
        let has = |part: &&SectionDoc| part.keys.iter().any(|known| known.name == key.name);
        let readers = parts.clone().filter(|(_, part)| has(part));
        let mut readers: Vec<_> = readers.map(|(reader, _)| *reader).collect();
        readers.dedup();
        render_key(out, name, key, &readers.join(", "));
    }
}

fn render_key(out: &mut String, section: &str, key: &KeyDoc, readers: &str) {
    let default: Vec<_> = key.default.lines().map(str::trim).collect();
    let change = match key.change {
        Change::Restart => "restart",
        Change::Reload => "reload",
    };
    let secret = if key.secret {
        " A secret: it is never shown."
    } else {
        ""
    };
    let _ = writeln!(
        out,
        "| `{}` | {} | `{}` | {change} | {readers} | {}{secret} `{}` |",
        key.name,
        cell(&(key.expected)()),
        cell(&default.join(" ")),
        cell(&text(key.doc)),
        Environment::name_of(section, key.name),
    );
}

/// The lines of a description as one.
fn text(lines: &[&str]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ").trim().to_owned()
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Section;
    use crate::secret::Secret;

    crate::section! {
        /// For a test.
        struct Example in "example" {
            /// How long
            /// it rests.
            pause: u32 = 5 => Reload,
            /// Not to be seen.
            word: Option<Secret> = "off",
        }
    }

    #[test]
    fn each_key_has_a_row() {
        let sections = [("storage", &Example::DOC), ("sip-edge", &Example::DOC)];
        let text = render_reference("# Head\n", &sections);
        let expected = "# Head\n\n## [example]\n\nFor a test.\n\n\
            | key | takes | default | change | read by | meaning |\n|---|---|---|---|---|---|\n\
            | `pause` | a whole number from 0 to 4294967295 | `5` | reload | storage, sip-edge | How long it rests. `RESTANTE_EXAMPLE__PAUSE` |\n\
            | `word` | a secret of at least 16 octets, or `off` | `\"off\"` | restart | storage, sip-edge | Not to be seen. A secret: it is never shown. `RESTANTE_EXAMPLE__WORD` |\n";
        assert_eq!(text, expected);
    }
}
