//! Every metric that the code counts stands in the document of all metrics, and every one there is counted.

use std::collections::BTreeSet;

use restante_tests::exposition::documented;

use crate::tree::{File, assert_none, tracked_as};

const DOCUMENT: &str = "docs/metrics.md";

/// Where the table is that the document is printed from.
const TABLE: &str = "restante/src/metrics";

/// Names of metrics in string literals of a line.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let literals = line.split('"').skip(1).step_by(2);
    literals.filter(|literal| {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        literal.starts_with("restante_") && literal.chars().all(is_name)
    })
}

/// Crates are named in filters of the log, not counted.
fn is_crate(name: &str) -> bool {
    let crates = [
        "sip_edge",
        "controlling_edge",
        "storage",
        "service",
        "daemon",
        "net",
        "edge",
    ];
    let name = name.strip_prefix("restante_").unwrap_or(name);
    crates.contains(&name) || name == "storage_client"
}

fn counted(files: &[File]) -> Vec<(&File, usize, &str)> {
    let product = files.iter().filter(|file| {
        let aside = [TABLE, "tests/", "bench/", "fuzz/", "simulation/"];
        !aside.iter().any(|path| file.path.starts_with(path))
    });
    let lines =
        product.flat_map(|file| file.code().map(move |(number, line)| (file, number, line)));
    lines
        .flat_map(|(file, number, line)| named(line).map(move |name| (file, number, name)))
        .filter(|(_, _, name)| !is_crate(name))
        .collect()
}

#[test]
fn the_document_has_what_the_code_counts_and_nothing_else() {
    let files = tracked_as(&["rs"]);
    let counted = counted(&files);
    let document = tracked_as(&["md"]);
    let document = document.iter().find(|file| file.path == DOCUMENT);
    let rows = documented(&document.expect("it is there").text);
    let rows: BTreeSet<_> = rows.iter().map(|row| row.name.as_str()).collect();
    let missing = counted.iter().filter(|(_, _, name)| !rows.contains(name));
    let mut offences: Vec<_> = missing
        .map(|(file, line, name)| file.offence(*line, &format!("{name} is not in {DOCUMENT}")))
        .collect();
    let names: BTreeSet<_> = counted.iter().map(|(_, _, name)| *name).collect();
    let dead = rows
        .iter()
        .filter(|name| name.starts_with("restante_") && !names.contains(*name));
    offences.extend(dead.map(|name| format!("{DOCUMENT}: nothing counts {name}")));
    assert_none("metrics are documented", offences);
}

#[test]
fn names_are_found_in_code() {
    let line = r#"    counter!("restante_x_total", "reason" => "restante is", "b" => "restante_y").increment(1);"#;
    assert_eq!(
        named(line).collect::<Vec<_>>(),
        ["restante_x_total", "restante_y"]
    );
    assert!(is_crate("restante_sip_edge") && !is_crate("restante_edges_attached"));
}
