//! XCAP selectors and documents.
