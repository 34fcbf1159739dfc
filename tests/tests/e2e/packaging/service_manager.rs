//! The test is the service manager: it reads what a process with `Type=notify` has to tell.

use std::path::PathBuf;
use std::time::Duration;

use restante_tests::patience::{ANSWER, START, within};
use restante_tests::process::Process;
use restante_tests::run::run;
use restante_tests::{Deployment, Part, http};
use tempfile::TempDir;
use tokio::net::UnixDatagram;

/// The longest notification of ours is far below.
const LONGEST: usize = 4096;

struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        Self {
            socket,
            path,
            folder,
        }
    }

    /// Starts a part under this manager, which wants a sign of life at least so often.
    fn start(&self, part: Part, watchdog: Option<Duration>) -> Process {
        let plan = Deployment::storage_alone();
        self.start_command(
            part,
            plan.stand_alone(part, &self.folder.path().join("data")),
            watchdog,
        )
    }

    fn start_command(
        &self,
        part: Part,
        mut command: tokio::process::Command,
        watchdog: Option<Duration>,
    ) -> Process {
        command.env("NOTIFY_SOCKET", &self.path);
        command.env_remove("WATCHDOG_PID");
        match watchdog {
            Some(limit) => command.env("WATCHDOG_USEC", limit.as_micros().to_string()),
            None => command.env_remove("WATCHDOG_USEC"),
        };
        Process::start(&format!("{part:?}"), command)
    }

    /// The next notification, as assignments.
    async fn next(&self) -> Vec<String> {
        let mut octets = [0; LONGEST];
        let received = within(START, "a notification", self.socket.recv(&mut octets)).await;
        lines(&octets[..received.expect("our own socket")])
    }

    /// All up to the first one with this assignment.
    async fn until(&self, wanted: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let told = self.next().await;
            let is_it = told.iter().any(|line| line.starts_with(wanted));
            seen.extend(told);
            if is_it {
                return seen;
            }
        }
    }

    /// What has come and was not read.
    fn waiting(&self) -> Vec<String> {
        let mut octets = [0; LONGEST];
        let mut seen = Vec::new();
        while let Ok(received) = self.socket.try_recv(&mut octets) {
            seen.extend(lines(&octets[..received]));
        }
        seen
    }
}

fn lines(octets: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(octets).expect("text");
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_manager_is_told_of_start_life_and_end() {
    let manager = Manager::new();
    let mut storage = manager.start(Part::Storage, Some(Duration::from_millis(100)));
    manager.until("READY=1").await;
    let admin = storage.listener("admin").await;
    let (status, _) = within(ANSWER, "an answer", http::fetch(admin, "/readyz"))
        .await
        .expect("it answers");
    assert_eq!(status, 200, "ready is what answers");
    for _ in 0..3 {
        let seen = manager.until("WATCHDOG=1").await;
        assert!(!seen.contains(&"READY=1".to_owned()), "once: {seen:?}");
    }
    storage.terminate();
    let seen = manager.until("STOPPING=1").await;
    let drain = Duration::from_secs(30 + 10).as_micros();
    let time = format!("EXTEND_TIMEOUT_USEC={drain}");
    assert!(seen.contains(&time), "{seen:?}");
    assert_eq!(storage.ended().await.code(), Some(0));
}

#[tokio::test]
async fn an_edge_is_ready_for_its_manager_when_its_storage_is_there() {
    let mut deployment = Deployment::storage_alone().start().await;
    let plan =
        Deployment::storage_alone().set("sip-edge.storage", &deployment.url("storage.listen"));
    deployment.terminate(Part::Storage).await;
    let manager = Manager::new();
    let command = plan.stand_alone(Part::SipEdge, &deployment.data());
    let edge = manager.start_command(Part::SipEdge, command, None);
    let is_waiting = |event: &serde_json::Value| {
        let state = event["state"].as_str()?;
        let is_it = event["condition"] == "sip-edge/storage" && state != "not ready: starting";
        is_it.then(|| state.to_owned())
    };
    let waiting = within(START, "an edge that waits", edge.log().find(is_waiting)).await;
    let waiting = waiting.expect("it runs");
    assert!(waiting.starts_with("not ready: "), "{waiting}");
    let mut early = manager.until(&format!("STATUS={waiting}")).await;
    early.extend(manager.waiting());
    assert!(!early.contains(&"READY=1".to_owned()), "{early:?}");

    deployment.launch(Part::Storage).await;
    let seen = manager.until("READY=1").await;
    assert!(seen.contains(&"READY=1".to_owned()), "{seen:?}");
    let admin = edge.listener("admin").await;
    let (status, _) = within(ANSWER, "an answer", http::fetch(admin, "/readyz"))
        .await
        .expect("it answers");
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_process_that_cannot_start_says_that_it_stops() {
    let manager = Manager::new();
    let mut command = Deployment::storage_alone().stand_alone(Part::Storage, "/proc/self".as_ref());
    command.env("NOTIFY_SOCKET", &manager.path);
    let ended = run(command).await;
    assert_eq!(ended.code, Some(74), "{}", ended.errors);
    let seen = manager.waiting();
    assert!(seen.contains(&"STOPPING=1".to_owned()), "{seen:?}");
    assert!(!seen.contains(&"READY=1".to_owned()), "{seen:?}");
}

#[tokio::test]
async fn a_manager_that_is_gone_keeps_nobody_from_serving() {
    let mut manager = Manager::new();
    manager.path = manager.folder.path().join("nobody");
    let mut storage = manager.start(Part::Storage, None);
    let is_ready = |event: &serde_json::Value| {
        let is_it = event["condition"] == "storage/store" && event["state"] == "ready";
        is_it.then_some(())
    };
    let ready = within(START, "a ready store", storage.log().find(is_ready)).await;
    assert!(ready.is_some(), "{:?}", storage.log().lines());
    storage.terminate();
    assert_eq!(storage.ended().await.code(), Some(0));
    let lines = storage.log().lines().join("\n");
    assert!(
        lines.contains("the service manager cannot be told"),
        "{lines}"
    );
}
