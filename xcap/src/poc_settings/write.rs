//! Writing a settings document, as requirements §2.6 shows one.

use super::names::is_history;
use super::{Entity, IM, Names, POC, Setting};
use crate::xml::escape;

/// Where each setting stands.
const GROUPS: [(&str, &str, &[Setting]); 4] = [
    (
        POC,
        "isb-settings",
        &[
            Setting::SessionBarring,
            Setting::MessageBarring,
            Setting::FileTransferBarring,
        ],
    ),
    (IM, "vis-settings", &[Setting::Invisibility]),
    (IM, "deferred-settings", &[Setting::OfflineDelivery]),
    (
        IM,
        "hist-settings",
        &[Setting::SessionHistory, Setting::MessageHistory],
    ),
];

/// The document of some entities.
#[must_use]
pub fn write(entities: &[Entity], names: &Names) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(&format!("<poc-settings xmlns=\"{POC}\">\n"));
    for entity in entities {
        out.push_str(&format!("  <entity id=\"{}\">\n", escape(&entity.id)));
        for (namespace, group, settings) in GROUPS {
            write_group(namespace, group, settings, entity, names, &mut out);
        }
        out.push_str("  </entity>\n");
    }
    out.push_str("</poc-settings>\n");
    out
}

fn write_group(
    namespace: &str,
    group: &str,
    settings: &[Setting],
    entity: &Entity,
    names: &Names,
    out: &mut String,
) {
    let said: Vec<_> = settings
        .iter()
        .filter_map(|setting| Some((names.of(*setting)?, entity.get(*setting)?)))
        .collect();
    if said.is_empty() {
        return;
    }
    out.push_str(&format!("    <{group} xmlns=\"{namespace}\">\n"));
    for (name, active) in said {
        let namespace = escape(&name.namespace);
        let local = &name.local;
        let line = match is_history(name.setting) {
            true => format!(
                "<hist-activation active=\"{active}\"><{local} xmlns=\"{namespace}\"/></hist-activation>"
            ),
            false => format!("<{local} xmlns=\"{namespace}\" active=\"{active}\"/>"),
        };
        out.push_str(&format!("      {line}\n"));
    }
    out.push_str(&format!("    </{group}>\n"));
}
