//! XCAP (RFC 4825) and the XML documents of the IM enabler, without I/O.
//!
//! * [`resource`]: the path of an XCAP request, with its node selector.
//! * [`select`]: what a node selector finds in a document, as it goes over the wire.
//! * [`edit`]: changes of a document, node by node.
//! * [`conflict`]: what a client is told whose change is refused.
//! * [`capabilities`]: what a server offers.
//! * [`condition`]: If-Match and If-None-Match.
//! * [`deferred_list`]: the list of a user's deferred messages (requirements §4.4).
//! * [`group_document`]: groups as their owners edit them (OMA XDM Group).
//! * [`poc_settings`]: the settings that a user publishes (RFC 4354, requirements §2.6).
//! * [`resource_lists`]: recipients of a message to many (RFC 4826, RFC 5364).
//!
//! It is not an HTTP server, and not an XML library: documents are read by roxmltree, which resolves
//! no external entity and expands none; a document with a DTD is refused.
//!
//! Limits: [`resource::MAX_OCTETS`] and [`resource::MAX_STEPS`] of a path, [`xml::Limits`] of a document
//! that somebody else has written.

pub mod capabilities;
pub mod condition;
pub mod conflict;
pub mod deferred_list;
pub mod edit;
pub mod group_document;
pub mod node_selector;
pub mod percent;
pub mod poc_settings;
pub mod resource;
pub mod resource_lists;
pub mod select;
pub mod xml;
