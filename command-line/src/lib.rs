//! What every command line of ours does alike: it writes its own completions and manual pages, from the same
//! definition that reads what is typed.
//!
//! It knows none of the commands, and touches no more than the files that it writes.

mod page;

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;

pub use page::Section;

/// The arguments of `completions`.
#[derive(Clone, Copy, Debug, Args)]
pub struct Completions {
    /// The shell that shall complete
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    /// What the shell is to read, for this command line.
    #[must_use]
    pub fn of(&self, mut command: Command) -> Vec<u8> {
        let name = command.get_name().to_owned();
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut command, name, &mut text);
        text
    }
}

/// The arguments of `man`.
#[derive(Clone, Debug, Args)]
pub struct Man {
    /// The folder to write the pages to; it is made if it is missing
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

impl Man {
    /// Writes a page for this command line, and one for each of its commands.
    ///
    /// # Errors
    /// The file that cannot be written, and why.
    pub fn write(&self, command: Command, section: Section) -> io::Result<()> {
        let unwritten = |path: &Path, error: &io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        };
        std::fs::create_dir_all(&self.out).map_err(|error| unwritten(&self.out, &error))?;
        for (name, text) in page::pages(command, section)? {
            let path = self.out.join(name);
            std::fs::write(&path, text).map_err(|error| unwritten(&path, &error))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ValueEnum as _};

    use super::*;

    fn tree() -> Command {
        Command::new("lamp")
            .version("1.0")
            .about("Light a room")
            .arg(Arg::new("room").long("room").global(true))
            .subcommand(
                Command::new("bulb")
                    .about("About bulbs")
                    .subcommand(Command::new("change").about("Put in another")),
            )
            .subcommand(Command::new("secret").hide(true))
    }

    #[test]
    fn every_shell_completes_every_command() {
        for shell in Shell::value_variants() {
            let text = Completions { shell: *shell }.of(tree());
            let text = String::from_utf8(text).expect("text");
            for word in ["lamp", "bulb", "change", "room"] {
                assert!(text.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn every_command_that_is_shown_has_a_page() {
        let folder = tempfile::tempdir().expect("a folder");
        let man = Man {
            out: folder.path().join("new/folder"),
        };
        man.write(tree(), Section::Administration).expect("written");
        let files = std::fs::read_dir(&man.out).expect("a folder");
        let mut names: Vec<_> = files
            .map(|file| file.expect("a file").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["lamp-bulb-change.8", "lamp-bulb.8", "lamp.8"]);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let man = Man {
            out: file.path().join("man"),
        };
        let error = man.write(tree(), Section::User).expect_err("it is a file");
        let named = man.out.display().to_string();
        assert!(error.to_string().starts_with(&named), "{error}");
    }
}
