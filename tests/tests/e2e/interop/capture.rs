//! What passes on loopback, as tshark records it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use restante_tests::patience::START;
use restante_tests::process::Process;
use restante_tests::run::run;
use restante_tests::sip::fresh;
use restante_tests::{Deployment, LoopbackNet};
use tokio::net::UdpSocket;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

/// Between two looks at the file.
const PAUSE: Duration = Duration::from_millis(50);

/// A running record of everything to and from the addresses of a deployment.
pub(super) struct Capture {
    process: Process,
    file: PathBuf,
    host: IpAddr,
}

impl Capture {
    /// Records a deployment and its peers; nothing where this process may not.
    pub(super) async fn start(deployment: &Deployment) -> Option<Self> {
        let host = deployment.net().host(LoopbackNet::SERVER);
        let network = format!("net {host}/24").replace(".1/24", ".0/24");
        let file = deployment.scratch().join("story.pcapng");
        let mut command = Command::new("tshark");
        command.args(["-q", "-n", "-i", "lo", "-f", &network, "-w"]);
        command.arg(&file);
        let capture = Self {
            process: Process::start("tshark", command),
            file,
            host,
        };
        capture.is_up_to_date().await.then_some(capture)
    }

    /// Returns when everything that was sent before is in the file; whether it is.
    async fn is_up_to_date(&self) -> bool {
        let mark = fresh();
        let socket = UdpSocket::bind((self.host, 0)).await.expect("a free port");
        let end = Instant::now() + START;
        loop {
            // Discarded by whoever is there.
            let _ = socket.send_to(mark.as_bytes(), (self.host, 9)).await;
            let octets = std::fs::read(&self.file).unwrap_or_default();
            let has_mark = |window: &[u8]| window == mark.as_bytes();
            if octets.windows(mark.len()).any(has_mark) {
                return true;
            }
            let is_denied = |line: &String| line.contains("permission");
            if self.process.log().lines().iter().any(is_denied) {
                return false;
            }
            assert!(Instant::now() < end, "{:?}", self.process.log().lines());
            sleep(PAUSE).await;
        }
    }

    /// Ends it; the values of these fields in the frames that a filter selects, where traffic is read as `decode` says
    /// (`tcp.port==5060,sip`).
    pub(super) async fn stop(
        mut self,
        decode: &[String],
        filter: &str,
        fields: &[&str],
    ) -> Vec<Vec<String>> {
        assert!(self.is_up_to_date().await, "tshark went blind");
        self.process.terminate();
        self.process.ended().await;
        let mut command = Command::new("tshark");
        command.arg("-n").arg("-r").arg(&self.file);
        command.args(decode.iter().flat_map(|decode| ["-d", decode]));
        command.args(["-Y", filter, "-T", "fields"]);
        command.args(fields.iter().flat_map(|field| ["-e", field]));
        let output = run(command).await.done().output;
        let frame = |line: &str| line.split('\t').map(str::to_owned).collect();
        output.lines().map(frame).collect()
    }
}
