//! The copies of a message, without I/O: what they have in common is fixed when the message is accepted, and each is
//! the same octets in every try (CFP-18), so that whoever gets one twice knows it.

mod content;
pub(crate) mod large;
mod leg;
mod template;

pub(crate) use content::{Content, is_recipient_list};
pub(crate) use leg::{Leg, NotATemplate};
pub(crate) use template::{Template, head_of_invite, hops_of_a_copy, template};
