//! Links between documents lead somewhere.

use crate::tree::{File, assert_none, root, tracked_as};

/// Targets of the inline links of a Markdown file outside its code, with their lines.
fn targets(file: &File) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in file.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let after = line.split("](").skip(1);
            found.extend(after.filter_map(|rest| Some((number, rest.split_once(')')?.0))));
        }
    }
    found
}

/// The file a link from `from` leads to, as a path from the root; `None` for other documents'
/// addresses and places within the same one.
fn file_of(from: &str, target: &str) -> Option<String> {
    let path = target.split_whitespace().next()?.split('#').next()?;
    if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
        return None;
    }
    let folder = from
        .rsplit_once('/')
        .map(|(folder, _)| folder)
        .unwrap_or_default();
    Some(
        format!("{folder}/{path}")
            .trim_start_matches('/')
            .to_owned(),
    )
}

#[test]
fn links_to_files_lead_to_files() {
    let mut offences = Vec::new();
    for file in tracked_as(&["md"]) {
        for (number, target) in targets(&file) {
            let path = file_of(&file.path, target);
            if path.is_some_and(|path| !root().join(path).exists()) {
                offences.push(file.offence(number, target));
            }
        }
    }
    assert_none("links to nothing", offences);
}

#[test]
fn targets_are_found_outside_code() {
    let text = "[a](b.md) and [c](../d.md#e)\n```\n[f](g.md)\n```\n[h](i)";
    let expected = [(1, "b.md"), (1, "../d.md#e"), (5, "i")];
    assert_eq!(targets(&File::new("a.md", text)), expected);
}

#[test]
fn targets_are_relative_to_their_document() {
    assert_eq!(
        file_of("docs/a.md", "../b.md#c").as_deref(),
        Some("docs/../b.md")
    );
    assert_eq!(
        file_of("a.md", "docs/b.md \"title\"").as_deref(),
        Some("docs/b.md")
    );
    for elsewhere in ["#section", "https://example.org/a", "mailto:a@example.org"] {
        assert_eq!(file_of("a.md", elsewhere), None);
    }
}
