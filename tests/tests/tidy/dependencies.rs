//! Who may import whom (design 3).

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::tree::{assert_none, root};

/// Crate, and those of ours it may import. The tests may import all.
const ALLOWED: [(&str, &[&str]); 21] = [
    ("restante-proto", &[]),
    ("restante-storage", &[]),
    ("restante-sip", &[]),
    ("restante-msrp", &[]),
    ("restante-cpim", &[]),
    ("restante-xcap", &[]),
    ("restante-daemon", &[]),
    ("restante-tls", &[]),
    ("restante-command-line", &[]),
    (
        "restante-net",
        &["restante-sip", "restante-msrp", "restante-tls"],
    ),
    (
        "restante-storage-client",
        &["restante-proto", "restante-tls"],
    ),
    (
        "restante-service",
        &[
            "restante-proto",
            "restante-storage",
            "restante-xcap",
            "restante-daemon",
            "restante-tls",
        ],
    ),
    (
        "restante-console",
        &["restante-proto", "restante-daemon", "restante-tls"],
    ),
    (
        "restante-edge",
        &[
            "restante-sip",
            "restante-msrp",
            "restante-cpim",
            "restante-xcap",
            "restante-net",
            "restante-storage-client",
            "restante-daemon",
            "restante-tls",
        ],
    ),
    ("restante-sip-edge", EDGE),
    ("restante-controlling-edge", EDGE),
    (
        "restante-im-client",
        &[
            "restante-sip",
            "restante-msrp",
            "restante-cpim",
            "restante-xcap",
            "restante-net",
            "restante-command-line",
        ],
    ),
    (
        "restante",
        // The binary needs `daemon` too: configuration, signals and exit code are its business.
        &[
            "restante-service",
            "restante-console",
            "restante-sip-edge",
            "restante-controlling-edge",
            "restante-daemon",
            "restante-command-line",
        ],
    ),
    (
        "restantectl",
        &[
            "restante-proto",
            "restante-storage-client",
            "restante-sip",
            "restante-cpim",
            "restante-tls",
            "restante-command-line",
        ],
    ),
    ("restante-bench", &["restante-storage"]),
    (
        "restante-simulation",
        &[
            "restante-storage",
            "restante-service",
            "restante-storage-client",
            "restante-sip",
            "restante-msrp",
            "restante-net",
            "restante-edge",
            "restante-sip-edge",
            "restante-controlling-edge",
            "restante-daemon",
        ],
    ),
];

const EDGE: &[&str] = &[
    "restante-edge",
    "restante-sip",
    "restante-msrp",
    "restante-cpim",
    "restante-xcap",
    "restante-net",
    "restante-storage-client",
    "restante-daemon",
];

const TESTS: &str = "restante-tests";

/// Generated code, which is judged by its generator and has lints of its own.
const GENERATED: &str = "restante-proto";

/// Crates that are machines and codecs: time and octets come in as arguments.
const WITHOUT_IO: [&str; 4] = [
    "restante-sip",
    "restante-msrp",
    "restante-cpim",
    "restante-xcap",
];

/// Libraries that do I/O.
const IO: [&str; 7] = [
    "tokio",
    "tokio-util",
    "mio",
    "socket2",
    "hyper",
    "axum",
    "tonic",
];

/// A package of the workspace.
struct Package {
    name: String,
    manifest: String,
    /// Names of what it imports, with the kind: `None` for ordinary ones, `dev`, `build`.
    imports: Vec<(String, Option<String>)>,
}

impl Package {
    fn new(value: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let imports = value["dependencies"].as_array().into_iter().flatten();
        let import = |it: &Value| (text(&it["name"]).expect("a name"), text(&it["kind"]));
        Self {
            name: text(&value["name"]).expect("a name"),
            manifest: text(&value["manifest_path"]).expect("a path"),
            imports: imports.map(import).collect(),
        }
    }
}

fn packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--format-version=1", "--no-deps", "--offline"];
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(root())
        .output();
    let output = output.expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list");
    packages.iter().map(Package::new).collect()
}

