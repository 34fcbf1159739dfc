//! What stays behind which wall, looked for in the sources (design 3).

use crate::tree::{File, assert_none, tracked_as};

/// Lines of code below one of `folders` (or anywhere but there, if `outside`) with one of `words`.
fn uses(files: &[File], folders: &[&str], outside: bool, words: &[&str]) -> Vec<String> {
    let inside = |file: &&File| {
        folders
            .iter()
            .any(|folder| file.path.starts_with(&format!("{folder}/")))
            != outside
    };
    let mut offences = Vec::new();
    for file in files.iter().filter(inside) {
        for (number, line) in file.code() {
            let used = words.iter().filter(|word| contains_path(line, word));
            offences.extend(used.map(|word| file.offence(number, word)));
        }
    }
    offences
}

/// Whether `line` holds `word` not as the end of a longer name.
fn contains_path(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// Messages and enumerations of a `.proto` file that are named after SIP.
fn sip_types(file: &File) -> Vec<String> {
    let declared = |line: &str| {
        let mut words = line.split_whitespace();
        let is_type = matches!(words.next(), Some("message" | "enum"));
        let name = words.next().unwrap_or_default();
        let after = name
            .strip_prefix("Sip")
            .and_then(|rest| rest.chars().next());
        is_type && after.is_some_and(|c| c.is_uppercase())
    };
    let lines = file.lines().filter(|(_, line)| declared(line));
    lines
        .map(|(number, line)| file.offence(number, line.trim()))
        .collect()
}

#[test]
fn rocksdb_types_stay_in_storage() {
    // Written in two parts, or this line would be an offence.
    let rocksdb = concat!("rocksdb", "::");
    assert_none(
        "outside storage",
        uses(&tracked_as(&["rs"]), &["storage"], true, &[rocksdb]),
    );
}

#[test]
fn grpc_types_stay_out_of_storage() {
    let words = ["tonic::", "prost::", "proto::"];
    assert_none(
        "in storage",
        uses(&tracked_as(&["rs"]), &["storage"], false, &words),
    );
}

#[test]
fn sip_types_stay_out_of_the_contract() {
    let offences: Vec<_> = tracked_as(&["proto"]).iter().flat_map(sip_types).collect();
    assert_none("SIP types in .proto files", offences);
    let sources = tracked_as(&["rs", "proto"]);
    let words = ["sip::", "restante_sip", "rsip"];
    assert_none(
        "SIP types in proto",
        uses(&sources, &["proto"], false, &words),
    );
}

#[test]
fn machines_and_codecs_have_no_clock_thread_or_socket() {
    let folders = ["sip/src", "msrp/src", "cpim/src", "xcap/src"];
    let words = [
        "Instant::now",
        "SystemTime::now",
        "Utc::now",
        "Local::now",
        "std::thread",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "std::fs",
        "tokio::",
    ];
    assert_none(
        "I/O in a crate without I/O",
        uses(&tracked_as(&["rs"]), &folders, false, &words),
    );
}

#[test]
fn walls_are_seen_through() {
    let text = "use db::A;\n// db::B\nlet c = my_db::C;\nfn d() -> ::db::D {}";
    let files = [
        File::new("storage/src/a.rs", text),
        File::new("storage-client/src/a.rs", text),
    ];
    let inside = ["storage/src/a.rs:1: db::", "storage/src/a.rs:4: db::"];
    assert_eq!(uses(&files, &["storage"], false, &["db::"]), inside);
    let outside = [
        "storage-client/src/a.rs:1: db::",
        "storage-client/src/a.rs:4: db::",
    ];
    assert_eq!(uses(&files, &["storage"], true, &["db::"]), outside);
}

#[test]
fn sip_types_in_a_contract_are_found() {
    let contract = File::new(
        "a.proto",
        "message SipUri {\n// message SipOld {\nmessage Siphon {}",
    );
    assert_eq!(sip_types(&contract), ["a.proto:1: message SipUri {"]);
}
