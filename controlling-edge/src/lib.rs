//! Controlling function.
