//! Every example of `restantectl` in docs/operations.md and docs/tls.md is run against a deployment, and every command has one.

use std::path::Path;

use proto::v1::{Group, GroupMember};
use restante_tests::binaries::binary;
use restante_tests::patience::{START, eventually};
use restante_tests::run::{Ended, command, run};
use restante_tests::sip::{RequestText, Transport, Way, fresh};
use restante_tests::{Deployment, Scene, somebody, uri};
use tempfile::TempDir;

/// What stands for a message in the document.
const MESSAGE: &str = "1795230000000000@mailserver1.example.org";
/// What stands for a job.
const JOB: &str = "1795230000000042";
/// How another machine is reached.
const ELSEWHERE: &str =
    "--server https://store.example.org:7401 --ca authority.pem --cert anna.pem --key anna.key";

/// Commands that go on until they are interrupted.
const FOLLOWING: [&str; 3] = [
    "restantectl watch",
    "restantectl events watch",
    "restantectl trace",
];

/// Ends a command that goes on, by exit code 124.
const TIME_LIMIT: &str = "timeout 2 ";
const STILL_RUNNING: i32 = 124;

/// Lines of shell that use `restantectl`, continued ones joined.
fn examples() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let document = ["operations.md", "tls.md"]
        .map(|name| std::fs::read_to_string(folder.join(name)).expect("a document of ours"));
    let document = document.concat().replace("\\\n", " ");
    let mut is_shell = false;
    let mut examples = Vec::new();
    for line in document.lines() {
        match line {
            "```sh" => is_shell = true,
            line if line.starts_with("```") => is_shell = false,
            line if is_shell && line.starts_with("restantectl ") => examples.push(line.to_owned()),
            _ => {}
        }
    }
    examples
}

/// All commands of a program that have none below them, such as ` user alias add`.
pub(crate) async fn commands(program: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![String::new()];
    while let Some(path) = open.pop() {
        let mut help = command(program);
        help.args(path.split_whitespace()).arg("--help");
        let help = run(help).await.done().output;
        let list = help.split("\nCommands:\n").nth(1);
        let list = list.map(|list| list.split("\n\n").next().unwrap_or_default());
        let below: Vec<_> = list.unwrap_or_default().lines().filter_map(name).collect();
        match below.is_empty() {
            true => found.push(path),
            false => open.extend(below.into_iter().map(|name| format!("{path} {name}"))),
        }
    }
    found
}

/// The command that a line of a help text is about.
fn name(line: &str) -> Option<&str> {
    let line = line.strip_prefix("  ")?;
    let name = line
        .split_whitespace()
        .next()
        .filter(|_| !line.starts_with(' '))?;
    (name != "help").then_some(name)
}

/// A deployment in which examples succeed.
struct Stage {
    scene: Scene,
    /// To the controlling edge.
    controlling: Way,
    folder: TempDir,
}

