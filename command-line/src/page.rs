//! Manual pages: those of clap_mangen, with the notes at the end of a help text laid out as they were written.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

/// Of the manual of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Commands of everybody (1).
    User,
    /// Daemons and commands of administrators (8).
    Administration,
}

impl Section {
    fn digit(self) -> &'static str {
        match self {
            Self::User => "1",
            Self::Administration => "8",
        }
    }
}

/// The page of a command line and those of its commands, hidden ones left out: file name and text.
pub(crate) fn pages(command: Command, section: Section) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let version = command.get_version().unwrap_or_default();
    let source = format!("Restante {version}");
    let mut pages = Vec::new();
    let mut open = vec![&command];
    while let Some(command) = open.pop() {
        pages.push(page(command, section, &source)?);
        open.extend(
            command
                .get_subcommands()
                .filter(|below| !below.is_hide_set()),
        );
    }
    Ok(pages)
}

fn page(command: &Command, section: Section, source: &str) -> io::Result<(String, Vec<u8>)> {
    let man = Man::new(command.clone())
        .section(section.digit())
        .source(source)
        .manual("Restante");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        man.render_subcommands_section(&mut text)?;
    }
    if let Some(notes) = command.get_after_help() {
        laid_out(&notes.to_string()).to_writer(&mut text)?;
    }
    Ok((man.get_filename(), text))
}

/// Notes of a help text. A paragraph that begins with a line like `Examples:` is a section of that name; lines that are
/// indented stay lines, all others flow.
fn laid_out(notes: &str) -> Roff {
    let mut roff = Roff::new();
    for (place, paragraph) in notes.split("\n\n").map(str::trim_end).enumerate() {
        if paragraph.is_empty() {
            continue;
        }
        let (first, rest) = paragraph.split_once('\n').unwrap_or((paragraph, ""));
        let heading = first
            .strip_suffix(':')
            .filter(|_| rest.starts_with(char::is_whitespace));
        let body = match heading {
            Some(heading) => {
                roff.control("SH", [heading.to_uppercase().as_str()]);
                rest
            }
            None => {
                match place {
                    0 => roff.control("SH", ["NOTES"]),
                    _ => roff.control("PP", []),
                };
                paragraph
            }
        };
        lines(&mut roff, body);
    }
    roff
}

fn lines(roff: &mut Roff, body: &str) {
    let mut is_flowing = true;
    for line in body.lines() {
        let flows = !line.starts_with(char::is_whitespace);
        if flows != is_flowing {
            roff.control(if flows { "fi" } else { "nf" }, []);
            is_flowing = flows;
        }
        roff.text([roman(line)]);
    }
    if !is_flowing {
        roff.control("fi", []);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_sections_examples_and_paragraphs() {
        let notes = "Examples:\n  a one\n  a two\n\nIt flows\nover lines.\n\nExit codes: 0, 1.\n";
        let expected = ".SH EXAMPLES\n.nf\n  a one\n  a two\n.fi\n.PP\nIt flows\nover lines.\n.PP\nExit codes: 0, 1.\n";
        assert_eq!(laid_out(notes).to_roff(), expected);
        assert_eq!(laid_out("A note.").to_roff(), ".SH NOTES\nA note.\n");
    }

    #[test]
    fn a_page_says_where_it_is_from_and_what_the_command_does() {
        let command = Command::new("lamp")
            .version("1.0")
            .about("Light a room")
            .after_help("Examples:\n  lamp --on");
        let pages = pages(command, Section::User).expect("rendered");
        let (name, text) = pages.first().expect("one page");
        let text = String::from_utf8_lossy(text);
        assert_eq!(name, "lamp.1");
        for wanted in [
            ".TH lamp 1  \"Restante 1.0\" Restante",
            "lamp \\- Light a room",
            ".SH OPTIONS",
            ".SH EXAMPLES\n.nf\n  lamp \\-\\-on\n.fi",
        ] {
            assert!(text.contains(wanted), "{wanted} in\n{text}");
        }
    }
}
