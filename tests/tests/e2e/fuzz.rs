//! The fuzz targets, as `scripts/fuzz` runs them. It needs the nightly toolchain, and says so without.

use std::path::Path;
use std::process::Command;

#[test]
#[ignore = "long: 20 s of each fuzz target, and a build of all crates for them"]
fn ct_rob_06_nothing_that_is_read_panics() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(root.join("scripts/fuzz"))
        .args(["--seconds", "20"])
        .output()
        .expect("a script of ours");
    let [said, complaints] = [output.stdout, output.stderr].map(|octets| {
        let text = String::from_utf8_lossy(&octets).into_owned();
        println!("{text}");
        text
    });
    assert!(output.status.success(), "{said}{complaints}");
    let targets = said.lines().filter(|line| line.ends_with(" ok")).count();
    assert!(targets > 0, "no target has run");
}
