//! Joins the console to the storage service: whoever signs in there comes in through the service's door.

use std::pin::Pin;
use std::sync::Arc;

use console::{Console, Entrance, SigningIn, Visitor};
use service::Door;
use tokio_util::sync::CancellationToken;

struct Joined(Door);

impl Entrance for Joined {
    fn sign_in<'a>(&'a self, token: &'a str) -> SigningIn<'a> {
        Box::pin(async move {
            let door = self.0.clone();
            let visitor = door.redeem(token).await?;
            Ok(visitor.map(|visitor| Visitor {
                name: visitor.name().to_owned(),
                may_change: visitor.may_change(),
                may_read_contents: visitor.may_read_contents(),
                connect: Box::new(move || door.connect(&visitor)),
            }))
        })
    }

    fn sign_out<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(self.0.leave(name))
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
