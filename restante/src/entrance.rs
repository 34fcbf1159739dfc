//! Joins the console to the storage service: whoever signs in there comes in through the service's door.

use std::sync::Arc;

use console::{Console, Entrance, Visitor};
use service::Door;
use tokio_util::sync::CancellationToken;

struct Joined(Door);

impl Entrance for Joined {
    fn sign_in(&self, token: &str) -> Option<Visitor> {
        let (door, visitor) = (self.0.clone(), self.0.redeem(token)?);
        Some(Visitor {
            name: visitor.name().to_owned(),
            may_change: visitor.may_change(),
            may_read_contents: visitor.may_read_contents(),
            connect: Box::new(move || door.connect(&visitor)),
        })
    }
}

/// Opens the door, and serves until the shutdown.
pub(crate) fn serve(
    console: Console,
    door: Door,
    shutdown: CancellationToken,
) -> impl Future<Output = ()> {
    door.open(console.url());
    console.run(Arc::new(Joined(door)), shutdown)
}
