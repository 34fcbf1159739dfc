//! Scripts, in surroundings that are made for them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use restante_tests::run::{Ended, command, run};
use tempfile::TempDir;
use tokio::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Programs that do what the test says, found before those of the system.
struct Programs(TempDir);

impl Programs {
    fn new(programs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, script) in programs {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
        }
        Self(folder)
    }

    /// Runs a script of the project with them.
    async fn run(&self, script: &Path, argument: &str) -> Ended {
        let others = std::env::var("PATH").unwrap_or_default();
        let mut script = Command::new(script);
        script
            .arg(argument)
            .env("PATH", format!("{}:{others}", self.0.path().display()));
        run(script).await
    }
}

#[tokio::test]
async fn keys_for_containers_want_the_image_before_anything_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys");
    let programs = Programs::new(&[("id", "echo 1000"), ("docker", "exit 1")]);
    let script = root().join("scripts/secure-keys");
    let ended = programs.run(&script, &keys.display().to_string()).await;
    assert_eq!(ended.code, Some(69), "{}", ended.errors);
    let told = "docker compose build";
    assert!(ended.errors.contains(told), "{}", ended.errors);
    assert!(!keys.exists(), "it can be called again");
}

/// A package that is purged, with its folders elsewhere.
struct Purged {
    folder: TempDir,
    script: PathBuf,
}

impl Purged {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = root().join("deploy/debian/restante/postrm");
        let text = fs::read_to_string(path).expect("the script");
        let mut elsewhere = text.clone();
        for place in ["/var/lib/restante", "/etc/systemd/system", "/run/systemd"] {
            assert!(text.contains(place), "{place}");
            let other = format!("{}{place}", folder.path().display());
            elsewhere = elsewhere.replace(place, &other);
        }
        let script = folder.path().join("postrm");
        fs::write(&script, elsewhere).expect("written");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("ours");
        fs::create_dir_all(folder.path().join("var/lib")).expect("a folder");
        Self { folder, script }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("var/lib/restante")
    }

    fn fill(folder: &Path) {
        fs::create_dir_all(folder.join("db/blobs")).expect("a folder");
        for name in ["format", "db/CURRENT", "db/blobs/.hidden", "with a space"] {
            fs::write(folder.join(name), "a message").expect("written");
        }
    }

    async fn purge(&self, programs: &[(&str, &str)]) -> Ended {
        Programs::new(programs).run(&self.script, "purge").await
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).expect("a folder").next().is_none()
}

#[tokio::test]
async fn a_purge_leaves_nothing_of_the_store() {
    let package = Purged::new();
    Purged::fill(&package.data());
    let ended = package.purge(&[]).await.done();
    assert_eq!(ended.errors, "");
    assert!(!package.data().exists());
    package.purge(&[]).await.done();
}

#[tokio::test]
async fn a_purge_empties_what_the_folder_is_a_link_to() {
    let package = Purged::new();
    let disk = package.folder.path().join("disk");
    Purged::fill(&disk);
    symlink(&disk, package.data()).expect("a link");
    package.purge(&[]).await.done();
    assert!(!package.data().is_symlink());
    assert!(is_empty(&disk), "the messages are gone");
}

#[tokio::test]
async fn a_purge_empties_a_mount_point_and_goes_on() {
    let package = Purged::new();
    Purged::fill(&package.data());
    let wants = package
        .folder
        .path()
        .join("etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wants).expect("a folder");
    let unit = wants.join("restante-storage.service");
    fs::write(&unit, "").expect("written");
    // As the system refuses to remove a folder that something is mounted on.
    let busy = [("rmdir", "echo busy >&2; exit 1")];
    let ended = package.purge(&busy).await.done();
    assert!(is_empty(&package.data()));
    assert!(ended.errors.contains("mount point"), "{}", ended.errors);
    assert!(!unit.exists(), "the rest of the purge is done");
}

#[tokio::test]
async fn the_ports_that_must_be_free_are_those_of_all_processes_in_one() {
    let mut config = command("restante");
    config.args(["config", "default"]);
    let config = run(config).await.done().output;
    let listeners = config.lines().filter_map(|line| {
        let (key, value) = line.trim_start_matches('#').split_once(" = ")?;
        let (_, port) = value.split_once("127.0.0.1:")?;
        let is_listener = key.contains("listen") && !key.contains(' ');
        let digits = port.trim_end_matches(|c: char| !c.is_ascii_digit());
        is_listener.then(|| digits.parse::<u16>().expect("a port"))
    });
    let mut ports: BTreeSet<_> = listeners.collect();
    // The only admin listener of one process is that of its first part.
    for edge in [9401, 9402] {
        assert!(ports.remove(&edge), "{ports:?}");
    }
    let script = fs::read_to_string(root().join("scripts/run")).expect("the script");
    let checked = script.lines().find_map(|line| {
        let ports = line.strip_prefix("for port in ")?.strip_suffix("; do")?;
        Some(ports.split(' ').map(|port| port.parse().expect("a port")))
    });
    assert_eq!(checked.expect("a loop").collect::<BTreeSet<u16>>(), ports);
}

#[test]
fn no_target_of_make_truncates_a_document_that_it_may_fail_to_write() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("ours");
    let straight = |line: &&str| line.contains(">docs/") || line.contains("> docs/");
    assert_eq!(makefile.lines().find(straight), None);
}
