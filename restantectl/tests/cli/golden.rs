//! Output that must not change by accident. `GOLDEN=write` writes the files anew.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::run::Ran;

const GUIDE: &str = include_str!("../../JSON.md");

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cli/golden")
}

impl Ran {
    /// Asserts that standard output is the golden file of that name.
    #[track_caller]
    pub(crate) fn golden(self, name: &str) -> Self {
        let path = folder().join(name);
        if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
            std::fs::write(&path, &self.out).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap();
        assert_eq!(self.text(), expected, "{name}");
        self
    }
}

#[test]
fn every_json_field_is_described() {
    let mut fields = BTreeSet::new();
    for file in std::fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            collect(&serde_json::from_str(&text).unwrap(), &mut fields);
        }
    }
    assert!(fields.contains("message_id"), "no golden file was read");
    let unknown: Vec<_> = fields
        .iter()
        .filter(|field| !GUIDE.contains(&format!("`{field}`")))
        .collect();
    assert!(unknown.is_empty(), "not described in JSON.md: {unknown:?}");
}

fn collect(value: &Value, fields: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (field, value) in object {
                fields.insert(field.clone());
                collect(value, fields);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, fields)),
        _ => {}
    }
}