impl Stage {
    async fn build() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let backups = folder.path().join("backups");
        let plan = Deployment::all()
            .set("events.enabled", "true")
            .set(
                "maintenance.backups",
                backups.to_str().expect("a path in UTF-8"),
            )
            .set("storage.master_keys", &format!("1:{}", "5e".repeat(32)));
        let scene = Scene::start(plan).await;
        let address = scene.deployment.address("controlling-edge.listen_tcp");
        let controlling = scene.core.way(Transport::Tcp, address).await;
        let members = "dave@example.org\nerin@example.org\n";
        std::fs::write(folder.path().join("more-members.txt"), members).expect("written");
        let silo = "id,src_addr,dst_addr,inc_time,exp_time,body\n\
            1,sip:alice@example.org,sip:bob@example.org,1700000000,4102444800,Lunch?\n";
        std::fs::write(folder.path().join("silo.csv"), silo).expect("written");
        Self {
            scene,
            controlling,
            folder,
        }
    }

    /// Runs a line as the shell does, with `restantectl` reaching the deployment.
    async fn shell(&self, line: &str) -> Ended {
        let binaries = binary("restantectl");
        let binaries = binaries.parent().expect("a folder of binaries");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = tokio::process::Command::new("sh");
        shell
            .args(["-c", line])
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{path}", binaries.display()))
            .env(
                "RESTANTE_SERVER",
                self.scene.deployment.url("storage.operator_listen"),
            );
        run(shell).await
    }

    /// What the placeholders of a line are to be, and what must be there for it to succeed.
    async fn set(&mut self, line: &str) -> String {
        // It may have been deleted by the line before.
        self.shell("restantectl user add bob@example.org")
            .await
            .done();
        if ["user delete", "user erase"]
            .iter()
            .any(|command| line.contains(command))
        {
            let purge = "restantectl purge --to bob@example.org --yes";
            self.shell(purge).await.done();
        }
        let mut line = line.replace(ELSEWHERE, "");
        if line.starts_with("restantectl push ") && !line.contains("--force") {
            let user = somebody();
            self.scene.deposit_text(&user, "Lunch?").await;
            self.scene.register(&user).await;
            line = line.replace("sip:bob@example.org", &uri(&user));
        }
        if line.contains(MESSAGE) {
            let id = self.message(&line).await;
            line = line.replace(MESSAGE, &id);
        }
        if line.contains(JOB) {
            let job = self.job().await;
            line = line.replace(JOB, &job.to_string());
        }
        line
    }

    /// A message that the command works on.
    async fn message(&mut self, line: &str) -> String {
        if !line.contains(" redeliver ") {
            return self.scene.deposit_text("bob", "Lunch?").await.message_id;
        }
        let user = somebody();
        let id = self.scene.deposit_text(&user, "Lunch?").await.message_id;
        self.scene.register(&user).await;
        self.scene.receive(&user, 1).await;
        let is_delivered = async || {
            let listed = format!(
                "restantectl list --to {} --state delivered -o jsonl",
                uri(&user)
            );
            let listed = self.shell(&listed).await.done().records();
            (!listed.is_empty()).then_some(())
        };
        eventually(START, "its delivery", is_delivered).await;
        id
    }

    /// A message to a group whose member does not answer.
    async fn job(&mut self) -> u64 {
        let team = uri(&format!("team-{}", fresh()));
        let group = Group {
            uri: team.clone(),
            members: vec![GroupMember {
                uri: uri(&somebody()),
                display_name: String::new(),
            }],
            non_members_may_send: true,
            ..Group::default()
        };
        self.scene.operator.create_group(group).await;
        let request = RequestText::new(&format!(
            "MESSAGE {team} SIP/2.0
            Via: {{hop}}
            Max-Forwards: 68
            From: \"Alice\" <sip:alice@example.org>;tag={}
            To: <{team}>
            Call-ID: {}@198.51.100.7
            CSeq: 1 MESSAGE
            Accept-Contact: *;+g.oma.sip-im
            P-Asserted-Identity: \"Alice\" <sip:alice@example.org>
            Content-Type: text/plain
            Content-Length: 0",
            fresh(),
            fresh()
        ));
        let request = request.body("text/plain;charset=utf-8", "Stand-up moved to 10:30.");
        let answer = self.scene.core.call(&self.controlling, &request).await;
        assert_eq!(answer.response.status(), Some(202), "{}", answer.response);
        let jobs = self
            .shell("restantectl job list --state running -o jsonl")
            .await
            .done();
        let jobs = jobs.records();
        let ours = jobs.iter().find(|job| job["addressed_to"] == team.as_str());
        ours.and_then(|job| job["job"].as_u64()).expect("the job")
    }
}

#[tokio::test]
async fn every_example_of_the_operators_manual_succeeds() {
    let mut stage = Stage::build().await;
    let mut failed = Vec::new();
    for example in examples() {
        let line = stage.set(&example).await;
        let is_following = FOLLOWING.iter().any(|command| line.starts_with(command));
        let ended = match is_following {
            true => stage.shell(&format!("{TIME_LIMIT}{line}")).await,
            false => stage.shell(&line).await,
        };
        let is_well = match is_following {
            true => matches!(ended.code, Some(0 | STILL_RUNNING)),
            false => ended.code == Some(0),
        };
        if !is_well {
            failed.push(format!(
                "{example}\n  {:?} {}{}",
                ended.code, ended.output, ended.errors
            ));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[tokio::test]
async fn every_command_has_an_example_in_the_operators_manual() {
    let examples = examples();
    let commands = commands("restantectl").await;
    assert!(commands.len() > 40, "the help is understood: {commands:?}");
    let is_shown = |command: &&String| {
        let command = format!("restantectl{command} ");
        examples
            .iter()
            .any(|example| format!("{example} ").contains(&command))
    };
    let missing: Vec<_> = commands
        .iter()
        .filter(|command| !is_shown(command))
        .collect();
    assert!(
        missing.is_empty(),
        "no example in docs/operations.md: {missing:?}"
    );
}
