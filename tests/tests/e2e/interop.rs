//! Programs of others that know nothing of us: phones (baresip) behind a core (Kamailio), all of Restante behind that core,
//! Wireshark's dissectors, a client by gRPC's reflection; and what such programs have sent, played again.

mod browser;
mod capture;
mod dissected;
mod failover;
mod groups;
mod ims;
mod ipv6;
mod kamailio;
mod msilo;
mod phones;
mod postgres;
pub(crate) mod prometheus;
mod quirks;
mod recorded;
mod reflection;
mod replayed;
mod site;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use restante_tests::patience::{START, within};
use restante_tests::process::Process;
use tokio::process;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether these programs are there. Without one of them the test is left out with a word, unless
/// `REQUIRE_INTEROP=1`.
pub(crate) fn are_there(programs: &[&str]) -> bool {
    let is_there = |program: &&&str| Command::new(program).arg("-h").output().is_ok();
    let missing = programs.iter().filter(|program| !is_there(program));
    let missing: Vec<_> = missing.copied().collect();
    is_satisfied(&missing.join(", "), missing.is_empty())
}

/// Whether a test can go on, for which this is needed. Where it is not there, it is left out with a word, unless
/// `REQUIRE_INTEROP=1`.
fn is_satisfied(need: &str, is_there: bool) -> bool {
    let is_required = std::env::var_os("REQUIRE_INTEROP").is_some_and(|value| value == "1");
    assert!(
        is_there || !is_required,
        "REQUIRE_INTEROP=1, and this is missing: {need}"
    );
    if !is_there {
        println!("LEFT OUT: this is missing: {need}");
    }
    is_there
}

/// A program that writes its log to standard output, line by line.
fn logging(name: &str, command: &str, arguments: &[&Path]) -> Process {
    let mut shell = process::Command::new("sh");
    shell.args(["-c", &format!("exec stdbuf -oL {command} 1>&2"), name]);
    shell.args(arguments);
    Process::start(name, shell)
}

/// A program with children of its own.
struct Parent(Option<Process>);

impl Parent {
    async fn stop(mut self) {
        let mut process = self.0.take().expect("it runs");
        process.terminate();
        process.ended().await;
    }
}

impl Drop for Parent {
    /// Killed at once it would leave its children behind.
    fn drop(&mut self) {
        if let Some(process) = &self.0 {
            process.terminate();
            let _ = Command::new("sleep").arg("1").status();
            println!("{}", process.log().lines().join("\n"));
        }
    }
}

/// Waits for a line that contains this, behind the first `seen`; the number of lines up to it.
async fn line(process: &Process, seen: usize, wanted: &str) -> usize {
    let log = process.log();
    let what = format!("{wanted:?} of {}", process.name());
    within(START, &what, async {
        loop {
            let lines = log.lines();
            let mut rest = lines.iter().skip(seen);
            if let Some(found) = rest.position(|line| line.contains(wanted)) {
                return seen + found + 1;
            }
            assert!(
                log.grown(lines.len()).await > lines.len(),
                "{} ended:\n{}",
                process.name(),
                log.lines().join("\n")
            );
        }
    })
    .await
}
