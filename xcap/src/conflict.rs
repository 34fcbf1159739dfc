//! What a client is told whose change would leave no sound document: 409 with an error document (RFC 4825 §11).

use crate::edit::NotEdited;
use crate::group_document::NotAGroup;
use crate::xml::{NotRead, escape};

/// Media type of the document.
pub const MEDIA_TYPE: &str = "application/xcap-error+xml";
/// Namespace of its elements.
pub const NAMESPACE: &str = "urn:ietf:params:xml:ns:xcap-error";

/// Why a change is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The body is no XML document.
    NotWellFormed(String),
    /// The body is not one element.
    NotXmlFragment,
    /// What would be around it is not there.
    NoParent,
    /// The document would not follow its schema.
    SchemaValidation(String),
    /// The body is no attribute value.
    NotXmlAttributeValue,
    /// The selector would not find what is put.
    CannotInsert,
    /// The selector would find something else.
    CannotDelete,
    /// The body is not in UTF-8.
    NotUtf8,
    /// Something must be there once, and is there already.
    Uniqueness {
        /// Where it stands in the document.
        field: &'static str,
    },
    /// It is not carried out here, for what this says.
    Constraint(String),
}

/// The error document.
#[must_use]
pub fn write(conflict: &Conflict) -> String {
    let bare = |name: &str| format!("<{name}/>");
    let phrased = |name: &str, phrase: &str| format!("<{name} phrase=\"{}\"/>", escape(phrase));
    let element = match conflict {
        Conflict::NotWellFormed(phrase) => phrased("not-well-formed", phrase),
        Conflict::NotXmlFragment => bare("not-xml-frag"),
        Conflict::NoParent => bare("no-parent"),
        Conflict::SchemaValidation(phrase) => phrased("schema-validation-error", phrase),
        Conflict::NotXmlAttributeValue => bare("not-xml-att-value"),
        Conflict::CannotInsert => bare("cannot-insert"),
        Conflict::CannotDelete => bare("cannot-delete"),
        Conflict::NotUtf8 => bare("not-utf-8"),
        Conflict::Uniqueness { field } => {
            format!("<uniqueness-failure><exists field=\"{field}\"/></uniqueness-failure>")
        }
        Conflict::Constraint(phrase) => phrased("constraint-failure", phrase),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xcap-error xmlns=\"{NAMESPACE}\">{element}</xcap-error>\n"
    )
}

impl From<NotAGroup> for Conflict {
    fn from(not_a_group: NotAGroup) -> Self {
        match not_a_group {
            NotAGroup::Xml(NotRead::Encoding) => Self::NotUtf8,
            NotAGroup::Xml(NotRead::TooLarge) => {
                Self::Constraint("the document has more elements than any group".to_owned())
            }
            NotAGroup::Xml(NotRead::Malformed(why)) => Self::NotWellFormed(why),
            NotAGroup::Schema(why) => Self::SchemaValidation(why.to_owned()),
            NotAGroup::Constraint(why) => Self::Constraint(why.to_owned()),
        }
    }
}

impl Conflict {
    /// What stands in the way of a change of a node; `None` where nothing is there, or where it is never changed.
    #[must_use]
    pub fn of_edit(not_edited: NotEdited) -> Option<Self> {
        match not_edited {
            NotEdited::NoParent => Some(Self::NoParent),
            NotEdited::NotXmlFragment => Some(Self::NotXmlFragment),
            NotEdited::NotXmlAttributeValue => Some(Self::NotXmlAttributeValue),
            NotEdited::CannotInsert => Some(Self::CannotInsert),
            NotEdited::CannotDelete => Some(Self::CannotDelete),
            NotEdited::Unreadable(_) | NotEdited::NotFound | NotEdited::Namespaces => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_is_one_element_with_what_is_said_of_it() {
        let table = [
            (Conflict::NoParent, "<no-parent/>"),
            (
                Conflict::Constraint("a \"b\"".to_owned()),
                "<constraint-failure phrase=\"a &quot;b&quot;\"/>",
            ),
            (
                Conflict::Uniqueness { field: "a/@b" },
                "<uniqueness-failure><exists field=\"a/@b\"/></uniqueness-failure>",
            ),
        ];
        for (conflict, element) in table {
            let written = write(&conflict);
            assert!(roxmltree::Document::parse(&written).is_ok());
            assert!(written.contains(element), "{written}");
        }
    }
}
