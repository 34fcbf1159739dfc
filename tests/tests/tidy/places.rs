//! The repository says nothing about the machines it was written on.

use std::path::{Path, PathBuf};

use crate::tree::{File, assert_none, root, tracked};

/// Folders that mean the same everywhere.
const EVERYWHERE: [&str; 12] = [
    "/", "/app", "/bin", "/etc", "/mnt", "/opt", "/src", "/srv", "/tmp", "/usr", "/var", "/var/tmp",
];

/// Where persons have their files.
const HOMES: [&str; 3] = ["home", "root", "Users"];

/// The only place our dependencies come from.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Folders of this machine: the checkout, the home, where cargo works, and what they are in.
fn folders_of_this_machine() -> Vec<String> {
    let variables = ["HOME", "CARGO_HOME", "CARGO_TARGET_DIR"];
    let folders = variables
        .iter()
        .filter_map(|name| std::env::var_os(name).map(PathBuf::from));
    let folders = folders
        .chain([root().to_owned()])
        .filter(|folder| folder.is_absolute());
    let with_parents = folders.flat_map(|folder| {
        let parent = folder.parent().map(Path::to_owned);
        [Some(folder), parent].into_iter().flatten()
    });
    let names = with_parents.map(|folder| folder.display().to_string());
    let here = names.filter(|name| !EVERYWHERE.contains(&name.as_str()));
    here.map(|name| format!("{name}/"))
        .chain(HOMES.map(|name| format!("/{name}/")))
        .collect()
}

/// Whether `line` holds the absolute path `folder`, not as the end of a longer one.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-/}~*".contains(c))
    })
}

fn paths(files: &[File], folders: &[String]) -> Vec<String> {
    let mut offences = Vec::new();
    for file in files {
        for (number, line) in file.lines() {
            let named = folders.iter().find(|folder| names_folder(line, folder));
            offences.extend(named.map(|folder| file.offence(number, folder)));
        }
    }
    offences
}

/// Dependencies and images that come from a registry that has to be named.
fn registries(file: &File) -> Vec<String> {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let named = |line: &str| match name {
        "Cargo.lock" => line
            .strip_prefix("source = ")
            .is_some_and(|source| source.trim_matches('"') != CRATES_IO),
        "config.toml" => line.starts_with("[source") || line.starts_with("[registr"),
        _ if name.contains("Dockerfile") || name.contains("compose") => {
            image(line).is_some_and(has_host)
        }
        _ => false,
    };
    let lines = file.lines().filter(|(_, line)| named(line));
    lines
        .map(|(number, line)| file.offence(number, line.trim()))
        .collect()
}

/// The image that a line of a Dockerfile or compose file begins with.
fn image(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let image = line
        .strip_prefix("FROM ")
        .or_else(|| line.strip_prefix("image:"))?;
    image.split_whitespace().next()
}

/// Whether an image reference begins with the host of a registry.
fn has_host(image: &str) -> bool {
    let first = image
        .split_once('/')
        .map(|(first, _)| first)
        .unwrap_or_default();
    first == "localhost" || (first.contains(['.', ':']) && !first.contains('$'))
}

#[test]
fn no_file_names_a_folder_of_a_machine() {
    assert_none(
        "folders of a machine",
        paths(&tracked(), &folders_of_this_machine()),
    );
}

#[test]
fn no_file_names_a_registry() {
    let offences: Vec<_> = tracked().iter().flat_map(registries).collect();
    assert_none("registries", offences);
}

#[test]
fn folders_of_this_machine_are_found() {
    let folders = folders_of_this_machine();
    let here = File::new("a.md", &format!("see `{}/README.md`\n", root().display()));
    assert_eq!(paths(&[here], &folders).len(), 1);
    let text = "COPY deploy/place/ /\n$root/place/b\n\"/place/c\"\nsee /placement/d";
    let offences = paths(&[File::new("a", text)], &["/place/".to_owned()]);
    assert_eq!(offences, ["a:3: /place/"]);
}

#[test]
fn named_registries_are_found() {
    let lines = |path: &str, text: &str| registries(&File::new(path, text)).len();
    assert_eq!(lines("Cargo.lock", &format!("source = \"{CRATES_IO}\"")), 0);
    assert_eq!(
        lines("Cargo.lock", "source = \"git+https://example.org/a\""),
        1
    );
    assert_eq!(lines(".cargo/config.toml", "[source.crates-io]"), 1);
    assert_eq!(
        lines(
            "Dockerfile",
            "FROM debian:bookworm-slim\nFROM $BASE AS build"
        ),
        0
    );
    assert_eq!(
        lines("Dockerfile", "FROM mirror.example.org/debian:bookworm-slim"),
        1
    );
    assert_eq!(
        lines("docker-compose.yml", "    image: localhost/restante:1"),
        1
    );
}
