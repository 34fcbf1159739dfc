//! Where the octets of an outgoing message come from.

use std::future::{Future, ready};
use std::io;
use std::pin::Pin;

use bytes::Bytes;

/// A read that is under way.
pub type BodyRead<'a> = Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send + 'a>>;

/// The octets of one message, read once from beginning to end.
pub trait BodySource: Send + 'static {
    /// The next octets, at most so many. None before the announced length are a failure of the
    /// message.
    fn read(&mut self, max_octets: usize) -> BodyRead<'_>;
}

/// A source, or a read of it that is under way and survives being waited for in turns.
pub(super) enum Body {
    Idle(Box<dyn BodySource>),
    Reading(Reading),
    /// Between the two; also after a read was lost with its source.
    Gone,
}

/// A read that owns its source and gives it back.
pub(super) type Reading =
    Pin<Box<dyn Future<Output = (Box<dyn BodySource>, io::Result<Bytes>)> + Send>>;

impl Body {
    /// The read under way, begun now if there is none; nothing if the source is gone.
    pub(super) fn reading(&mut self, max_octets: usize) -> Option<&mut Reading> {
        if let Body::Idle(_) = self
            && let Body::Idle(mut source) = std::mem::replace(self, Body::Gone)
        {
            *self = Body::Reading(Box::pin(async move {
                let octets = source.read(max_octets).await;
                (source, octets)
            }));
        }
        match self {
            Body::Reading(reading) => Some(reading),
            Body::Idle(_) | Body::Gone => None,
        }
    }
}

/// A body that is in memory.
impl BodySource for Bytes {
    fn read(&mut self, max_octets: usize) -> BodyRead<'_> {
        let octets = self.split_to(max_octets.min(self.len()));
        Box::pin(ready(Ok(octets)))
    }
}
