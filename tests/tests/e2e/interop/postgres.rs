//! A PostgreSQL server as Debian ships it, with Kamailio's tables.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use restante_tests::patience::{START, within};
use restante_tests::process::Process;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::sleep;

use super::PAUSE;

/// Where it listens.
const PORT: u16 = 5432;

/// Where Kamailio's package has its tables.
const TABLES: &str = "/usr/share/kamailio/postgres";

/// Programs of the newest version that is there.
pub(super) fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let versions = versions.flatten().map(|version| version.path());
    let newest = versions.max_by_key(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.parse::<u32>().ok())
    })?;
    let is_there =
        newest.join("bin/initdb").exists() && Path::new(TABLES).join("msilo-create.sql").exists();
    is_there.then(|| newest.join("bin"))
}

/// A server with a database `kamailio` and the tables of msilo in it.
pub(super) struct Postgres {
    process: Option<Process>,
    programs: PathBuf,
    host: IpAddr,
    _folder: TempDir,
}

impl Postgres {
    /// Starts one at this address, with its defaults: it syncs what it commits.
    pub(super) async fn start(programs: PathBuf, host: IpAddr) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        // It refuses to run as root.
        let prepare = "chmod 755 \"$1\"; if [ \"$(id -u)\" = 0 ]; then install -d -m 700 -o postgres \"$2\"; else mkdir -m 700 \"$2\"; fi";
        let mut shell = Command::new("sh");
        shell
            .args(["-c", prepare, "prepare"])
            .arg(folder.path())
            .arg(&data);
        done(shell).await;
        let mut initdb = as_postgres(&programs.join("initdb"));
        initdb
            .args(["-A", "trust", "-U", "postgres", "-D"])
            .arg(&data);
        done(initdb).await;
        let mut server = as_postgres(&programs.join("postgres"));
        server.arg("-D").arg(&data);
        server.args([
            "-p",
            &PORT.to_string(),
            "-c",
            &format!("listen_addresses={host}"),
        ]);
        server.args(["-c", "unix_socket_directories="]);
        // Trust is for loopback alone, which every address of the tests is.
        let this = Self {
            process: Some(Process::start("postgres", server)),
            programs,
            host,
            _folder: folder,
        };
        within(START, "PostgreSQL", async {
            while TcpStream::connect((host, PORT)).await.is_err() || !this.answers().await {
                sleep(PAUSE).await;
            }
        })
        .await;
        this.sql("postgres", "CREATE ROLE kamailio LOGIN PASSWORD 'kamailio'")
            .await;
        this.sql("postgres", "CREATE DATABASE kamailio OWNER kamailio")
            .await;
        for table in ["standard", "msilo"] {
            let mut psql = this.psql("kamailio", "kamailio");
            psql.arg("-f").arg(format!("{TABLES}/{table}-create.sql"));
            done(psql).await;
        }
        this
    }

    /// Where its database is.
    pub(super) fn url(&self) -> String {
        format!("postgres://kamailio@{}:{PORT}/kamailio", self.host)
    }

    /// What a statement answers, without decoration.
    pub(super) async fn sql(&self, database: &str, statement: &str) -> String {
        let mut psql = self.psql("postgres", database);
        psql.args(["-c", statement]);
        done(psql).await
    }

    async fn answers(&self) -> bool {
        let mut psql = self.psql("postgres", "postgres");
        let asked = psql.args(["-c", "SELECT 1"]).output().await;
        asked.is_ok_and(|asked| asked.status.success())
    }

    fn psql(&self, user: &str, database: &str) -> Command {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args([
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-p",
            &PORT.to_string(),
        ]);
        psql.args(["-h", &self.host.to_string(), "-U", user, "-d", database]);
        psql
    }

    /// Ends it, once nobody is connected any more.
    pub(super) async fn stop(mut self) {
        let mut process = self.process.take().expect("it runs");
        process.terminate();
        process.ended().await;
    }
}

/// A program of the server, as the user that it wants.
fn as_postgres(program: &Path) -> Command {
    let mut shell = Command::new("sh");
    let as_user = "if [ \"$(id -u)\" = 0 ]; then exec setpriv --reuid=postgres --regid=postgres --init-groups \"$@\"; else exec \"$@\"; fi";
    shell.args(["-c", as_user, "as_postgres"]).arg(program);
    // Somewhere that this user may be.
    shell.current_dir("/");
    shell
}

/// Runs a command that must succeed; what it said.
async fn done(mut command: Command) -> String {
    let what = format!("{command:?}");
    let ended = within(START, &what, command.output()).await;
    let ended = ended.unwrap_or_else(|error| panic!("{what}: {error}"));
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{what}: {errors}");
    String::from_utf8_lossy(&ended.stdout).trim().to_owned()
}
