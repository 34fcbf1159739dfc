//! Where the binaries under test are: beside the test that runs.

use std::path::PathBuf;

/// The path of a binary of this workspace, built with the profile of the tests.
///
/// # Panics
/// When it is not there.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test knows its own path");
    // target/<profile>/deps/<test>
    let folder = test
        .ancestors()
        .nth(2)
        .expect("tests are in target/<profile>/deps");
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build --workspace --bins` first",
        path.display()
    );
    path
}
