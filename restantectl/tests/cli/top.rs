//! `top` on a terminal, which `script` plays.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::fake::{Fake, State};
use crate::sample::{service, status};

/// How long it may take to show something, and to end.
const PATIENCE: Duration = Duration::from_secs(20);

struct Terminal {
    child: Child,
    shown: Receiver<Vec<u8>>,
    text: String,
}

impl Terminal {
    /// `top` with what the shell makes its standard input.
    fn start(fake: &Fake, input: &str) -> Self {
        let binary = env!("CARGO_BIN_EXE_restantectl");
        // In the place of the shell, which else would be interrupted too, and say so with its own exit code.
        let line = format!(
            "exec {binary} --server {} top --every 50ms {input}",
            fake.url
        );
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let (sender, shown) = channel();
        thread::spawn(move || {
            let mut piece = [0; 4_096];
            while let Ok(count @ 1..) = output.read(&mut piece) {
                let _ = sender.send(piece[..count].to_vec());
            }
        });
        let text = String::new();
        let mut terminal = Self { child, shown, text };
        terminal.wait_for("q quits");
        terminal
    }

    fn wait_for(&mut self, text: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.text.contains(text) {
            let left = until.saturating_duration_since(Instant::now());
            let piece = self.shown.recv_timeout(left);
            let piece = piece.unwrap_or_else(|_| panic!("no {text:?} in: {}", self.text));
            self.text.push_str(&String::from_utf8_lossy(&piece));
        }
    }

    fn press(&mut self, keys: &[u8]) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(keys).and_then(|()| input.flush()).unwrap();
    }

    /// Its exit code.
    fn end(mut self) -> Option<i32> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            if Instant::now() > until {
                self.child.kill().unwrap();
                panic!("it does not end, and showed: {}", self.text);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn well() -> State {
    State {
        status: status(),
        ..service(2)
    }
}

fn draining(fake: &Fake) {
    let refusal = tonic::Status::unavailable("draining");
    fake.state().refusals.insert("status".to_owned(), refusal);
}

#[test]
fn a_key_ends_it() {
    let fake = Fake::start(well());
    let mut terminal = Terminal::start(&fake, "");
    terminal.press(b"q");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn a_server_that_goes_away_ends_it_and_is_told_of() {
    let fake = Fake::start(well());
    let mut terminal = Terminal::start(&fake, "");
    draining(&fake);
    terminal.wait_for("is not available now: draining");
    assert_eq!(terminal.end(), Some(69));
}

#[test]
fn without_keys_an_interrupt_ends_it() {
    let fake = Fake::start(well());
    let mut terminal = Terminal::start(&fake, "</dev/null");
    terminal.press(b"\x03");
    assert_eq!(terminal.end(), Some(0));
}
