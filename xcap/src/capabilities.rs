//! What a server offers: application usage `xcap-caps`, one document `index` in the global tree (RFC 4825 §12).

use crate::xml::escape;

/// The application usage.
pub const AUID: &str = "xcap-caps";
/// The only document of it.
pub const DOCUMENT: &str = "index";
/// Media type of the document.
pub const MEDIA_TYPE: &str = "application/xcap-caps+xml";
/// Namespace of its elements.
pub const NAMESPACE: &str = "urn:ietf:params:xml:ns:xcap-caps";

/// The document of a server with these application usages and the namespaces of their documents.
#[must_use]
pub fn write(usages: &[(&str, &str)]) -> String {
    let all = [&[(AUID, NAMESPACE)], usages].concat();
    let listed = |name: &str, values: Vec<&str>| {
        let values = values.into_iter().map(escape);
        let lines = values.map(|value| format!("    <{name}>{value}</{name}>\n"));
        lines.collect::<String>()
    };
    let auids = listed("auid", all.iter().map(|(auid, _)| *auid).collect());
    let namespaces = all.iter().map(|(_, namespace)| *namespace);
    let namespaces = listed("namespace", namespaces.collect());
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xcap-caps xmlns=\"{NAMESPACE}\">\n  <auids>\n{auids}  </auids>\n  \
         <extensions/>\n  <namespaces>\n{namespaces}  </namespaces>\n</xcap-caps>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_served_is_listed_with_the_list_itself() {
        let written = write(&[("a.b", "urn:x:y")]);
        let document = roxmltree::Document::parse(&written).expect("well-formed");
        let texts = |name: &str| {
            let named = document
                .descendants()
                .filter(|node| node.has_tag_name((NAMESPACE, name)));
            named
                .filter_map(|node| node.text().map(str::to_owned))
                .collect::<Vec<_>>()
        };
        assert_eq!(texts("auid"), ["xcap-caps", "a.b"]);
        assert_eq!(texts("namespace"), [NAMESPACE, "urn:x:y"]);
    }
}