/// Edges between packages of ours that are not allowed, and packages the table does not know.
fn edge_offences(packages: &[Package]) -> Vec<String> {
    let allowed: BTreeMap<_, _> = ALLOWED.into_iter().collect();
    let ours = |name: &str| packages.iter().any(|package| package.name == name);
    let mut offences = Vec::new();
    for package in packages.iter().filter(|package| package.name != TESTS) {
        let Some(allowed) = allowed.get(package.name.as_str()) else {
            offences.push(format!("{} is not in the table of this test", package.name));
            continue;
        };
        // Tests may stand on the other side of a wire: the service is tested through the edges' client.
        let built = package
            .imports
            .iter()
            .filter(|(_, kind)| kind.as_deref() != Some("dev"));
        let edges = built.map(|(name, _)| name.as_str());
        let wrong = edges.filter(|name| ours(name) && !allowed.contains(name));
        offences.extend(wrong.map(|name| format!("{} → {name}", package.name)));
    }
    offences
}

/// Imports of `libraries` by `package` that are not for its tests alone.
fn library_offences(packages: &[Package], package: &str, libraries: &[&str]) -> Vec<String> {
    let of_package = packages.iter().filter(|it| it.name == package);
    let imports = of_package.flat_map(|it| &it.imports);
    let wrong = imports.filter(|(name, kind)| {
        kind.as_deref() != Some("dev") && libraries.contains(&name.as_str())
    });
    wrong
        .map(|(name, _)| format!("{package} → {name}"))
        .collect()
}

#[test]
fn crates_import_only_what_the_design_allows() {
    assert_none("edges that are not in design 3", edge_offences(&packages()));
}

#[test]
fn machines_and_codecs_do_no_io() {
    let packages = packages();
    let offences = WITHOUT_IO
        .iter()
        .flat_map(|name| library_offences(&packages, name, &IO));
    assert_none("I/O in a crate without I/O", offences);
}

#[test]
fn storage_knows_no_grpc_and_nobody_else_rocksdb() {
    let packages = packages();
    let grpc = ["tonic", "tonic-prost", "prost", "prost-types"];
    let mut offences = library_offences(&packages, "restante-storage", &grpc);
    for package in packages
        .iter()
        .filter(|package| package.name != "restante-storage")
    {
        offences.extend(library_offences(&packages, &package.name, &["rocksdb"]));
    }
    assert_none("imports through the wall around storage", offences);
}

#[test]
fn every_crate_obeys_the_lints_of_the_workspace() {
    let lax = packages().into_iter().filter(|package| {
        let manifest = std::fs::read_to_string(&package.manifest).expect("a manifest");
        package.name != GENERATED && !manifest.contains("[lints]\nworkspace = true\n")
    });
    assert_none(
        "crates without `[lints] workspace = true`",
        lax.map(|package| package.name),
    );
}

#[test]
fn wrong_edges_are_found() {
    let package = |name: &str, imports: &[(&str, Option<&str>)]| Package {
        name: name.to_owned(),
        manifest: String::new(),
        imports: imports
            .iter()
            .map(|(name, kind)| ((*name).to_owned(), kind.map(str::to_owned)))
            .collect(),
    };
    let packages = [
        package("restante-net", &[("restante-sip", None), ("tokio", None)]),
        package(
            "restante-sip",
            &[
                ("restante-net", None),
                ("restante-msrp", Some("dev")),
                ("tokio", Some("dev")),
            ],
        ),
        package("restante-msrp", &[]),
        package("restante-storage", &[("prost", Some("build"))]),
        package("restante-common", &[]),
        package(TESTS, &[("restante-net", None)]),
    ];
    let expected = [
        "restante-sip → restante-net",
        "restante-common is not in the table of this test",
    ];
    assert_eq!(edge_offences(&packages), expected);
    assert_eq!(library_offences(&packages, "restante-sip", &IO), [""; 0]);
    let through = library_offences(&packages, "restante-storage", &["prost"]);
    assert_eq!(through, ["restante-storage → prost"]);
}
