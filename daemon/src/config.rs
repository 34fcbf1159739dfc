//! One TOML file with environment overrides, read section by section.
//!
//! Every library declares the keys it needs with [`section!`](crate::section), next to the code
//! that uses them; the binary loads one [`Document`], reads all sections and calls
//! [`Document::finish`]. Mistakes do not stop the reading: each is noted with its place and all
//! are reported together, so that an operator mends ten of them in one round.
//!
//! * Keys live in `[section]` tables; the section `""` holds the top-level keys.
//! * `RESTANTE_<SECTION>__<KEY>` overrides the file (`RESTANTE_<KEY>` for a top-level key). Names are
//!   in capitals, `-` becomes `_`, lists are separated by commas.
//! * Durations and sizes carry a unit: `"500ms"`, `"7d"`, `"64KiB"`. `"off"` is the absent value of an
//!   optional key.
//! * Two libraries may declare the same section with different keys; one that both declare must be
//!   alike ([`conflicts`]).
//!
//! ```
//! # use restante_daemon as daemon;
//! use std::time::Duration;
//!
//! daemon::section! {
//!     /// When deferred messages are pushed to a user who has come back.
//!     pub struct Push in "push" {
//!         /// Time from a registration to the push session it triggers.
//!         delay: Duration = "1s",
//!         /// Push sessions open at one time.
//!         sessions: u16 = 256,
//!     }
//! }
//!
//! use daemon::config::{Document, Environment};
//!
//! let environment = Environment::from_iter([("RESTANTE_PUSH__SESSIONS", "64")]);
//! let mut document = Document::parse("restante.toml", "[push]\ndelay = \"2s\"\n", environment);
//! let push = document.read::<Push>();
//! if push.delay > Duration::from_secs(60) {
//!     document.error_at("push.delay", "must not exceed one minute");
//! }
//! document.finish()?;
//! assert_eq!(push, Push { delay: Duration::from_secs(2), sessions: 64 });
//! # Ok::<(), daemon::config::ConfigErrors>(())
//! ```
//!
//! A file is read again as a new document; what has changed is found by [`Changes::between`] the [`Document::settings`] of both.
//!
//! It is not a general settings tree: no nesting below a section, no remote source.

mod choice;
mod document;
mod environment;
mod error;
mod file;
mod node;
mod quantity;
mod reference;
mod render;
mod section;
mod setting;
mod suggest;
mod value;

#[cfg(test)]
mod tests;

pub use document::Document;
pub use environment::Environment;
pub use error::{ConfigError, ConfigErrors, Place};
pub use node::Node;
pub use quantity::Octets;
pub use reference::render_reference;
pub use render::{conflicts, render_default};
pub use section::{Change, KeyDoc, Reader, Section, SectionDoc, default_value};
pub use setting::{Changed, Changes, Setting};
pub use value::{Rejection, TextValue, Value};
