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

/// A body that is in memory.
impl BodySource for Bytes {
    fn read(&mut self, max_octets: usize) -> BodyRead<'_> {
        let octets = self.split_to(max_octets.min(self.len()));
        Box::pin(ready(Ok(octets)))
    }
}
