//! Promises whose keeping depends on there being one place for something.

use crate::tree::{File, assert_none, tracked_as};

/// The reply that says "on disk" and where it may be built: one file, of which a reviewer sees at
/// a glance that it holds `storage::Synced` (P1, accepted means on disk).
const DEPOSITED: &str = "Deposited";
const SERVICE: &str = "service/src/";

/// Lines of code that build the struct `name`: `name {` or `name::…(`, neither declared nor matched.
fn built(file: &File, name: &str) -> Vec<usize> {
    let lines = file.code().filter(|(_, line)| builds(line, name));
    lines.map(|(number, _)| number).collect()
}

fn builds(line: &str, name: &str) -> bool {
    let declares = ["struct ", "enum ", "impl ", "impl<", "use ", "pub"];
    let line = line.trim_start();
    if declares.iter().any(|word| line.starts_with(word)) {
        return false;
    }
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + name.len()..]);
        let whole = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let literal = after.trim_start().starts_with('{') && !opens_body(before, after);
        let call = after
            .strip_prefix("::")
            .is_some_and(|call| call.contains('('));
        whole && !matches(before, after) && (literal || call)
    })
}

/// Whether the `{` after the name opens a body: after a type, or a condition, in which a struct
/// cannot be built.
fn opens_body(before: &str, after: &str) -> bool {
    let conditions = ["if ", "} else if ", "while ", "match ", "for "];
    let is_condition = conditions.iter().any(|word| before.starts_with(word));
    let path = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    let is_type = path.ends_with("-> ") || path.ends_with("for ");
    is_type || (is_condition && after.trim() == "{")
}

/// Whether the name is part of a pattern.
fn matches(before: &str, after: &str) -> bool {
    let pattern = after
        .split_once('}')
        .map(|(_, after)| after.trim_start_matches([')', ' ']));
    let bound = before.contains("let ") && !before.contains('=');
    bound || pattern.is_some_and(|after| after.starts_with("=>") || after.starts_with("= "))
}

#[test]
fn the_reply_that_means_on_disk_is_built_in_one_file() {
    let files = tracked_as(&["rs"]);
    let service = files.iter().filter(|file| file.path.starts_with(SERVICE));
    let places: Vec<_> = service.map(|file| (file, built(file, DEPOSITED))).collect();
    let files: Vec<_> = places
        .into_iter()
        .filter(|(_, lines)| !lines.is_empty())
        .collect();
    let offences = files.iter().flat_map(|(file, lines)| {
        lines
            .iter()
            .map(|line| file.offence(*line, "builds the reply `Deposited`"))
    });
    if files.len() > 1 {
        assert_none("more than one file builds it", offences);
    }
    assert_eq!(
        files.len(),
        1,
        "no file below {SERVICE} builds `{DEPOSITED}`"
    );
}

#[test]
fn building_is_told_from_naming_and_matching() {
    let text = "\
use proto::v1::Deposited;
pub struct Deposited {
impl From<Synced> for Deposited {
fn reply(synced: Synced) -> Deposited {
fn reply(synced: Synced) -> v1::Deposited {
let Deposited { message_id } = reply;
Outcome::Deposited { message_id } => 1,
Some(Deposited { message_id, .. }) => 2,
let reply = Undeposited { a };
if event == Event::Deposited {
let reply = NotDeposited::new(a);
type Reply = Deposited;
// Deposited { message_id }
";
    assert_eq!(
        built(&File::new("service/src/a.rs", text), DEPOSITED),
        [0; 0]
    );
    let text = "\
Deposited {
let reply = Deposited { message_id };
Outcome::Deposited(v1::Deposited { message_id })
Ok(Deposited { message_id: synced.message_id() })
let reply = Deposited::from(synced);
let reply = v1::Deposited::default();
";
    assert_eq!(
        built(&File::new("service/src/a.rs", text), DEPOSITED),
        [1, 2, 3, 4, 5, 6]
    );
    assert_eq!(
        built(&File::new("service/src/a/tests.rs", text), DEPOSITED),
        [0; 0]
    );
}
