//! Real signals, sent to a child process: this test binary run again with one of its tests.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use restante_daemon::shutdown;
use tokio_util::sync::CancellationToken;

/// Set in the child, where the test plays the part of the process.
const CHILD: &str = "SHUTDOWN_TEST_CHILD";

/// The process under test: says when it listens and when it drains, and then hangs if told to.
fn play(part: &str) {
    let token = CancellationToken::new();
    shutdown::on_signals(&token).expect("signals");
    println!("listening");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(token.cancelled());
    println!("draining");
    if part == "hang" {
        loop {
            std::thread::park();
        }
    }
}

struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Runs the test `name` of this binary as `part`, up to the moment it listens.
    fn start(name: &str, part: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", name, "--nocapture", "--test-threads=1"])
            .env(CHILD, part)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut process = Self { child, lines };
        process.wait_for("listening");
        process
    }

    fn wait_for(&mut self, word: &str) {
        let mut lines = self.lines.by_ref().map(|line| line.expect("UTF-8"));
        assert!(
            lines.any(|line| line.ends_with(word)),
            "the child never said {word}"
        );
    }

    fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh")
            .args(["-c", &command])
            .status()
            .expect("a shell");
        assert!(status.success());
    }

    fn end(mut self) -> ExitStatus {
        self.child.wait().expect("it was started")
    }
}

#[test]
fn sigterm_starts_the_drain() {
    if let Ok(part) = std::env::var(CHILD) {
        return play(&part);
    }
    let mut process = Process::start("sigterm_starts_the_drain", "finish");
    process.signal("TERM");
    process.wait_for("draining");
    assert!(process.end().success());
}

#[test]
fn sigint_starts_the_drain() {
    if let Ok(part) = std::env::var(CHILD) {
        return play(&part);
    }
    let mut process = Process::start("sigint_starts_the_drain", "finish");
    process.signal("INT");
    process.wait_for("draining");
    assert!(process.end().success());
}

#[test]
fn a_second_signal_ends_a_process_that_hangs() {
    if let Ok(part) = std::env::var(CHILD) {
        return play(&part);
    }
    let mut process = Process::start("a_second_signal_ends_a_process_that_hangs", "hang");
    process.signal("TERM");
    process.wait_for("draining");
    process.signal("INT");
    assert_eq!(process.end().code(), Some(130));
}
