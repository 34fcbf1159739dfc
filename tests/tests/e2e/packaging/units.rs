//! The units in `deploy/systemd`, as `systemd-analyze` judges them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use restante_tests::binaries::binary;
use restante_tests::run::{Ended, command, run};
use tempfile::TempDir;
use tokio::process::Command;

use crate::interop::are_there;

const UNITS: [&str; 5] = [
    "restante-storage.service",
    "restante-sip-edge.service",
    "restante-sip-edge@.service",
    "restante-controlling-edge.service",
    "restante-controlling-edge@.service",
];
/// What they have in common.
const COMMON: &str = "restante-.service.d/10-common.conf";
/// What instances have of their own, and the unit that it belongs to.
const INSTANCES: [(&str, &str); 2] = [
    (
        "restante-sip-edge@.service",
        "restante-sip-edge@.service.d/20-instance.conf",
    ),
    (
        "restante-controlling-edge@.service",
        "restante-controlling-edge@.service.d/20-instance.conf",
    ),
];
/// Where the package has the binary.
const PACKAGED: &str = "/usr/bin/restante";
/// The most exposure that `systemd-analyze security` may see, in tenths; 100 is a unit without any hardening.
const EXPOSURE: u8 = 20;

fn deployed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd")
}

/// The units, for a binary that is there, beside those of the system.
struct Units(TempDir);

impl Units {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let binary = binary("restante").display().to_string();
        let own = INSTANCES.map(|(_, file)| file);
        for name in UNITS.iter().chain([&COMMON]).chain(&own) {
            let text = std::fs::read_to_string(deployed().join(name)).expect("a unit");
            let text = text.replace(PACKAGED, &binary);
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("written");
        }
        Self(folder)
    }

    async fn analyze(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new("systemd-analyze");
        command
            .args(arguments)
            .env("SYSTEMD_UNIT_PATH", format!("{}:", self.0.path().display()))
            .env("LC_ALL", "C.UTF-8");
        run(command).await
    }
}

#[tokio::test]
async fn systemd_understands_every_unit() {
    if !are_there(&["systemd-analyze"]) {
        return;
    }
    let units = Units::new();
    for unit in UNITS {
        let instance = unit.replace('@', "@1");
        let ended = units.analyze(&["verify", "--man=no", &instance]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        let ours: Vec<_> = ended
            .errors
            .lines()
            .filter(|line| line.contains("restante"))
            .collect();
        assert_eq!(ours, [""; 0]);
    }
    // The test can see.
    let unit = units.0.path().join(UNITS[0]);
    let text = std::fs::read_to_string(&unit).expect("a unit");
    std::fs::write(&unit, text.replace("ExecStart=", "ExecBegin=")).expect("written");
    let ended = units.analyze(&["verify", "--man=no", UNITS[0]]).await;
    assert_ne!(ended.code, Some(0), "{}", ended.errors);
}

#[tokio::test]
async fn every_unit_is_hardened() {
    if !are_there(&["systemd-analyze"]) {
        return;
    }
    let units = Units::new();
    let threshold = format!("--threshold={EXPOSURE}");
    for unit in UNITS {
        let instance = unit.replace('@', "@1");
        let arguments = [
            "security",
            "--offline=yes",
            "--no-pager",
            &threshold,
            &instance,
        ];
        let ended = units.analyze(&arguments).await;
        assert_eq!(
            ended.code,
            Some(0),
            "{unit}\n{}{}",
            ended.output,
            ended.errors
        );
        println!("{}", ended.output.lines().last().unwrap_or_default());
    }
}

/// The value of the last line `KEY=…`.
fn value(text: &str, key: &str) -> Option<String> {
    let mut lines = text.lines().rev();
    lines.find_map(|line| Some(line.strip_prefix(key)?.strip_prefix('=')?.to_owned()))
}

/// The values of a key in the order in which systemd reads a unit: its file, then what is in its folders by the names of the files.
fn values(unit: &str, key: &str) -> Vec<String> {
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    for folder in ["restante-.service.d".to_owned(), format!("{unit}.d")] {
        let Ok(entries) = std::fs::read_dir(deployed().join(folder)) else {
            continue;
        };
        files.extend(entries.map(|entry| {
            let entry = entry.expect("a file");
            (
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            )
        }));
    }
    files.sort();
    let paths = files.into_iter().map(|(_, path)| path);
    let texts = [deployed().join(unit)].into_iter().chain(paths);
    let texts = texts.map(|path| std::fs::read_to_string(path).expect("a unit"));
    let texts: Vec<_> = texts.collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    let values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.map(str::to_owned).collect()
}

#[test]
fn the_file_of_an_instance_is_stronger_than_that_of_all() {
    for (unit, own) in INSTANCES {
        let name = unit
            .trim_start_matches("restante-")
            .trim_end_matches("@.service");
        let expected = [
            "-/etc/default/restante".to_owned(),
            format!("/etc/restante/{name}-%i.env"),
        ];
        assert_eq!(values(unit, "EnvironmentFile"), expected);
        let package = include_str!("../../../../restante/Cargo.toml");
        let folder = own.split_once('/').map(|(folder, _)| folder);
        let folder = folder.expect("a folder");
        let asset =
            format!("[\"../deploy/systemd/{folder}/*.conf\", \"usr/lib/systemd/system/{folder}/\"");
        assert!(package.contains(&asset), "{asset}");
    }
}

#[test]
fn what_metrics_are_read_from_is_seen_under_the_units() {
    for unit in UNITS {
        // process_start_time_seconds is reckoned from /proc/stat.
        let hidden = values(unit, "ProcSubset");
        assert!(!hidden.contains(&"pid".to_owned()), "{unit}");
    }
}

fn seconds(text: &str) -> Duration {
    let digits = text.strip_suffix('s').and_then(|text| text.parse().ok());
    Duration::from_secs(digits.unwrap_or_else(|| panic!("{text} is not in seconds")))
}

#[tokio::test]
async fn who_stops_a_process_waits_longer_than_its_drain() {
    let mut config = command("restante");
    config.args(["config", "default"]);
    let config = run(config).await.done().output;
    let drains = config.lines().filter_map(|line| {
        let (key, value) = line.trim_start_matches(['#', ' ']).split_once(" = ")?;
        (key == "drain_time").then(|| seconds(value.trim_matches('"')))
    });
    let longest = drains.max().expect("the configuration says it") + Duration::from_secs(10);

    let common = std::fs::read_to_string(deployed().join(COMMON)).expect("a unit");
    let unit = value(&common, "TimeoutStopSec").expect("a limit");
    assert!(seconds(&unit) > longest, "{unit}");

    let compose = deployed().join("../../docker-compose.yml");
    let compose = std::fs::read_to_string(compose).expect("ours");
    let graces = compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("stop_grace_period: "));
    let graces: Vec<_> = graces.map(seconds).collect();
    assert!(
        !graces.is_empty() && graces.iter().all(|grace| *grace > longest),
        "{graces:?}"
    );
}
