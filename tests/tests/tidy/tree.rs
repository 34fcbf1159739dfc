//! The tracked files, and how offences are reported.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A tracked text file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Lines with their numbers from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    /// Lines of code that is not a test: neither in a `tests` module or folder nor below
    /// `#[cfg(test)]` followed by a module, nor a comment.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test = self
            .path
            .split('/')
            .any(|part| matches!(part, "tests" | "tests.rs"));
        let lines: Vec<&str> = self.text.lines().collect();
        let tests = lines.windows(2).position(|pair| {
            pair[0].trim() == "#[cfg(test)]"
                && pair[1].starts_with("mod ")
                && pair[1].ends_with('{')
        });
        let end = if is_test {
            0
        } else {
            tests.unwrap_or(lines.len())
        };
        let code = self.lines().take(end);
        code.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// An offence as `path:line: sentence`.
    pub(crate) fn offence(&self, line: usize, sentence: &str) -> String {
        format!("{}:{line}: {sentence}", self.path)
    }
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package is in the repository")
}

/// All tracked text files that are there.
pub(crate) fn tracked() -> Vec<File> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output();
    let output = output.expect("git is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let names = String::from_utf8(output.stdout).expect("paths are UTF-8");
    names.split_terminator('\0').filter_map(read).collect()
}

/// A file that is binary, or deleted but still tracked, is left out.
fn read(path: &str) -> Option<File> {
    let text = std::fs::read_to_string(root().join(PathBuf::from(path))).ok()?;
    Some(File {
        path: path.to_owned(),
        text,
    })
}

/// The tracked files with one of these extensions.
pub(crate) fn tracked_as(extensions: &[&str]) -> Vec<File> {
    let mut files = tracked();
    files.retain(|file| {
        let extension = file.path.rsplit_once('.').map(|(_, extension)| extension);
        extension.is_some_and(|extension| extensions.contains(&extension))
    });
    assert!(!files.is_empty(), "git tracks no file of {extensions:?}");
    files
}

/// Fails with every offence, or passes if there is none.
#[track_caller]
pub(crate) fn assert_none(rule: &str, offences: impl IntoIterator<Item = String>) {
    let offences: Vec<String> = offences.into_iter().collect();
    assert!(
        offences.is_empty(),
        "{rule}:\n  {}\n",
        offences.join("\n  ")
    );
}

#[test]
fn code_is_what_is_neither_test_nor_comment() {
    let text =
        "use a;\n// b\n#[cfg(test)]\nmod tests;\nfn c() {}\n#[cfg(test)]\nmod tests {\nd\n}\n";
    let code = |path| {
        let lines: Vec<_> = File::new(path, text).code().map(|(line, _)| line).collect();
        lines
    };
    assert_eq!(code("sip/src/lib.rs"), [1, 3, 4, 5]);
    assert_eq!(code("sip/src/layer/tests/machine.rs"), [0; 0]);
    assert_eq!(code("sip/src/layer/tests.rs"), [0; 0]);
}
