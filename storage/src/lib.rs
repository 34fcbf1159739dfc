//! Mailboxes of deferred messages: the store trait and its engines.
