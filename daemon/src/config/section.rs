//! Sections: structs whose fields are keys, with their documentation as data.

use super::document::Document;
use super::file::parse_value;
use super::value::Value;

/// A struct declared by [`section!`](crate::section).
pub trait Section: Sized {
    /// Name, keys and their documentation.
    const DOC: SectionDoc;

    /// Reads every key; one that is wrong is noted in the document and has its default.
    fn read(reader: &mut Reader<'_>) -> Self;
}

/// A section as an operator sees it.
#[derive(Debug, Clone, Copy)]
pub struct SectionDoc {
    /// Name of the TOML table; empty for the top-level keys.
    pub name: &'static str,
    /// Lines of the description.
    pub doc: &'static [&'static str],
    /// The keys in the order of their declaration.
    pub keys: &'static [KeyDoc],
}

/// A key as an operator sees it.
#[derive(Debug, Clone, Copy)]
pub struct KeyDoc {
    /// Name within the section.
    pub name: &'static str,
    /// Lines of the description: meaning, unit, range.
    pub doc: &'static [&'static str],
    /// What the value must be, as it continues the sentence "expected …".
    pub expected: fn() -> String,
    /// The default as TOML text.
    pub default: &'static str,
    /// When another value takes effect.
    pub change: Change,
    /// Its value is not to be shown.
    pub secret: bool,
}

/// When another value of a key takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// When the process is started again.
    Restart,
    /// When the configuration is read again; what is under way goes on as it began.
    Reload,
}

/// Hands the keys of one section to [`Section::read`].
#[derive(Debug)]
pub struct Reader<'a> {
    document: &'a mut Document,
    section: &'static str,
}

impl<'a> Reader<'a> {
    pub(super) fn new(document: &'a mut Document, section: &'static str) -> Self {
        Self { document, section }
    }

    /// The value of `key`: of the environment, else the file, else `default`, a TOML text.
    pub fn value<T: Value>(&mut self, key: &'static str, default: &'static str) -> T {
        let Some(node) = self.document.node(self.section, key) else {
            return default_value(default);
        };
        match T::read(&node) {
            Ok(value) => value,
            Err(rejection) => {
                self.document.reject(self.section, key, rejection);
                default_value(default)
            }
        }
    }
}

/// The value of a default written in a [`section!`](crate::section).
///
/// # Panics
/// If the text is no `T`: the declaration is wrong, and whoever reads the section's `Default` once
/// in a test knows it.
pub fn default_value<T: Value>(text: &str) -> T {
    let node = parse_value(text).expect("a default is TOML text");
    T::read(&node).expect("a default is a value of its key")
}

/// Declares a section of the configuration: a struct with one field per key, as visible as itself.
///
/// `key: Type = default` takes the default as it would be written in TOML: a number, `true`, a
/// string such as `"30s"`, a list, or `"off"` for the `None` of an `Option`. `=> Reload` behind it says that another value
/// takes effect when the configuration is read again ([`Change`](crate::config::Change)). The doc comments go
/// into the default file. `in ""` declares top-level keys. The struct gets `Debug`, `Clone`,
/// `PartialEq`, `Default` and [`Section`](crate::config::Section). See [`config`](crate::config) for an example.
#[macro_export]
macro_rules! section {
    (
        $(#[doc = $doc:expr])*
        $visibility:vis struct $name:ident in $section:literal {
            $($(#[doc = $key_doc:expr])* $key:ident: $type:ty = $default:expr $(=> $change:ident)?),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq)]
        $visibility struct $name {
            $($(#[doc = $key_doc])* $visibility $key: $type),*
        }

        impl ::std::default::Default for $name {
            fn default() -> Self {
                Self {
                    $($key: $crate::config::default_value(::std::stringify!($default))),*
                }
            }
        }

        impl $crate::config::Section for $name {
            const DOC: $crate::config::SectionDoc = $crate::config::SectionDoc {
                name: $section,
                doc: &[$($doc),*],
                keys: &[$($crate::config::KeyDoc {
                    name: ::std::stringify!($key),
                    doc: &[$($key_doc),*],
                    expected: <$type as $crate::config::Value>::expected,
                    default: ::std::stringify!($default),
                    change: $crate::change!($($change)?),
                    secret: <$type as $crate::config::Value>::SECRET,
                }),*],
            };

            fn read(reader: &mut $crate::config::Reader<'_>) -> Self {
                Self {
                    $($key: reader.value(
                        ::std::stringify!($key),
                        ::std::stringify!($default),
                    )),*
                }
            }
        }
    };
}

/// What a [`section!`](crate::section) says about changes of a key; nothing means a restart.
#[doc(hidden)]
#[macro_export]
macro_rules! change {
    () => {
        $crate::config::Change::Restart
    };
    ($change:ident) => {
        $crate::config::Change::$change
    };
}
