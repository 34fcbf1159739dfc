//! Reading a settings document.

use roxmltree::Node;

use super::names::is_history;
use super::{Entity, Names, POC, Setting};
use crate::xml::{self, Limits, NotRead};

/// Bounds of a document.
const LIMITS: Limits = Limits {
    octets: 64 << 10,
    nodes: 4_096,
    depth: 32,
};
/// Entities of a document.
const ENTITIES_MAX: usize = 16;
/// Octets of the `id` of an entity.
const ID_OCTETS_MAX: usize = 256;

/// Why a document says nothing; 400 on the wire.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSettings {
    /// No XML, or more than is read.
    #[error(transparent)]
    Xml(#[from] NotRead),
    /// The root is another element.
    #[error("the root is not poc-settings")]
    Root,
    /// No entity, too many, or one without a sound `id`.
    #[error("no entities, more than 16, or one without a sound id")]
    Entities,
    /// `active` is missing or no boolean.
    #[error("a setting is neither active nor inactive")]
    Value,
}

/// What the entities of a document say, in its order.
///
/// # Errors
/// [`NotSettings`]: nothing of it counts.
pub fn read(octets: &[u8], names: &Names) -> Result<Vec<Entity>, NotSettings> {
    let document = xml::parse(octets, LIMITS)?;
    let root = document.root_element();
    if !root.has_tag_name((POC, "poc-settings")) {
        return Err(NotSettings::Root);
    }
    let entities = root
        .children()
        .filter(|child| child.has_tag_name((POC, "entity")));
    let entities: Vec<Node<'_, '_>> = entities.collect();
    if !(1..=ENTITIES_MAX).contains(&entities.len()) {
        return Err(NotSettings::Entities);
    }
    entities
        .into_iter()
        .map(|entity| read_entity(entity, names))
        .collect()
}

fn read_entity(entity: Node<'_, '_>, names: &Names) -> Result<Entity, NotSettings> {
    let id = entity.attribute("id").map(str::trim).unwrap_or_default();
    if !(1..=ID_OCTETS_MAX).contains(&id.len()) {
        return Err(NotSettings::Entities);
    }
    let mut said = Vec::new();
    for group in entity.children().filter(Node::is_element) {
        for element in group.children().filter(Node::is_element) {
            let settings = settings_of(group, element, names);
            if !settings.is_empty() {
                let active = active(element)?;
                said.extend(settings.into_iter().map(|setting| (setting, active)));
            }
        }
    }
    Ok(Entity {
        id: id.to_owned(),
        said,
    })
}

/// Which settings an element is about; none for what is unknown.
fn settings_of(group: Node<'_, '_>, element: Node<'_, '_>, names: &Names) -> Vec<Setting> {
    let tag = element.tag_name();
    if tag.name() == "hist-activation" {
        return histories(element, names);
    }
    let namespace = tag.namespace().unwrap_or_default();
    let by_name = names.setting(namespace, tag.name());
    let is_delivery =
        tag.name() == "offline-delivery" && group.tag_name().name() == "deferred-settings";
    by_name
        .filter(|setting| !is_history(*setting))
        .or(is_delivery.then_some(Setting::OfflineDelivery))
        .into_iter()
        .collect()
}

/// The kinds stand in child elements, or in an attribute.
fn histories(element: Node<'_, '_>, names: &Names) -> Vec<Setting> {
    let children = element.children().filter(Node::is_element);
    let children = children.map(|child| child.tag_name().name());
    let attributes = ["type", "mode"]
        .into_iter()
        .filter_map(|name| element.attribute(name).map(str::trim));
    children
        .chain(attributes)
        .filter_map(|kind| names.history(kind))
        .collect()
}

/// `xs:boolean`, in any letter case (DLV-05).
fn active(element: Node<'_, '_>) -> Result<bool, NotSettings> {
    let value = element
        .attribute("active")
        .ok_or(NotSettings::Value)?
        .trim();
    match value {
        "1" => Ok(true),
        "0" => Ok(false),
        word if word.eq_ignore_ascii_case("true") => Ok(true),
        word if word.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(NotSettings::Value),
    }
}
