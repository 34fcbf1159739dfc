//! The body of a SEND of ours: octets in memory around octets that are read from the store while
//! they leave, so that a message of any size costs a few pieces of memory (P9).

use std::io;

use bytes::Bytes;
use edge::sending::StoredBody;
use net::msrp::{BodyRead, BodySource};
use storage_client::StorageClient;
use storage_client::delivery::Claim;
use storage_client::message::PartKind;

/// What is sent, of a length known before any of it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    before: Bytes,
    stored: Option<Stored>,
    after: Bytes,
}

/// A part of a message that is too large to be held.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stored {
    message_id: String,
    part: PartKind,
    octets: u64,
}

impl Content {
    /// All of it is in memory.
    pub(crate) fn whole(octets: Bytes) -> Self {
        Self {
            before: octets,
            stored: None,
            after: Bytes::new(),
        }
    }

    /// The part of a message that the store keeps, of so many octets.
    pub(crate) fn stored(message_id: &str, part: PartKind, octets: u64) -> Self {
        let message_id = message_id.to_owned();
        Self {
            before: Bytes::new(),
            stored: Some(Stored {
                message_id,
                part,
                octets,
            }),
            after: Bytes::new(),
        }
    }

    /// The same between these octets.
    pub(crate) fn between(self, before: &[&[u8]], after: &[&[u8]]) -> Self {
        let joined = |left: &[u8], right: &[u8]| Bytes::from([left, right].concat());
        if self.stored.is_none() {
            return Self::whole(
                [&before.concat()[..], &self.before, &after.concat()]
                    .concat()
                    .into(),
            );
        }
        Self {
            before: joined(&before.concat(), &self.before),
            stored: self.stored,
            after: joined(&self.after, &after.concat()),
        }
    }

    /// Its length.
    pub(crate) fn octets(&self) -> u64 {
        let held = self.before.len() + self.after.len();
        held as u64 + self.stored.as_ref().map_or(0, |stored| stored.octets)
    }

    /// The octets in memory, which are all if nothing is read from the store.
    #[cfg(test)]
    pub(crate) fn held(&self) -> (&Bytes, &Bytes) {
        (&self.before, &self.after)
    }

    /// Something to send it from, under this claim. The store is asked when the octets before its
    /// part are gone: what waits in a session holds nothing.
    pub(crate) fn source(self, storage: &StorageClient, claim: Claim) -> impl BodySource + use<> {
        let storage = storage.clone();
        let rest = self.stored.map(|stored| {
            let octets = stored.octets;
            StoredBody::new(octets, async move {
                let Stored {
                    message_id, part, ..
                } = &stored;
                let opened = storage.read_part(message_id, *part, 0..octets, Some(claim));
                opened.await.map_err(io::Error::other)
            })
        });
        Source {
            before: self.before,
            rest,
            after: self.after,
        }
    }
}

/// What of a content has not been read.
struct Source {
    before: Bytes,
    rest: Option<StoredBody>,
    after: Bytes,
}

impl BodySource for Source {
    fn read(&mut self, max_octets: usize) -> BodyRead<'_> {
        Box::pin(async move {
            if !self.before.is_empty() {
                return Ok(first(&mut self.before, max_octets));
            }
            match &mut self.rest {
                Some(rest) if rest.remaining() > 0 => rest.read(max_octets).await,
                _ => Ok(first(&mut self.after, max_octets)),
            }
        })
    }
}

fn first(octets: &mut Bytes, max_octets: usize) -> Bytes {
    octets.split_to(max_octets.min(octets.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_framed_in_memory_stays_one_piece() {
        let content = Content::whole(Bytes::from_static(b"body")).between(&[b"a", b"b"], &[b"c"]);
        assert_eq!(content, Content::whole(Bytes::from_static(b"abbodyc")));
        assert_eq!(content.octets(), 7);
    }

    #[test]
    fn the_length_is_known_before_anything_is_read() {
        let content =
            Content::stored("1@h", PartKind::SendBody, 1 << 30).between(&[b"ab"], &[b"c"]);
        assert_eq!(content.octets(), (1 << 30) + 3);
        assert_eq!(
            content.held(),
            (&Bytes::from_static(b"ab"), &Bytes::from_static(b"c"))
        );
    }
}
