//! Names, fingerprints and files; an authority for the tests of others.

mod authority;
mod files;
mod fingerprint;
mod names;

pub(crate) use self::authority::Authority;
