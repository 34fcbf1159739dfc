//! Every line of the log at info or above is an event of the document of all log events, with the level and the fields that it
//! has there, and every event there is logged.

use std::collections::{BTreeMap, BTreeSet};

use restante_tests::log_events::{DOCUMENT, documented};

use crate::tree::{File, assert_none, tracked_as};

/// What writes no log of a process.
const ASIDE: [&str; 7] = [
    "tests/",
    "bench/",
    "fuzz/",
    "simulation/",
    "im-client/",
    "restantectl/",
    "service/examples/",
];

/// A place that logs.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    line: usize,
    level: &'static str,
    event: Option<String>,
    fields: BTreeSet<String>,
}

/// All calls of the macros for info, warn and error in code that is not a test.
fn calls(file: &File) -> Vec<Call> {
    let mut code = String::new();
    let mut numbers = Vec::new();
    for (number, line) in file.code() {
        numbers.extend(std::iter::repeat_n(number, line.len() + 1));
        code.push_str(line);
        code.push('\n');
    }
    let mut calls = Vec::new();
    for level in ["info", "warn", "error"] {
        for (at, opening) in code.match_indices(&format!("{level}!(")) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '"') {
                continue;
            }
            let arguments = arguments(&code[at + opening.len()..]);
            calls.push(call(numbers[at], level, &arguments));
        }
    }
    calls
}

/// What stands between the opening parenthesis, behind which `text` begins, and its closing one, cut at its commas.
fn arguments(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut is_quoted, mut is_escaped) = (0, 0, false, false);
    let mut found = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => {
                found.push(text[start..at].trim());
                break;
            }
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.retain(|argument| !argument.is_empty());
    found
}

fn call(line: usize, level: &'static str, arguments: &[&str]) -> Call {
    let mut event = None;
    let mut fields = BTreeSet::new();
    for argument in arguments {
        if argument.starts_with('"') {
            continue;
        }
        let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
        let name = name.trim().trim_start_matches(['%', '?']);
        if name == "event" {
            event = Some(value.trim().trim_matches('"').to_owned());
        } else {
            fields.insert(name.to_owned());
        }
    }
    Call {
        line,
        level,
        event,
        fields,
    }
}

#[test]
fn the_document_has_what_the_code_logs_and_nothing_else() {
    let files = tracked_as(&["rs"]);
    let documents = tracked_as(&["md"]);
    let document = documents.iter().find(|file| file.path == DOCUMENT);
    let rows = documented(&document.expect("it is there").text);
    let rows: BTreeMap<_, _> = rows.iter().map(|row| (row.name.as_str(), row)).collect();
    let mut logged: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    let mut offences = Vec::new();
    let product = |file: &&File| !ASIDE.iter().any(|path| file.path.starts_with(path));
    for file in files.iter().filter(product) {
        for call in calls(file) {
            let Some(event) = &call.event else {
                let sentence = format!("a line at {} without `event = \"…\"`", call.level);
                offences.push(file.offence(call.line, &sentence));
                continue;
            };
            let sentence = match rows.get(event.as_str()) {
                None => format!("{event} is not in {DOCUMENT}"),
                Some(row) if row.level != call.level => {
                    format!("{event} is {} in {DOCUMENT}", row.level)
                }
                Some(_) => {
                    logged.entry(event.clone()).or_default().extend(call.fields);
                    continue;
                }
            };
            offences.push(file.offence(call.line, &sentence));
        }
    }
    for (name, row) in rows {
        match logged.get(name) {
            None => offences.push(format!("{DOCUMENT}: nothing logs {name}")),
            Some(fields) if *fields != row.fields => offences.push(format!(
                "{DOCUMENT}: {name} has the fields {:?}, in the code {fields:?}",
                row.fields
            )),
            Some(_) => {}
        }
    }
    assert_none(
        "log events stand in restante/src/log_events (make log-events-document)",
        offences,
    );
}

#[test]
fn calls_are_found_with_level_event_and_fields() {
    let text = r#"
fn f() {
    tracing::warn!(event = "a.b", %error, path = %log.path(1, "x, y)").display(), ?files, left, "no, (not) \" now");
    log_info!("not ours");
    // tracing::info!("a comment");
    info!("without");
}
"#;
    let found = calls(&File::new("a/src/lib.rs", text));
    let fields = ["error", "path", "files", "left"].map(str::to_owned);
    let expected = [
        Call {
            line: 6,
            level: "info",
            event: None,
            fields: BTreeSet::new(),
        },
        Call {
            line: 3,
            level: "warn",
            event: Some("a.b".to_owned()),
            fields: fields.into(),
        },
    ];
    assert_eq!(found, expected);
}
