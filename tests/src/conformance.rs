//! The record of what was tested: from the requirements and the checklist that tests them
//! ([`Checklist`]) by the names of the tests ([`Test`]) and the verdicts of their last run ([`Record`]) to
//! `docs/conformance.md` ([`document`]).

mod checklist;
mod document;
mod junit;
mod record;
mod report;
mod repository;
mod test;

pub use checklist::Checklist;
pub use document::document;
pub use junit::{Outcome, outcomes};
pub use record::{Record, Verdict};
pub use report::report;
pub use repository::{all_tests, root};
pub use test::{Test, Tier, tests};

/// The checklist, from the root of the repository.
pub const CHECKLIST: &str = "tests/checklist.toml";

/// The document, from the root of the repository.
pub const DOCUMENT: &str = "docs/conformance.md";
