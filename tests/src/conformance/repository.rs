//! The repository with its tests.

use std::path::Path;
use std::process::Command;

use super::test::{Test, tests};

/// Its root.
///
/// # Panics
/// Never: the package is in a folder of it.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package is in the repository")
}

/// The tests in the sources that git tracks, or would track, that are named after rows.
///
/// # Panics
/// Without git.
pub fn all_tests() -> Vec<Test> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .args(["-z", "*.rs"])
        .current_dir(root())
        .output();
    let output = output.expect("git is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let paths = String::from_utf8(output.stdout).expect("paths are UTF-8");
    let mut found = Vec::new();
    for path in paths.split_terminator('\0') {
        // One that is deleted but still tracked has no tests.
        let source = std::fs::read_to_string(root().join(path)).unwrap_or_default();
        found.extend(tests(path, &source));
    }
    found.sort_by(|one, other| (&one.path, &one.function).cmp(&(&other.path, &other.function)));
    found
}
