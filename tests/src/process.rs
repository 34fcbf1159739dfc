//! A process under test: its log, its listeners, and its end.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::patience::{START, within};

/// Lines that a process wrote, growing while it runs.
#[derive(Clone, Debug)]
pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    /// Number of lines; closed when the process has closed its outputs.
    count: watch::Receiver<usize>,
}

impl Log {
    fn follow(output: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (sender, count) = watch::channel(0);
        let writer = Arc::clone(&lines);
        tokio::spawn(async move {
            let mut output = BufReader::new(output).lines();
            while let Ok(Some(line)) = output.next_line().await {
                writer.lock().expect("nobody panics with it").push(line);
                sender.send_modify(|count| *count += 1);
            }
        });
        Self { lines, count }
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("nobody panics with it").clone()
    }

    /// Lines so far that are JSON objects.
    pub fn events(&self) -> Vec<Value> {
        let lines = self.lines();
        lines
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Waits until `wanted` finds something in an event; `None` if the process ends before.
    pub async fn find<T>(&self, wanted: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let mut count = self.count.clone();
        loop {
            let is_open = count.has_changed().is_ok();
            count.borrow_and_update();
            if let Some(found) = self.events().iter().find_map(&wanted) {
                return Some(found);
            }
            if !is_open || count.changed().await.is_err() {
                return self.events().iter().find_map(&wanted);
            }
        }
    }

    /// Waits for lines beyond the first `seen`; the number of lines then. Also returns when the
    /// process ends.
    pub async fn grown(&self, seen: usize) -> usize {
        let mut count = self.count.clone();
        // Closed means that no line will come any more.
        let _ = count.wait_for(|count| *count > seen).await;
        *count.borrow()
    }

    /// Waits until the process has closed its outputs.
    ///
    /// # Panics
    /// When it does not.
    pub async fn closed(&self) {
        let mut count = self.count.clone();
        within(START, "the end of a log", async {
            while count.changed().await.is_ok() {}
        })
        .await;
    }

    /// Number of lines so far.
    pub fn len(&self) -> usize {
        *self.count.borrow()
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: Log,
}

impl Process {
    /// Starts `command` with its standard error as log.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(name: &str, mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let log = Log::follow(child.stderr.take().expect("piped"));
        Self {
            name: name.to_owned(),
            child,
            log,
        }
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it has written.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it has been waited for.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it has not been waited for")
    }

    /// The address of a listener, as the process logs it when it is bound.
    ///
    /// # Panics
    /// When the process ends or stays silent about it.
    pub async fn listener(&self, listener: &str) -> SocketAddr {
        let wanted = |event: &Value| {
            let is_it = event["event"] == "process.listening" && event["listener"] == listener;
            is_it
                .then(|| event["address"].as_str()?.parse().ok())
                .flatten()
        };
        let what = format!("{} to listen as {listener}", self.name);
        let address = within(START, &what, self.log.find(wanted)).await;
        address.unwrap_or_else(|| {
            panic!(
                "{} ended before it had {listener}:\n{}",
                self.name,
                self.log.lines().join("\n")
            )
        })
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    ///
    /// # Panics
    /// When it does not go.
    pub async fn kill(&mut self) {
        self.start_kill();
        self.ended().await;
    }

    /// Kills it (SIGKILL) without waiting.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn start_kill(&mut self) {
        self.child.start_kill().expect("our own child");
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Asks it to read its configuration again (SIGHUP).
    pub fn hang_up(&self) {
        self.signal("HUP");
    }

    /// Has it stand still (SIGSTOP): its connections stay open and silent.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Has it go on (SIGCONT).
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        // The shell has `kill` built in; the program of that name is not on every system.
        let signal = format!("kill -{name} {}", self.id());
        let status = std::process::Command::new("sh")
            .args(["-c", &signal])
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "cannot signal {}",
            self.name
        );
    }

    /// How it ended.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ended(&mut self) -> ExitStatus {
        let what = format!("{} to end", self.name);
        let status = within(START, &what, self.child.wait()).await;
        status.expect("our own child")
    }
}
